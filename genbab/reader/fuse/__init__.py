"""Nodes of a network found to be one function together, and fused."""
