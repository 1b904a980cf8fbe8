"""`genbab spec convert|check|show|from-csv`: specifications read, written, explained and made."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.cli.tools.spec_text import Sizes, sizes_of, text_in
from genbab.cli.verify.output import apart
from genbab.errors import SpecError, UsageError

if TYPE_CHECKING:
    from genbab.specs import Spec


def command(options: argparse.Namespace) -> int:
    """Do what was asked; returns 0, or 2 when a file of `check` cannot be read."""
    if options.action == "from-csv":
        from genbab.cli.tools.spec_data import make

        return make(options)
    return {"convert": _convert, "check": _check, "show": _show}[options.action](options)


def _read(path: str, sizes: Sizes | None) -> Spec:
    from genbab.specs import read_vnnlib

    spec = read_vnnlib(path)
    if sizes is not None:
        sizes.fit(spec, path)
    return spec


def _convert(options: argparse.Namespace) -> int:
    from genbab.specs import version_of, write_text

    if Path(options.out).resolve() == Path(options.spec).resolve():
        raise UsageError("OUT must be another file than FILE")
    apart([options.out], [options.model] if options.model else [])
    sizes = sizes_of(options)
    spec = _read(options.spec, sizes)
    version = options.to or ("2.0" if version_of(options.spec) == "1.0" else "1.0")
    write_text(text_in(version, spec, sizes), options.out)
    sys.stdout.write(f"{options.out}: VNN-LIB {version}, {_counts(spec)}\n")
    for note in spec.notes:
        sys.stdout.write(f"note: {note}\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    sizes, code = sizes_of(options), 0
    for path in options.specs:
        try:
            spec = _read(path, sizes)
        except SpecError as error:
            sys.stdout.write(f"{error}\n")
            code = error.exit_code
            continue
        empty = "" if not spec.vacuous else ", but nothing can be unsafe: " + "; ".join(spec.notes)
        sys.stdout.write(f"{path}: readable, {_counts(spec)}{empty}\n")
    return code


def _show(options: argparse.Namespace) -> int:
    from genbab.specs import describe

    spec = _read(options.spec, sizes_of(options))
    sys.stdout.write("\n".join([options.spec, *describe(spec)]) + "\n")
    return 0


def _counts(spec: Spec) -> str:
    return (
        f"{spec.input_size} inputs, {spec.output_size} outputs, {len(spec.lower)} box(es), "
        f"{len(spec.clauses)} clause(s)"
    )
