"""With `deterministic` a run is the same whatever the clock says: every round, every bound, every verdict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genbab
from genbab import nap
from genbab.branch.regions import search as regions
from genbab.cli.options.parser import parse
from genbab.cli.options.settings import settings_of, words_of
from genbab.config import Config
from genbab.errors import DeadlineReached, UsageError
from genbab.network import evaluate
from genbab.reader import Model, activated, shown
from genbab.result import Result
from genbab.specs import Clause, Spec
from genbab.system.clock import WALL, WorkClock
from genbab.system.deadline import Deadline
from genbab.system.schedule import RunSchedule

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def network(inputs: int, width: int, layers: int, scale: float) -> Model:
    """A random network of tanh and sine, one output."""
    torch.manual_seed(inputs)
    made: list[torch.nn.Module] = []
    for size in [inputs, *[width] * (layers - 1)]:
        made += [torch.nn.Linear(size, width), torch.nn.Tanh()]
    module = torch.nn.Sequential(*made, torch.nn.Linear(width, 1))
    for parameter in module.parameters():
        parameter.data *= scale
    return genbab.load(module.eval(), example=torch.zeros(1, inputs))


def below(model: Model, radius: float, share: float) -> Spec:
    """Unsafe: y <= the least value of many points, less a share of how far bounds are below it."""
    low = np.full(model.network.input_size, -radius)
    points = torch.from_numpy(np.random.default_rng(0).uniform(low, -low, (20000, len(low))))
    least = float(evaluate(model.network.to(torch.float64, torch.device("cpu")), points).min())
    known = float(genbab.output_bounds(model, low, -low, "backward")[0])
    side = least - share * (least - known)
    return Spec(low[None], -low[None], (Clause(0, np.ones((1, 1)), None, np.array([side])),), 1)


def premises(model: Model, spec: Spec) -> tuple[Model, Spec]:
    """The same where hidden neurons are near their values at 0."""
    names = [one.name for one in activated(model)]
    _, hidden = nap.hidden_values(model, names, np.zeros((1, model.network.input_size)))
    layers = []
    for name, value in zip(names, hidden, strict=True):
        low, high = value[0] - 1.0, value[0] + 1.0
        low[::2], high[1::3] = -np.inf, np.inf
        layers.append(nap.Layer(name, low, high))
    spec = nap.Pattern(0, 0.9, 1, tuple(layers)).within(spec)
    return shown(model, spec.hidden), spec


CASES: dict[str, tuple[tuple[int, int, int, float], float, float, dict[str, Any]]] = {
    "inputs": ((3, 12, 3, 2.0), 0.5, 0.1, {}),
    "neurons": ((20, 14, 3, 1.8), 0.25, 0.35, {"branching": "neuron"}),
    "frozen": ((20, 14, 3, 1.8), 0.25, 0.45, {"branching": "neuron", "retighten": "frozen"}),
    "mixed": ((20, 14, 3, 1.8), 0.25, 0.45, {"branching": "mixed"}),
    "premises": ((4, 10, 3, 2.0), 0.5, 0.1, {"branching": "neuron"}),
    "falsified": ((3, 12, 3, 2.0), 0.5, -0.0005, {}),
}
"""Shape of a network, radius, what is asked of it, settings."""


def recorded(name: str, trace: Path, **settings: Any) -> tuple[Result, list[Any]]:
    """(result, all that the run left behind but for times: the trace, statistics, the answer)."""
    shape, radius, share, own = CASES[name]
    model = network(*shape)
    spec = below(model, radius, share)
    model, spec = premises(model, spec) if name == "premises" else (model, spec)
    config = Config(**{"deterministic": True, "batch": 4, **own, **settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "FIRST", 0.01)  # regions are split, too
        patch.setattr(regions, "SHORTEST", 0.01)
        result = genbab.verify(model, spec, config, trace=trace)
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    told = [_untimed(line) for line in lines if line["event"] not in ("begin", "end")]
    example = None if result.counterexample is None else result.counterexample.x.tolist()
    found = [told, _untimed(result.statistics), result.verdict.value, result.bound, example]
    return result, json.loads(json.dumps(found))


def _untimed(facts: Mapping[str, Any]) -> dict[str, Any]:
    times = ("t", "seconds", "history")
    return {k: v for k, v in facts.items() if k not in times and not k.startswith("seconds ")}


def events(found: list[Any], name: str) -> list[dict[str, Any]]:
    """The lines of this kind."""
    return [line for line in found[0] if line["event"] == name]


class Jumps:
    """A clock that runs ahead by up to `most` seconds whenever somebody looks."""

    def __init__(self, most: float) -> None:
        self.random, self.most, self.ahead = np.random.default_rng(1), most, 0.0
        self.real = time.monotonic

    def __call__(self) -> float:
        self.ahead += float(self.random.uniform(0.0, self.most))
        return self.real() + self.ahead


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_the_same_whatever_the_clock_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, once = recorded(name, tmp_path / "once")
    assert result.verdict == ("falsified" if name == "falsified" else "verified")
    assert bool(events(once, "round")) == (name not in ("premises", "falsified"))
    assert (len(events(once, "region")) > 2) == (name == "neurons")
    jumps = Jumps(0.05)
    monkeypatch.setattr(time, "monotonic", jumps)
    assert recorded(name, tmp_path / "again")[1] == once
    assert jumps.ahead > 0


@pytest.mark.parametrize("name", ["neurons", "mixed"])
def test_a_run_is_the_same_in_every_process(name: str, tmp_path: Path) -> None:
    found = []
    for seed in ("1", "2"):
        code = f"""
import json, sys; from pathlib import Path; from tests.test_deterministic import recorded
print(json.dumps(recorded({name!r}, Path(sys.argv[1]))[1]))
"""
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1] and events(found[0], "round")


def test_only_time_that_is_told_is_looked_at() -> None:
    """Whatever decides what is done next asks the run's clock."""
    told = {"driver/ledger.py"}
    parts = [ROOT / "genbab" / part for part in ("bounds", "branch", "attack")]
    files = [path for part in parts for path in part.rglob("*.py")]
    files += (ROOT / "genbab" / "driver").glob("*.py")
    looking = {
        str(path.relative_to(ROOT / "genbab"))
        for path in files
        if re.search(r"^(import|from) (time|datetime)\b|deadline\.(left|elapsed)\(", path.read_text(), re.M)
    }
    assert looking == told


def test_work_is_the_only_thing_that_moves_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real = WorkClock(), Deadline(1000.0)
    schedule = RunSchedule(real, clock, 100.0)
    monkeypatch.setattr(time, "monotonic", lambda: real.start + 500.0)
    assert schedule.left() == 100.0 and schedule.elapsed() == 0.0
    limit = schedule.limit(30.0)
    clock.worked(lambda: 20.0)
    assert schedule.left() == 80.0 and schedule.elapsed() == 20.0
    assert not limit.expired and limit.left() == 10.0
    clock.worked(lambda: 10.0)
    with pytest.raises(DeadlineReached):
        limit.check()
    schedule.check()
    clock.worked(lambda: 1e9)
    schedule.check()
    assert schedule.left() == 0.0


def test_the_limit_of_the_user_ends_what_has_a_limit_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Deadline(1000.0)
    outer = RunSchedule(real, WorkClock(), 1000.0)
    inner = RunSchedule(outer.limit(50.0), outer.clock)
    limits = [inner.limit(10.0), inner.deadline, outer.deadline]
    for limit in limits:
        limit.check()
    monkeypatch.setattr(time, "monotonic", lambda: real.end)
    for limit in limits:
        with pytest.raises(DeadlineReached):
            limit.check()


def test_real_time_is_planned_with_where_nothing_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Deadline(1000.0)
    schedule = RunSchedule(real)
    assert schedule.clock is WALL
    schedule.clock.worked(lambda: pytest.fail("nobody asks what the work is worth"))
    monkeypatch.setattr(time, "monotonic", lambda: real.start + 400.0)
    assert schedule.left() == real.left() == pytest.approx(600.0)
    assert schedule.elapsed() == pytest.approx(400.0)


@pytest.mark.parametrize("wrong", [1, 0, "true", None])
def test_it_is_a_truth_value(wrong: Any) -> None:
    with pytest.raises(UsageError, match="deterministic = .*True or False"):
        Config(deterministic=wrong)


def test_several_workers_are_refused() -> None:
    """What each of them gets depends on how fast the others are."""
    with pytest.raises(UsageError, match="deterministic with workers = 2"):
        Config(deterministic=True, workers=2)


def test_its_option_has_no_value() -> None:
    words = ["verify", "--deterministic", "m.onnx", "s.vnnlib", "--seed", "3"]
    given = settings_of(parse(words))
    assert given == {"deterministic": "true", "seed": "3"}
    assert Config.from_text(given) == Config(deterministic=True, seed=3)
    again = settings_of(parse(["verify", "m.onnx", "s.vnnlib", *words_of(given)]))
    assert again == given
    assert "deterministic" not in settings_of(parse(["verify", "m.onnx", "s.vnnlib"]))
