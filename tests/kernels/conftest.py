"""What the tests of kernels share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from genbab.kernels import Backend, Kernels, available, implementation
from tests.kernels.backends import INTERPRETED


@pytest.fixture(params=["numba", pytest.param("triton", marks=() if INTERPRETED else pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Kernels, str]:
    """(implementation, device); memory that it gets is full of NaN."""
    backend = Backend(request.param)
    if not available(backend):
        pytest.skip(f"{backend.value} is not installed")
    if INTERPRETED and backend is Backend.NUMBA:
        pytest.skip("runs without the interpreter")
    if backend is Backend.TRITON and not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("no GPU, and not interpreted")
    device = "cuda" if backend is Backend.TRITON and not INTERPRETED else "cpu"
    found = implementation(backend, torch.device(device))
    for owner, name in ((torch, "empty"), (torch, "empty_like"), (Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    return found, device


def poisoned(empty: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`empty` whose numbers are NaN."""

    def made(*args: Any, **kwargs: Any) -> Tensor:
        one = empty(*args, **kwargs)
        return one.fill_(torch.nan) if one.is_floating_point() else one.fill_(1)

    return made
