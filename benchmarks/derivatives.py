"""What certified derivatives are worth: soundness, tightness and time.

    python benchmarks/derivatives.py [sound] [lipschitz] [jacobian] [widths] [burgers] [--seed 0]

sound: random networks of all smooth functions; bounds of first and second derivatives against torch's at
random points of random boxes. lipschitz: constants of ten networks against dense sampling. jacobian: a 2x16
tanh network's Jacobian. widths: bounds of the Jacobians of nine networks without branching, by two methods.
burgers: the largest residual of the network that `pinn.py` trained (records/burgers.onnx).
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import genbab
from genbab.network import Network, evaluate
from genbab.reader import unsimplified

SMOOTH: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "gelu, tanh": lambda: nn.GELU("tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "elu": nn.ELU,
    "celu": lambda: nn.CELU(0.7),
    "selu": nn.SELU,
    "softsign": nn.Softsign,
    "hard swish": nn.Hardswish,
    "sin": lambda: Elementwise(torch.sin),
    "cos": lambda: Elementwise(torch.cos),
    "exp": lambda: Elementwise(torch.exp),
    "atan": lambda: Elementwise(torch.atan),
    "asinh": lambda: Elementwise(torch.asinh),
    "erf": lambda: Elementwise(torch.erf),
    "square": lambda: Elementwise(torch.square),
    "bell": lambda: Elementwise(lambda x: torch.exp(-x * x)),
    "log": lambda: Elementwise(lambda x: torch.log(1 + x * x)),
    "root": lambda: Elementwise(lambda x: torch.sqrt(1 + x * x)),
    "relu": nn.ReLU,
    "leaky relu": nn.LeakyReLU,
    "softmax": lambda: nn.Softmax(-1),
    "layer norm": lambda: nn.LayerNorm(6),
}
BURGERS = Path(__file__).parent / "records" / "burgers.onnx"
SIZES = [[2, 16, 16, 2], [3, 20, 20, 20, 1], [10, 32, 32, 3]]
RESIDUAL = "d(y0, x1) + y0*d(y0, x0) - 0.01/pi*d(y0, x0, x0)"


class Elementwise(nn.Module):
    """A function of each entry."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def drawn(kinds: list[Callable[[], nn.Module]], sizes: list[int]) -> nn.Sequential:
    """Linear layers of these sizes with these functions in between."""
    made: list[nn.Module] = []
    for n, m, kind in zip(sizes, sizes[1:], [*kinds, nn.Identity], strict=False):
        made += [nn.Linear(n, m), kind()]
    return nn.Sequential(*made[:-1])


def truth(network: Network, points: Tensor) -> tuple[Tensor, Tensor]:
    """The Jacobians (N, O D) and ∂²y_i/∂x_j² (N, O D) of the file's graph at points, by torch in float64."""
    x = points.clone().requires_grad_(True)
    y = evaluate(network, x)
    first, second = [], []
    for i in range(y.shape[1]):
        slopes = torch.autograd.grad(y[:, i].sum(), x, create_graph=True)[0]
        first.append(slopes.detach())
        for j in range(x.shape[1]):
            bent = torch.zeros_like(x)
            if slopes.requires_grad:
                bent = torch.autograd.grad(slopes[:, j].sum(), x, retain_graph=True)[0]
            second.append(bent[:, j])
    return torch.cat(first, 1), torch.stack(second, 1)


def sound(count: int, seed: int) -> None:
    """No derivative may lie outside of its bounds."""
    names = list(SMOOTH)
    compared, outside, worst, refused = 0, 0, 0.0, 0
    for k in range(count):
        torch.manual_seed(seed + k)
        kinds = [names[k % len(names)], names[int(torch.randint(len(names), (1,)))]]
        module = drawn([SMOOTH[kind] for kind in kinds], [2, 6, 6, 2])
        model = genbab.load(module, example=torch.zeros(1, 2))
        centre, half = torch.randn(2).double(), 10.0 ** float(-3 * torch.rand(1))
        low, high = centre - half, centre + half
        points = torch.lerp(low, high, torch.rand(300, 2).double())
        points = torch.cat([points, low[None], high[None], centre[None]])
        for order, wanted in enumerate(truth(unsimplified(model), points), 1):
            try:
                made = genbab.derivative(model, order)
            except genbab.UsageError as reason:  # what torch writes out in pieces may jump
                refused += 1
                print(f"seed {seed + k}, {kinds}: {reason}")
                break
            lower, upper = genbab.output_bounds(made, low, high, method="backward")
            room = 1e-11 * (1 + wanted.abs().amax(0))  # torch rounds, too
            wrong = (wanted < lower - room) | (wanted > upper + room)
            compared, outside = compared + wanted.numel(), outside + int(wrong.sum())
            at = (evaluate(made.network, points) - wanted).abs().max() / (1 + wanted.abs().max())
            worst = max(worst, float(at))
            if bool(wrong.any()):
                print(f"seed {seed + k}, {kinds}, order {order}: {int(wrong.sum())} outside")
        if (k + 1) % 20 == 0 or k + 1 == count:
            told = f"{compared} derivatives compared, {outside} outside; apart {worst:.1e}"
            print(f"sound: {k + 1} networks, {refused} refused, {told}", flush=True)


def lipschitz(seed: int) -> None:
    """Certified constants against the densest sampling that a few seconds allow."""
    for k, kind in enumerate(["tanh", "sigmoid", "softplus", "gelu", "silu"] * 2):
        torch.manual_seed(seed + k)
        size = 2 + k // 5
        module = drawn([SMOOTH[kind]] * 2, [size, 10, 10, 1])
        found = genbab.lipschitz(module, [-1.0] * size, [1.0] * size, example=torch.zeros(1, size))
        x = 2 * torch.rand(100_000, size).double() - 1
        seen = truth(unsimplified(genbab.load(module, example=x[:1].float())), x)[0].abs().sum(-1).max()
        print(f"lipschitz: {kind}, {size} inputs: {found}; upper/sampled {found.upper / float(seen):.4f}")


def jacobian(seed: int) -> None:
    """Ranges of the entries of a Jacobian, within 5 % of the sampled ones, and how long that takes."""
    torch.manual_seed(seed)
    module = drawn([nn.Tanh, nn.Tanh], [2, 16, 16, 2])
    model = genbab.load(module, example=torch.zeros(1, 2))
    genbab.derivative(model)  # the libraries are loaded
    for half in (0.1, 0.5, 1.0):
        started = time.monotonic()
        found = genbab.jacobian_range(model, [-half] * 2, [half] * 2, tolerance=0.02)
        seconds = time.monotonic() - started
        x = half * (2 * torch.rand(100_000, 2).double() - 1)
        seen = truth(unsimplified(model), x)[0]
        wide = torch.tensor([one.upper - one.lower for one in found]) / (seen.amax(0) - seen.amin(0))
        print(
            f"jacobian: |x| <= {half}: widths {float(wide.min()):.3f} to {float(wide.max()):.3f} "
            f"of the sampled ones, {seconds:.2f} s"
        )


def widths(seed: int) -> None:
    """How much wider bounds of the entries of a Jacobian are than what is sampled (geometric mean)."""
    for kind, sizes in itertools.product(["tanh", "sigmoid", "relu"], SIZES):
        torch.manual_seed(seed)
        module, size = drawn([SMOOTH[kind]] * (len(sizes) - 2), sizes), sizes[0]
        made = genbab.derivative(module, example=torch.zeros(1, size))
        centre = torch.rand(size, generator=torch.Generator().manual_seed(seed + 1)).double() - 0.5
        for half in (0.01, 0.1, 0.5):
            points = centre + half * (2 * torch.rand(20_000, size).double() - 1)
            seen = evaluate(made.network, points)
            for method in ("CROWN", "alpha-CROWN"):
                started = time.process_time()
                lower, upper = genbab.output_bounds(made, centre - half, centre + half, method)
                seconds = time.process_time() - started
                which = f"{kind} {'-'.join(map(str, sizes))}, half-width {half}, {method}"
                print(f"widths: {which}: {_wider(seen, lower[0], upper[0])}, {seconds:.2f} s")


def _wider(seen: Tensor, lower: Tensor, upper: Tensor) -> str:
    outside = int(((seen < lower - 1e-12) | (seen > upper + 1e-12)).sum())
    span = seen.amax(0) - seen.amin(0)
    ratios = ((upper - lower) / span)[span > 1e-9]
    if not len(ratios):
        return f"{float((upper - lower).max()):.1e} wide where the sampled range is 0, {outside} outside"
    return f"{float(ratios.log().mean().exp()):.3f} times the sampled range, {outside} outside"


def burgers(tolerance: float, timeout: float) -> None:
    """The largest residual, within a factor of what was sampled."""
    model = genbab.load(BURGERS)
    made = genbab.formulas(model, RESIDUAL)
    x = torch.rand(1_000_000, 2).double() * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0])
    seen = max(float(evaluate(made.network, part).abs().max()) for part in torch.split(x, 20_000))
    found = genbab.maximum(model, f"abs({RESIDUAL})", [-1, 0], [1, 1], tolerance=tolerance, timeout=timeout)
    print(
        f"burgers: {found}, {found.boxes} boxes; sampled {seen:.6g}, upper/sampled {found.upper / seen:.3f}"
    )
    assert math.isfinite(found.upper) and found.upper >= seen


def main(words: list[str] | None = None) -> None:
    """Measure what is asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT")
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=0.95)
    parser.add_argument("--timeout", type=float, default=300.0)
    given = parser.parse_args(words)
    asked = given.what or ["sound", "lipschitz", "jacobian", "widths", "burgers"]
    if "jacobian" in asked:
        jacobian(given.seed)
    if "lipschitz" in asked:
        lipschitz(given.seed)
    if "widths" in asked:
        widths(given.seed)
    if "burgers" in asked:
        burgers(given.tolerance, given.timeout)
    if "sound" in asked:
        sound(given.networks, given.seed)


if __name__ == "__main__":
    main()
