"""Archives: a header and many arrays in one file, which appears whole or not at all.

A zip of arrays as numpy writes them, stored and not compressed; its checksums tell a damaged file. Nothing
in it is ever run: no array holds objects.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genbab.errors import UsageError

Array = npt.NDArray[Any]

HEADER = "header.json"

SLICE = 1 << 20
"""Bytes of an array that are written and read at a time."""


def write_archive(path: Path, header: Any, arrays: Sequence[Array]) -> int:
    """Write the file in place of what is there; its bytes. Raises `UsageError` when it cannot be written."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            pack(file, header, arrays)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size


def pack(file: BinaryIO, header: Any, arrays: Sequence[Array]) -> None:
    """Write to an open file."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(HEADER, json.dumps(header, allow_nan=False))
        for number, array in enumerate(arrays):
            with archive.open(f"{number:06d}.npy", "w", force_zip64=True) as entry:
                _write(entry, np.asarray(array, order="C"))


def read_archive(path: Path, what: str) -> tuple[Any, list[Array]]:
    """The header and the arrays; raises `UsageError` for what is missing, damaged, or no such file.

    what: what the file should be, for people.
    """
    try:
        with path.open("rb") as file:
            return unpack(file)
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise UsageError(f"{path} is no {what}, or it is damaged ({error})") from error
    except (
        ValueError,
        KeyError,
        EOFError,
        struct.error,
        zlib.error,
        RecursionError,
        NotImplementedError,
    ) as error:
        raise UsageError(
            f"{path} is no {what}, or it is damaged ({type(error).__name__}: {error})"
        ) from error


def unpack(file: BinaryIO) -> tuple[Any, list[Array]]:
    """What `pack` wrote; raises what zip files and arrays raise."""
    with zipfile.ZipFile(file) as archive:
        header = json.loads(archive.read(HEADER))
        arrays = []
        for number in range(len(archive.namelist()) - 1):
            info = archive.getinfo(f"{number:06d}.npy")
            with archive.open(info) as entry:
                arrays.append(_read(entry, info.file_size))
    return header, arrays


def _write(entry: IO[bytes], array: Array) -> None:
    """Write an array as numpy does, without a copy of all of it."""
    if array.dtype.hasobject:
        raise ValueError("an array of objects")
    np.lib.format.write_array_header_1_0(entry, np.lib.format.header_data_from_array_1_0(array))
    numbers = array.reshape(-1).view(np.uint8)
    for start in range(0, len(numbers), SLICE):
        entry.write(numbers[start : start + SLICE].data)


def _read(entry: IO[bytes], size: int) -> Array:
    """The array of an entry of so many bytes; raises `ValueError` and what zip files raise."""
    if np.lib.format.read_magic(entry) != (1, 0):
        raise ValueError("an array of another format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(entry)
    count = math.prod(shape)
    wrong = by_columns or dtype.hasobject or min(shape, default=0) < 0
    if wrong or entry.tell() + count * dtype.itemsize != size:
        raise ValueError("an array of another shape or type than it says")
    found = np.empty(count, dtype)
    numbers = found.view(np.uint8).data
    for start in range(0, len(numbers), SLICE):
        place = numbers[start : start + SLICE]
        place[:] = entry.read(len(place))  # which raises where less is left
    entry.read()  # for the checksum
    return found.reshape(shape)
