"""What a module is called with, in any structure, and what it gives: names, shapes, values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from genbab import load, verify
from genbab.errors import UsageError
from genbab.network import evaluate
from genbab.reader import Model, load_torch
from genbab.specs import all_of, always, box, variables

EXPORTERS = ("torchscript", "dynamo")
both = pytest.mark.parametrize("exporter", EXPORTERS)


class State(NamedTuple):
    """What a step is taken from."""

    cell: Tensor
    hidden: Tensor


@dataclass
class Answer:
    """A result that torch has not heard of."""

    logits: Tensor
    state: State
    note: str = "no tensor"


class Step(nn.Module):
    """One step of something gated."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(2, 3)

    def forward(self, x: Tensor, state: State, *, scale: float = 1.0, mask: Tensor | None = None) -> Any:
        cell = state.cell * torch.sigmoid(self.gate(x)) * scale
        hidden = torch.tanh(cell) + state.hidden
        if mask is not None:
            hidden = hidden * mask
        return Answer(hidden.sum(-1, keepdim=True), State(cell, hidden))


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Random tensors of these shapes."""
    random = torch.Generator().manual_seed(7)
    return [torch.randn(shape, generator=random) for shape in shapes]


def values(model: Model, *inputs: Tensor) -> Tensor:
    """What the network gives, in one vector."""
    return evaluate(model.network, torch.cat([i.reshape(-1) for i in inputs]).double())


@both
def test_structures_and_names(exporter: str) -> None:
    torch.manual_seed(0)
    module = Step().eval()
    x, cell, hidden, mask = tensors((1, 2), (1, 3), (1, 3), (3,))
    example = {"x": x, "state": State(cell, hidden), "scale": 0.5, "mask": mask}
    model = load_torch(module, example, exporters=(exporter,))
    assert model.input_names == ("x", "state.cell", "state.hidden", "mask")
    assert model.input_shapes == ((1, 2), (1, 3), (1, 3), (3,))
    assert model.output_names == ("logits", "state.cell_", "state.hidden_")
    wanted = module(**example)
    flat = torch.cat([t.reshape(-1) for t in (wanted.logits, *wanted.state)]).double()
    assert torch.allclose(values(model, x, cell, hidden, mask), flat, atol=1e-6)


@both
def test_inputs_have_the_names_of_arguments_and_outputs_those_of_results(exporter: str) -> None:
    class Two(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
            return {"sum": left + right, "product": left * right, "left": left}

    model = load_torch(Two(), tensors((2,), (2,)), exporters=(exporter,))
    assert model.input_names == ("left", "right")
    assert model.output_names[:2] == ("sum", "product")
    assert len(set(model.output_names) | {"left", "right"}) == 5
    assert load_torch(nn.Linear(2, 1), torch.ones(1, 2), exporters=(exporter,)).output_names == ("output",)


def test_one_dictionary_is_one_argument_in_a_tuple() -> None:
    class Named(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            return batch["image"].exp(), batch["image"].sum() * batch["weight"]

    image, weight = tensors((1, 4), (1,))
    model = load(Named(), ({"image": image, "weight": weight},))
    assert model.input_names == ("batch.image", "batch.weight")
    assert model.output_names == ("output.0", "output.1")
    assert torch.allclose(values(model, image, weight)[-1], (image.sum() * weight).double()[0], atol=1e-6)


def test_what_is_no_tensor_is_held_as_it_is() -> None:
    class Powers(nn.Module):
        def forward(self, x: Tensor, times: int, negate: bool = False) -> Tensor:
            y = x**times
            return -y if negate else y

    model = load(Powers(), (torch.ones(1, 2), 3, True))
    assert model.input_names == ("x",)
    assert values(model, torch.tensor([2.0, -1.0])).tolist() == [-8.0, 1.0]


def test_a_verdict_about_a_module_of_several_tensors() -> None:
    torch.manual_seed(0)
    model = load(Step().eval(), {"x": torch.zeros(1, 2), "state": State(*tensors((1, 3), (1, 3)))})
    inputs, outputs = variables(model)
    assert (*inputs,) == model.input_names
    assert tuple(v.shape for v in inputs.values()) == model.input_shapes
    assert [v.shape for v in outputs.values()] == [(1, 1), (1, 3), (1, 3)]
    region = box(inputs["x"], -1, 1) & box(inputs["state.cell"], -1, 1) & box(inputs["state.hidden"], 0, 0)
    small = [(y <= 3) & (y >= -3) for y in outputs.values()]
    assert verify(model, always(all_of(small), on=region)).verdict == "verified"
    found = verify(model, always(outputs["state.cell_"][0, 1] <= 0.1, on=region))
    assert found.counterexample is not None
    assert found.counterexample.y[2] > 0.1


@pytest.mark.parametrize(
    ("example", "found"),
    [
        (3.0, "found a float"),
        ([[1.0, 2.0]], "found no tensor"),
        ({"x": None}, "found no tensor"),
        ((torch.ones(2), {"a": object(), "b": {1, 2}}), "'input.1.a' is a object; 'input.1.b' is a set"),
    ],
)
def test_examples_that_are_none(example: Any, found: str) -> None:
    with pytest.raises(UsageError, match=f"an example is a tensor.*{found}"):
        load(nn.Linear(2, 2), example)


def test_arguments_by_a_wrong_name_are_refused() -> None:
    with pytest.raises(Exception, match="unexpected keyword argument 'y'"):
        load(nn.Linear(2, 2), {"y": torch.ones(1, 2)})
