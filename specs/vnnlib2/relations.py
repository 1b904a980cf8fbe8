"""Relations in a printed VNN-LIB 2 text that are of an entry and a number, or of two entries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genbab.specs.lowering.relations import CODES, FLIPPED
from genbab.specs.numbers.arrays import Bools, Floats, Ints
from genbab.specs.numbers.decimals import Text

Tensors = Mapping[str, tuple[int, list[int]]]
Words = NDArray[np.uint64]

_TOGETHER = 1 << 14
"""So many relations are read together, so that they stay in the cache."""

_FLIPPED = np.array(FLIPPED)
_CODE = np.zeros((256, 2), np.int64)
_CODE[list(b"<>=")] = [[CODES[a], CODES[b]] for a, b in (("<", "<="), (">", ">="), ("=", "=="))]
"""The code of a relation, by its first character and whether `=` follows."""


class Relations(NamedTuple):
    """Relations `left code right` of entries with numbers or entries, (n,) each.

    number: which of the text's relations; right: -1 for a number, which is rounded to down and up, and
    begins at the place `at` of the text.
    """

    number: Ints
    code: Ints
    left: Ints
    right: Ints
    down: Floats
    up: Floats
    at: Ints


class Marks(NamedTuple):
    """The characters ( ) [ ] . of the assertions: places, which they are, open parentheses after each."""

    place: Ints
    kind: NDArray[np.uint8]
    depth: NDArray[np.int32]


def read_relations(text: Text, marks: Marks, nodes: Ints, taken: Ints, tensors: Tensors) -> Relations:
    """Those of the relations `taken`, of all at the marks `nodes`, that are of entries and numbers."""
    ends = (int(marks.place[0]), int(marks.place[-1])) if len(marks.place) else (0, 0)
    variables = _Variables(text, ends, tensors)
    shapes = Text(marks.kind.tobytes() + bytes(8)).words
    parts = []
    for begin in range(0, max(1, len(taken)), _TOGETHER):
        part = taken[begin : begin + _TOGETHER]
        mark = nodes[part]
        place = marks.place[mark]
        equal = text.bytes[place + 2] == ord("=")
        code = _CODE[text.bytes[place + 1], equal.view(np.int8)]
        start, shape = place + 3 + equal, shapes[mark]
        for what in (_with_number, _with_entry):
            chosen, flipped, *operands = what(variables, marks.place, mark, start, shape)
            codes = np.where(flipped, _FLIPPED[code[chosen]], code[chosen])
            parts.append((part[chosen], codes, *operands))
    return Relations(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _with_number(
    variables: _Variables, place: Ints, mark: Ints, start: Ints, shape: Words
) -> tuple[Any, ...]:
    """(which, number first?, entries, -1, down, up, place) of relations of an entry and a number.

    Their '(' is a mark, `start` is the place of the first operand, shape the kinds of the next eight marks.
    """
    late = _is(shape, b"(.[])")
    chosen = np.flatnonzero(late | _is(shape, b"([].)"))
    late, mark, start = late[chosen], mark[chosen], start[chosen]
    opens, end = place[mark + 1 + late], place[mark + 4]
    closes = place[mark + 2 + late]
    entry, name = variables.read(opens, closes)
    good = np.flatnonzero((entry >= 0) & np.where(late, closes + 1 == end, name == start))
    late, point = late[good], place[mark[good] + np.where(late[good], 1, 3)]
    first = np.where(late, start[good], closes[good] + 2)
    last = np.where(late, name[good] - 1, end[good])
    return (
        chosen[good],
        late,
        entry[good],
        np.full(len(good), -1),
        *variables.text.decimals(first, point, last),
        first,
    )


def _with_entry(variables: _Variables, place: Ints, mark: Ints, start: Ints, shape: Words) -> tuple[Any, ...]:
    """(which, False, entries, other entries, 0, 0, 0) of relations of two entries; see `_with_number`."""
    chosen = np.flatnonzero(_is(shape, b"([][])"))
    mark = mark[chosen]
    one, first = variables.read(place[mark + 1], place[mark + 2])
    other, second = variables.read(place[mark + 3], place[mark + 4])
    fits = (
        (first == start[chosen]) & (second == place[mark + 2] + 2) & (place[mark + 4] + 1 == place[mark + 5])
    )
    good = np.flatnonzero((one >= 0) & (other >= 0) & fits)
    zeros, none = np.zeros(len(good)), np.zeros(len(good), np.int64)
    return chosen[good], none.astype(bool), one[good], other[good], zeros, zeros, none


def _is(shape: Words, marks: bytes) -> Bools:
    mask = np.uint64(256 ** len(marks) - 1)
    return np.asarray((shape & mask) == np.uint64(int.from_bytes(marks, "little")), bool)


class _Variables:
    """Reads entries of tensors in a part of a text, given by the places of their brackets."""

    def __init__(self, text: Text, part: tuple[int, int], tensors: Tensors) -> None:
        self.text, self._part, self.tensors = text, part, tensors

    def read(self, opens: Ints, closes: Ints) -> tuple[Ints, Ints]:
        """(number of the entry, place of the name), each (n,); the number is -1 where this is no entry."""
        entry, name = np.full(len(opens), -1), np.zeros(len(opens), np.int64)
        left = np.arange(len(opens))
        for tensor, (start, strides) in self.tensors.items():
            found = self.text.ends_with(f" {tensor} ".encode(), opens[left])
            mine, left = left[found], left[~found]
            name[mine] = opens[mine] - 1 - len(tensor)
            if len(mine) and strides:
                entry[mine] = self._entries(opens[mine], closes[mine], start, strides)
        return entry, name

    def _entries(self, opens: Ints, closes: Ints, start: int, strides: list[int]) -> Ints:
        """The numbers of the entries of one tensor; -1 where an index is no number, or has many digits."""
        entry, good = np.full(len(opens), start), np.ones(len(opens), bool)
        begin = opens + 1
        for axis, stride in enumerate(strides, 1):
            end = closes if axis == len(strides) else self._comma(begin)
            count = end - begin
            good &= (count > 0) & (count <= 8)
            index, digits = self.text.digits(end, np.where(good, count, 0))
            good &= digits
            entry += index * stride
            begin = end + 2
        return np.where(good, entry, -1)

    def _comma(self, begin: Ints) -> Ints:
        """The place of the first comma from each place on."""
        return self._commas[np.searchsorted(self._commas, begin)]

    @cached_property
    def _commas(self) -> Ints:
        """The places of all commas of the part, and its end."""
        begin, end = self._part
        part = self.text.bytes[begin:end]
        return np.append(np.flatnonzero(part == ord(",")) + begin, end)
