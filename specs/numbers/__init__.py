"""Numbers of specifications: decimals, rationals, polynomials, rounded in a known direction."""
