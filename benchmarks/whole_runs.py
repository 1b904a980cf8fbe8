"""Slope steps and domains per second of whole networks, per backend, in turn in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import genbab
from genbab.bounds import (
    Answer,
    Engine,
    Objective,
    Relaxation,
    Rows,
    Steps,
    Tightening,
    answer,
    optimise,
    rows_at_once,
)
from genbab.branch import HiddenForms, Region, chooser
from genbab.branch.bound.neurons import child_intervals, freedom, neuron_root, question
from genbab.config import Config
from genbab.driver.root import cheap, optimised, tightened
from genbab.driver.verification import Verification
from genbab.kernels import DEFAULT, Backend, Kernels, available, implementation
from genbab.kernels.torch import reference
from genbab.specs import read_vnnlib
from genbab.system.deadline import Deadline

SHARED = Path(__file__).parents[2] / "shared" / "benchmarks"
EXAMPLES = Path(__file__).parents[1] / "examples"
CASES = {
    "eran_sigmoid": (
        "eran_sigmoid/nets/ffnnSIGMOID__Point_6x200.onnx",
        "eran_sigmoid/specs/mnist/mnist_spec_idx_9044_eps_0.01200.vnnlib",
    ),
    "vit pgd": ("vit/onnx/pgd_2_3_16.onnx", "vit/vnnlib/pgd_2_3_16_568.vnnlib"),
    "vit ibp": ("vit/onnx/ibp_3_3_8.onnx", "vit/vnnlib/ibp_3_3_8_9635.vnnlib"),
    "acopf": ("ml4acopf/onnx/14_ieee_ml4acopf.onnx", "ml4acopf/vnnlib/14_ieee_prop1.vnnlib"),
}
SHIPPED = {"gelu": ("onnx/digits_gelu.onnx", "vnnlib/digits_gelu_holds.vnnlib")}
DOMAINS = (4, 32)
STEPS = 20
TURNS = 7


def cases() -> dict[str, tuple[Path, Path]]:
    """Model and property of every network that is there, by name."""
    found = {n: (EXAMPLES / model, EXAMPLES / spec) for n, (model, spec) in SHIPPED.items()}
    known = {n: (SHARED / model, SHARED / spec) for n, (model, spec) in CASES.items()}
    return {n: pair for n, pair in {**known, **found}.items() if all(path.exists() for path in pair)}


def backends() -> dict[str, Kernels]:
    """Torch operations, the plain torch definition, and numba where it is installed."""
    found: dict[str, Kernels] = {"torch": DEFAULT, "reference": reference}
    if available(Backend.NUMBA):
        found["numba"] = implementation(Backend.NUMBA, torch.device("cpu"))
    return found


def in_turn(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each call; they take turns, so that a busy machine slows all of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(TURNS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:  # the first one compiles or loads
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(some) for name, some in times.items()}


def row(
    network: str, what: str, shape: tuple[int, ...], amount: int, found: dict[str, float]
) -> dict[str, Any]:
    """Amounts per second, and how many times those of the others numba's are."""
    rates = {name: amount / seconds for name, seconds in found.items()}
    over = {
        f"numba_over_{n}": rates["numba"] / r for n, r in rates.items() if n != "numba" and "numba" in rates
    }
    print(f"{network:13} {what:28} {shape!s:15}", {n: round(r, 1) for n, r in rates.items()}, flush=True)
    return {"network": network, "what": what, "shape": shape, "per_second": rates, **over}


def steps(network: str, engine: Engine, relaxation: Relaxation, rows: Rows, box: Any) -> dict[str, Any]:
    """Slope steps a second for these rows."""
    moved = rows.to(engine.dtype)

    def call(kernels: Kernels) -> Callable[[], object]:
        fresh = Relaxation(engine.search, relaxation.intervals, engine.dtype, kernels=kernels)
        return lambda: optimise(fresh, Objective(moved, engine.cast(box)), Steps.of(STEPS))

    found = in_turn({name: call(kernels) for name, kernels in backends().items()})
    what = "output rows" if rows.target == engine.exact.output else "hidden rows"
    return row(network, f"slope steps, {what}", tuple(moved.matrix.shape), STEPS, found)


def below(network: str, engine: Engine, region: Region, config: Config, output: int) -> list[dict[str, Any]]:
    """Slope steps and scoring rounds for copies of the root's first open domain."""
    found = []
    first, root = neuron_root(engine, region.query, region.margins, region.intervals, region.warm, output)
    for count in DOMAINS:
        domains = first.take(torch.zeros(count, dtype=torch.long))
        query = domains.query
        rows = Rows(output, query.matrix, query.on_input).to(engine.dtype)
        box, margins = engine.cast((query.lower, query.upper)), domains.bound[:, None].expand(query.rhs.shape)
        usual = Engine(engine.exact, engine.search, engine.memory)
        # the same lines for all: others would rank other neurons first, whose estimates take other times
        known = answer(usual, question(usual, root, domains), Steps(1))
        climbs: dict[str, Callable[[], object]] = {}
        rounds: dict[str, Callable[[], object]] = {}
        for name, kernels in backends().items():
            own = Engine(engine.exact, engine.search, engine.memory, kernels=kernels)
            search = own.relaxed(child_intervals(root, domains), root.masses).search
            objective = Objective(rows, box, freedom(own, root, domains))
            choose = chooser(config, own, root, region.forms)

            def climb(search: Relaxation = search, objective: Objective = objective) -> object:
                return optimise(search, objective, Steps.of(STEPS))

            def scored(search: Relaxation = search, choose: Any = choose, known: Answer = known) -> object:
                return choose(search, known, domains, margins)  # noqa: B023

            climbs[name], rounds[name] = climb, scored
        found.append(
            row(network, "slope steps, domains", (count, *rows.matrix.shape[1:]), STEPS, in_turn(climbs))
        )
        found.append(row(network, "scoring, domains", (count,), count, in_turn(rounds)))
    return found


def searched(network: str, model: Path, spec: Path, seconds: float) -> dict[str, Any]:
    """Domains a second of a whole run, its root and the loading of what it is compiled with included."""
    rates = {}
    for backend in ("torch", "numba") if available(Backend.NUMBA) else ("torch",):
        result = genbab.verify(model, spec, Config(timeout=seconds, backend=backend, attack_restarts=0))
        rates[backend] = result.seconds / max(1, int(result.statistics.get("domains", 0)))
    return row(network, "domains, whole run", (), 1, rates)


def whole_runs(seconds: float) -> list[dict[str, Any]]:
    """All rows; `seconds` for each run that counts domains (0: none)."""
    found: list[dict[str, Any]] = []
    for name, (model, spec) in cases().items():
        loaded = genbab.load(model)
        config = Config()
        sizes = loaded.network.input_size, loaded.network.output_size
        parsed = read_vnnlib(spec, *sizes)
        run = Verification(loaded, parsed, config, Deadline(None))

        engine, output = run.engine, run.engine.exact.output
        query = run.stages.query.take(torch.tensor([0]))
        state = tightened(engine, cheap(engine, query, output), output, 10.0)
        relaxation = engine.relaxed(state.intervals).exact
        last = max(engine.exact.relaxed)
        size = engine.exact.nodes[last].size
        some = torch.arange(min(size, max(1, rows_at_once(engine, 1, last, searching=True) // 2)))
        for rows in (Rows.of_neurons(last, some, size), state.rows(output)):
            found.append(steps(name, engine, relaxation, rows, state.box))
        if state.open().numel():
            forms = HiddenForms(engine, config.memory // 8, state.box)
            how = Tightening(Steps.of(2), 10.0, record=forms.keep)
            state, known = optimised(engine, state, output, how, 10)
            forms.complete(engine.relaxed(state.intervals))
            if known is not None:
                warm, weights = known.certificate, known.weights
                region = Region(
                    state.query, state.margins, state.intervals, (), warm, weights, forms
                ).opened()
                if region is not None:
                    found += below(name, engine, region, config, output)
        if seconds:
            found.append(searched(name, model, spec, seconds))
    return found
