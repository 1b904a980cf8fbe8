"""Sums of many terms in every order and grouping that a style may ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from .arithmetic import Arithmetic
from .styles import GREEDY, ORDERS, STEERED, Array

LANES = (2, 4, 8, 16)
MOST = 2_000_000
"""Terms that are held at a time; points are taken in parts beyond."""


def total(m: Arithmetic, terms: Array) -> Array:
    """The sum of terms (K, P, ...) over K: float32 numbers, or exact products in float64."""
    if len(terms) == 0:
        return np.zeros(terms.shape[1:], np.float32)
    if len(terms) == 1:
        return m.leaf(terms[0])
    order = m.style.order
    if order in GREEDY or order == STEERED:
        return _greedy(m, terms)
    return _ORDERS[order](m, terms)


def dot(m: Arithmetic, left: Array, right: Array, start: Array | None = None) -> Array:
    """The sum of left · right (K, P, ...) over K, and of `start`, which is one of the terms.

    Axes of length 1 are repeated. Products are rounded, or exact and fused with the sum's rounding.
    """
    shape = np.broadcast_shapes(left.shape, right.shape, () if start is None else (1, *start.shape))
    points, each = shape[1], int(np.prod(shape[:1] + shape[2:]))
    if points * each > MOST and points > 1:
        choices, parts = m.choices, []
        for at in np.array_split(np.arange(points), -(-points * each // MOST)):
            m.choices = choices
            a, b = (x if x.shape[1] == 1 else x[:, at] for x in (left, right))
            c = start if start is None or start.shape[0] == 1 else start[at]
            parts.append(dot(m, a, b, c))
        return np.concatenate(parts)
    if left.dtype != np.float32 or right.dtype != np.float32:
        raise TypeError(f"products of {left.dtype} and {right.dtype}: only float32 is emulated")
    extra = 0 if start is None else 1
    terms = np.empty((shape[0] + extra, *shape[1:]), np.float64 if m.fma else np.float32)
    np.multiply(left, right, out=terms[extra:], dtype=terms.dtype)
    if start is not None:
        terms[0] = start
    return total(m, terms if m.fma else m.result(terms))


def _sequence(m: Arithmetic, terms: Array) -> Array:
    return reduce(m.plus, terms[1:], m.leaf(terms[0]))


def _pairs(m: Arithmetic, terms: Array) -> Array:
    """Neighbours first, then sums of neighbours."""
    while len(terms) > 1:
        even = len(terms) // 2 * 2
        joined = m.plus(m.leaf(terms[0:even:2]), terms[1:even:2])
        terms = joined if even == len(terms) else np.concatenate([joined, m.leaf(terms[even:])])
    return m.leaf(terms[0])


def _halves(m: Arithmetic, terms: Array) -> Array:
    """The second half added to the first, and so on."""
    while len(terms) > 1:
        half = -(-len(terms) // 2)
        first = m.leaf(terms[:half])
        terms = np.concatenate([m.plus(first[: len(terms) - half], terms[half:]), first[len(terms) - half :]])
    return m.leaf(terms[0])


def _lanes(m: Arithmetic, terms: Array) -> Array:
    """Several running sums, each of every so manyth term, added up at the end."""
    count = m.draw().choice(LANES)
    sums = m.leaf(terms[:count])
    for first in range(count, len(terms), count):
        block = terms[first : first + count]
        added = m.plus(sums[: len(block)], block)
        sums = added if len(block) == count else np.concatenate([added, sums[len(block) :]])
    return (_halves, _pairs, _sequence)[m.draw().randrange(3)](m, sums)


def _blocks(m: Arithmetic, terms: Array) -> Array:
    """Neighbouring terms in blocks, one sum each, and the sums added up."""
    size = m.draw().choice((2, 3, 4, 5, 8))
    sums = [_sequence(m, terms[first : first + size]) for first in range(0, len(terms), size)]
    return reduce(m.add, sums)


def _random(m: Arithmetic, terms: Array) -> Array:
    return _sequence(m, terms[m.draw().sample(range(len(terms)), len(terms))])


def _tree(m: Arithmetic, terms: Array) -> Array:
    """Any two parts added, until there is one."""
    random, parts = m.draw(), list(terms)
    while len(parts) > 1:
        a = parts.pop(random.randrange(len(parts)))
        b = parts.pop(random.randrange(len(parts)))
        parts.append(m.plus(m.leaf(a), b))
    return m.leaf(parts[0])


def _varied(m: Arithmetic, terms: Array) -> Array:
    return _ORDERS[m.draw().choice(ORDERS[:-1])](m, terms)


def _sorted(largest: bool, by_size: bool) -> Callable[[Arithmetic, Array], Array]:
    """The sum of terms by size or value, the largest or the least first."""

    def order(m: Arithmetic, terms: Array) -> Array:
        last = np.ascontiguousarray(np.moveaxis(terms, 0, -1))
        last = _by_size(last) if by_size else np.sort(last, axis=-1)
        first = np.ascontiguousarray(np.moveaxis(last, -1, 0))
        return _sequence(m, first[::-1] if largest else first)

    return order


def _by_size(terms: Array) -> Array:
    """The terms, smallest first along the last axis: their bits are sorted with the sign moved to the end."""
    kind: Any = np.uint32 if terms.dtype == np.float32 else np.uint64
    sign = 31 if terms.dtype == np.float32 else 63
    one, last = kind(1), kind(sign)
    bits = terms.view(kind)
    bits = np.sort((bits << one) | (bits >> last), axis=-1)
    back: Array = ((bits >> one) | (bits << last)).view(terms.dtype)
    return back


def _greedy(m: Arithmetic, terms: Array) -> Array:
    """The largest term first, then always the one that is rounded furthest to where the order goes."""
    exact = terms.astype(np.float64)
    one_way = {"greedy up": 1.0, "greedy down": -1.0}.get(m.style.order)
    sign = m.signs(terms.shape[2:]) if one_way is None else one_way
    left = np.ones(terms.shape, dtype=bool)
    place = np.argmax(np.where(np.isnan(exact), np.inf, np.abs(exact)), axis=0)[None]
    sums = m.leaf(np.take_along_axis(terms, place, 0)[0])
    for _ in range(len(terms) - 1):
        np.put_along_axis(left, place, False, 0)
        each = m.plus(sums[None], terms)
        gain = ((each - sums.astype(np.float64)) - exact) * sign
        place = np.argmax(np.where(left, np.nan_to_num(gain), -np.inf), axis=0)[None]
        sums = np.take_along_axis(each, place, 0)[0]
    return sums


_ORDERS: dict[str, Callable[[Arithmetic, Array], Array]] = {
    "forward": _sequence,
    "reversed": lambda m, terms: _sequence(m, terms[::-1]),
    "pairs": _pairs,
    "halves": _halves,
    "lanes": _lanes,
    "blocks": _blocks,
    "random": _random,
    "random tree": _tree,
    "descending size": _sorted(largest=True, by_size=True),
    "ascending size": _sorted(largest=False, by_size=True),
    "positive first": _sorted(largest=True, by_size=False),
    "negative first": _sorted(largest=False, by_size=False),
    "varied": _varied,
}
