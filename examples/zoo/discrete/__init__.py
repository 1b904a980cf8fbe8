"""Steps, codes, signs, and choices among experts."""
