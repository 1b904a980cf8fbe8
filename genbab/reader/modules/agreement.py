"""Whether a model that was exported gives what the module gives, near the example and far from it."""

from __future__ import annotations

import torch

from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader.models.model import Model
from genbab.reader.models.ranges import read_within
from genbab.reader.models.selfcheck import points_near
from genbab.reader.modules.arguments import Call, Inputs
from genbab.system.device import usual_torch


def refuse_disagreement(model: Model, call: Call, inputs: Inputs) -> None:
    """Raises `ModelError` unless the network gives what the module gives, wherever that is finite."""
    if model.network.input_size != sum(i.numel() for i in inputs):
        raise ModelError("the exported model does not read all inputs of the module")
    for place, point in points_near(inputs):
        wanted = torch.cat([one.detach().reshape(-1).double().cpu() for one in call(*point)])
        x = torch.cat([i.reshape(-1).double().cpu() for i in point])
        with usual_torch():
            whole, near = model.network.entry.whole, model
            if model.ranged and whole is not None and not whole.hold(x, x):
                near = read_within(model, x, x)
            found = evaluate(near.network, x)
        finite = torch.isfinite(wanted)
        size = float(wanted[finite].abs().max()) if bool(finite.any()) else 0.0
        if found.shape != wanted.shape or not bool(
            ((found - wanted)[finite].abs() <= 1e-3 * size + 1e-5).all()
        ):
            raise ModelError(f"the exported model does not give what the module gives {place}")


def cut(inputs: Inputs, model: Model) -> Inputs:
    """The beginning of the inputs along axes that are shorter in the model: symbolic batches became 1."""
    if len(inputs) != len(model.input_shapes):
        return inputs
    pairs = zip(inputs, model.input_shapes, strict=True)
    return tuple(i[tuple(map(slice, shape))] if i.dim() == len(shape) else i for i, shape in pairs)
