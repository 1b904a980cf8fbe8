"""Operators that move numbers: shapes, gathers, joins, padding, resizing."""
