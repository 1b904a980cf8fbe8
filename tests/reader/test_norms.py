"""Normalisation becomes one node, however it is written, and its bounds hold."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genbab import Config, output_bounds
from genbab.network import Grouped, Network, evaluate
from genbab.nonlinear.groups.norm import Norm
from genbab.reader import load_onnx, load_torch


class Written(nn.Module):
    """A function as a module."""

    def __init__(self, fn: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(x)


def mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


WAYS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "layer norm": (lambda x: F.layer_norm(x, (6,)), 6),
    "over two axes": (lambda x: F.layer_norm(x, (4, 6)), 24),
    "over another axis": (lambda x: F.layer_norm(x.transpose(1, 2), (4,)).transpose(1, 2), 4),
    "group norm": (lambda x: F.group_norm(x, 2), 12),
    "instance norm": (lambda x: F.instance_norm(x), 6),
    "variance": (lambda x: (x - mean(x)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-5), 6),
    "unbiased": (lambda x: (x - mean(x)) / (x.var(-1, keepdim=True) + 1e-5).sqrt(), 6),
    "powers": (lambda x: (x - mean(x)) / (mean((x - mean(x)).pow(2)) + 1e-5).sqrt(), 6),
    "products": (lambda x: x * (1 / torch.sqrt(mean(x * x) + 1e-5)), 6),
    "rsqrt": (lambda x: 2 * x * torch.rsqrt(mean(x.pow(2)) + 1e-6), 6),
    "power -1/2": (lambda x: (mean(x * x) + 1e-6) ** -0.5 * x, 6),
    "length": (lambda x: x / x.norm(dim=-1, keepdim=True), 6),
    "of cubes": (lambda x: x**3 * torch.rsqrt(mean((x**3) ** 2) + 1e-6) + x, 6),
}


def norms(network: Network) -> list[Norm]:
    """The norms of a network."""
    return [n.fn for n in network.nodes if isinstance(n, Grouped) and isinstance(n.fn, Norm)]


@pytest.mark.parametrize(
    ("way", "exporter"),
    [(way, "torchscript") for way in WAYS] + [(way, "dynamo") for way in ("group norm", "variance", "rsqrt")],
)
def test_norms_are_one_node(way: str, exporter: str) -> None:
    fn, length = WAYS[way]
    x = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0))
    network = load_torch(Written(fn), x, exporters=(exporter,)).network
    assert [n.length for n in norms(network)] == [length]
    value = evaluate(network, x.reshape(1, -1).double()).reshape(x.shape)
    assert torch.allclose(value, fn(x.double()), atol=1e-5)


@pytest.mark.parametrize("way", ["layer norm", "group norm", "rsqrt"])
@pytest.mark.parametrize("radius", [0.05, 0.5, 3.0])
def test_bounds_hold(way: str, radius: float) -> None:
    fn, _ = WAYS[way]
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6)
    module = nn.Sequential(nn.Linear(6, 6), Written(fn), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3)).eval()
    model = load_torch(module, x)
    centre = x.reshape(1, -1).double()
    part = 2 * torch.rand(4000, 24, dtype=torch.float64) - 1
    part[:2000] = part[:2000].sign()
    y = module.double()((centre + radius * part).reshape(-1, 4, 6))
    config = Config(root_steps=5)
    widths = []
    for method in ("interval", "forward", "backward", "optimised"):
        low, high = output_bounds(model, centre - radius, centre + radius, method=method, config=config)
        assert bool((y >= low - 1e-6).all() and (y <= high + 1e-6).all())
        widths.append(float((high - low).mean()))
    assert widths[0] >= widths[2] >= widths[3]


def test_what_only_looks_like_a_norm_is_none() -> None:
    """Another tensor over the root, weighted squares, and sums that leave out the entry itself."""
    weight = torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    for fn in (
        lambda x: (x + 1) * torch.rsqrt(mean(x * x) + 1e-5),
        lambda x: x * torch.rsqrt(mean(x * x * weight) + 1e-5),
        lambda x: x[..., :3] * torch.rsqrt(mean(x[..., 3:] ** 2) + 1e-5),
        lambda x: x * torch.rsqrt(mean(x * x) + 1e-5 * x[..., :1] ** 2 + 1e-5),
        lambda x: x / (mean(x * x).sqrt() + 1e-5),
    ):
        assert norms(load_torch(Written(fn), torch.randn(1, 4, 6)).network) == []


def test_a_zero_vector_without_a_floor_is_not_bounded() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,3] y) {'
    text += " s = ReduceL2<axes=[1]>(x) y = Div(x, s) }"
    model = load_onnx(onnx.parser.parse_model(text).SerializeToString(), check=False)
    assert len(norms(model.network)) == 1
    ends = torch.ones(1, 3, dtype=torch.float64)
    for method in ("interval", "backward", "optimised"):
        low, high = output_bounds(model, -ends, ends, method=method)
        assert bool((low == -torch.inf).all() and (high == torch.inf).all())
        low, high = output_bounds(model, 0.1 * ends, ends, method=method)
        assert bool((low > 0).all() and (high <= 1).all())
