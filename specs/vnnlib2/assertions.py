"""The assertions of a VNN-LIB 2 text, read in arrays from what its syntax tree prints itself as.

A tree of hundreds of thousands of relations is slow to walk node by node. Its print is uniform (one space
between words, no comments), so that `and`, `or` and relations of an entry with a number or another entry are
found by their parentheses. Everything else is handed out as text, to be walked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genbab.specs.lowering.formula import PackedDnf
from genbab.specs.lowering.relations import CODES
from genbab.specs.numbers.arrays import Bools, Ints
from genbab.specs.numbers.decimals import Text
from genbab.specs.vnnlib2.relations import Marks, Relations, Tensors, read_relations

MAX_TENSORS = 64
"""Texts that declare more tensors are left to the walk."""

_LEAST = 32
"""So many bytes must stand before the assertions."""

_TOGETHER = 1 << 18
"""The assertions of about so many bytes are read together: their arrays stay in the cache."""

_LEVELS = 50
"""Texts of deeper formulas are left to the walk."""

_FIRST = 1
"""The depth of assertions."""

_AND, _OR, _ASSERT, _RELATION, _TERM, _UNKNOWN = range(6)
_KINDS = np.full(256, _UNKNOWN, np.int8)
_KINDS[list(b"ao<>=!+-*")] = [_AND, _OR, *[_RELATION] * 4, *[_TERM] * 3]
"""What a node is, by the character after its '(' ("assert" starts like "and")."""

_TOP, _ANY, _ALL, _MIXED = range(4)
"""Where a relation is: it must hold; one of a disjunction; one of a conjunction in one; deeper."""
_INSIDE = np.array(
    [[_TOP, _ALL, _ALL, _MIXED], [_ANY, _ANY, _MIXED, _MIXED], [_TOP] * 4, [_MIXED] * 4], np.int8
)
"""Where the parts of a node (row: its kind) stand, by where it stands itself."""


class Assertions(NamedTuple):
    """What the assertions say; the relations of the text are numbered in order.

    total: of relations; relations: what is known of them. common: those that must hold; factors: disjunctions
    that must hold, by the number of their first relation. required (total,): whether a relation must hold by
    itself. others, in order: what else is asserted, as (number of the (first) relation, assertion, whether it
    is a whole assertion of the text and not only one relation).
    """

    total: int
    relations: Relations
    common: Ints
    factors: list[tuple[int, PackedDnf]]
    required: Bools
    others: list[tuple[int, bytes, bool]]

    def ties(self) -> Ints:
        """The pairs of entries (n, 2) that must be equal."""
        number, code, left, right, *_ = self.relations
        equal = (code == CODES["=="]) & (right >= 0) & self.required[number]
        return np.stack([left[equal], right[equal]], axis=1)

    def moved(self, by: int) -> Assertions:
        """The same, its relations numbered from `by` on."""
        return self._replace(
            relations=self.relations._replace(number=self.relations.number + by),
            common=self.common + by,
            factors=[(n + by, PackedDnf(one.literal + by, one.length)) for n, one in self.factors],
            others=[(n + by, data, whole) for n, data, whole in self.others],
        )


_NO_INTS = np.zeros(0, np.int64)

NOTHING = Assertions(
    0,
    Relations(_NO_INTS, _NO_INTS, _NO_INTS, _NO_INTS, np.zeros(0), np.zeros(0), _NO_INTS),
    _NO_INTS,
    [],
    np.zeros(0, bool),
    [],
)
"""No assertion at all."""


class _Nodes(NamedTuple):
    """The nodes `assert`, `and`, `or` and relations, in order.

    mark: that of their '('; kind: what they are; where they stand: one of `_TOP` ...
    """

    mark: Ints
    kind: NDArray[np.int8]
    where: NDArray[np.int8]


def read_assertions(data: bytes, begin: int, tensors: Tensors) -> Assertions | None:
    """What the assertions say that are printed in data[begin:]; None where the print is not as expected.

    tensors: per name, the number of its first entry and the strides of its axes. Raises ValueError, with the
    reason, for a number out of the range of float64.
    """
    if len(tensors) > MAX_TENSORS or begin < _LEAST:
        return None
    text, total, parts = Text(data), 0, list[Assertions]()
    while begin < len(data):
        end = _assertion(data, begin + _TOGETHER)
        found = _part(text, begin, end, tensors)
        if found is None:
            return None
        parts.append(found.moved(total) if total else found)
        total += found.total
        begin = end
    return _joined(parts)


def _assertion(data: bytes, begin: int) -> int:
    """The place of the first assertion that begins after this place, or the end."""
    while (found := data.find(b"assert", begin)) >= 0:  # quicker than with the parenthesis
        if found > begin and data[found - 1 : found + 7] == b"(assert ":
            return found - 1
        begin = found + 6
    return len(data)


def _joined(parts: list[Assertions]) -> Assertions:
    """The parts of a text as one, whose relations are numbered through."""
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    columns = zip(*(part.relations for part in parts), strict=True)
    return Assertions(
        sum(part.total for part in parts),
        Relations(*(np.concatenate(column) for column in columns)),
        np.concatenate([part.common for part in parts]),
        [factor for part in parts for factor in part.factors],
        np.concatenate([part.required for part in parts]),
        [other for part in parts for other in part.others],
    )


def _part(text: Text, begin: int, end: int, tensors: Tensors) -> Assertions | None:
    """What the assertions of a part of the text say; None where they are not as expected."""
    marks = _marks(text, begin, end)
    nodes = _nodes(text, marks)
    if nodes is None:
        return None
    is_assertion = nodes.kind == _ASSERT
    assertion = np.cumsum(is_assertion) - 1
    walked = np.zeros(np.count_nonzero(is_assertion), bool)
    walked[assertion[nodes.where == _MIXED]] = True
    relations = np.flatnonzero(nodes.kind == _RELATION)
    owner = assertion[relations]
    taken = ~walked[owner]
    common, factors = _formula(nodes, relations, taken)
    found = read_relations(text, marks, nodes.mark[relations], np.flatnonzero(taken), tensors)
    taken[found.number] = False
    rest, walks = np.flatnonzero(taken), np.flatnonzero(walked)
    asserts = nodes.mark[np.flatnonzero(is_assertion)[walks]]
    first = np.searchsorted(owner, walks).tolist()
    others = [(n, data, True) for n, data in zip(first, _bytes(text, marks, asserts), strict=True)]
    printed = _bytes(text, marks, nodes.mark[relations[rest]])
    others += [(n, b"(assert %b)" % one, False) for n, one in zip(rest.tolist(), printed, strict=True)]
    required = nodes.where[relations] == _TOP
    return Assertions(len(relations), found, common, factors, required, sorted(others))


def _marks(text: Text, begin: int, end: int) -> Marks:
    part = text.bytes[begin:end]
    marked = ((part & 0xFE) == ord("(")) | (part == ord("[")) | (part == ord("]")) | (part == ord("."))
    place = np.flatnonzero(marked) + begin
    kind = text.bytes[place]
    step = (kind == ord("(")).view(np.int8) - (kind == ord(")")).view(np.int8)
    return Marks(place, kind, np.cumsum(step, dtype=np.int32))


def _nodes(text: Text, marks: Marks) -> _Nodes | None:
    """The nodes of the text; None where they are not those of assertions."""
    mark = np.flatnonzero(marks.kind == ord("("))
    place = marks.place[mark]
    first = text.bytes[place + 1]
    kind = _KINDS[first]
    kind[(kind == _AND) & (text.bytes[place + 2] == ord("s"))] = _ASSERT
    if (kind == _UNKNOWN).any():
        return None
    found = np.flatnonzero(kind != _TERM)
    if len(found) < len(mark):
        mark, kind, first = mark[found], kind[found], first[found]
    depth = marks.depth[mark]
    if not np.array_equal(kind == _ASSERT, depth == _FIRST) or depth.max(initial=0) > _LEVELS:
        return None
    where = np.full(len(mark), _TOP, np.int8)
    above = depth == _FIRST
    for level in range(_FIRST + 1, int(depth.max(initial=0)) + 1):
        level_is = depth == level
        here = np.flatnonzero(level_is)
        outer = np.flatnonzero(above)[np.cumsum(above)[here] - 1]
        where[here] = _INSIDE[kind[outer], where[outer]]
        above = level_is
    where[first == ord("!")] = _MIXED
    return _Nodes(mark, kind, where)


def _formula(nodes: _Nodes, relations: Ints, taken: Bools) -> tuple[Ints, list[tuple[int, PackedDnf]]]:
    """(relations that must hold, disjunctions that must hold with their first relation), of those taken."""
    where = nodes.where
    starts_or = (nodes.kind == _OR) & (where == _TOP)
    starts_and = (where == _ANY) & ((nodes.kind == _AND) | (nodes.kind == _RELATION))
    inside = np.flatnonzero(taken & (where[relations] != _TOP))
    factor = np.cumsum(starts_or)[relations[inside]]
    term = np.cumsum(starts_and)[relations[inside]]
    begins = np.flatnonzero(np.diff(term, prepend=-1))
    lengths = np.diff(begins, append=len(term))
    edges = np.flatnonzero(np.diff(factor[begins], prepend=-1))
    counts = np.diff(edges, append=len(begins))
    common = taken & (where[relations] == _TOP)
    factors = []
    for edge, count in zip(edges.tolist(), counts.tolist(), strict=True):
        length = lengths[edge : edge + count]
        literals = inside[begins[edge] : begins[edge] + int(length.sum())]
        if count == 1:
            common[literals] = True
        else:
            factors.append((int(literals[0]), PackedDnf(literals, length)))
    return np.flatnonzero(common), factors


def _bytes(text: Text, marks: Marks, nodes: Ints) -> list[bytes]:
    """The print of these nodes, given by the mark of their '('."""
    close = np.flatnonzero(marks.kind == 41)
    after = marks.depth[close]
    end = np.empty(len(nodes), np.int64)
    for depth in np.unique(marks.depth[nodes]).tolist():
        mine = np.flatnonzero(marks.depth[nodes] == depth)
        ends = close[after == depth - 1]
        end[mine] = marks.place[ends[np.searchsorted(ends, nodes[mine])]] + 1
    return [text.data[a:b] for a, b in zip(marks.place[nodes].tolist(), end.tolist(), strict=True)]
