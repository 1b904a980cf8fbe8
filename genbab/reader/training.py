"""Modules in training mode: refused where the mode changes what they compute."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from genbab.errors import UsageError

SHOWN = 4
"""Layers that the message names."""


def refuse_training(module: nn.Module) -> None:
    """Raises `UsageError` when the module is in training mode and has layers that compute something else
    there."""
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
