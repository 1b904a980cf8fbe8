"""Modules of torch come in through an ONNX model made in memory, by whichever of torch's two exporters can.

The older one traces the module and takes milliseconds; the newer one (`torch.export`, with the package
onnxscript) takes about a second and is asked when the older one fails, or when what it made does not load or
does not give what the module gives.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch.utils import _pytree

from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.network import evaluate
from genbab.reader.models.model import Model, load_onnx
from genbab.system.device import usual_torch

OPSET = 17
"""What the older exporter writes; the newer one chooses its own."""

EXPORTERS = ("torchscript", "dynamo")
"""The order in which they are asked."""

QUIET = (
    *("torch.onnx", "torch.export", "torch._dynamo", "torch._subclasses", "torch.fx"),
    *("onnxscript", "onnx_ir"),
)
"""Loggers that report an export's progress to the terminal."""

Inputs = tuple[Tensor, ...]


def load_torch(
    module: nn.Module,
    example: Tensor | Sequence[Tensor],
    check: bool = True,
    exporters: Sequence[str] = EXPORTERS,
    ask: Callable[[], None] = lambda: None,
) -> Model:
    """The model of a module, in evaluation mode, for inputs shaped like the example (batch axis included).

    All outputs are concatenated, in the order in which the module returns them. The module, its training
    flags, torch's settings and random numbers are left as they were. Raises `ModelError` with the reason of
    every exporter when none gives a model that loads and gives what the module gives, at the example and at
    random points near and far; `UnsupportedError` when operators are all that is in the way. `ask` as in
    `load_onnx`.
    """
    name = type(module).__name__
    inputs = _inputs(example, name)
    with _untouched(module, inputs):
        return _first_that_works(
            name,
            {one: lambda one=one: _exported(module, inputs, one) for one in exporters},  # type: ignore[misc]
            lambda model: _agree(model, module, inputs, name) if check else None,
            check,
            ask,
        )


def load_program(program: Any, check: bool = True, ask: Callable[[], None] = lambda: None) -> Model:
    """The model of a `torch.export.ExportedProgram`, or of the `torch.onnx.ONNXProgram` made from one."""
    if not isinstance(program, torch.export.ExportedProgram):
        return load_onnx(program.model_proto, check, ask)
    name, inputs = "the exported program", None
    if program.example_inputs is not None and not program.example_inputs[1]:
        inputs = _inputs(tuple(program.example_inputs[0]), name)

    def agree(model: Model) -> None:
        if check and inputs is not None:
            _agree(model, program.module(), _cut(inputs, model), name)

    with _untouched(None, inputs or ()):
        return _first_that_works(name, {"dynamo": lambda: _by_dynamo(program, None)}, agree, check, ask)


def is_program(value: object) -> bool:
    """Whether this is a program as torch exports it."""
    return isinstance(value, torch.export.ExportedProgram) or isinstance(
        getattr(value, "model_proto", None), ModelProto
    )


def _first_that_works(
    name: str,
    exports: dict[str, Callable[[], bytes]],
    agree: Callable[[Model], None],
    check: bool,
    ask: Callable[[], None],
) -> Model:
    failures: dict[str, ModelError] = {}
    for exporter, export in exports.items():
        try:
            data = export()
            with usual_torch():
                model = load_onnx(data, check, ask)
            agree(model)
            return model
        except ModelError as error:
            failures[exporter] = error
    unsupported = {k: e for k, e in failures.items() if isinstance(e, UnsupportedError)}
    if unsupported:
        chosen = min(unsupported, key=lambda k: len(unsupported[k].problems))
        others = "; ".join(f"{k} exporter: {_line(e)}" for k, e in failures.items() if k not in unsupported)
        source = f"{name} ({others})" if others else name
        raise UnsupportedError(source, unsupported[chosen].problems) from unsupported[chosen]
    reasons = [f"  {exporter} exporter: {error}" for exporter, error in failures.items()]
    raise ModelError("\n".join([f"{name}: torch cannot export it to ONNX", *reasons]))


def _exported(module: nn.Module, inputs: Inputs, exporter: str) -> bytes:
    """The bytes of the ONNX model that this exporter makes."""
    return _by_dynamo(module, inputs) if exporter == "dynamo" else _by_tracing(module, inputs)


def _by_tracing(module: nn.Module, inputs: Inputs) -> bytes:
    buffer = io.BytesIO()
    target: Any = buffer  # the stub forgets streams
    traced = _Plain(module).eval() if _has_options(module, len(inputs)) else module
    with _reasons(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.onnx.export(traced, inputs, target, dynamo=False, opset_version=OPSET)
    _no_values_lost(caught)
    return buffer.getvalue()


def _no_values_lost(caught: Sequence[warnings.WarningMessage]) -> None:
    """Raises `ModelError` when the module's Python code made tensors numbers: the trace keeps what they were.

    Numbers of a shape are harmless, but look the same; torch's own code does nothing else.
    """
    home = Path(torch.__file__).parent
    for one in caught:
        text, place = str(one.message), Path(one.filename)
        reads = one.category.__name__ == "TracerWarning" and text.startswith("Converting a tensor to")
        if reads and not place.is_relative_to(home):
            raise ModelError(
                "a trace is not the module, whose Python code makes a tensor a number or a truth value "
                f"({place.name}, line {one.lineno})"
            )


class _Plain(nn.Module):
    """A module without its optional parameters, whose default values the older exporter takes for inputs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> Any:
        return self.module(*inputs)


def _has_options(module: nn.Module, given: int) -> bool:
    """Whether the module has parameters with values beyond the first `given` ones."""
    empty = (None, inspect.Parameter.empty)
    try:
        known = [*inspect.signature(module.forward).parameters.values()]
    except ValueError:  # a scripted module does not tell
        return False
    return any(p.default not in empty for p in known[given:])


def _by_dynamo(module: nn.Module | Any, inputs: Inputs | None) -> bytes:
    if importlib.util.find_spec("onnxscript") is None:
        raise ModelError("needs the package 'onnxscript': pip install 'genbab[torch-export]'")
    with _reasons(), contextlib.redirect_stderr(io.StringIO()):  # where it prints what it could follow
        program: Any = torch.onnx.export(module, inputs or (), dynamo=True, verbose=False)
        data: bytes = program.model_proto.SerializeToString()
    return data


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Whatever the exporter raises becomes a `ModelError` of one line."""
    try:
        yield
    except ImportError as error:
        raise ModelError(f"needs the package '{error.name}'") from error
    except Exception as error:  # the exporter raises whatever the module's code meets
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        raise ModelError(_line(root)) from error


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _inputs(example: Any, name: str) -> Inputs:
    """The example as a tuple of tensors of real numbers, detached."""
    found = (example,) if isinstance(example, Tensor) else example
    if not isinstance(found, list | tuple) or not all(isinstance(i, Tensor) for i in found) or not found:
        raise UsageError(f"{name}: an example is a tensor, or a list or tuple of tensors (one per input)")
    for i, tensor in enumerate(found):
        if tensor.dtype not in (torch.float32, torch.float64):
            kind = str(tensor.dtype).removeprefix("torch.")
            hint = ": give a module that starts from the embeddings" if not tensor.is_floating_point() else ""
            raise ModelError(f"{name}: input {i} holds {kind}; genbab reads float32 and float64 inputs{hint}")
    return tuple(tensor.detach() for tensor in found)


@contextlib.contextmanager
def _untouched(module: nn.Module | None, inputs: Inputs) -> Iterator[None]:
    """The module is in evaluation mode and torch is silent; afterwards everything is as it was before."""
    tensors = [*inputs, *([] if module is None else module.parameters())]
    devices = sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})
    modes = {} if module is None else {m: m.training for m in module.modules()}
    buffers = [] if module is None else [(m, k, b, b.clone()) for m in modes for k, b in _buffers(m)]
    dtype, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    with torch.random.fork_rng(devices), torch.no_grad(), _silence():
        if module is not None:
            module.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # its fused operators have no ONNX form
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            torch.set_default_dtype(dtype)
            for m, mode in modes.items():
                m.training = mode
            for m, name, buffer, before in buffers:
                m._buffers[name] = buffer if torch.equal(buffer, before) else buffer.copy_(before)


def _buffers(module: nn.Module) -> list[tuple[str, Tensor]]:
    """The module's own buffers, by name; its children have theirs."""
    return [(name, one) for name, one in module.named_buffers(recurse=False, remove_duplicate=False)]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No warnings, log lines or progress of the exporters."""
    levels = {name: logging.getLogger(name).level for name in QUIET}
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if hasattr(torch._C, "_jit_onnx_log"):  # prints the whole graph when an operator is not supported
            stack.enter_context(mock.patch.object(torch._C, "_jit_onnx_log", lambda *_: None))
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _agree(model: Model, module: Callable[..., Any], inputs: Inputs, name: str) -> None:
    """Raises `ModelError` unless the network gives what the module gives, wherever that is finite."""
    if model.network.input_size != sum(i.numel() for i in inputs):
        raise ModelError("the exported model does not read all inputs of the module")
    for place, point in _points(inputs):
        wanted = _outputs(module(*point))
        x = torch.cat([i.reshape(-1).double().cpu() for i in point])
        with usual_torch():
            found = evaluate(model.network, x)
        finite = torch.isfinite(wanted)
        size = float(wanted[finite].abs().max()) if bool(finite.any()) else 0.0
        if found.shape != wanted.shape or not bool(
            ((found - wanted)[finite].abs() <= 1e-3 * size + 1e-5).all()
        ):
            raise ModelError(f"the exported model does not give what the module gives {place}")


def _cut(inputs: Inputs, model: Model) -> Inputs:
    """The beginning of the inputs along axes that are shorter in the model: symbolic batches became 1."""
    if len(inputs) != len(model.input_shapes):
        return inputs
    pairs = zip(inputs, model.input_shapes, strict=True)
    return tuple(i[tuple(map(slice, shape))] if i.dim() == len(shape) else i for i, shape in pairs)


def _points(inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    yield "on the example", inputs
    random = torch.Generator("cpu").manual_seed(0)
    for spread in (0.1, 1.0, 3.0):
        noise = [torch.randn(i.shape, generator=random, dtype=i.dtype, device="cpu") for i in inputs]
        pairs = zip(inputs, noise, strict=True)
        yield "near the example", tuple(i + spread * n.to(i.device) for i, n in pairs)


def _outputs(made: Any) -> Tensor:
    """All tensors that a module returns, in a flat vector."""
    leaves = [leaf for leaf in _pytree.tree_leaves(made) if isinstance(leaf, Tensor)]
    return torch.cat([leaf.detach().reshape(-1).double().cpu() for leaf in leaves])
