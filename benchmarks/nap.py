"""How much wider than plain balls the regions are that activation patterns let be verified.

For every class of the digits a pattern is mined from the training images. Around a test image that follows
it, the largest radius is sought that is verified within the time limit, without the pattern and with it.
"falsified at" is the smallest radius at which a counterexample was replayed: one that follows the pattern,
where there is a pattern.

    python benchmarks/nap.py [NETWORK ...] [--delta 0.95] [--kind auto] [--seconds 3] [--branching auto]

A network is the name of an example (digits_tanh) or digits_relu, which is trained here. Needs
genbab[examples]. `--without-narrowing` does not narrow hidden intervals by the unsafe rows,
`--without-multipliers` gives constraints no multipliers of their own either (slopes still may), and
`--rows-only` leaves them to the rows of the search: to see what each is worth. With `--processor-time` the
seconds are those that the process computes, on a machine that others use.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import genbab  # noqa: E402
from genbab import nap  # noqa: E402
from genbab.reader import Model, showing  # noqa: E402
from genbab.result import Verdict  # noqa: E402
from genbab.specs import Spec, robustness  # noqa: E402

FINEST = 1.15
"""Radii are sought up to this factor."""

CLASSES = 10


class Found(NamedTuple):
    """The largest radius verified (0: none), the smallest falsified (inf: none), the seconds it took."""

    verified: float
    falsified: float
    seconds: float

    def __str__(self) -> str:
        broken = "" if math.isinf(self.falsified) else f" falsified at {self.falsified:.3f}"
        return f"{self.verified:.3f}{broken}"


def network(name: str, folder: Path) -> Model:
    """The model of this name."""
    if name != "digits_relu":
        return genbab.load(ROOT / "examples" / "onnx" / f"{name}.onnx")
    from train import Classifier, digits, export, train_classifier

    path = folder / f"{name}.onnx"
    export(train_classifier(Classifier(torch.nn.ReLU, (48, 48)), digits()[0]), 64, path)
    return genbab.load(path)


def radius(
    model: Model, spec_at: Callable[[float], Spec], config: genbab.Config, start: float, low: float = 0.0
) -> Found:
    """Double while it is verified, then bisect ratios; no radius is larger than 1, the whole domain.

    low: a radius that is verified already.
    """
    began = time.monotonic()
    high, broken, eps = math.inf, math.inf, start
    while eps > 1e-3 and (math.isinf(high) or high > FINEST * low):
        result = genbab.verify(model, spec_at(eps), config)
        if result.verdict is Verdict.VERIFIED:
            low = eps
            if low >= 1:
                break
        else:
            high = eps
            broken = min(broken, eps) if result.verdict is Verdict.FALSIFIED else broken
        if math.isinf(high):
            eps = min(1.0, 2 * low)
        else:
            eps = math.sqrt(low * high) if low else high / 2
    return Found(low, broken, time.monotonic() - began)


def ball(x: np.ndarray, label: int, epsilon: float) -> Spec:
    """Everything within epsilon of x has the label."""
    return robustness(x, label, CLASSES, epsilon, (0, 1))


def following(pattern: nap.Pattern, x: np.ndarray, epsilon: float) -> Spec:
    """Everything within epsilon of x that follows the pattern has its label."""
    return pattern.robustness(x, CLASSES, epsilon, (0, 1))


def measured(name: str, options: argparse.Namespace) -> Iterator[str]:
    """The lines of a table, a row per class."""
    from train import digits

    train, test = digits()
    with tempfile.TemporaryDirectory() as folder:
        model = network(name, Path(folder))
    patterns = nap.mine(model, train.images, train.labels, options.delta, kind=options.kind)
    shown = showing(model, [layer.name for layer in patterns[0].layers])
    config = genbab.Config(
        timeout=options.seconds, branching=options.branching, attack_restarts=128, attack_steps=40
    )
    labels = test.labels.numpy()
    outputs, _ = nap.hidden_values(model, [], test.images)
    how = f"kind {options.kind}, branching {options.branching}, {options.seconds:g} s for each radius"
    yield f"{name}, delta = {options.delta}, {how}"
    yield "class  constrained  recall  others  plain  with the pattern  ratio  seconds"
    for label in map(int, options.classes):
        pattern = patterns[label]
        follows = pattern.follows(model, test.images)
        recall, others = follows[labels == label].mean(), follows[labels != label].mean()
        usable = np.flatnonzero(follows & (labels == label) & (outputs.argmax(1) == label))
        head = f"{label:5}  {pattern.constrained:11}  {recall:6.2f}  {others:6.3f}"
        if not len(usable):
            yield f"{head}  no test image follows the pattern"
            continue
        x = test.images[usable[0]].double().numpy()
        plain = radius(model, partial(ball, x, label), config, 0.05)
        first = 2 * max(plain.verified, 0.01)  # what holds for all inputs holds for those that follow
        wide = radius(shown, partial(following, pattern, x), config, first, plain.verified)
        ratio = wide.verified / plain.verified if plain.verified else math.inf
        yield f"{head}  {plain}  {wide}  {ratio:.1f}x  {plain.seconds:.0f} {wide.seconds:.0f}"


@contextlib.contextmanager
def weakened(options: argparse.Namespace) -> Iterator[None]:
    """What the options leave out, left out."""
    with contextlib.ExitStack() as stack:
        if options.without_narrowing:
            same = mock.patch("genbab.branch.regions.inside.narrowed", lambda _, __, domains, ___: domains)
            stack.enter_context(same)
        if options.without_multipliers:
            stack.enter_context(mock.patch("genbab.bounds.PremiseOutputs.of", lambda _: None))
        if options.rows_only:
            stack.enter_context(mock.patch("genbab.driver.run.with_premises", lambda network, _: network))
        if options.processor_time:
            stack.enter_context(mock.patch("time.monotonic", time.process_time))
        yield


def main() -> None:
    """Print a table for every network."""
    parser = argparse.ArgumentParser(description="Radii with and without activation patterns.")
    parser.add_argument("networks", nargs="*", default=["digits_tanh", "digits_relu"])
    parser.add_argument("--delta", type=float, default=0.95)
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--classes", default="0123456789")
    parser.add_argument("--branching", default="auto")
    parser.add_argument("--without-narrowing", action="store_true")
    parser.add_argument("--without-multipliers", action="store_true")
    parser.add_argument("--rows-only", action="store_true")
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.networks:
        with weakened(options):
            for line in measured(name, options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
