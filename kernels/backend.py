"""Which implementation of the kernels runs: chosen by the caller and passed down, never read from outside."""

from __future__ import annotations

import enum
import importlib.util

import torch

from genbab.kernels.protocol import Kernels
from genbab.kernels.torch import operations

DEFAULT: Kernels = operations
"""What runs unless another backend is named, on every device."""


class Backend(enum.Enum):
    """What kernels are written in; AUTO: `DEFAULT`."""

    AUTO = "auto"
    TORCH = "torch"
    NUMBA = "numba"
    TRITON = "triton"


def available(backend: Backend) -> bool:
    """Whether the library that the backend is written in is installed; imports nothing."""
    named = {Backend.NUMBA: "numba", Backend.TRITON: "triton"}.get(backend)
    return named is None or importlib.util.find_spec(named) is not None


def implementation(backend: Backend, device: torch.device) -> Kernels:
    """The kernels of a backend, its library imported.

    Raises ValueError where that is not installed or cannot compute on the device.
    """
    if not available(backend):
        raise ValueError(
            f"kernels: backend '{backend.value}' needs the package {backend.value}, which is not installed; "
            f"accepted here: {', '.join(b.value for b in Backend if available(b))}"
        )
    if backend is Backend.NUMBA:
        if device.type != "cpu":
            raise ValueError(f"kernels: backend 'numba' computes on the CPU, the tensors are on '{device}'")
        from genbab.kernels import cpu

        return cpu
    if backend is Backend.TRITON:
        from genbab.kernels import gpu

        return gpu
    return DEFAULT
