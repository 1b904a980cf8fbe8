"""The public functions about one model: `load`, `verify`, `resume`, `attack`, `bounds`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

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
from genbab.checkpoint import Checkpoint, changed, read_checkpoint, without_earlier
from genbab.config import Config
from genbab.driver import Verification, fitted, load_within, on_boxes
from genbab.driver.record.drawn import drawn_at
from genbab.driver.record.history import History
from genbab.driver.saved.asked import asked_of, unchanged
from genbab.errors import DeadlineReached
from genbab.network import Network, lifted
from genbab.problem import check_sizes
from genbab.proof import checked, proved, seconds_of
from genbab.reader import ALL, Model, Wanted, normalised, of_anything
from genbab.result import Counterexample, Progress, Result, Verdict
from genbab.specs import Spec, read_vnnlib
from genbab.system.clock import clock_of
from genbab.system.deadline import Deadline
from genbab.system.device import resolve, usual_torch
from genbab.system.schedule import RunSchedule
from genbab.told import Told
from genbab.trace import TraceFile, recorded

if TYPE_CHECKING:
    from genbab.reader.modules.sources import AnyModel

__all__ = ["METHODS", "answered", "attack", "bounds", "load", "node_intervals", "prove", "resume", "verify"]

Boxes = tuple[Tensor, Tensor]


class KeptIn(TypedDict, total=False):
    """Files that a run leaves as it goes: a record of it, and what another run can go on from."""

    trace: str | Path | TraceFile | None
    checkpoint: str | Path | None


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


def verify(
    model: AnyModel,
    spec: str | Path | Spec,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
    example: Any = None,
    **kept: Unpack[KeptIn],
) -> Result:
    """Whether the model satisfies the specification on its whole input set.

    `verified`: no input of the set leads to an unsafe output, over the reals or, with the setting
    `arithmetic`, in every execution of the model's operators in such numbers (docs/concepts/verdicts.md);
    `falsified`: a float32 input that does, replayed in onnxruntime; `unknown` or `timeout`: neither was
    shown. The statistic "history" is that of the bound: [seconds, bound, open domains, domains] each.
    `trace`: a file that the run is recorded in as it goes (`genbab.trace` says how; `plot_trace` draws it).
    `checkpoint`: a file that the run is kept in, from which `resume` goes on; model and spec are files then.
    It must not be there, and is removed where the verdict is `verified` or `falsified`.
    Raises `ModelError`, `SpecError`, `UsageError`, `ResourceError`.
    """
    if unknown := kept.keys() - {"trace", "checkpoint"}:
        raise TypeError(f"verify() takes trace and checkpoint by name, not {', '.join(sorted(unknown))}")
    config, file = Config.of(config), kept.get("checkpoint")
    new = None
    if file is not None:
        new = Checkpoint(without_earlier(Path(file)), asked_of(model, spec), config)
    told = Told(progress or (lambda _: None), None, None, new)
    return _recorded((model, spec), config, told, kept.get("trace"), example)


def resume(
    checkpoint: str | Path,
    progress: Callable[[Progress], None] | None = None,
    *,
    trace: str | Path | TraceFile | None = None,
    **changes: Any,
) -> Result:
    """The answer to the question of a checkpoint, going on where that was written; then as `verify`.

    It goes on being written there. changes: settings that are other than before, which may be all but
    `arithmetic`, `elementary` and `witness`. `seconds` of the result are those of this run; the statistic
    "earlier seconds" has those of earlier ones. Raises `UsageError` for files that are damaged or of another
    version, and where model or specification have changed.
    """
    before = read_checkpoint(path := Path(checkpoint))
    asked, config = unchanged(before.asked), changed(before.config, changes)
    kept = Checkpoint(path, asked, config, before=before)
    told = Told(progress or (lambda _: None), None, None, kept)
    spec = read_vnnlib(asked.spec, derivatives=asked.derivative)
    return _recorded((asked.model, spec), config, told, trace, None)


def _recorded(
    of: tuple[AnyModel, str | Path | Spec],
    config: Config,
    told: Told,
    trace: str | Path | TraceFile | None,
    example: Any,
) -> Result:
    """The answer, with the record that is asked for, and without a checkpoint that is done with."""
    kept = told.checkpoint
    started = time.monotonic() - (0.0 if kept is None else kept.seconds_before)
    with recorded(trace, started, of, config) as record:
        result = answered(*of, config, replace(told, trace=record), example)
        if isinstance(trace, str | Path) and record is not None:
            record.end(result)
    if kept is not None:
        kept.ended(result)
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

    deadline: where it is other than what the settings say from now on.
    """
    deadline = deadline or Deadline(config.timeout)
    history, wanted = History(time.monotonic(), told.progress), ALL
    if (kept := told.checkpoint) is not None:
        history.go_on(kept)
        if not isinstance(model, Model):
            wanted = Wanted.of(kept.asked.outputs, dict(kept.asked.shapes))
    try:
        loaded = load_within(deadline, model, example, config, wanted)
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
        result = replace(result, statistics={**result.statistics, **drawn_at(loaded, parsed, result)})
    return replace(result, statistics={**result.statistics, "history": history.moments})


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
