"""What a specification speaks of beside a model's outputs: tensors inside of it, or derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from genbab.errors import SpecError
from genbab.reader.derive.asked import Quantity, differentiated_by
from genbab.reader.derive.model import made_of
from genbab.reader.derive.source import differentiable
from genbab.reader.models.hidden import exposed
from genbab.reader.models.model import Model
from genbab.specs import Hidden, PartialDerivative


def shown(model: Model, hidden: Sequence[Hidden], ask: Callable[[], None] = lambda: None) -> Model:
    """The model whose outputs are followed by these: derivatives, by name, or tensors inside of it.

    Raises as `exposed`, `SpecError` where there are both, and `UsageError` where there is no derivative.
    """
    known = [PartialDerivative.named(one.name) for one in hidden]
    asked = [one for one in known if one is not None]
    if not asked or model.hidden == tuple(one.name for one in hidden):
        return exposed(model, hidden, ask)
    if len(asked) < len(hidden) or model.hidden:
        raise SpecError(f"{model.source}: hidden tensors and derivatives at once are not supported")
    if model.execution is not None:
        raise SpecError(f"{model.source}: derivatives are those over the reals: --arithmetic real")
    sizes = model.network.input_size, model.network.output_size
    for one in asked:
        if one.output >= sizes[1] or one.inputs[-1] >= sizes[0]:
            raise SpecError(
                f"{model.source}: {one.name}: the model has {sizes[0]} inputs and {sizes[1]} outputs"
            )
    wanted: list[Quantity] = [(y, ()) for y in range(sizes[1])]
    wanted += [(one.output, one.inputs) for one in asked]
    found = differentiated_by(differentiable(model, ask), wanted)
    made = found.network([found.place[one] for one in wanted], [[y] for y, _ in wanted])
    return replace(made_of(model, made, "values and derivatives", ask), hidden=tuple(h.name for h in hidden))
