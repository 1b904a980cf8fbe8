"""Operators on numbers: elementwise, comparisons, casts, reductions, the place of the largest."""
