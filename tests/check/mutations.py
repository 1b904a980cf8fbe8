"""Changes of proofs at random, of every field and of the file around them.

A draft is a proof in parts. A change either alters the parts, or the bytes of the whole file.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.check.files import SPLIT, npy
from tests.check.subjects import HIGH, LOW, Subject

Generator = np.random.Generator
Bytes = Callable[[bytes], bytes]
ODD = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e60, 5e-324, 0.0, -0.0, -1.0, 2.0**53)
NONSENSE: tuple[Any, ...] = (
    *(None, True, -1, 10**30, 1.5, float("nan"), "", "z0", "\x00", "boxes/lower.npy", "splits/000000.npy"),
    *(
        [],
        [[]],
        [None],
        [1],
        ["z0"],
        {},
        {"0": {}},
        {"node": 0},
        [{"node": 0}],
        [{"out": "a0"}],
        {"sha256": 1},
    ),
)


@dataclass
class Draft:
    """A proof in parts: header, arrays, files that are no arrays, changes of all bytes, and its two files."""

    subject: Subject
    model: bytes
    spec: bytes
    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    raw: dict[str, bytes] = field(default_factory=dict)
    whole: list[Bytes] = field(default_factory=list)

    def file(self) -> bytes:
        """The bytes of the proof."""
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            parts = {"header.json": json.dumps(self.header).encode()}
            parts |= {name: npy(array) for name, array in self.arrays.items()}
            for name, data in {**parts, **self.raw}.items():
                file.writestr(name, data)
        data = held.getvalue()
        for change in self.whole:
            with suppress(Exception):  # what is damaged already may be no zip file any more
                data = change(data)
        return data


def draft(rng: Generator, subject: Subject, false: bool) -> Draft:
    """A proof with boxes of its own, splits of inputs and tensors, and hints, of one of the statements."""
    spec = (subject.false if false else subject.true).encode()
    tensors, last = list(subject.tensors), max(name for name in subject.tensors if name[0] == "z")
    first = (2, -1, 0, -0.25) if rng.random() < 0.6 else (2, int(rng.integers(len(tensors))), 1, 0.0)
    splits = [first, (4, -1, 1, 0.125), (6, int(rng.integers(len(tensors))), 1, 0.0)]
    splits = [*splits, (7, -1, 0, -0.5), (5, 0, 0, 0.1)][: int(rng.choice([0, 1, 1, 2, 3, 5]))]
    arrays = {
        "boxes/lower.npy": np.array([LOW] * 3),
        "boxes/upper.npy": np.array([HIGH] * 3),
        "splits/000000.npy": np.array(splits, dtype=SPLIT),
        "rows.npy": np.array([[1.0, 0.0], [0.0, 1.0]]),
        "own.npy": np.array([[1.0, 0.0]]),
        "entries.npy": np.arange(subject.tensors[last]),
    }
    slopes = []
    for out, size in subject.bends.items():
        arrays |= {f"{out}.npy": rng.uniform(0, 1, (2, size)), f"{out}/up.npy": rng.random((2, size)) < 0.5}
        slopes.append({"out": out, "slopes": [f"{out}.npy"], "upper": f"{out}/up.npy"})
    one = {"out": "a0", "slopes": ["wide.npy"], "upper": None}
    arrays["wide.npy"] = rng.uniform(0, 1, (2 * len(arrays["entries.npy"]), subject.bends["a0"]))
    header = {
        **{"format": "genbab proof", "version": 1, "writer": "tests", "arithmetic": "real"},
        "model": {"sha256": hashlib.sha256(subject.model).hexdigest()},
        "specification": {"sha256": hashlib.sha256(spec).hexdigest()},
        "tensors": tensors,
        "functions": subject.joins,
        "about": {"2": {"rows": "own.npy", "box": 0}},
        "hints": [
            {"node": 0, "target": last, "entries": "entries.npy", "slopes": [one]},
            {"node": 0, "target": None, "rows": "rows.npy", "slopes": slopes},
            {"node": 6, "rows": "rows.npy", "slopes": slopes, "first": 0, "count": 2},
        ],
    }
    made = Draft(subject, subject.model, spec, json.loads(json.dumps(header)), arrays)
    if rng.random() < 0.6:
        del made.header["hints"][int(rng.integers(2))]
    return made


def _numbers(rng: Generator, made: Draft, name: str) -> None:
    """Other numbers in an array of floats, or another shape or type."""
    array = np.array(made.arrays[name], dtype=np.float64)
    kind = int(rng.choice(5, p=(0.3, 0.2, 0.3, 0.1, 0.1)))
    if kind == 0:
        array = array * rng.choice([-1.0, 1e-3, 10.0, 1e6, 1e150]) + rng.normal(size=array.shape)
    elif kind == 1:
        array.ravel()[: int(rng.integers(array.size)) + 1] = rng.choice(ODD)
    elif kind == 2:
        array = rng.normal(size=array.shape) * 10.0 ** rng.integers(-3, 6)
    elif kind == 3:
        array = array[..., : int(rng.integers(array.shape[-1] + 1))][: int(rng.integers(len(array) + 1))]
    else:
        made.arrays[name] = array.astype(rng.choice(["<f4", ">f8", "<f2", "<i8", "<u1", "?", "<c16", "<U3"]))
        return
    made.arrays[name] = array


def slopes(rng: Generator, made: Draft) -> None:
    """Other slopes, of any value."""
    _numbers(rng, made, str(rng.choice([*(f"{out}.npy" for out in made.subject.bends), "wide.npy"])))


def upper(rng: Generator, made: Draft) -> None:
    """Other sides that slopes are for."""
    _numbers(rng, made, str(rng.choice([f"{out}/up.npy" for out in made.subject.bends])))


def rows(rng: Generator, made: Draft) -> None:
    """Other rows that slopes are for."""
    _numbers(rng, made, "rows.npy")


def entries(rng: Generator, made: Draft) -> None:
    """Other entries of a target."""
    size = int(rng.integers(8))
    made.arrays["entries.npy"] = rng.integers(-2, 9, size).astype(
        rng.choice(["<i8", "<i4", "<u8", "<f8", "?"])
    )


def targets(rng: Generator, made: Draft) -> None:
    """Hints for other nodes, tensors, functions and rows of their arrays."""
    hint = made.header["hints"][int(rng.integers(len(made.header["hints"])))]
    names = [*made.subject.tensors, "x", "w0", "nothing", None]
    key = str(rng.choice(["node", "target", "out", "first", "count", "rows", "entries", "slopes"]))
    if key == "out":
        hint["slopes"][0]["out"] = names[int(rng.integers(len(names) - 1))]
    elif key == "slopes":
        hint["slopes"] = hint["slopes"] * int(rng.integers(4))
    elif key == "target":
        hint["target"] = names[int(rng.integers(len(names)))]
    else:
        numbers = (-1, 0, 1, 2, 3, 5, 11, 2**40, -(2**70))
        file = [*made.arrays, None][int(rng.integers(len(made.arrays) + 1))]
        hint[key] = file if key in ("rows", "entries") else int(rng.choice(numbers[:8]))


def functions(rng: Generator, made: Draft) -> None:
    """Other formulas to be bounded as one."""
    names = [*made.subject.tensors, "x", "t0", "1_0", "w0"]
    drawn = [str(name) for name in rng.choice(names, 4)]
    made.header["functions"] = [{"out": drawn[0], "args": drawn[1 : 2 + int(rng.integers(3))]}]


def about(rng: Generator, made: Draft) -> None:
    """Boxes for disjuncts of other rows."""
    key, box = str(rng.choice(["0", "1", "2", "3", "-1", "x", "2"])), int(rng.integers(-1, 4))
    made.header["about"] = {key: {"rows": str(rng.choice(["own.npy", "rows.npy", "a0.npy"])), "box": box}}
    if rng.random() < 0.5:
        _numbers(rng, made, "own.npy")


def boxes(rng: Generator, made: Draft) -> None:
    """Boxes that are smaller, elsewhere, no numbers, fewer, or in another order."""
    low, high = made.arrays["boxes/lower.npy"].copy(), made.arrays["boxes/upper.npy"].copy()
    kind, k, j = int(rng.integers(8)), int(rng.integers(3)), int(rng.integers(2))
    step = float(10.0 ** rng.uniform(-17, 0.3))
    some = slice(None) if rng.random() < 0.5 else slice(k, k + 1)
    if kind == 0:
        low[some, j] += step
    elif kind == 1:
        high[some] -= step
    elif kind == 2:
        low[some], high[some] = low[some] + step, high[some] + step
    elif kind == 3:
        (low if rng.random() < 0.5 else high)[some, j] = rng.choice(ODD)
    elif kind == 4:
        low, high = low[: k + 1], high[: k + 1 - int(rng.integers(2))]
    elif kind == 5:
        low, high = high, low
    elif kind == 6:
        low, high = low[:, ::-1], high[:, ::-1]
    else:
        low, high = low.astype("<f4"), high.reshape(-1)
    made.arrays |= {"boxes/lower.npy": low, "boxes/upper.npy": high}


def splits(rng: Generator, made: Draft) -> None:
    """Splits at other nodes, entries and points, left out, twice, in another order, or in circles."""
    one = made.arrays["splits/000000.npy"].copy()
    for _ in range(int(rng.integers(1, 3))):
        i, kind = int(rng.integers(len(one))), int(rng.integers(9))
        if kind == 0:
            one["point"][i] = rng.choice(ODD)
        elif kind == 1:
            one["point"][i] += rng.normal() * 10.0 ** rng.integers(-8, 3)
        elif kind == 2:
            one["entry"][i] = rng.choice([-1, 0, 1, 3, 99, 2**62])
        elif kind == 3:
            one["tensor"][i] = rng.integers(-2, 7)
        elif kind == 4:
            one["node"][i] = rng.choice([-1, 0, 1, 3 + 2 * i, 4 + 2 * i, 99, int(rng.integers(13)), -(2**63)])
        elif kind == 5 and len(one) > 1:
            one = np.delete(one, i)
        elif kind == 6:
            one = np.insert(one, i, one[i])
        elif kind == 7:
            one = rng.permutation(one)
        else:
            one["node"][i] = one["node"][int(rng.integers(len(one)))] ^ 1
    made.arrays["splits/000000.npy"] = one


def types(rng: Generator, made: Draft) -> None:
    """Values of any type at any place of the header."""
    place: Any = made.header
    while True:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            break
        place = place[key]
    if rng.random() < 0.2:
        del place[key]
    else:
        place[key] = NONSENSE[int(rng.integers(len(NONSENSE)))]


def digests(rng: Generator, made: Draft) -> None:
    """The proof of another model, or of another specification."""
    kind = int(rng.integers(4))
    if kind == 0:
        made.model += b"\x00"
    elif kind == 1:
        made.spec = (
            made.subject.true if made.spec == made.subject.false.encode() else made.subject.false
        ).encode()
    elif kind == 2:
        made.spec += b"\n"
    else:
        made.header[str(rng.choice(["model", "specification"]))] = {"sha256": str(rng.choice(["", "0" * 64]))}


PARTS = (slopes, upper, rows, entries, targets, functions, about, boxes, splits, types, digests)
