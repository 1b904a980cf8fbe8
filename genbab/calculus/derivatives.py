"""`derivative`, `jvp`, `vjp`: models whose outputs are derivatives of a model's outputs by its inputs."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbab.api import load
from genbab.errors import UsageError
from genbab.reader import Model
from genbab.reader.derive.asked import Asked, Quantity, against, along, differentiated_by
from genbab.reader.derive.model import made_of
from genbab.reader.derive.source import differentiable
from genbab.system.device import usual_torch

LARGEST = 4
"""The highest order: what a function is made of grows with every order."""

MOST = 4096
"""The most derivatives of one model: each has its own row, and most also their own nodes."""


def derivative(
    model: Any,
    order: int = 1,
    outputs: Sequence[int] | None = None,
    inputs: Sequence[int] | None = None,
    *,
    values: bool = False,
    example: Any = None,
) -> Model:
    """A model of ∂^order y_i / ∂x_j^order for these outputs i and inputs j (None: all), row by row.

    order: 1 for the Jacobian, 2 for the second derivatives ∂²y_i/∂x_j², up to 4. values: the outputs y_i
    themselves come first. What is proved of the model is a statement about the derivatives, over the reals,
    of the function that the file's graph is; docs/derivatives.md says what holds at kinks. `formulas` makes
    mixed derivatives and what is put together of these. Raises `UsageError` for numbers that make no
    sense, and for a function that jumps, naming its node; `ModelError` and `UnsupportedError` as `load`.
    """
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= LARGEST:
        raise UsageError(f"order = {order!r}: must be from 1 to {LARGEST}")
    loaded = load(model, example)
    ys = chosen(outputs, loaded.network.output_size, "outputs")
    xs = chosen(inputs, loaded.network.input_size, "inputs")
    if len(ys) * len(xs) > MOST:
        raise UsageError(
            f"{len(ys)} outputs by {len(xs)} inputs are {len(ys) * len(xs)} derivatives, more than {MOST}: "
            "name some of the outputs or inputs"
        )
    wanted: list[Quantity] = [(y, ()) for y in ys] if values else []
    wanted += [(y, (x,) * order) for y in ys for x in xs]
    with usual_torch():
        return _model(loaded, differentiated_by(differentiable(loaded), wanted), wanted, "derivative")


def jvp(model: Any, vector: Any, order: int = 1, *, example: Any = None) -> Model:
    """A model of the derivatives of all outputs along a vector v: J·v, or of higher order dⁿy(x + t·v)/dtⁿ.

    vector: D numbers. Raises as `derivative`.
    """
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= LARGEST:
        raise UsageError(f"order = {order!r}: must be from 1 to {LARGEST}")
    loaded = load(model, example)
    direction = _numbers(vector, loaded.network.input_size, "vector")
    wanted: list[Quantity] = [(y, (0,) * order) for y in range(loaded.network.output_size)]
    with usual_torch():
        return _model(loaded, along(differentiable(loaded), direction, order), wanted, "jvp")


def vjp(model: Any, form: Any, *, example: Any = None) -> Model:
    """A model of the gradient wᵀ·J by all inputs of a linear form w of the outputs.

    form: O numbers. Raises as `derivative`.
    """
    loaded = load(model, example)
    weights = _numbers(form, loaded.network.output_size, "form")
    wanted: list[Quantity] = [(0, (x,)) for x in range(loaded.network.input_size)]
    needs = weights.nonzero().reshape(-1).tolist()
    with usual_torch():
        return _model(loaded, against(differentiable(loaded), weights), wanted, "vjp", needs)


def _model(
    loaded: Model, asked: Asked, wanted: Sequence[Quantity], name: str, needs: Sequence[int] | None = None
) -> Model:
    rows = [asked.place[one] for one in wanted]
    made = asked.network(rows, [[y] if needs is None else needs for y, _ in wanted])
    return made_of(loaded, made, name)


def chosen(given: Any, count: int, what: str) -> list[int]:
    """Numbers of outputs or inputs (None: all); UsageError for any other."""
    if given is None:
        return list(range(count))
    try:
        found = [operator.index(i) for i in given]
    except TypeError as error:
        raise UsageError(f"{what} = {given!r}: must be whole numbers, such as [0, 2]") from error
    wrong = [i for i in found if not 0 <= i < count]
    if wrong or not found:
        raise UsageError(f"{what} = {given!r}: must be from 0 to {count - 1}, at least one")
    return found


def _numbers(given: Any, count: int, what: str) -> Tensor:
    try:
        plain = given.detach().cpu() if isinstance(given, Tensor) else given
        found = np.asarray(plain, np.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{what}: expected numbers ({error})") from error
    if found.size != count or not np.isfinite(found).all():
        raise UsageError(f"{what}: expected {count} finite numbers, found {found.size}")
    return torch.from_numpy(found.copy())
