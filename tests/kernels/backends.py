"""What the inner loops of the engine can run in, for tests that hold for all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from genbab.kernels import Backend, Kernels, available, implementation
from genbab.kernels.torch import reference

ROOT = Path(__file__).resolve().parents[2]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether this process is one of `test_interpreter`: what Triton does is settled when it is imported."""


NAMES = ("definition", "numba", "triton")


def loaded(request: pytest.FixtureRequest) -> Kernels:
    """A fixture with NAMES as parameters: the implementation of `genbab.kernels` of that name, on the CPU."""
    if (request.param == "triton") != INTERPRETED:
        pytest.skip("Triton's interpreter runs in a process of its own")
    if request.param == "definition":
        return reference
    backend = Backend(request.param)
    if not available(backend):
        pytest.skip(f"{backend.value} is not installed")
    return implementation(backend, torch.device("cpu"))
