"""Flows, denoisers, equilibria."""
