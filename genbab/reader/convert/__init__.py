"""From a checked ONNX model to nodes: one after the other, constants folded, control resolved."""
