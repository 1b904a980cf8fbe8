"""Modules of torch come in through an ONNX model made in memory, by whichever of torch's two exporters can.

The older one traces the module and takes milliseconds; the newer one (`torch.export`, with the package
onnxscript) takes about a second and is asked when the older one fails, or when what it made does not load or
does not give what the module gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, nn

from genbab.errors import ModelError, UnsupportedError, UsageError
from genbab.reader.models.model import Model, load_onnx
from genbab.reader.modules.agreement import Inputs, cut, refuse_disagreement
from genbab.reader.modules.exporters import exported, first_line, traced
from genbab.reader.modules.quiet import untouched
from genbab.system.device import usual_torch

EXPORTERS = ("torchscript", "dynamo")
"""The order in which they are asked."""


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
    with untouched(module, inputs):
        return _first_that_works(
            name,
            {one: lambda one=one: _exported(module, inputs, one) for one in exporters},  # type: ignore[misc]
            lambda model: refuse_disagreement(model, module, inputs) if check else None,
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
            refuse_disagreement(model, program.module(), cut(inputs, model))

    with untouched(None, inputs or ()):
        return _first_that_works(name, {"dynamo": lambda: exported(program, None)}, agree, check, ask)


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
        others = "; ".join(
            f"{k} exporter: {first_line(e)}" for k, e in failures.items() if k not in unsupported
        )
        source = f"{name} ({others})" if others else name
        raise UnsupportedError(source, unsupported[chosen].problems) from unsupported[chosen]
    reasons = [f"  {exporter} exporter: {error}" for exporter, error in failures.items()]
    raise ModelError("\n".join([f"{name}: torch cannot export it to ONNX", *reasons]))


def _exported(module: nn.Module, inputs: Inputs, exporter: str) -> bytes:
    """The bytes of the ONNX model that this exporter makes."""
    return exported(module, inputs) if exporter == "dynamo" else traced(module, inputs)


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
