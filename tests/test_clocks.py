"""Every stage of a run asks the clock, whoever started it; what is proved when it strikes stays proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import genbab
from genbab import api
from genbab.bounds import Engine, Tightening, propagate, tighten_all
from genbab.bounds.methods import METHODS
from genbab.bounds.passes.forward import forward
from genbab.bounds.relax.lines import Lines
from genbab.config import Config
from genbab.driver.root import cheap
from genbab.errors import DeadlineReached
from genbab.network import Nonlinear
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.lines.lookup import slots
from genbab.problem import queries
from genbab.reader import Model, load_onnx
from genbab.specs import Clause, Spec
from genbab.system.deadline import Deadline

CPU = torch.device("cpu")
NEVER = 10**9


@dataclass
class Clock:
    """Strikes at the ask of this number, and stays struck."""

    at: int = NEVER
    asks: int = 0

    def ask(self) -> None:
        """One question."""
        self.asks += 1
        if self.asks >= self.at:
            raise DeadlineReached("struck")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of whatever the public functions start."""
    one = Clock()

    class Faked(Deadline):
        def __init__(self, seconds: float | None = None, start: float | None = None) -> None:
            super().__init__(1000.0)

        @property
        def expired(self) -> bool:
            return one.asks >= one.at

        def left(self) -> float:
            return 0.0 if self.expired else 1000.0

        def check(self) -> None:
            one.ask()

    monkeypatch.setattr(api, "Deadline", Faked)
    yield one


@cache
def needles(count: int) -> Model:
    """y = Σ gelu(c_i·|x_i| + 5) - gelu(c_i·|x_i| + 15) over `count` inputs: as many composed functions."""
    body, ends = [], []
    for i in range(count):
        body.append(
            f"s{i} = Constant<value_ints = [{i}]>() e{i} = Constant<value_ints = [{i + 1}]>() "
            f"x{i} = Slice(x, s{i}, e{i}, ax) a{i} = Abs(x{i}) "
            f"c{i} = Constant<value_floats = [-{7 + i}.5]>() m{i} = Mul(a{i}, c{i}) p{i} = Add(m{i}, five) "
            f"q{i} = Add(m{i}, more) g{i} = Gelu(p{i}) h{i} = Gelu(q{i}) d{i} = Sub(g{i}, h{i})"
        )
        ends.append(f"d{i}")
    text = (
        f'<ir_version: 8, opset_import: ["" : 20]> agraph (float[1,{count}] x) => (float[1,1] y) {{ '
        "ax = Constant<value_ints = [1]>() five = Constant<value_floats = [5.0]>() "
        f"more = Constant<value_floats = [15.0]>() {' '.join(body)} y = Sum({', '.join(ends)}) }}"
    )
    return load_onnx(onnx.parser.parse_model(text))


def below(side: float, inputs: int, boxes: int = 1) -> Spec:
    """Unsafe: y_0 <= side, in boxes side by side."""
    low = np.linspace(-1.0, 0.5, boxes)[:, None] * np.ones((1, inputs))
    clauses = tuple(Clause(b, np.ones((1, 1)), None, np.array([side])) for b in range(boxes))
    return Spec(low, low + 0.5, clauses, 1)


def stages(model: Model) -> dict[str, Callable[[Callable[[], None]], Any]]:
    """Bounding stages by name, each of one question to the clock."""
    ones = torch.ones(1, model.network.input_size, dtype=torch.float64)
    box = (-ones, ones)

    def engine(ask: Callable[[], None]) -> Engine:
        return Engine.of(model.network, Config(), CPU, ask)

    return {
        "interval": lambda ask: propagate(model.network, box, ask=ask),
        "forward": lambda ask: forward(model.network, box, ask=ask),
        "cheap": lambda ask: cheap(
            engine(ask), queries(below(-1e9, ones.shape[1]), model.network, CPU), model.network.output
        ),
        "backward": lambda ask: tighten_all(
            engine(ask), box, propagate(model.network, box), Tightening(outputs=True)
        ),
    }


@pytest.mark.parametrize("stage", ["interval", "forward", "cheap", "backward"])
def test_every_bounding_stage_asks_at_every_function(stage: str) -> None:
    """And ends at whatever question the clock strikes."""
    model = needles(4)
    functions = sum(isinstance(n, Nonlinear) for n in model.network.nodes)
    assert functions == 4
    run, whole = stages(model)[stage], Clock()
    run(whole.ask)
    assert whole.asks >= (functions if stage == "interval" else 2 * functions)
    for at in {1, 2, whole.asks // 2, whole.asks}:
        with pytest.raises(DeadlineReached):
            run(Clock(at).ask)


def test_a_function_asks_at_each_lookup_that_it_needs() -> None:
    """Its tables are made at first sight, in up to a second in all."""
    node = next(n for n in needles(1).network.nodes if isinstance(n, Nonlinear))
    assert isinstance(node.fn, Nonlinearity)
    ends = torch.full((1, 1, 1), -1.0).double(), torch.ones(1, 1, 1).double()
    asked = []
    for wanted in ("defaults", "default_lines"):
        clock = Clock()
        assert getattr(Lines(node.fn, (ends,), ask=clock.ask), wanted)
        asked.append(clock.asks)
    assert 2 <= len(slots(node.fn)) <= asked[0] < asked[1]


def splines(edges: int) -> Model:
    """y = Σ of cubic splines of x_i, one per input: functions of many pieces, as in a spline KAN."""
    random, body, ends = np.random.default_rng(edges), [], []
    for i in range(edges):
        body.append(f"s{i} = Constant<value_ints=[{i}]>() e{i} = Constant<value_ints=[{i + 1}]>() ")
        body.append(f"x{i} = Slice(x, s{i}, e{i}, ax) ")
        for k, knot in enumerate(np.linspace(-1.0, 0.75, 6)):
            name, weight = f"{i}_{k}", random.normal()
            body.append(
                f"k{name} = Constant<value_floats=[{knot:.6f}]>() "
                f"w{name} = Constant<value_floats=[{weight:.6f}]>() "
                f"d{name} = Sub(x{i}, k{name}) r{name} = Relu(d{name}) q{name} = Mul(r{name}, r{name}) "
                f"c{name} = Mul(q{name}, r{name}) t{name} = Mul(c{name}, w{name}) "
            )
            ends.append(f"t{name}")
    text = (
        f'<ir_version: 8, opset_import: ["" : 17]> agraph (float[1,{edges}] x) => (float[1,1] y) '
        f"{{ ax = Constant<value_ints=[1]>() {' '.join(body)} y = Sum({', '.join(ends)}) }}"
    )
    return load_onnx(onnx.parser.parse_model(text))


def test_splines_ask_piece_by_piece_and_end_whenever_the_clock_strikes(clock: Clock) -> None:
    model = splines(2)
    functions = [
        n.fn for n in model.network.nodes if isinstance(n, Nonlinear) and isinstance(n.fn, Nonlinearity)
    ]
    pieces = sum(len(slots(fn)) for fn in functions)
    assert len(functions) >= 2 and pieces >= 4
    ends = -0.5 * np.ones(2), 0.5 * np.ones(2)
    genbab.output_bounds(model, *ends)
    whole, clock.asks = clock.asks, 0
    assert whole >= 2 * pieces
    for at in range(1, whole, max(1, whole // 12)):
        clock.at, clock.asks = at, 0
        with pytest.raises(DeadlineReached):
            genbab.output_bounds(model, *ends)
        assert clock.asks == at


@pytest.mark.parametrize("method", METHODS)
def test_bounds_ask_the_clock_by_every_method(clock: Clock, method: str) -> None:
    model, ends = needles(2), (-np.ones(2), np.ones(2))
    genbab.output_bounds(model, *ends, method)
    assert clock.asks >= 2
    clock.at, clock.asks = max(1, clock.asks // 2), 0
    with pytest.raises(DeadlineReached):
        genbab.output_bounds(model, *ends, method)


@pytest.mark.parametrize(
    ("branching", "inputs", "boxes", "side"),
    [
        ("auto", 1, 1, -10.5),
        ("auto", 2, 3, -21.0),
        ("neuron", 2, 3, -20.4),
        ("neuron", 2, 1, -20.4),
        ("none", 1, 2, -10.5),
    ],
)
def test_whenever_the_clock_strikes_there_is_a_verdict(
    clock: Clock, branching: Any, inputs: int, boxes: int, side: float
) -> None:
    """Of a property that holds: `timeout` with something open, or `verified`; late enough `verified`."""
    model, spec = needles(inputs), below(side, inputs, boxes)
    config = Config(branching=branching, timeout=1000.0)
    whole = genbab.verify(model, spec, config)
    assert whole.verdict == "verified", whole.reason
    asked, verdicts = clock.asks, []
    for at in sorted({*range(1, asked, max(1, asked // 16)), *range(max(1, asked - 4), asked + 2)}):
        clock.at, clock.asks = at, 0
        found = genbab.verify(model, spec, config)
        assert found.verdict in ("timeout", "verified")
        if found.verdict == "timeout":
            assert found.bound is None or found.bound <= 0, (at, asked, found.bound)
        verdicts.append(found.verdict.value)
    assert verdicts[0] == "timeout" and verdicts[-1] == "verified"
