"""Searches over regions: boxes of hidden neurons and inputs with intervals of their own."""
