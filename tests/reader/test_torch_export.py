"""Modules of torch, through an ONNX model in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader import load_torch


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
    assert {"gelu", "power(2)", "exp"} <= set(model.functions)
    found = evaluate(model.network, x.double().reshape(-1)).float().reshape(3, 8)
    assert torch.allclose(found, module(x)[0], atol=1e-5)


def test_several_inputs() -> None:
    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return torch.sin(a) * b.sum()

    assert load_torch(Two(), (torch.ones(1, 2), torch.ones(3))).network.input_size == 5


def test_what_cannot_be_exported_is_said() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            values: Tensor = torch.linalg.eigvals(x)
            return values.abs()

    module = Odd()
    with pytest.raises(ModelError, match="Odd: torch cannot export it"):
        load_torch(module, torch.eye(2))
    assert module.training
