"""What the inner loops of the engine can run in, for tests that hold for all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genbab.kernels import Backend, Kernels, available, implementation
from genbab.kernels.torch import reference

ROOT = Path(__file__).resolve().parents[2]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether this process is one of `interpret`: what Triton does is settled when it is imported."""


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


def interpret(path: str) -> None:
    """Run the tests of a file that take `kernels` with Triton's interpreter; all of them must pass."""
    if INTERPRETED or not available(Backend.TRITON):
        pytest.skip("triton is not installed, or runs already")
    places = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": places}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", path]
    run = subprocess.run(
        [*command, "-k", "triton"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-6000:]
    assert " passed" in run.stdout and "skipped" not in run.stdout
