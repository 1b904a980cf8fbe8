"""Numbers read in arrays from the bytes of a text: digits, and decimals rounded down and up.

Eight digits are read at a time in one 64-bit word (D. Lemire, Number parsing at a gigabyte per second,
Software: Practice and Experience 51, 2021, section 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genbab.specs.numbers.arrays import Bools, Floats, Ints
from genbab.specs.numbers.numbers import POWERS, directed, first_bad, residual

_WORD = 8
_ZEROS = 0x3030303030303030
_HIGH = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIX = np.uint64(0x0606060606060606)
_KEEP = np.array([(2**64 - 1) << 8 * (_WORD - n) & (2**64 - 1) for n in range(_WORD + 1)], np.uint64)
_FILL = np.array([_ZEROS & ~int(keep) for keep in _KEEP], np.uint64)
_PAIRS = tuple(
    (np.uint64(mask), np.uint64(factor), np.uint64(shift))
    for mask, factor, shift in (
        (0x0F0F0F0F0F0F0F0F, 10 << 8 | 1, 8),
        (0x00FF00FF00FF00FF, 100 << 16 | 1, 16),
        (0x0000FFFF0000FFFF, 10000 << 32 | 1, 32),
    )
)
_TENS = np.array([10**k for k in range(19)], np.int64)
_MAX_WHOLE = 9e17
"""Decimals of a larger value, without their point, are read as text."""
_MAX_AFTER = len(POWERS) - 1


class Text:
    """The bytes of a text, and (`words`) the eight bytes from every place on as a little-endian number."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes = np.frombuffer(data, np.uint8)
        self.words: NDArray[np.uint64] = np.ndarray((max(0, len(data) - _WORD + 1),), "<u8", data, 0, (1,))

    def ends_with(self, pattern: bytes, stop: Ints) -> Bools:
        """Whether the text before each place of `stop` (n,), each at least len(pattern) + 8, is `pattern`."""
        found = np.ones(len(stop), bool)
        while pattern:
            tail, pattern = pattern[-_WORD:], pattern[:-_WORD]
            wanted = np.uint64(int.from_bytes(tail.rjust(_WORD, b"\0"), "little"))
            found &= (self.words[stop - _WORD] & _KEEP[len(tail)]) == wanted
            stop = stop - _WORD
        return found

    def digits(self, stop: Ints, count: Ints) -> tuple[Ints, Bools]:
        """(the number that the `count` characters before `stop` are, whether all are digits), each (n,).

        0 <= count <= 8; stop is at least 8.
        """
        word = (self.words[stop - _WORD] & _KEEP[count]) | _FILL[count]
        good = ((word & _HIGH) == _ZEROS) & (((word + _SIX) & _HIGH) == _ZEROS)
        for mask, factor, shift in _PAIRS:
            word = (word & mask) * factor >> shift
        return word.view(np.int64), good

    def decimals(self, start: Ints, point: Ints, stop: Ints) -> tuple[Floats, Floats]:
        """(down, up), each (n,): the largest float64 <= and the smallest >= the decimals at start ... stop.

        Each has its only point at `point`, no exponent, and at least 24 bytes before `stop`. Raises
        ValueError, with the reason, for a number out of the range of float64.
        """
        sign = 1 - 2 * (self.bytes[start] == ord("-"))
        whole, after, plain = self._integers(start + (sign < 0), point, stop)
        whole *= sign
        power = POWERS[after]
        nearest = whole / power
        nearest += residual(whole, after, nearest)[0] / power
        side, known = residual(whole, after, nearest)
        bits = nearest.view(np.int64)  # the next number away from zero has the next bits
        down, up = ((bits - sign * (side < 0)).view(np.float64), (bits + sign * (side > 0)).view(np.float64))
        rest = np.flatnonzero(~(plain & known))
        if len(rest):
            places = zip(start[rest].tolist(), stop[rest].tolist(), strict=True)
            texts = [self.data[a:b].decode() for a, b in places]
            if bad := first_bad(texts):
                raise ValueError(bad[1])
            down[rest], up[rest] = directed(texts)
        return down + 0.0, up + 0.0

    def _integers(self, start: Ints, point: Ints, stop: Ints) -> tuple[Ints, Ints, Bools]:
        """(m, k, plain), each (n,): a decimal without a sign is m / 10^k where plain, m below 10^18."""
        before, after = point - start, stop - point - 1
        plain = (before > 0) & (before <= _WORD) & (after > 0) & (after <= _MAX_AFTER)
        after = np.where(plain, after, 0)
        total, good = self.digits(point, np.where(plain, before, 0))
        size = total * POWERS[after]
        total = total * _TENS[np.minimum(after, 18)]  # where this overflows, the number is too large
        scale, end, left = 1, stop, after
        while left.any():
            part, digits = self.digits(end, np.minimum(left, _WORD))
            good &= digits
            size += part * float(scale)
            total += part * scale
            scale, end, left = scale * 10**_WORD, end - _WORD, np.maximum(left - _WORD, 0)
        plain &= good & (size < _MAX_WHOLE)
        return np.where(plain, total, 0), np.where(plain, after, 0), plain
