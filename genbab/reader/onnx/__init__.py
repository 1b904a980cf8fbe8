"""ONNX files before they are converted: read, upgraded, spelled out, run by onnxruntime."""
