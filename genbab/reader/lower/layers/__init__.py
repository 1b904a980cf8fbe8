"""Operators of layers: products, convolutions, pooling, recurrence, attention, norms, softmax, integers."""
