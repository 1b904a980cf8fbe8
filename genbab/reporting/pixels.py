"""Inputs as pictures: PNG files inside of the page."""

from __future__ import annotations

import base64
import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from genbab.reporting.facts import Floats

Bytes = NDArray[np.uint8]
LESS, MORE = np.array([0, 114, 178]), np.array([213, 94, 0])
"""Colours of changes downward and upward (Okabe and Ito), white for none."""


def layout(shape: tuple[int, ...], size: int) -> tuple[tuple[int, ...], bool] | None:
    """((channels, height, width) or (height, width, channels), whether that is a guess) of `size` numbers.

    A shape of two or three axes says it (leading ones aside); flat numbers are taken for a square picture
    where they can be one of at least 8 x 8, grey or in three colours. None: no picture.
    """
    bare = tuple(shape)
    while bare and bare[0] == 1:
        bare = bare[1:]
    if len(bare) not in (2, 3) and math.prod(shape) == size and len(shape) >= 3:
        bare = shape[-3:]
    if math.prod(bare) == size and len(bare) == 2 and min(bare) >= 4:
        return (1, *bare), False
    if math.prod(bare) == size and len(bare) == 3 and min(sorted(bare)[1:]) >= 4:
        return (bare, False) if 1 in (bare[0], bare[2]) or 3 in (bare[0], bare[2]) else None
    if len(bare) > 1:
        return None
    for channels in (1, 3):
        side = math.isqrt(size // channels)
        if size == channels * side * side and side >= 8:
            return (channels, side, side), True
    return None


def grid(numbers: Floats, shape: tuple[int, ...]) -> Floats:
    """The numbers as (height, width, channels)."""
    given = numbers.reshape(shape)
    return given if shape[2] in (1, 3) and shape[0] not in (1, 3) else given.transpose(1, 2, 0)


def picture(numbers: Floats, shape: tuple[int, ...], span: tuple[float, float]) -> str:
    """A data URL of the numbers as grey or colours, from the lower end of the span to its upper end."""
    low, high = span
    scaled = np.clip((grid(numbers, shape) - low) / (high - low if high > low else 1.0), 0, 1)
    return _png(np.round(255 * scaled).astype(np.uint8))


def change(numbers: Floats, shape: tuple[int, ...]) -> str:
    """A data URL of changes: white for none, blue for less, orange for more; colours are averaged."""
    amount = grid(numbers, shape).mean(-1, keepdims=True)
    largest = float(np.abs(amount).max()) or 1.0
    share = np.abs(amount) / largest
    colour = np.where(amount < 0, LESS, MORE)
    return _png(np.round(255 + share * (colour - 255.0)).astype(np.uint8))


def _png(pixels: Bytes) -> str:
    """A PNG file (height, width, 1 or 3 channels of 8 bits) as a data URL."""
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return "data:image/png;base64," + base64.b64encode(data).decode()
