"""The model of whatever people give: a file, bytes, a torch module or program, a model that was loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genbab.errors import UsageError
from genbab.reader.models.chosen import chosen
from genbab.reader.models.model import Model, load_onnx
from genbab.reader.modules.load import is_program, load_program, load_torch
from genbab.reader.modules.training import refuse_unready
from genbab.reader.onnx.wanted import ALL, Wanted
from genbab.system.device import usual_torch

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module
    from torch.onnx import ONNXProgram

    Program = ExportedProgram | ONNXProgram
    AnyModel = str | Path | bytes | Model | Module | Program


def of_anything(
    model: AnyModel, example: Any, ask: Callable[[], None] = lambda: None, wanted: Wanted = ALL
) -> Model:
    """The model of a file, of bytes, of a module with an example, of a program; with what is wanted of it.

    Raises `UsageError` for anything else, a missing example, or a module whose training mode matters.
    """
    if isinstance(model, str | Path | bytes):
        with usual_torch():
            return load_onnx(model, ask=ask, wanted=wanted)
    loaded = _converted(model, example, ask)
    with usual_torch():
        return chosen(loaded, wanted, ask)


def _converted(model: Model | Module | Program, example: Any, ask: Callable[[], None]) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, torch.nn.Module):
        if example is None:
            raise UsageError("a torch module needs an example input: genbab.load(module, example=x)")
        refuse_unready(model, example)
        return load_torch(model, example, ask=ask)
    if is_program(model):
        return load_program(model, ask=ask)
    raise UsageError(
        "a model is a path, the bytes of an ONNX file, a torch module or a loaded model, "
        f"not {type(model).__name__}"
    )
