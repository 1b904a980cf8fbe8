"""`genbab spec from-csv`: one robustness specification per sample of a file of data."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from genbab.cli.spec import Sizes, size, sizes_of, text_in
from genbab.errors import SpecError, UsageError

Floats = NDArray[np.float64]
MAX_PIXELS = 1 << 24
MAX_CLASSES = 14_000  # a specification holds a number per pair of classes
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm")


def make(options: argparse.Namespace) -> int:
    """Write the files; returns 0. Raises UsageError or SpecError before anything is written."""
    from genbab.specs import robustness, write_text
    from genbab.specs.exact import exact

    sizes = sizes_of(options.model)
    samples, labels = _loaded(Path(options.data), options.labels)
    count = _whole("--count", options.count) or len(samples)
    samples, labels = _scaled(samples[:count], options.scale), labels[:count]
    classes = _classes(options, sizes, labels)
    if sizes is not None and samples[0].size != size(sizes.inputs):
        raise UsageError(
            f"{options.data}: a sample has {samples[0].size} numbers, the model takes {size(sizes.inputs)}"
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


def _loaded(data: Path, labels: str | None) -> tuple[Floats, NDArray[np.int64]]:
    """Samples (N, D) and labels (N,)."""
    if data.is_dir():
        samples = _images(data)
    elif data.suffix == ".npy":
        samples = _array(data)
    else:
        samples = _table(data)
        if labels is None:
            return samples[:, 1:], _integers(samples[:, 0], data)
    if labels is None:
        raise UsageError(f"{data} has no labels: give --labels FILE")
    path = Path(labels)
    found = _array(path) if path.suffix == ".npy" else _table(path)
    if found.size != len(samples):
        raise UsageError(f"{path} has {found.size} labels, {data} has {len(samples)} samples")
    return samples, _integers(found.reshape(-1), path)


def _integers(values: Floats, path: Path) -> NDArray[np.int64]:
    if wrong := [i for i, v in enumerate(values.tolist()) if not math.isfinite(v) or v != int(v) or v < 0]:
        raise UsageError(f"{path}: the label of sample {wrong[0]} is {values[wrong[0]]:g}, no whole number")
    return values.astype(np.int64)


def _array(path: Path) -> Floats:
    try:
        with np.errstate(all="ignore"):  # unpickles nothing, and takes no memory for what a header claims
            found = open_memmap(path, mode="r")
    except (OSError, ValueError, TypeError, EOFError, SyntaxError, TokenError, ArithmeticError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if found.dtype.kind not in "fiu" or not found.size:
        raise UsageError(f"{path} holds {found.dtype} of shape {found.shape}, expected numbers")
    return np.asarray(found.reshape(len(found) if found.ndim else 1, -1), np.float64)


def _table(path: Path) -> Floats:
    """The numbers of a CSV file, a line of words at the top left out; (rows, columns)."""
    rows: list[list[float]] = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for k, words in enumerate(csv.reader(file)):
                if not any(w.strip() for w in words):
                    continue
                try:
                    rows.append([float(w) for w in words])
                except ValueError as error:
                    if k:
                        raise UsageError(f"{path}:{k + 1}: {error}") from None
                if rows and len(rows[-1]) != len(rows[0]):
                    raise UsageError(f"{path}:{k + 1}: {len(rows[-1])} numbers, expected {len(rows[0])}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if not rows:
        raise UsageError(f"{path} has no numbers")
    return np.array(rows, np.float64)


def _images(folder: Path) -> Floats:
    """The images of a folder by name, channels first, numbers as in the files (0 to 255)."""
    try:
        from PIL import Image
    except ImportError:
        raise UsageError("images are read by Pillow: pip install 'genbab[images]'") from None
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES)
    if not paths:
        raise UsageError(f"{folder} has no images ({', '.join(IMAGES)})")
    found = []
    for path in paths:
        try:
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UsageError(f"{path} has more than {MAX_PIXELS:,} pixels")
                if image.mode.startswith(("I", "F")):
                    raise UsageError(f"{path} has more than 8 bits per pixel (mode {image.mode}); give .npy")
                plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
                pixels = np.asarray(plain, np.float64)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's readers raise what they like
            raise UsageError(f"cannot read {path}: {error}") from None
        found.append(pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None])
        if found[-1].shape != found[0].shape:
            raise UsageError(f"{path} has the shape {found[-1].shape}, {paths[0]} has {found[0].shape}")
    return np.stack([image.reshape(-1) for image in found])


def _scaled(samples: Floats, scale: str) -> Floats:
    """The samples times the scale, as float32 numbers, which is what a model gets."""
    from genbab.specs.exact import exact

    factor = float(exact(scale))
    if factor == 1.0:
        return samples
    return (samples * factor).astype(np.float32).astype(np.float64)


def _classes(options: argparse.Namespace, sizes: Sizes | None, labels: NDArray[np.int64]) -> int:
    given = _whole("--classes", options.classes)
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


def _whole(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{flag} {text}: must be a whole number from 1")
    return int(text)


def _pair(text: str | None) -> tuple[Any, Any] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"--clip {text}: expected LOW,HIGH, as in 0,1")
    return parts[0], parts[1]
