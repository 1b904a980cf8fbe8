"""What a run decides before branching is what it does, and what `inspect` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from genbab.api import verify
from genbab.bounds import Engine
from genbab.cli.tools.inspect import asked, planned
from genbab.config import Config
from genbab.driver import Strategy, strategy, unspecified
from genbab.driver.strategy import FEW_INPUTS, SOME_INPUTS
from genbab.network import Nonlinear
from genbab.nonlinear import make
from genbab.problem import queries
from genbab.reader import Model
from genbab.specs import write_vnnlib
from tests.test_driver import below, dense, hard, layered

CPU = torch.device("cpu")
HARD = ((-1.0,) * 8, (1.0,) * 8)


def planned_for(model: Model, config: Config, fixed: int = 0) -> Strategy:
    """The strategy for all inputs in [-1, 1] but the first `fixed` ones."""
    engine = Engine.of(model.network, config, CPU, lambda: None)
    low = (0.5,) * fixed + (-1.0,) * (model.network.input_size - fixed)
    high = (0.5,) * fixed + (1.0,) * (model.network.input_size - fixed)
    return strategy(engine, [queries(below(-15.0, low, high), engine.exact, CPU)], config)


@pytest.mark.parametrize("settings", ({}, {"batch": 3}, {"branching": "neuron", "batch": 3}))
def test_the_run_does_what_inspect_says(tmp_path: Path, settings: dict[str, Any]) -> None:
    config = Config(timeout=1.0, attack_restarts=0, **settings)
    spec = below(-15.0, *HARD)
    write_vnnlib(spec, tmp_path / "s.vnnlib")
    told = planned(*asked(hard(), str(tmp_path / "s.vnnlib"), config), config)
    verify(hard(), spec, config, trace=tmp_path / "t.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    plan = next(line for line in lines if line["event"] == "plan")
    decided = {k: v for k, v in plan.items() if k not in ("t", "event")}
    assert decided == {k: told[k] for k in decided}
    batches = [line["batch"] for line in lines if line["event"] == "round"]
    assert batches and max(batches) <= 2 * told["batch"]
    assert "batch" not in settings or max(batches) == 6
    assert ("choosing" in str(lines)) == (told["splits"] == "neuron")


def test_few_inputs_that_vary_are_split() -> None:
    model = hard()
    assert planned_for(model, Config()).splits == "input"
    assert planned_for(model, Config()).varying == 8 <= FEW_INPUTS
    assert planned_for(model, Config(), fixed=5).varying == 3
    assert planned_for(model, Config(branching="neuron")).splits == "neuron"
    assert planned_for(model, Config(branching="none")).splits == "none"


@pytest.mark.parametrize(
    ("inputs", "splits"),
    ((FEW_INPUTS, "input"), (FEW_INPUTS + 1, "mixed"), (SOME_INPUTS, "mixed"), (SOME_INPUTS + 1, "neuron")),
)
def test_the_number_of_inputs_decides_what_is_split(inputs: int, splits: str) -> None:
    model = layered(dense(0, (1.0,) * inputs), Nonlinear(make("tanh"), (1,), 1), inputs=inputs)
    plan = planned_for(model, Config())
    assert plan.splits == splits and str(inputs) in plan.reasons[0]
    assert plan.tighten == (splits != "neuron")


def test_every_decision_has_a_reason_with_its_number() -> None:
    plan = planned_for(hard(), Config(batch=7))
    said = "\n".join(plan.reasons)
    assert "8 vary" in said and "7 domains" in said and "--batch" in said and "hidden rows" in said
    neuron = "\n".join(planned_for(hard(), Config(branching="neuron", retighten="frozen")).reasons)
    assert "--branching" in neuron and "frozen" in neuron


def test_costs_grow_with_rows_and_memory_is_shared() -> None:
    model, config = hard(), Config()
    engine = Engine.of(model.network, config, CPU, lambda: None)
    query = unspecified(engine.exact, CPU)
    plan = strategy(engine, [query], config)
    assert plan.boxes == 1 and plan.rows == model.network.output_size and plan.varying == 8
    twice = strategy(engine, [query, query], config)
    assert twice.boxes == 2 and twice.pass_cost == plan.pass_cost
    assert 0 < plan.pass_cost < plan.tighten_cost and plan.pool + 2 * plan.forms <= config.memory
    assert strategy(engine, [], config).boxes == 0
