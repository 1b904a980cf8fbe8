"""Where the file's graph has no value, and what says that it has one."""
