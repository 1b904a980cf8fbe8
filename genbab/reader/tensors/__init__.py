"""Tensors under construction, constants or nodes of the network, and arithmetic on both."""
