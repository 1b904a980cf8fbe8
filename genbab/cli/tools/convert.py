"""`genbab convert MODEL OUT`: a model, or a program that torch exported, as one ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path

from genbab.cli.verify.output import apart
from genbab.cli.verify.question import readable
from genbab.errors import ModelError


def command(options: argparse.Namespace) -> int:
    """Read the model, write it, and say what was read; returns 0."""
    source = Path(options.model)
    readable(source, "model", ModelError)
    apart([options.out], [options.model])
    from genbab.reader import load_onnx, load_program_file, save

    model = load_program_file(source) if source.suffix == ".pt2" else load_onnx(source)
    save(model, options.out)
    print(model.summary())
    print(f"written to {options.out}")
    return 0
