"""Whole models: read and checked, joined, with hidden tensors as outputs, from torch."""
