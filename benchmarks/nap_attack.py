"""The smallest radius at which a counterexample that follows an activation pattern is found: the most that
`nap.py` can hope for.

Starts from the whole domain: many descents for every wrong class, from images of that class and from random
points, on the sum of all violated constraints, each scaled by its own width. Whatever is found shrinks the
ball, and the best points start again in it, until three tries in a row find nothing. Each is confirmed in
onnxruntime.

    python benchmarks/nap_attack.py [NETWORK ...] [--delta 0.95] [--kind auto] [--classes 0123456789]

"none" means that nothing was found in the whole domain: not that there is nothing.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nap import CLASSES, following, network
from torch import Tensor

from genbab import nap
from genbab.attack import Replayer
from genbab.network import Network, evaluate
from genbab.reader import showing

STARTS = 40
"""Descents for each wrong class."""

STEPS = 400
FAILURES = 3
SPARE = 2e-4
"""Of its width, by which a constraint is to be met, so that float32 meets it as well."""

SHRINK = 0.96
"""The next radius, as a share of the last one at which something was found."""


@dataclass(frozen=True)
class Hunted:
    """A network that shows the layers of a pattern, and what a counterexample to `label` must satisfy."""

    network: Network
    pattern: nap.Pattern
    label: int

    def violations(self, x: Tensor, target: Tensor) -> Tensor:
        """By how much each constraint is missed at x (P, 64), as a share of its width; <= 0: met."""
        low, high = (
            torch.from_numpy(np.concatenate([getattr(one, end) for one in self.pattern.layers]))
            for end in ("lower", "upper")
        )
        width = torch.where(torch.isfinite(high - low), (high - low).clamp(min=0.1), 1.0)
        values = evaluate(self.network, x)
        scores, hidden = values[:, :CLASSES], values[:, CLASSES:]
        below = torch.where(torch.isfinite(low), (low - hidden) / width, -1.0)
        above = torch.where(torch.isfinite(high), (hidden - high) / width, -1.0)
        margin = scores[:, self.label] - scores.gather(1, target[:, None])[:, 0]
        return torch.cat([below, above, margin[:, None] / 5], 1) + SPARE

    def descend(self, x: Tensor, target: Tensor, box: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """(the best points, the largest violation there) of Adam from x (P, 64) inside the box."""
        low, high = box
        x = x.clamp(low, high).requires_grad_()
        best, worst = x.detach().clone(), torch.full((len(x),), math.inf, dtype=x.dtype)
        optimiser = torch.optim.Adam([x], lr=0.045 * float((high - low).max()), betas=(0.9, 0.99))
        decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.01 ** (1 / STEPS))
        for _ in range(STEPS):
            missed = self.violations(x, target)
            now = missed.detach().amax(1)
            best[now < worst] = x.detach()[now < worst]
            worst = torch.minimum(worst, now)
            loss = (missed.clamp(min=0) + 5 * missed.clamp(min=0).square()).sum()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            with torch.no_grad():
                x.copy_(torch.minimum(torch.maximum(x, low), high))
        return best, worst


def least(hunted: Hunted, replayer: Replayer, x: Tensor, images: Tensor, labels: Tensor) -> float:
    """The smallest radius around x (64,) found; infinite where nothing is found in the whole domain."""
    generator = torch.Generator().manual_seed(0)
    others = [k for k in range(CLASSES) if k != hunted.label]
    radius, found, failures = 1.0, math.inf, 0
    again: tuple[Tensor, Tensor] | None = None
    while failures < FAILURES:
        box = (x - radius).clamp(min=0), (x + radius).clamp(max=1)
        target = torch.tensor(others).repeat_interleave(STARTS)
        starts = box[0] + torch.rand(len(target), 64, generator=generator).double() * (box[1] - box[0])
        for k in others:
            own = images[labels == k].double()
            picked = torch.randint(len(own), (STARTS // 3,), generator=generator)
            starts[(target == k).nonzero()[: STARTS // 3, 0]] = own[picked]
        if again is not None:
            starts, target = torch.cat([starts, again[0]]), torch.cat([target, again[1]])
        points, worst = hunted.descend(starts, target, box)
        order = worst.argsort()[:STARTS]
        again = points[order], target[order]
        spec = following(hunted.pattern, x.numpy(), radius)
        tried = [points[k] for k in order[:8].tolist() if worst[k] <= SPARE]
        confirmed = next((c for p in tried if (c := replayer.confirm(spec, p.numpy())) is not None), None)
        if confirmed is None:
            failures += 1
            continue
        failures, found = 0, float(np.abs(confirmed.x - x.numpy()).max())
        radius = SHRINK * min(radius, found)
    return found


def main() -> None:
    """Print a radius for every network and class."""
    from train import digits

    parser = argparse.ArgumentParser(description="Least radii of counterexamples that follow a pattern.")
    parser.add_argument("networks", nargs="*", default=["digits_tanh"])
    parser.add_argument("--delta", type=float, default=0.95)
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--classes", default="0123456789")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = digits()
    for name in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            model = network(name, Path(folder))
        patterns = nap.mine(model, train.images, train.labels, options.delta, kind=options.kind)
        shown = showing(model, [one.name for one in patterns[0].layers])
        exact, replayer = shown.network.to(torch.float64, torch.device("cpu")), Replayer(shown)
        right = nap.hidden_values(model, [], test.images)[0].argmax(1) == test.labels.numpy()
        print(f"{name}, delta = {options.delta}, kind {options.kind}")
        for label in map(int, options.classes):
            own = right & (test.labels.numpy() == label) & patterns[label].follows(model, test.images)
            if not own.any():
                print(f"{label}  no test image follows the pattern")
                continue
            x = test.images[int(np.flatnonzero(own)[0])].double()
            hunted = Hunted(exact, patterns[label], label)
            radius = least(hunted, replayer, x, train.images, train.labels)
            print(f"{label}  {'none' if math.isinf(radius) else f'{radius:.3f}'}", flush=True)


if __name__ == "__main__":
    main()
