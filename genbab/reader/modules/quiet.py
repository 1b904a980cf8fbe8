"""Torch left as it was: modules, random numbers and settings, with nothing printed meanwhile."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from unittest import mock

import torch
from torch import Tensor, nn

LOUD = (
    *("torch.onnx", "torch.export", "torch._dynamo", "torch._subclasses", "torch.fx"),
    *("onnxscript", "onnx_ir"),
)
"""Loggers that report an export's progress to the terminal."""


@contextlib.contextmanager
def untouched(module: nn.Module | None, inputs: Sequence[Tensor]) -> Iterator[None]:
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
    levels = {name: logging.getLogger(name).level for name in LOUD}
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if hasattr(torch._C, "_jit_onnx_log"):  # prints the whole graph when an operator is not supported
            stack.enter_context(mock.patch.object(torch._C, "_jit_onnx_log", lambda *_: None))
        for name in LOUD:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
