"""Turns of one and the same step, as loops have them, read as the fixed point that they come near."""
