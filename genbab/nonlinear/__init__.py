"""Nonlinear functions as records of facts, and everything that follows from them: ranges, sound lines, good slopes."""

from __future__ import annotations

from genbab.nonlinear import functions as _library  # noqa: F401 - fills the registry
