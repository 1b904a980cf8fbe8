"""VNN-LIB 1.0: its text cut, parsed, written."""
