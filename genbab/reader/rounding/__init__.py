"""Networks whose bounds hold for what the program of a file computes, in its floating-point numbers."""
