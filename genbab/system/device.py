"""Names of devices, resolved, and torch's defaults kept apart; torch is imported on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from genbab.errors import ResourceError, UsageError

if TYPE_CHECKING:
    import torch

    from genbab.kernels import Kernels


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


@contextmanager
def usual_torch() -> Iterator[None]:
    """Inside, torch is as usual, whatever the caller has set; afterwards all is as it was.

    New tensors are float32 and on the CPU unless more is said, and nothing is autocast.
    """
    import torch

    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield


def kernels_for(backend: str, device: torch.device) -> Kernels:
    """The kernels that the setting `backend` means on this device.

    Raises `ResourceError` where a library is missing, `UsageError` where it cannot compute on the device.
    """
    from genbab.kernels import Backend, implementation

    wanted = {"numba": "cpu", "triton": "cuda"}.get(backend, device.type)
    if device.type != wanted:
        raise UsageError(
            f"--backend {backend} computes on {wanted}, the device is {device}; "
            f"try --backend torch or --device {wanted}"
        )
    try:
        return implementation(Backend(backend), device)
    except ValueError as error:
        raise ResourceError(str(error)) from error
