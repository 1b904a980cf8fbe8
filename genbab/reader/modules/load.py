"""Modules of torch come in through an ONNX model made in memory, by whichever of torch's two exporters can.

The older one traces the module and takes milliseconds; the newer one (`torch.export`, with the package
onnxscript) takes about a second and is asked when the older one fails, or when what it made does not load or
does not give what the module gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from onnx import ModelProto
from torch import nn

from genbab.errors import ModelError, UnsupportedError
from genbab.reader.models.model import Model, load_onnx
from genbab.reader.modules.agreement import cut, refuse_disagreement
from genbab.reader.modules.arguments import Arguments
from genbab.reader.modules.exporters import Names, exported, first_line, traced
from genbab.reader.modules.quiet import untouched
from genbab.system.device import usual_torch

EXPORTERS = ("torchscript", "dynamo")
"""The order in which they are asked."""


def load_torch(
    module: nn.Module,
    example: Any,
    check: bool = True,
    exporters: Sequence[str] = EXPORTERS,
    ask: Callable[[], None] = lambda: None,
) -> Model:
    """The model of a module, in evaluation mode, for inputs shaped like the example (batch axis included).

    example: as for `Arguments.of`. All outputs are concatenated, in the order in which the module returns
    them; inputs and outputs are called as its arguments and what it returns are. The module, its training
    flags, torch's settings and random numbers are left as they were. Raises `ModelError` with the reason of
    every exporter when none gives a model that loads and gives what the module gives, at the example and at
    random points near and far; `UnsupportedError` when operators are all that is in the way. `ask` as in
    `load_onnx`.
    """
    name = type(module).__name__
    arguments = Arguments.of(example, module, name)
    inputs = arguments.tensors
    with untouched(module, inputs):
        call = arguments.flat(module)
        names = Names(arguments.names, call.names)
        ways: dict[str, Callable[[], bytes]] = {
            "torchscript": lambda: traced(call.direct, inputs, names),
            "dynamo": lambda: exported(call.direct, inputs, names),
        }
        return _first_that_works(
            name,
            {one: ways[one] for one in exporters},
            lambda model: refuse_disagreement(model, call, inputs) if check else None,
            check,
            ask,
        )


def load_program(program: Any, check: bool = True, ask: Callable[[], None] = lambda: None) -> Model:
    """The model of a `torch.export.ExportedProgram`, or of the `torch.onnx.ONNXProgram` made from one."""
    if not isinstance(program, torch.export.ExportedProgram):
        return load_onnx(program.model_proto, check, ask)
    name, arguments = "the exported program", None
    if program.example_inputs is not None:
        args, kwargs = program.example_inputs
        arguments = Arguments.of_call(args, kwargs, None, name)

    def agree(model: Model) -> None:
        if check and arguments is not None:
            module = arguments.flat(program.module())
            refuse_disagreement(model, module, cut(arguments.tensors, model))

    with untouched(None, arguments.tensors if arguments else ()):
        return _first_that_works(name, {"dynamo": lambda: exported(program, None)}, agree, check, ask)


def load_program_file(path: Path, check: bool = True) -> Model:
    """The model of a program that `torch.export.save` wrote (.pt2).

    Only for files that are trusted: torch may run code of theirs. Raises `ModelError` as `load_program`, and
    where the file holds no program.
    """
    try:
        with untouched(None, ()):
            program = torch.export.load(path)
    except Exception as error:  # whatever reading an archive meets
        raise ModelError(f"{path}: no program that this version of torch exported, or damaged") from error
    return replace(load_program(program, check), source=str(path))


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
