"""The public functions: `load`, `verify`, `bounds`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from genbab.bounds import Engine, Interval, Steps, forward, propagate, tighten_all
from genbab.config import Config
from genbab.deadline import Deadline
from genbab.device import resolve
from genbab.driver import Run
from genbab.errors import SpecError, UsageError
from genbab.network import Network
from genbab.reader import Model, is_program, load_onnx, load_program, load_torch
from genbab.result import Progress, Result
from genbab.specs import Spec, read_vnnlib

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module
    from torch.onnx import ONNXProgram

    Program = ExportedProgram | ONNXProgram

METHODS = ("interval", "forward", "backward", "optimised")


def load(model: str | Path | bytes | Model | Module | Program, example: Any = None) -> Model:
    """The model in normal form, checked against onnxruntime.

    model: an ONNX file (also .gz), its bytes, a `torch.nn.Module` together with an `example` input (a tensor,
    or a list of them), a `torch.export.ExportedProgram` or a `torch.onnx.ONNXProgram`. All outputs of a
    module are concatenated. Raises `ModelError` when it cannot be read and `UnsupportedError` when operators
    have no sound rule.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, torch.nn.Module):
        if example is None:
            raise UsageError("a torch module needs an example input: genbab.load(module, example=x)")
        return load_torch(model, example)
    if is_program(model):
        return load_program(model)
    if not isinstance(model, str | Path | bytes):
        raise UsageError(
            "a model is a path, the bytes of an ONNX file, a torch module or a loaded model, "
            f"not {type(model).__name__}"
        )
    return load_onnx(model)


def verify(
    model: str | Path | bytes | Model | Module,
    spec: str | Path | Spec,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
    example: Any = None,
) -> Result:
    """Whether the model satisfies the specification on its whole input set.

    `verified`: no input of the set leads to an unsafe output (over the reals, rounding of the bounds
    included);
    `falsified`: a float32 input that does, replayed in onnxruntime; `unknown` or `timeout`: neither was
    shown.
    Raises `ModelError`, `SpecError`, `UsageError`, `ResourceError`.
    """
    config = config or Config()
    deadline = Deadline(config.timeout)
    started = time.monotonic()
    loaded = load(model, example)
    parsed = (
        spec
        if isinstance(spec, Spec)
        else read_vnnlib(spec, loaded.network.input_size, loaded.network.output_size)
    )
    if parsed.vacuous:
        raise SpecError(
            "the input set is empty: nothing to verify" + "".join(f" ({note})" for note in parsed.notes)
        )
    return Run(loaded, parsed, config, deadline, started, progress or (lambda _: None)).decide()


def bounds(
    model: str | Path | Model | Module | Network,
    lower: Any,
    upper: Any,
    method: str = "optimised",
    config: Config | None = None,
) -> tuple[Tensor, Tensor]:
    """Sound lower and upper bounds (B, O) of every output on the boxes lower <= x <= upper ((B, D) or (D,)).

    method: "interval", "forward", "backward" (CROWN with default slopes) or "optimised" (slopes optimised
    for every
    hidden row and every output). All but "forward" are cut with interval arithmetic. Raises `UsageError`
    for a wrong
    shape, an inverted box, a number that is not finite, or an unknown method.
    """
    config = config or Config()
    if method not in METHODS:
        raise UsageError(f"method {method!r}: must be one of {', '.join(METHODS)}")
    network = model if isinstance(model, Network) else load(model).network
    device = resolve(config.device)
    box = _box(network, lower, upper, device)
    engine = Engine.of(network, config, device, Deadline(config.timeout).check)
    intervals = node_intervals(engine, box, method, config.root_steps)
    return intervals[network.output]


def node_intervals(engine: Engine, box: Interval, method: str, steps: int) -> list[Interval]:
    """Sound intervals (B, N) of every node by the given method (see `bounds`)."""
    if method == "interval":
        return propagate(engine.exact, box)
    if method == "forward":
        return forward(engine.exact, box)
    chosen = Steps.of(steps if method == "optimised" else 0)
    relaxation = tighten_all(engine, box, propagate(engine.exact, box), Steps(0), outputs=True)
    if chosen.count:
        relaxation = tighten_all(engine, box, relaxation.intervals, chosen, outputs=True)
    return relaxation.intervals


def _box(network: Network, lower: Any, upper: Any, device: torch.device) -> Interval:
    ends = []
    for name, value in (("lower", lower), ("upper", upper)):
        try:
            end = torch.as_tensor(value, dtype=torch.float64, device=device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"{name}: expected numbers ({error})") from error
        size = network.input_size
        end = (
            end.reshape(1, -1) if end.numel() == size else end.reshape(end.shape[0], -1) if end.dim() else end
        )
        if end.dim() != 2 or end.shape[1] != size:
            raise UsageError(f"{name}: expected {size} numbers per box, found the shape {tuple(end.shape)}")
        if not bool(torch.isfinite(end).all()):
            raise UsageError(f"{name}: every bound must be a finite number")
        ends.append(end)
    if ends[0].shape != ends[1].shape or bool((ends[0] > ends[1]).any()):
        raise UsageError("lower must have the shape of upper and nowhere be above it")
    return ends[0], ends[1]
