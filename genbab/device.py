"""Names of devices, resolved; torch is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genbab.errors import ResourceError

if TYPE_CHECKING:
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
