"""Names of devices, resolved; torch is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genbab.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from types import ModuleType

    import torch


def available() -> tuple[str, ...]:
    """The names that `resolve` accepts on this machine, besides "auto" and "cuda" for the first GPU."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ("cpu", *(f"cuda:{i}" for i in range(count)))


def resolve(name: str) -> torch.device:
    """The device called `name` ("auto": the first GPU or else the CPU); raises `ResourceError`."""
    import torch

    there = available()
    if name == "auto":
        return torch.device(there[-1] if len(there) == 1 else "cuda:0")
    full = "cuda:0" if name == "cuda" else name
    if full not in there:
        raise ResourceError(f"no such device: {name}; this machine has {', '.join(there)}")
    return torch.device(full)


def kernels_for(backend: str, device: torch.device) -> ModuleType | None:
    """The implementation of `genbab.kernels` that the setting `backend` means on this device.

    None: torch operations, which is what "auto" and "torch" mean. Raises `ResourceError` where a library is
    missing, `UsageError` where it cannot compute on the device.
    """
    if backend in ("auto", "torch"):
        return None
    from genbab.kernels import Backend, implementation

    wanted = "cpu" if backend == "numba" else "cuda"
    if device.type != wanted:
        raise UsageError(
            f"--backend {backend} computes on {wanted}, the device is {device}; "
            f"try --backend torch or --device {wanted}"
        )
    try:
        return implementation(Backend(backend), device)
    except ValueError as error:
        raise ResourceError(str(error)) from error
