"""The public functions about one model: `load`, `verify`, `attack`, `bounds`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import torch
from torch import Tensor

from genbab.attack import FULL, Challenge, Falsified
from genbab.bounds import Engine
from genbab.bounds.methods import (
    METHODS,
    LinearBounds,
    matrix_of_rows,
    method_named,
    node_intervals,
    row_ranges,
)
from genbab.config import Config
from genbab.driver import Verification, fitted, on_boxes
from genbab.driver.record.history import History
from genbab.errors import DeadlineReached
from genbab.network import Network, lifted
from genbab.problem import check_sizes
from genbab.proof import checked, proved, seconds_of
from genbab.reader import (
    ALL,
    Execution,
    Model,
    Wanted,
    as_executed,
    load_onnx,
    normalised,
    of_anything,
)
from genbab.result import Counterexample, Progress, Result, Verdict
from genbab.specs import Spec
from genbab.system.clock import clock_of
from genbab.system.deadline import Deadline
from genbab.system.device import resolve, usual_torch
from genbab.system.schedule import RunSchedule
from genbab.told import Told
from genbab.trace import TraceFile, recorded

if TYPE_CHECKING:
    from genbab.reader.modules.sources import AnyModel

__all__ = ["METHODS", "answered", "attack", "bounds", "load", "node_intervals", "prove", "verify"]

Boxes = tuple[Tensor, Tensor]

DRAWN = 20_000
"""The most inputs for which the box of a counterexample is kept."""


def load(
    model: AnyModel,
    example: Any = None,
    preprocessing: Mapping[str, Any] | None = None,
    *,
    outputs: str | Sequence[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Model:
    """The model in normal form, checked against onnxruntime.

    model: an ONNX file (also .gz), its bytes, a `torch.nn.Module` together with an `example` of what it is
    called with (a tensor, a list of arguments, a dictionary of them by name), an `ExportedProgram` or an
    `ONNXProgram` of torch. All outputs are concatenated; modules and torch's settings stay as they are.
    `preprocessing` = {"mean", "std", "axis"} puts (x - mean) / std before the model, so that everything is
    asked in units of the raw x. outputs: the names of those that are read, in this order, with nothing but
    what they need. shapes: by name, of inputs whose axes the file leaves open (a leading axis is 1 if nothing
    is said). Raises `ModelError` when the model cannot be read, `UnsupportedError` when operators have no
    sound rule, `UsageError` for a wrong example or preprocessing, or a module whose training mode matters.
    """
    loaded = of_anything(model, example, wanted=Wanted.of(outputs, shapes))
    with usual_torch():
        return loaded if preprocessing is None else normalised(loaded, preprocessing)


def load_within(
    deadline: Deadline,
    model: AnyModel,
    example: Any = None,
    config: Config | None = None,
    wanted: Wanted = ALL,
) -> Model:
    """As `load`, for the arithmetic of the settings (None: real numbers).

    Raises `DeadlineReached` when the time is up before the model is read.
    """
    config = Config.of(config)
    real = config.arithmetic == "real"
    execution = None if real else Execution(config.arithmetic, config.elementary)
    if isinstance(model, str | Path | bytes):
        with usual_torch():
            return load_onnx(model, ask=deadline.check, execution=execution, wanted=wanted)
    return as_executed(of_anything(model, example, deadline.check, wanted), execution, deadline.check)


def verify(
    model: AnyModel,
    spec: str | Path | Spec,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
    example: Any = None,
    *,
    trace: str | Path | TraceFile | None = None,
) -> Result:
    """Whether the model satisfies the specification on its whole input set.

    `verified`: no input of the set leads to an unsafe output, over the reals or, with the setting
    `arithmetic`, in every execution of the model's operators in such numbers (docs/concepts/verdicts.md);
    `falsified`: a float32 input that does, replayed in onnxruntime; `unknown` or `timeout`: neither was
    shown. The statistic "history" is that of the bound: [seconds, bound, open domains, domains] each.
    `trace`: a file that the run is recorded in as it goes (`genbab.trace` says how; `plot_trace` draws it).
    Raises `ModelError`, `SpecError`, `UsageError`, `ResourceError`.
    """
    config, started = Config.of(config), time.monotonic()
    with recorded(trace, started, (model, spec), config) as record:
        result = answered(model, spec, config, Told(progress or (lambda _: None), record), example)
        if isinstance(trace, str | Path) and record is not None:
            record.end(result)
    return result


def prove(
    model: str | Path | bytes,
    spec: str | Path,
    proof: str | Path,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
    check: float | None = None,
) -> Result:
    """What `verify` says, with a proof of `verified` in a file, and what `genbab-check` says of that.

    The statistics "proof" and "proof_check" tell of both (docs/proofs.md). check: seconds for that, None for
    the timeout of the settings, 0 for none. Raises as `verify`, and `UsageError` where proofs have no rule.
    """
    config = Config.of(config)
    seconds = seconds_of(check, config.timeout)
    with proved(proof, model, spec) as file:
        result = answered(model, spec, config, Told(progress or (lambda _: None), None, file))
    return checked(result, (model, spec, proof), seconds, config.threads or 1)


def answered(
    model: AnyModel,
    spec: str | Path | Spec,
    config: Config,
    told: Told,
    example: Any = None,
    deadline: Deadline | None = None,
) -> Result:
    """The answer to a question, with the history of its bound; errors as for `verify`.

    deadline: when it must be there (None: once the settings' time is up, from now on).
    """
    deadline, history = deadline or Deadline(config.timeout), History(time.monotonic(), told.progress)
    try:
        loaded = load_within(deadline, model, example, config)
        with usual_torch():
            loaded, parsed = fitted(loaded, spec, deadline)
    except DeadlineReached:
        late = "the time limit was reached while reading the model; try a longer one"
        result = Result(Verdict.TIMEOUT, deadline.elapsed(), None, late, arithmetic=config.arithmetic)
    else:
        with usual_torch():
            schedule = RunSchedule(deadline, clock_of(config.deterministic), config.timeout)
            run = Verification(loaded, parsed, config, schedule, replace(told, progress=history))
            result = run.decide()
        result = replace(result, statistics={**result.statistics, **_place(loaded, parsed, result)})
    return replace(result, statistics={**result.statistics, "history": history.moments})


def _place(model: Model, spec: Spec, result: Result) -> dict[str, Any]:
    """What drawing a counterexample takes: the shapes of the inputs, and its box."""
    ends = zip(model.input_names, model.input_shapes, strict=True)
    known: dict[str, Any] = {"inputs": [{"name": name, "shape": list(shape)} for name, shape in ends]}
    if (found := result.counterexample) is not None and found.x.size <= DRAWN:
        box = spec.clauses[found.clause].box
        low, high = ([float(f"{v:.7g}") for v in end[box].tolist()] for end in (spec.lower, spec.upper))
        known["box"] = {"lower": low, "upper": high}
    return known


def attack(
    model: AnyModel, spec: str | Path | Spec, config: Config | None = None, example: Any = None
) -> Counterexample | None:
    """A float32 input of the input set that leads to an unsafe output, replayed in onnxruntime, or None.

    Searches only, with sampling and gradients; None claims nothing. `config` bounds it: timeout,
    attack_restarts, attack_steps, seed. Raises like `verify`.
    """
    config = Config.of(config)
    deadline = Deadline(config.timeout)
    try:
        loaded = load_within(deadline, model, example)
        with usual_torch():
            loaded, parsed = fitted(loaded, spec, deadline)
            network = lifted(loaded.network, parsed).to(torch.float64, resolve(config.device))
            check_sizes(parsed, network)
            Challenge(loaded, parsed, network, RunSchedule(deadline), config).attack(FULL)
    except Falsified as found:
        return found.counterexample
    except DeadlineReached:
        pass
    return None


@overload
def bounds(
    model: AnyModel | Network,
    lower: Any,
    upper: Any,
    method: str = "optimised",
    config: Config | None = None,
    *,
    C: Any = None,
    return_linear: Literal[False] = False,
    example: Any = None,
) -> tuple[Tensor, Tensor]: ...


@overload
def bounds(
    model: AnyModel | Network,
    lower: Any,
    upper: Any,
    method: str = "optimised",
    config: Config | None = None,
    *,
    C: Any = None,
    return_linear: Literal[True],
    example: Any = None,
) -> tuple[Tensor, Tensor, LinearBounds]: ...


def bounds(  # noqa: PLR0913
    model: AnyModel | Network,
    lower: Any,
    upper: Any,
    method: str = "optimised",
    config: Config | None = None,
    *,
    C: Any = None,
    return_linear: bool = False,
    example: Any = None,
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, LinearBounds]:
    """Sound lower and upper bounds (B, O) of every output on the boxes lower <= x <= upper ((B, D) or (D,)).

    method: one of `METHODS`, or the names known from elsewhere, in any case: IBP, CROWN, alpha-CROWN,
    CROWN-IBP, forward+backward. All but "forward" are cut with interval arithmetic. C (S, O) or (B, S, O):
    bounds (B, S) of C·y instead. return_linear: also `LinearBounds` around them (constant ones for interval
    and forward). With the setting `arithmetic`, bounds of what is computed in such numbers, if the model is
    no `Network`. Results are float64 on the device of the settings. Raises `UsageError` for a wrong shape,
    an inverted box, a number that is not finite, or an unknown method; `DeadlineReached` when the settings'
    time is up.
    """
    config = Config.of(config)
    method = method_named(method)
    deadline = Deadline(config.timeout)
    loaded = model if isinstance(model, Network) else load_within(deadline, model, example, config)
    with usual_torch():
        device = resolve(config.device)
        network, box = on_boxes(loaded, lower, upper, device)
        engine = Engine.of(network, config, device, deadline.check)
        return _bounds(engine, box, method, config.root_steps, C, return_linear)


def _bounds(
    engine: Engine, box: Boxes, method: str, steps: int, given: Any, return_linear: bool
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, LinearBounds]:
    network = engine.exact
    if given is None and not return_linear and method not in ("crown-ibp", "crown-forward"):
        return node_intervals(engine, box, method, steps)[network.output]
    matrix = torch.eye(network.output_size) if given is None else given
    rows = matrix_of_rows(network, matrix, box[0].shape[0], box[0].device)
    low, high, linear = row_ranges(engine, box, rows, method, steps)
    return (low, high, linear) if return_linear else (low, high)
