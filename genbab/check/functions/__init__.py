"""Functions of one entry: formulas, their derivatives in intervals, and lines that are proved for them."""
