"""VNN-LIB 2: its syntax tree walked, its text read in arrays, queries judged and written."""
