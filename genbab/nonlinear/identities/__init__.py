"""Expressions rewritten, exactly over the reals: as known functions, polynomials, gates, switches."""
