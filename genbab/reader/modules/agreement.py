"""Whether a model that was exported gives what the module gives, near the example and far from it."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader.models.model import Model
from genbab.reader.modules.arguments import Call, Inputs
from genbab.system.device import usual_torch


def refuse_disagreement(model: Model, call: Call, inputs: Inputs) -> None:
    """Raises `ModelError` unless the network gives what the module gives, wherever that is finite."""
    if model.network.input_size != sum(i.numel() for i in inputs):
        raise ModelError("the exported model does not read all inputs of the module")
    for place, point in _points(inputs):
        wanted = torch.cat([one.detach().reshape(-1).double().cpu() for one in call(*point)])
        x = torch.cat([i.reshape(-1).double().cpu() for i in point])
        with usual_torch():
            found = evaluate(model.network, x)
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


def _points(inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    yield "on the example", inputs
    random = torch.Generator("cpu").manual_seed(0)
    for spread in (0.1, 1.0, 3.0):
        noise = [torch.randn(i.shape, generator=random, dtype=i.dtype, device="cpu") for i in inputs]
        pairs = zip(inputs, noise, strict=True)
        yield "near the example", tuple(i + spread * n.to(i.device) for i, n in pairs)
