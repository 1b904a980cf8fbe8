"""Graphs in float16 and bfloat16, executed in float32 with tensors rounded to these types or kept."""

from __future__ import annotations

from .shortened import KINDS, Shortened, shortened

__all__ = ["KINDS", "Shortened", "shortened"]
