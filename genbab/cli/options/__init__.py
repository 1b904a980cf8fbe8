"""The words of the command line, without what they do."""
