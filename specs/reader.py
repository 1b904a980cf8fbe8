"""Reading VNN-LIB: version 2 by `vnnlib2`, and here version 1.0, as the VNN-COMP benchmarks use it.

Accepted: `declare-const` / `declare-fun` of X_i and Y_j (Real), `assert` of and / or in any nesting over the
relations <= >= < > = == of linear terms (+ - * /, constants on either side, chains); comments; gzip;
SMT-LIB's set-logic, check-sat and the like are ignored. Several assertions hold together, so several `or`
multiply out.

Meaning: a bound of a single input shapes the box, every other relation is a row. Bounds are proved about
closed boxes and rows, points are judged by what is written. Constants: lower bounds are rounded down, upper
bounds and right-hand sides up, so an input fixed to a decimal that is no float64 gets an interval of one ulp;
coefficients are made float64 by a factor for the row (to nearest, with a note, where there is none). Clauses
that are empty are dropped with a note.
"""

from __future__ import annotations

import gc
import gzip
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from genbab.errors import SpecError
from genbab.specs.form.elements import Hidden
from genbab.specs.form.spec import Spec
from genbab.specs.lowering.lower import lower
from genbab.specs.vnnlib1.content import content_of
from genbab.specs.vnnlib1.derivatives import as_outputs
from genbab.specs.vnnlib1.parser import Parser
from genbab.specs.vnnlib1.tokens import SourceText
from genbab.specs.vnnlib2.reader import VERSION_2, parse_vnnlib2, satisfied

MAX_BYTES = 1 << 30
"""A text of more bytes (after decompression) is refused."""


def read_vnnlib(
    path: str | os.PathLike[str],
    input_size: int | None = None,
    output_size: int | None = None,
    *,
    derivatives: bool = False,
) -> Spec:
    """The Spec of a VNN-LIB file (1.0 or 2), plain or gzip; the model's sizes, where given, must agree.

    derivatives: in version 1.0, DY_0_DX_1 is ∂Y_0/∂X_1, D2Y_0_DX_1 is ∂²Y_0/∂X_1². Raises SpecError, with
    line and column where there is one, for anything that cannot be read or does not fit.
    """
    name = os.fspath(path)
    text = _text(Path(path), name)
    spec = _with_derivatives(text, name) if derivatives else parse_vnnlib(text, name)
    inside = sum(one.size for one in spec.hidden)
    declared_inputs = len(spec.runs[0].offset) if spec.runs else spec.input_size
    for what, declared, given in (
        ("inputs", declared_inputs, input_size),
        ("outputs", spec.output_size // (len(spec.runs) or 1) - inside, output_size),
    ):
        if given is not None and given != declared:
            raise SpecError(f"declares {declared} {what}, but the model has {given}", name)
    return spec


def parse_vnnlib(text: str, name: str = "specification") -> Spec:
    """The Spec of a VNN-LIB text (1.0 or 2); `name` is what error messages call it. Raises SpecError."""
    if not text.strip():
        raise SpecError("is empty; expected a VNN-LIB 1.0 text", name)
    if VERSION_2.match(text):
        return parse_vnnlib2(text, name)
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of small tuples, none of them garbage
    try:
        return lower(content_of(Parser(SourceText.of(name, text)).run()))
    finally:
        if collecting:
            gc.enable()


def _with_derivatives(text: str, name: str) -> Spec:
    """The Spec of a VNN-LIB 1.0 text that names derivatives."""
    if VERSION_2.match(text):
        raise SpecError('is VNN-LIB 2: there derivatives are hidden tensors, such as "d(y0, x1)"', name)
    made, known = as_outputs(text, name)
    try:
        spec = parse_vnnlib(made, name)
    except SpecError as problem:
        told = str(problem)
        for output, one in reversed(known.items()):
            told = re.sub(rf"\b{output}\b", one.name, told)
        raise SpecError(told) from None
    return replace(spec, hidden=tuple(Hidden(one.name, 1) for one in known.values()))


def satisfies(path: str | os.PathLike[str], values: Mapping[str, Sequence[float]]) -> bool:
    """Whether these values (flat, per declared tensor) make all assertions of a VNN-LIB 2 file true, exactly.

    Raises SpecError when the file cannot be read.
    """
    name = os.fspath(path)
    return satisfied(_text(Path(path), name), values, name)


def version_of(path: str | os.PathLike[str]) -> str:
    """The version that a file is read as, "1.0" or "2.0"; raises SpecError when it cannot be read."""
    return "2.0" if VERSION_2.match(_text(Path(path), os.fspath(path))) else "1.0"


def _text(path: Path, name: str) -> str:
    """The text of a file, decompressed when it starts like gzip."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as packed:
                data = packed.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = path.with_name(path.name + ".gz")
        hint = f"; there is {near.name}" if near.is_file() else ""
        raise SpecError(f"no such file{hint}", name) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise SpecError(f"is damaged gzip: {problem}", name) from None
    except OSError as problem:
        raise SpecError(f"cannot be read: {problem.strerror or problem}", name) from None
    if len(data) > MAX_BYTES:
        raise SpecError(f"is longer than {MAX_BYTES} bytes", name)
    if b"\0" in data[:4096]:
        raise SpecError("is not text; expected VNN-LIB 1.0, plain or gzip", name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise SpecError(
            f"is not UTF-8 text: byte {problem.start} is 0x{data[problem.start]:02x}", name
        ) from None
