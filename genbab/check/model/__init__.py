"""Reads a model of ONNX as a program of affine steps and of elementwise formulas over the reals."""
