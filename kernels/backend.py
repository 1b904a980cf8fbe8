"""Which implementation of the kernels runs: chosen by the caller and passed down, never read from outside."""

from __future__ import annotations

import enum
import importlib
import importlib.util
from types import ModuleType

import torch


class Backend(enum.Enum):
    """AUTO looks at the device of the tensors: Triton on a GPU where it is installed, torch elsewhere."""

    AUTO = "auto"
    TORCH = "torch"
    NUMBA = "numba"
    TRITON = "triton"


_MODULES = {
    Backend.TORCH: "genbab.kernels.torch.reference",
    Backend.NUMBA: "genbab.kernels.cpu",
    Backend.TRITON: "genbab.kernels.gpu",
}


def available(backend: Backend) -> bool:
    """Whether the library that the backend is written in is installed; imports nothing."""
    named = {Backend.NUMBA: "numba", Backend.TRITON: "triton"}.get(backend)
    return named is None or importlib.util.find_spec(named) is not None


def implementation(backend: Backend, device: torch.device) -> ModuleType:
    """The module whose functions do the work; ValueError where its library is missing."""
    if backend is Backend.AUTO:
        on_gpu = device.type == "cuda" and available(Backend.TRITON)
        backend = Backend.TRITON if on_gpu else Backend.TORCH
    if not available(backend):
        raise ValueError(
            f"kernels: backend '{backend.value}' needs the package {backend.value}, which is not installed; "
            f"accepted here: {', '.join(b.value for b in Backend if available(b))}"
        )
    if backend is Backend.NUMBA and device.type != "cpu":
        raise ValueError(f"kernels: backend 'numba' computes on the CPU, but the tensors are on '{device}'")
    return importlib.import_module(_MODULES[backend])
