"""Samples and labels from files: arrays of NumPy, tables, folders of images."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as BadStream  # a class

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from genbab.errors import UsageError

Floats = NDArray[np.float64]
MAX_PIXELS = 1 << 24
MAX_BYTES = 1 << 30
"""Of the arrays of an .npz file, unpacked."""
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm")
READING = (
    OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, TokenError, ArithmeticError,
    NotImplementedError, BadZipFile, BadStream,
)  # fmt: skip
"""What NumPy raises for files that are damaged, or no files of arrays."""


def loaded(data: Path, labels: str | None) -> tuple[Floats, NDArray[np.int64]]:
    """Samples (N, D) and labels (N,); raises `UsageError` for files that cannot be read or do not fit."""
    if data.is_dir():
        samples = _images(data)
    elif data.suffix == ".npy":
        samples = _array(data)
    elif data.suffix == ".npz":
        with _arrays(data) as arrays:
            samples = _named(arrays, "x", data)
            if labels is None and "y" in arrays:
                return samples, _integers(_checked(arrays, "y", data).reshape(-1), data, len(samples))
    else:
        samples = _table(data)
        if labels is None:
            return samples[:, 1:], _integers(samples[:, 0], data, len(samples))
    if labels is None:
        raise UsageError(f"{data} has no labels: name a file of labels, too")
    path = Path(labels)
    if path.suffix == ".npz":
        with _arrays(path) as arrays:
            found = _named(arrays, "y", path)
    else:
        found = _array(path) if path.suffix == ".npy" else _table(path)
    return samples, _integers(found.reshape(-1), path, len(samples))


def _integers(values: Floats, path: Path, count: int) -> NDArray[np.int64]:
    if len(values) != count:
        raise UsageError(f"{path} has {len(values)} labels for {count} samples")
    if wrong := [i for i, v in enumerate(values.tolist()) if not math.isfinite(v) or v != int(v) or v < 0]:
        raise UsageError(f"{path}: the label of sample {wrong[0]} is {values[wrong[0]]:g}, no whole number")
    return values.astype(np.int64)


def _array(path: Path) -> Floats:
    try:
        with np.errstate(all="ignore"):  # unpickles nothing, and takes no memory for what a header claims
            found = npy.open_memmap(path, mode="r")
    except READING as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    return _rows(found, str(path))


@contextmanager
def _arrays(path: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of an .npz file by name; raises `UsageError` where one cannot be read."""
    try:
        with open(path, "rb") as file:
            with ZipFile(file) as members:
                _sized(members, path)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                yield arrays
    except READING as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def _sized(members: ZipFile, path: Path) -> None:
    """Raises `UsageError` where arrays are too large, or their headers claim what is not there."""
    total = sum(one.file_size for one in members.infolist())
    if total > MAX_BYTES:
        raise UsageError(f"{path} holds {total:,} bytes when unpacked; at most {MAX_BYTES:,} are read")
    for one in members.infolist():
        with members.open(one) as stream:
            version = npy.read_magic(stream)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = header(stream)
            claimed = math.prod(shape) * dtype.itemsize
        if claimed > one.file_size:
            raise UsageError(
                f"{path}: {one.filename} claims {claimed:,} bytes of numbers and holds {one.file_size:,}"
            )


def _named(arrays: Mapping[str, Any], name: str, path: Path) -> Floats:
    """The array of this name, or the only one, its first axis the samples; (N, D)."""
    names = list(arrays)
    if name not in names and len(names) != 1:
        raise UsageError(f"{path} has the arrays {', '.join(names)}: one must be called {name}")
    return _checked(arrays, name if name in names else names[0], path)


def _checked(arrays: Mapping[str, Any], name: str, path: Path) -> Floats:
    return _rows(arrays[name], f"{path}: {name}")


def _rows(found: NDArray[Any], name: str) -> Floats:
    """Numbers as (N, D)."""
    if found.dtype.kind not in "fiu" or not found.size:
        raise UsageError(f"{name} holds {found.dtype} of shape {found.shape}, expected numbers")
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
        except Exception as error:  # the library's readers raise what they like
            raise UsageError(f"cannot read {path}: {error}") from None
        found.append(pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None])
        if found[-1].shape != found[0].shape:
            raise UsageError(f"{path} has the shape {found[-1].shape}, {paths[0]} has {found[0].shape}")
    return np.stack([image.reshape(-1) for image in found])


def scaled(samples: Floats, scale: str) -> Floats:
    """The samples times the scale, as float32 numbers, which is what a model gets."""
    from genbab.specs.numbers.exact import exact

    factor = float(exact(scale))
    if factor == 1.0:
        return samples
    return (samples * factor).astype(np.float32).astype(np.float64)


def whole(flag: str, text: str | None) -> int | None:
    """The whole number from 1 that a flag was given, None without the flag; raises `UsageError`."""
    if text is None:
        return None
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{flag} {text}: must be a whole number from 1")
    return int(text)
