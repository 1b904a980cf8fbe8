"""Operators of linear algebra: matrix products, Einsum, transforms, grids, determinants."""
