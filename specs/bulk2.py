"""The many assertions of a VNN-LIB 2 text that bound one variable by a number, taken in arrays.

A tree of hundreds of thousands of such assertions is slow to walk node by node, so they are picked out of the
text that the tree prints itself as; whatever is not of this form is left to the walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from genbab.specs.atoms import CODES
from genbab.specs.spec import Ints

_ASSERTION = re.compile(
    r"\(assert (?:\((<=|>=|<|>|==) ([^\s()\[\]]+) \[([\d, ]+)\] (-?\d+(?:\.\d+)?)\)\)|\()", re.ASCII
)


class Bulk(NamedTuple):
    """Assertions `entry code number`, (n,) each, numbers as text; and the places of all other assertions."""

    entry: Ints
    code: Ints
    texts: Sequence[str]
    others: Sequence[int]


def bulk(printed: str, count: int, tensors: Mapping[str, tuple[int, list[int]]]) -> Bulk | None:
    """What `count` assertions say, printed as by the package; None where the print is not as expected.

    tensors: per name, the number of its first entry and the strides of its axes.
    """
    found = _ASSERTION.findall(printed)
    if len(found) != count:
        return None
    relations, names, places, texts = zip(*found, strict=True) if found else ((), (), (), ())
    chosen: Sequence[int] = range(count)
    if not set(names) <= set(tensors):
        chosen = [i for i, name in enumerate(names) if name in tensors]
    entry = np.zeros(count, np.int64)
    for name in {names[i] for i in chosen}:
        start, strides = tensors[name]
        mine = [i for i in chosen if names[i] == name]
        axes = np.fromstring(",".join([places[i] for i in mine]), np.int64, sep=",")
        if axes.size != len(mine) * len(strides):
            return None
        entry[mine] = start + axes.reshape(len(mine), -1) @ np.array(strides, np.int64)
    if len(chosen) == count:
        return Bulk(entry, _codes(relations), texts, ())
    others = sorted(set(range(count)).difference(chosen))
    codes = _codes([relations[i] for i in chosen])
    return Bulk(entry[chosen], codes, [texts[i] for i in chosen], others)


def _codes(relations: Iterable[str]) -> Ints:
    return np.array([CODES[r] for r in relations], np.int64)
