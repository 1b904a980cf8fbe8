"""What people ask a method: boxes and rows as arrays of any kind, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network import Network
from genbab.network.roundoff import Interval


def matrix_of_rows(network: Network, given: Any, count: int, device: torch.device) -> Tensor:
    """Rows C as people give them, as (B or 1, S, O) for `count` boxes; raises `UsageError`."""
    matrix = _numbers("C", given, device)
    matrix = matrix[None] if matrix.dim() == 2 else matrix
    wanted = f"(S, {network.output_size}) or ({count}, S, {network.output_size})"
    if matrix.dim() != 3 or matrix.shape[2] != network.output_size or matrix.shape[0] not in (1, count):
        raise UsageError(f"C: expected the shape {wanted}, found {tuple(np.shape(given))}")
    return matrix


def _numbers(name: str, value: Any, device: torch.device) -> Tensor:
    if isinstance(value, Tensor | np.ndarray) and (
        value.is_complex() if isinstance(value, Tensor) else np.iscomplexobj(value)
    ):
        raise UsageError(f"{name}: expected real numbers, found {value.dtype}")
    if isinstance(value, np.ndarray):
        value = value.copy()  # torch warns of arrays that may not be written, as those of a specification
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64, device=device).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: expected numbers ({error})") from error
    if not numbers.numel():
        raise UsageError(f"{name}: holds no numbers, its shape is {tuple(numbers.shape)}")
    if not bool(torch.isfinite(numbers).all()):
        raise UsageError(f"{name}: every number must be finite")
    return numbers


def boxes(network: Network, lower: Any, upper: Any, device: torch.device) -> Interval:
    """Boxes (B, D) as people give their ends, (D,) or (B, ...); raises `UsageError`."""
    ends = []
    for name, value in (("lower", lower), ("upper", upper)):
        end = _numbers(name, value, device)
        size = network.input_size
        end = (
            end.reshape(1, -1) if end.numel() == size else end.reshape(end.shape[0], -1) if end.dim() else end
        )
        if end.dim() != 2 or end.shape[1] != size:
            raise UsageError(f"{name}: expected {size} numbers per box, found the shape {tuple(end.shape)}")
        ends.append(end)
    shapes = [tuple(end.shape) for end in ends]
    if shapes[0] != shapes[1]:
        raise UsageError(f"lower and upper have different shapes: {shapes[0]} and {shapes[1]}")
    above = (ends[0] > ends[1]).nonzero()
    if len(above):
        box, number = above[0].tolist()
        raise UsageError(f"lower is above upper in box {box} at input {number}")
    return ends[0], ends[1]
