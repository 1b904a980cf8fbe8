"""Linear maps between flat vectors, and what is composed of them."""
