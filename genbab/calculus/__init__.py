"""Derivatives of models: as models, in formulas, and what is certified with them."""
