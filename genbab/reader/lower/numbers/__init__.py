"""Operators on numbers: elementwise, comparisons, casts, reductions, winners, quantisation."""
