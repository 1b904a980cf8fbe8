"""Modules of torch, through an ONNX model in memory."""

from __future__ import annotations

import importlib.util
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genbab import load
from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.network import evaluate
from genbab.reader import load_torch

EXPORTERS = ("torchscript", "dynamo")
both = pytest.mark.parametrize("exporter", EXPORTERS)


class Attention(nn.Module):
    """One block with attention, layer normalisation and a GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.grow, self.shrink = nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.attention(x, x, x, need_weights=False)[0]
        out: Tensor = y + self.shrink(nn.functional.gelu(self.grow(self.norm(y))))
        return out


class Applied(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


class Odd(nn.Module):
    """What neither exporter can write down."""

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.eigvals(x)
        return values.abs()


def test_values_agree_and_the_module_is_left_alone() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Dropout(0.5), nn.Linear(6, 2))
    module[1].eval()
    model = load_torch(module, torch.zeros(1, 4))
    assert [m.training for m in module] == [True, False, True, True, True]
    assert model.functions == {"silu": 6}
    x = torch.randn(5, 4)
    module.eval()
    assert torch.allclose(evaluate(model.network, x.double()).float(), module(x), atol=1e-5)


def test_a_transformer_block() -> None:
    torch.manual_seed(0)
    module = Attention().eval()
    x = torch.randn(1, 3, 8)
    model = load_torch(module, x)
    assert {"gelu", "power(2)", "softmax"} <= set(model.functions)
    found = evaluate(model.network, x.double().reshape(-1)).float().reshape(3, 8)
    assert torch.allclose(found, module(x)[0], atol=1e-5)


def settings() -> dict[str, Any]:
    """What an export could change without being asked."""
    return {
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "fast attention": torch.backends.mha.get_fastpath_enabled(),
        "torch's random numbers": torch.random.get_rng_state().tolist(),
        "numpy's random numbers": str(np.random.get_state()),
        "Python's random numbers": random.getstate(),
        "filters": list(warnings.filters),
    }


@both
def test_an_export_changes_and_prints_nothing(exporter: str, capfd: pytest.CaptureFixture[str]) -> None:
    module = nn.Sequential(nn.TransformerEncoderLayer(4, 2, 4, batch_first=True), nn.Dropout(0.3)).train()
    before, flags = settings(), [m.training for m in module.modules()]
    weights = {k: v.clone() for k, v in module.state_dict().items()}
    x = torch.ones(1, 2, 4, requires_grad=True)
    load_torch(module, x, exporters=(exporter,))
    with pytest.raises(ModelError):
        load_torch(Odd(), torch.eye(2), exporters=(exporter,))
    assert settings() == before
    assert [m.training for m in module.modules()] == flags
    assert all(torch.equal(v, weights[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert x.grad is None
    assert tuple(capfd.readouterr()) == ("", "")


@both
def test_several_inputs(exporter: str) -> None:
    module = Applied(lambda a, b: torch.sin(a) * b.sum())
    model = load_torch(module, (torch.ones(1, 2), torch.ones(3)), exporters=(exporter,))
    assert model.input_shapes == ((1, 2), (3,))


def test_an_input_that_is_not_read_counts_too() -> None:
    """The older exporter forgets it."""
    module = Applied(lambda a, b: torch.sin(a))
    with pytest.raises(ModelError, match="does not read all inputs"):
        load_torch(module, [torch.ones(2), torch.ones(3)], exporters=("torchscript",))
    model = load_torch(module, [torch.ones(2), torch.ones(3)])
    assert model.network.input_size == 5
    x = torch.arange(5.0, dtype=torch.float64)
    assert torch.allclose(evaluate(model.network, x), x[:2].sin())


@both
def test_a_batch_in_the_example_stays_one(exporter: str) -> None:
    model = load_torch(nn.Linear(3, 2), torch.ones(4, 3), exporters=(exporter,))
    assert (model.network.input_size, model.network.output_size) == (12, 8)


@both
def test_all_outputs_are_concatenated_in_their_order(exporter: str) -> None:
    def outputs(x: Tensor) -> dict[str, Any]:
        return {"second": x * 2, "first": (x.exp(), None, [x + 1])}

    x = torch.tensor([0.5, -0.25])
    module = Applied(outputs)
    model = load_torch(module, x, exporters=(exporter,))
    wanted = torch.cat([x * 2, x.exp(), x + 1]).double()
    assert torch.allclose(evaluate(model.network, x.double()), wanted, atol=1e-6)


def test_inputs_that_are_no_real_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="Linear: input 0 holds complex64"):
        load(nn.Linear(2, 2), torch.ones(1, 2, dtype=torch.complex64))
    with pytest.raises(ModelError, match="Linear: input 0 holds float16"):
        load(nn.Linear(2, 2).half(), torch.ones(1, 2).half())
    with pytest.raises(UsageError, match="an example is a tensor"):
        load(nn.Linear(2, 2), [[1.0, 2.0]])


@both
def test_double_precision(exporter: str) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh()).double()
    x = torch.randn(1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = load_torch(module, x, exporters=(exporter,))
    assert model.input_dtypes == (np.dtype(np.float64),)
    assert torch.allclose(evaluate(model.network, x[0]), module(x)[0].detach(), rtol=0, atol=1e-12)


def test_the_newer_exporter_is_asked_when_the_older_one_fails() -> None:
    module = Applied(lambda x: F.rms_norm(x, (3,)))
    x = torch.tensor([[0.3, -1.0, 2.0]])
    with pytest.raises(ModelError, match="torchscript exporter: .*rms_norm"):
        load_torch(module, x, exporters=("torchscript",))
    model = load_torch(module, x)
    assert torch.allclose(evaluate(model.network, x[0].double()), module(x)[0].double(), atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sin() if bool(x.sum() > 100) else x.cos(),
        lambda x: x.sin() * float(x.sum()),
        lambda x: x.sin() + torch.from_numpy(x.detach().numpy()).cos(),
    ],
)
def test_a_module_is_not_taken_for_its_trace(function: Any) -> None:
    """A trace keeps what Python code saw at the example; at other points it is another function."""
    with pytest.raises(ModelError, match=r"a trace is not the module.*\(test_torch_export.py, line "):
        load_torch(Applied(function), torch.ones(2), exporters=("torchscript",))


def test_branches_by_value_are_refused_by_both() -> None:
    with pytest.raises(ModelError) as caught:
        load_torch(Applied(lambda x: x.sin() if bool(x.sum() > 100) else x.cos()), torch.ones(2))
    assert all(f"{exporter} exporter: " in str(caught.value) for exporter in EXPORTERS)


def test_numbers_of_a_shape_are_left_to_the_newer_exporter() -> None:
    model = load_torch(Applied(lambda x: x.sin() / float(x.shape[-1])), torch.ones(1, 2))
    assert torch.allclose(evaluate(model.network, torch.ones(2).double()), torch.ones(2).double().sin() / 2)


def test_a_module_that_changes_from_call_to_call_is_refused() -> None:
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(1)
        return x * len(calls)

    with pytest.raises(ModelError, match="does not give what the module gives on the example"):
        load_torch(Applied(counted), torch.ones(2))


def test_what_cannot_be_exported_is_said_with_both_reasons() -> None:
    module = Odd()
    with pytest.raises(ModelError, match="Odd: torch cannot export it") as caught:
        load_torch(module, torch.eye(2))
    assert all(f"{exporter} exporter: " in str(caught.value) for exporter in EXPORTERS)
    assert module.training


def test_operators_without_a_rule_are_named() -> None:
    with pytest.raises(UnsupportedError, match="Applied.*\n.*NonZero") as caught:
        load_torch(Applied(lambda x: x.nonzero().sum() * x), torch.tensor([3.0, 1.0, 2.0]))
    assert [operator for _, operator, _ in caught.value.problems] == ["NonZero"]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    load_torch(nn.Linear(2, 2), torch.ones(1, 2))
    with pytest.raises(
        ModelError, match=r"needs the package 'onnxscript': pip install 'genbab\[torch-export\]'"
    ):
        load_torch(nn.Linear(2, 2), torch.ones(1, 2), exporters=("dynamo",))


def test_programs_that_are_exported_already() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU()).eval()
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    exported = torch.export.export(module, (x,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(exported, dynamo=True, verbose=False)
    for one in (exported, program):
        assert one is not None
        model = load(one)
        assert torch.allclose(
            evaluate(model.network, x.reshape(-1).double()), module(x).reshape(-1).double(), atol=1e-6
        )


MASKS = {
    "none": None,
    "truth values": torch.tensor([[True, False, True], [True, True, True], [False, True, False]]),
    "a row without a key": torch.tensor([[False, False, False], [True, True, True], [False, True, False]]),
    "numbers": torch.tensor([[0.0, -torch.inf, 1.0], [0.5, 0.0, 0.0], [0.0, 0.0, -torch.inf]]),
    "causal": "causal",
}


@both
@pytest.mark.parametrize("name", MASKS)
def test_scaled_dot_product_attention(name: str, exporter: str) -> None:
    mask: Any = MASKS[name]
    options = {"is_causal": True} if name == "causal" else {"attn_mask": mask}
    module = Applied(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options))
    random = torch.Generator().manual_seed(0)
    inputs = [torch.randn(1, 2, 3, 2, generator=random) for _ in range(3)]
    if (name, exporter) == ("a row without a key", "dynamo"):
        with pytest.raises(ModelError, match="does not give what the module gives"):
            load_torch(
                module, inputs, exporters=(exporter,)
            )  # torch writes the lowest float32 for minus infinity
        return
    model = load_torch(module, inputs, exporters=(exporter,))
    found = evaluate(model.network, torch.cat([i.reshape(-1) for i in inputs]).double())
    assert torch.allclose(found, module(*inputs).reshape(-1).double(), atol=1e-6)
