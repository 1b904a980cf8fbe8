"""Modules of torch come in through an ONNX model made in memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genbab.errors import ModelError
from genbab.network import evaluate
from genbab.reader.model import Model, load_onnx

OPSET = 17


def load_torch(module: nn.Module, example: Tensor | Sequence[Tensor], check: bool = True) -> Model:
    """The model of a module, in evaluation mode, for inputs shaped like the example (batch axis included).

    The module is left as it was, its training flags included. Raises `ModelError` when torch cannot export
    it, or when what it exported does not give what the module gives.
    """
    inputs = (example,) if isinstance(example, Tensor) else tuple(example)
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            expected = module(*inputs)
        data = _exported(module, inputs)
    finally:
        for m, mode in modes.items():
            m.training = mode
    model = load_onnx(data, check)
    if check:
        _agree(model, inputs, expected, type(module).__name__)
    return model


def _exported(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target: Any = buffer  # the stub forgets streams
            torch.onnx.export(module, inputs, target, dynamo=False, opset_version=OPSET)
    except ImportError as error:
        raise ModelError(
            f"{type(module).__name__}: this torch needs the package '{error.name}' to export ONNX models"
        ) from error
    except Exception as error:  # noqa: BLE001 - the exporter raises whatever the module's code meets
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{type(module).__name__}: torch cannot export it to ONNX: {text}") from error
    return buffer.getvalue()


def _agree(model: Model, inputs: tuple[Tensor, ...], expected: Tensor | Sequence[Tensor], name: str) -> None:
    outputs = (expected,) if isinstance(expected, Tensor) else tuple(expected)
    wanted = torch.cat([o.detach().reshape(-1).double().cpu() for o in outputs])
    x = torch.cat([i.detach().reshape(-1).double().cpu() for i in inputs])
    found = evaluate(model.network, x)
    size = float(wanted.abs().max()) if wanted.numel() else 0.0
    if found.shape != wanted.shape or not bool(((found - wanted).abs() <= 1e-3 * size + 1e-5).all()):
        raise ModelError(f"{name}: the exported model does not give what the module gives on the example")
