"""Where results come from: hashes of what was asked about, versions, machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.amounts import machine_memory
from genbab.version import __version__

if TYPE_CHECKING:
    from genbab.reader import Model

LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime")
CHUNK = 1 << 20


@cache
def facts() -> str:
    """Versions and machine of this process, as JSON with sorted keys."""
    known: dict[str, Any] = {"genbab": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            known[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    known |= {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()}
    return json.dumps({**known, "memory": machine_memory()}, sort_keys=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def file_hash(path: Path) -> str:
    """SHA-256 of a file and, for a model, of the files in which it keeps tensors.

    "" if one is missing or is no plain file (a device, say).
    """
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            return ""
        data = path.read_bytes()
        digest.update(data)
        for one in companions(data, path.parent):
            if not one.is_file():
                return ""
            with one.open("rb") as file:
                while part := file.read(CHUNK):
                    digest.update(part)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def companions(data: bytes, folder: Path) -> list[Path]:
    """The files in which a model of these bytes keeps tensors; looked up only where it may name some."""
    if b"location" not in data and data[:2] != b"\x1f\x8b":
        return []
    from genbab.reader.onnx.files import external_files

    return external_files(data, folder)


def model_hash(model: Model) -> str:
    """SHA-256 of the model's bytes and, where it has operators that are known by facts only, of these facts.

    Operators that were registered with code stand spelled out in the bytes; facts do not.
    """
    if model.replayable:
        return text_hash(model.proto)
    from genbab.nonlinear import make
    from genbab.nonlinear.composed import cache
    from genbab.nonlinear.composed.custom import CUSTOM
    from genbab.nonlinear.expressions.expression import Expression
    from genbab.nonlinear.expressions.steps import Apply, Argument

    known = [make(one.name) for one in CUSTOM.values() if one.written is None]
    facts = sorted(cache.key(Expression((Argument(), Apply(fn, 0)))) for fn in known)
    return text_hash(model.proto + "".join(facts).encode())


def text_hash(data: bytes | str) -> str:
    """SHA-256 of these bytes, or of this text."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()
