"""Inner loops on arrays: one definition in plain torch, and the same loops compiled for CPUs and GPUs.

Floor 1: kernels know tensors and nothing of networks. `torch.reference` is the definition; `torch.operations`
(the default), `cpu` (numba) and `gpu` (Triton) agree with it up to rounding, and all of them are `Kernels`.
The backend is an argument; Triton and numba are imported only when it asks for them.
"""

from __future__ import annotations

if __name__ != "genbab.kernels":
    raise ImportError("this folder is the package genbab.kernels: import genbab.kernels")

from genbab.kernels.backend import DEFAULT, Backend, available, implementation
from genbab.kernels.functions import LEAST_SQUARE, Function
from genbab.kernels.protocol import Kernels
from genbab.kernels.torch.envelopes import S_SHAPED
from genbab.kernels.torch.reference import Concrete, Moments, Pace, Relaxed
from genbab.kernels.torch.softmax import Apart, SoftmaxFacts, SoftmaxPlanes

__all__ = [
    "DEFAULT",
    "LEAST_SQUARE",
    "S_SHAPED",
    "Apart",
    "Backend",
    "Concrete",
    "Function",
    "Kernels",
    "Moments",
    "Pace",
    "Relaxed",
    "SoftmaxFacts",
    "SoftmaxPlanes",
    "available",
    "implementation",
]
