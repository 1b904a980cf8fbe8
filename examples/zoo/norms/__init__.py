"""Networks that normalise."""
