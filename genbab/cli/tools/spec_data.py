"""`genbab spec from-csv`: one robustness specification per sample of a file of data."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbab.cli.tools.samples import loaded, scaled, whole
from genbab.cli.tools.spec_text import Sizes, size, sizes_of, text_in
from genbab.errors import SpecError, UsageError

MAX_CLASSES = 14_000  # a specification holds a number per pair of classes


def make(options: argparse.Namespace) -> int:
    """Write the files; returns 0. Raises UsageError or SpecError before anything is written."""
    from genbab.specs import robustness, write_text
    from genbab.specs.numbers.exact import exact

    sizes = sizes_of(options)
    samples, labels = loaded(Path(options.data), options.labels)
    count = whole("--count", options.count) or len(samples)
    samples, labels = scaled(samples[:count], options.scale), labels[:count]
    classes = _classes(options, sizes, labels)
    if sizes is not None and samples[0].size != size(sizes.inputs):
        raise UsageError(
            f"{options.data}: a sample has {samples[0].size} numbers, the model takes {size(sizes.inputs)}"
            f"{sizes.ones}"
        )
    timeout = None if options.timeout is None else float(exact(options.timeout))
    if timeout is not None and (sizes is None or timeout <= 0):
        raise UsageError("--timeout needs --model, and a number above 0")
    clip = _pair(options.clip)
    texts = []
    for i, (x, label) in enumerate(zip(samples, labels.tolist(), strict=True)):
        try:
            spec = robustness(x, label, classes, options.epsilon, clip, options.norm)
            texts.append(text_in(options.to or "1.0", spec, sizes))
        except SpecError as error:
            raise SpecError(f"sample {i}: {error}", options.data) from None
    folder = Path(options.out)
    digits = len(str(len(texts) - 1))
    names = [f"robust_{i:0{digits}d}.vnnlib" for i in range(len(texts))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in zip(names, texts, strict=True):
            write_text(text, folder / name)
        if timeout is not None:
            model = Path(options.model).resolve()
            with open(folder / "instances.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([model, name, f"{timeout:g}"] for name in names)
    except OSError as problem:
        raise UsageError(f"cannot write to {folder}: {problem.strerror or problem}") from None
    sys.stdout.write(f"{len(texts)} specifications in {folder}\n")
    return 0


def _classes(options: argparse.Namespace, sizes: Sizes | None, labels: NDArray[np.int64]) -> int:
    given = whole("--classes", options.classes)
    if given is None and sizes is None:
        raise UsageError("how many classes are there? give --classes N or --model MODEL")
    own = size(sizes.outputs) if sizes is not None else given
    if own is not None and own > MAX_CLASSES:
        raise UsageError(f"{own} classes: at most {MAX_CLASSES} are accepted")
    if given is not None and given != own:
        raise UsageError(f"--classes {given}, but the model has {own} outputs")
    assert own is not None
    if wrong := np.flatnonzero(labels >= own).tolist():
        raise UsageError(f"the label of sample {wrong[0]} is {labels[wrong[0]]}, of {own} classes")
    return own


def _pair(text: str | None) -> tuple[Any, Any] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"--clip {text}: expected LOW,HIGH, as in 0,1")
    return parts[0], parts[1]
