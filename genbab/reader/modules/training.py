"""Modules that are not ready: in training mode where that changes what they compute, or without weights."""

from __future__ import annotations

import warnings
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.parameter import is_lazy

from genbab.errors import UsageError
from genbab.reader.models.selfcheck import points_near
from genbab.reader.modules.arguments import Arguments, Inputs, output_tensors

SHOWN = 4
"""Layers that the message names."""


def refuse_unready(module: nn.Module, example: Any) -> None:
    """Raises `UsageError` for a module that is not ready to be exported.

    It has no weights yet, or computes something else in its present mode than in evaluation mode.
    """
    _refuse_lazy(module)
    _refuse_layers(module)
    _refuse_difference(module, Arguments.of(example, module, type(module).__name__))


def _refuse_layers(module: nn.Module) -> None:
    found = [
        f"{type(one).__name__} '{name}'" if name else type(one).__name__
        for name, one in module.named_modules()
        if one.training and _depends(one)
    ]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UsageError(
            f"{type(module).__name__} is in training mode, where {', '.join(found[:SHOWN])}{more} compute(s) "
            "something else than in evaluation mode, which is what genbab verifies: call model.eval() first"
        )


def _depends(one: nn.Module) -> bool:
    """Whether the layer's mode matters."""
    if isinstance(one, _BatchNorm):
        return True
    if isinstance(one, _InstanceNorm):
        return one.track_running_stats
    if isinstance(one, _DropoutNd):
        return one.p > 0
    return isinstance(one, nn.MultiheadAttention | nn.RNNBase) and one.dropout > 0


def _refuse_lazy(module: nn.Module) -> None:
    """Weights without a shape would get random values by being looked at."""
    if any(is_lazy(one) for one in chain(module.parameters(), module.buffers())):
        raise UsageError(
            f"{type(module).__name__} has weights that get their shape from the first input: call the module "
            "once, and train it or load its weights"
        )


def _refuse_difference(module: nn.Module, arguments: Arguments) -> None:
    """Looks at the inputs and near them, with copies of all weights and buffers.

    What fails, or gives something else whenever it is called, is left to the export.
    """
    modes = {one: one.training for one in module.modules()}
    if not any(modes.values()):
        return
    inputs = arguments.tensors
    devices = sorted({i.device.index or 0 for i in inputs if i.device.type == "cuda"})
    with torch.random.fork_rng(devices), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            places = [point for _, point in points_near(inputs)]
            now = [_tensors(module, arguments, place) for place in places]
            module.eval()
            later, again = ([_tensors(module, arguments, place) for place in places] for _ in range(2))
        except Exception:  # whatever the module's code meets
            return
        finally:
            for one, mode in modes.items():
                one.training = mode
    if all(map(_same, later, again)) and not all(map(_same, now, later)):
        raise UsageError(
            f"{type(module).__name__} is in training mode, where it computes something else than in "
            "evaluation mode, which is what genbab verifies: call model.eval() first"
        )


def _tensors(module: nn.Module, arguments: Arguments, inputs: Inputs) -> list[Tensor]:
    """What the module gives, its own weights and buffers untouched."""
    own = chain(module.named_parameters(), module.named_buffers())
    copies: dict[str, Any] = {name: one.clone() for name, one in own}
    return [one for _, one in output_tensors(functional_call(module, copies, *arguments.filled(inputs)))]


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether both are the same up to rounding."""
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, 1e-3, 1e-5, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    )
