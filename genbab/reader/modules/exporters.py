"""The two exporters of torch: what they write, or the reason in one line."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from genbab.errors import ModelError

OPSET = 17
"""What the older exporter writes; the newer one chooses its own."""


class Names(NamedTuple):
    """What a model's inputs and outputs are to be called; nothing where the exporter chooses."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


UNNAMED = Names()


def traced(module: nn.Module, inputs: tuple[Tensor, ...], names: Names) -> bytes:
    """The ONNX model that the older exporter makes; raises `ModelError`."""
    buffer = io.BytesIO()
    target: Any = buffer  # the stub forgets streams
    followed = _Plain(module).eval() if _has_options(module, len(inputs)) else module
    with reasons(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.onnx.export(
            followed,
            inputs,
            target,
            dynamo=False,
            opset_version=OPSET,
            input_names=names.inputs,
            output_names=names.outputs,
        )
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


def exported(module: nn.Module | Any, inputs: tuple[Tensor, ...] | None, names: Names = UNNAMED) -> bytes:
    """The ONNX model that the newer exporter makes of a module or of a program; raises `ModelError`."""
    if importlib.util.find_spec("onnxscript") is None:
        raise ModelError("needs the package 'onnxscript': pip install 'genbab[torch-export]'")
    with reasons(), contextlib.redirect_stderr(io.StringIO()):  # where it prints what it could follow
        program: Any = torch.onnx.export(
            module,
            inputs or (),
            dynamo=True,
            verbose=False,
            input_names=names.inputs,
            output_names=names.outputs,
        )
        data: bytes = program.model_proto.SerializeToString()
    return data


@contextlib.contextmanager
def reasons() -> Iterator[None]:
    """Whatever the exporter raises becomes a `ModelError` of one line."""
    try:
        yield
    except ImportError as error:
        raise ModelError(f"needs the package '{error.name}'") from error
    except Exception as error:  # the exporter raises whatever the module's code meets
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        raise ModelError(first_line(root)) from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
