"""Affine bounds of steps: carried back from rows to the inputs, and forward from the inputs."""
