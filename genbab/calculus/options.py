"""How certified questions about derivatives are answered: the keyword arguments that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from genbab.api import load
from genbab.errors import UsageError
from genbab.network.roundoff import Interval
from genbab.reader import Model
from genbab.system.deadline import Deadline

SECONDS = 60.0
"""The time limit where none is given."""


class SearchOptions(TypedDict, total=False):
    """How values are enclosed.

    tolerance: how far the certified bound may stay above the value that was seen, relative to that (0.01);
    timeout: seconds (60; None: no limit); example: an input of the model, which a torch module needs.
    """

    tolerance: float
    timeout: float | None
    example: Any


@dataclass(frozen=True, eq=False)
class BoxQuestion:
    """The model, the box (1, D), and what the options say."""

    model: Model
    box: Interval
    tolerance: float
    deadline: Deadline

    @classmethod
    def of(cls, model: Any, lower: Any, upper: Any, options: SearchOptions) -> BoxQuestion:
        """What these arguments mean; raises `UsageError`, and `TypeError` for an unknown name."""
        for name in options:
            if name not in SearchOptions.__annotations__:
                known = ", ".join(SearchOptions.__annotations__)
                raise TypeError(f"unexpected keyword argument '{name}'; there are {known}")
        tolerance, timeout = options.get("tolerance", 0.01), options.get("timeout", SECONDS)
        if not isinstance(tolerance, int | float) or not 0 < tolerance < math.inf:
            raise UsageError(f"tolerance = {tolerance!r}: must be a number above 0")
        if timeout is not None and not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
            raise UsageError(f"timeout = {timeout!r}: must be seconds above 0, or None")
        loaded = load(model, options.get("example"))
        low, high = (_end(loaded, name, value) for name, value in (("lower", lower), ("upper", upper)))
        if bool((low > high).any()):
            raise UsageError(f"lower is above upper at input {int((low > high).int().argmax())}")
        return cls(loaded, (low, high), float(tolerance), Deadline(timeout))


def _end(model: Model, name: str, value: Any) -> Tensor:
    size = model.network.input_size
    try:
        plain = value.detach().cpu() if isinstance(value, Tensor) else value
        end = np.asarray(plain, np.float64).reshape(1, -1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: expected numbers ({error})") from error
    if end.size != size or not np.isfinite(end).all():
        wrong = end.size if end.size != size else f"{end[~np.isfinite(end)][0]:g} among them"
        raise UsageError(f"{name}: expected {size} finite numbers, found {wrong}")
    return torch.from_numpy(end.copy())
