"""Operators of `ai.onnx.ml`, as scikit-learn's models are exported: linear, kernels, trees, labels."""
