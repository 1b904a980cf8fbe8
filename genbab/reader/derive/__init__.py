"""Derivatives of networks as networks, and models whose outputs are made of them."""
