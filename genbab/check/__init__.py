"""Decides whether a proof holds, by bounds of its own that share no code with the search.

`genbab-check MODEL.onnx SPEC.vnnlib PROOF`: see docs/proofs.md for the format and the rules. It reads the
model, the specification and the proof by itself and needs numpy and onnx only.
"""

VERSION = "1.1"
"""Of the rules: another one where other files may be accepted."""
