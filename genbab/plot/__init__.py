"""Drawings, with matplotlib (the extra `plot`): of functions with their lines, and of runs."""
