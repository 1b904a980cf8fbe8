"""What identifies a question: the files, what they hold, and what of the model is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from genbab.checkpoint import AskedFiles
from genbab.errors import UsageError


def asked_of(
    model: object,
    spec: object,
    outputs: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    derivative: bool = False,
) -> AskedFiles:
    """The question about two files; raises `UsageError` where they are none, or cannot be read."""
    if not isinstance(model, str | Path) or not isinstance(spec, str | Path):
        raise UsageError("checkpoint: what is taken up later is about files: give model and spec as paths")
    paths = os.path.abspath(model), os.path.abspath(spec)
    read = tuple((name, tuple(shape)) for name, shape in sorted((shapes or {}).items()))
    return AskedFiles(*paths, _digest(paths[0], True), _digest(paths[1]), tuple(outputs), read, derivative)


def unchanged(
    asked: AskedFiles, model: str | Path | None = None, spec: str | Path | None = None
) -> AskedFiles:
    """The same question about the files as they are now, at other places if such are given.

    Raises `UsageError` that names those which hold something else.
    """
    now = asked_of(model or asked.model, spec or asked.spec)
    wrong = [
        f"the {what} {path}"
        for what, path, before, found in (
            ("model", now.model, asked.model_hash, now.model_hash),
            ("specification", now.spec, asked.spec_hash, now.spec_hash),
        )
        if before != found
    ]
    if wrong:
        raise UsageError(
            f"{' and '.join(wrong)} changed since the checkpoint was begun (SHA-256): what is certified is "
            "true of the files as they were"
        )
    return replace(asked, model=now.model, spec=now.spec)


def _digest(path: str, model: bool = False) -> str:
    """SHA-256 of a file and, for a model, of the files in which it keeps tensors."""
    try:
        data = Path(path).read_bytes()
        digest = hashlib.sha256(data)
        for one in _outside(data, Path(path).parent) if model else ():
            with one.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {path} for the checkpoint: {why}") from error
    return digest.hexdigest()


def _outside(data: bytes, folder: Path) -> list[Path]:
    """Files that belong to a model; looked up only where its bytes may name some."""
    if b"location" not in data and data[:2] != b"\x1f\x8b":
        return []
    from genbab.reader.onnx.files import external_files

    return external_files(data, folder)
