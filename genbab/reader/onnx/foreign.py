"""Files that are no ONNX models: which they are, as their first bytes say, and how their models come in."""

from __future__ import annotations

import io
import zipfile
from typing import NamedTuple


class ForeignKind(NamedTuple):
    """A kind of file: where its first bytes stand, what they are, what it is called, what to do with it."""

    place: int
    start: bytes
    called: str
    advice: str


WEIGHTS = "load it with torch and give genbab.load the module, with an example"
KERAS = "in Keras: model.export('model.onnx', format='onnx')"
KINDS = (
    ForeignKind(0, b"\x89HDF", "an HDF5 file, as Keras wrote models once", KERAS),
    ForeignKind(4, b"TFL3", "a TensorFlow Lite model", "export the model it was made from to ONNX"),
    ForeignKind(
        8,
        b'{"',
        "a safetensors file, which holds weights only",
        "load them into their module: module.load_state_dict(safetensors.torch.load_file(path))",
    ),
    ForeignKind(0, b"\x80\x02", "a pickle", WEIGHTS),
)
ARCHIVE = b"PK\x03\x04"


def foreign(data: bytes) -> str:
    """What these bytes are if they are of a kind that people have models in, and what to do; else ""."""
    if data.startswith(ARCHIVE):
        return "; ".join(_archive(data))
    for kind in KINDS:
        if data[kind.place : kind.place + len(kind.start)] == kind.start:
            return f"{kind.called}; {kind.advice}"
    return ""


def _archive(data: bytes) -> tuple[str, str]:
    """What a zip archive is, by the names in it, and what to do."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a zip archive, damaged", "give the model's ONNX file"
    if names & {"archive_format", "serialized_exported_program.json"}:
        return (
            "a program that torch exported (.pt2), which may run code when it is loaded",
            "if you trust it: genbab convert FILE MODEL.onnx, or genbab.load(torch.export.load(path))",
        )
    if "model.weights.h5" in names:
        return "a model of Keras", KERAS
    if "constants.pkl" in names:
        return (
            "a module of TorchScript, which may run code when it is loaded",
            "if you trust it: genbab.load(torch.jit.load(path), example=x)",
        )
    if "data.pkl" in names:
        return "weights or a module as torch.save writes them", WEIGHTS
    return "a zip archive", "give the model's ONNX file"
