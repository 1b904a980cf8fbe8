"""Modules and programs of torch: their arguments, their export to ONNX, and what is compared after it."""
