"""Networks between functions."""
