"""Models written as ONNX files."""

from __future__ import annotations

from pathlib import Path

from genbab.errors import UsageError
from genbab.reader.models.model import Model
from genbab.system.files import write_atomically


def save(model: Model, path: str | Path) -> None:
    """Writes the model that was loaded as one self-contained ONNX file, with the input shapes that it has.

    What was loaded from a module, a program, or with a normalisation in front, others can then read as well;
    loading the file gives the same network. An existing file is replaced. Raises `UsageError` for what is no
    loaded model, for a name that does not end in .onnx, and where the file cannot be written.
    """
    if not isinstance(model, Model):
        raise UsageError(f"save: expected a loaded model (genbab.load), not {type(model).__name__}")
    place = Path(path)
    if place.suffix != ".onnx":
        raise UsageError(f"save: the name of a model ends in .onnx, not as {place.name!r}")
    write_atomically(place, model.proto)
