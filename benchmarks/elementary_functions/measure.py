"""Errors of a runtime's functions over float32 numbers, all or a part, and what short arrays change."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from elementary_functions.errors import BUCKETS, SIZE, Doubles, Errors, Singles, Words, add, steps
from elementary_functions.exact import EXACT, Exact
from elementary_functions.runtimes import Run, flushed

CHUNK = 1 << 14
"""Numbers at a time, few enough for a core's cache."""
NEIGHBOURS = 16
"""Where not all numbers are tried, so many neighbours are at a time."""
SHORT = 15
"""Arrays up to this length are tried: vectorised kernels leave what fills no register to other code."""


def patterns(stride: int) -> Iterator[Words]:
    """Patterns of finite numbers, ascending: all, or one in `stride` and the first of every bucket."""
    whole = np.arange(SIZE, dtype=np.uint32).reshape(-1, CHUNK)
    blocks = np.arange(0, SIZE, NEIGHBOURS * stride, dtype=np.uint32)
    rng = np.random.default_rng(stride)
    for bucket in range(BUCKETS):
        if (bucket * SIZE) & 0x7F800000 == 0x7F800000:
            continue
        if stride == 1:
            for part in whole:
                yield part | np.uint32(bucket * SIZE)
        else:
            starts = blocks + np.uint32(NEIGHBOURS) * rng.integers(0, stride, len(blocks), dtype=np.uint32)
            inside = (starts[:, None] + np.arange(NEIGHBOURS, dtype=np.uint32)).ravel()
            inside = inside if inside[0] == 0 else np.append(np.uint32(0), inside)
            yield inside | np.uint32(bucket * SIZE)


@contextlib.contextmanager
def counted(errors: Errors, anew: bool) -> Iterator[None]:
    """Within it, steps back and results outside are counted anew, or not at all."""
    kept = [(counts, counts.copy()) for counts in (errors.steps, errors.outside)]
    for counts, _ in kept:
        counts[:] = 0
    yield
    for counts, before in kept:
        counts[:] = counts if anew else before


def sweep(errors: Errors, name: str, run: Run, stride: int = 1) -> None:
    """Take in all finite numbers, or one in `stride`."""
    exact = EXACT[name]
    zero = _at_zero(exact, run)
    last: tuple[Words, Singles, Doubles] | None = None
    for bits in patterns(stride):
        x = bits.view(np.float32)
        y, values = run(x), exact.at(x)
        add(errors, bits, y, values, zero)
        _ordered(errors, exact, bits, y, values)
        if last is not None and last[0][0] + 1 == bits[0]:
            joint = np.append(last[0], bits[0])
            _ordered(errors, exact, joint, np.append(last[1], y[0]), np.append(last[2], values[0]))
        last = bits[-1:].copy(), y[-1:].copy(), values[-1:].copy()
    x = np.array([np.inf, -np.inf, np.nan] * 16, np.float32)
    errors.facts.update({n: str(float(v)) for n, v in zip(("inf", "-inf", "nan"), run(x)[:3], strict=True)})


def _ordered(errors: Errors, exact: Exact, bits: Words, y: Singles, values: Doubles) -> None:
    x = bits.view(np.float32)
    steps(errors, bits, y, values, exact.heading(float(x.min()), float(x.max())))


def _at_zero(exact: Exact, run: Run) -> tuple[float, float]:
    zero = np.zeros(16, np.float32)
    value = float(exact.at(zero)[0])
    return value, abs(float(run(zero)[0]) - value) if np.isfinite(value) else 0.0


def drawn(count: int, rng: np.random.Generator) -> Words:
    """Patterns of finite numbers: half are any, half from 2^-12 to 2^8 in size, and ends of ranges."""
    any_one = rng.integers(0, 2**32, count // 2, dtype=np.uint32)
    common = rng.integers(0x39800000, 0x43800000, count - count // 2, dtype=np.uint32)
    common |= rng.integers(0, 2, len(common), dtype=np.uint32) << np.uint32(31)
    ends = np.array([0, 1, 0x7FFFFF, 0x800000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x7F7FFFFF], np.uint32)
    bits = np.concatenate([any_one, common, ends, ends | np.uint32(0x80000000)])
    return bits[np.isfinite(bits.view(np.float32))]


def short(errors: Errors, name: str, run: Run, count: int) -> None:
    """Take in `count` numbers in arrays of 1 to 15, and note how many results differ from a long array's."""
    bits = drawn(count, np.random.default_rng(count))
    x = bits.view(np.float32)
    whole, start, parts = run(x), 0, list[Singles]()
    while start < len(x):
        length = min(1 + len(parts) % SHORT, len(x) - start)
        parts.append(run(x[start : start + length].copy()))
        start += length
    y = np.concatenate(parts)
    add(errors, bits, y, EXACT[name].at(x), _at_zero(EXACT[name], run))
    same = (y.view(np.uint32) == whole.view(np.uint32)) | (np.isnan(y) & np.isnan(whole))
    differing = np.flatnonzero(~same)
    found = errors.facts.setdefault("short", {"numbers": 0, "different": 0})
    found["numbers"] += len(x)
    found["different"] += len(differing)


def other_ways(errors: Errors, name: str, runs: Sequence[Run], stride: int) -> None:
    """Take in the other ways in which a runtime computes the function, and subnormal numbers flushed to 0.

    What flushing changes widens the bounds, and does not count among the worst errors.
    """
    exact, loose = EXACT[name], Errors()
    for run in runs[1:]:
        _part(errors, exact, run, stride)
    for run in runs:
        _part(loose, exact, flushed(run), stride)
    inside = (np.arange(BUCKETS) * SIZE & 0x7FFFFFFF) >= 0x00800000
    for mine, more in (
        (errors.absolute, loose.absolute),
        (errors.relative, loose.relative),
        (errors.edge, loose.edge),
    ):
        np.maximum(mine, more, out=mine, where=inside[:, None])
    errors.facts["other ways"] = {"ways": len(runs) - 1, "flushed": len(runs), "stride": stride}


def _part(errors: Errors, exact: Exact, run: Run, stride: int) -> None:
    for bits in patterns(stride):
        x = bits.view(np.float32)
        add(errors, bits, run(x), exact.at(x), _at_zero(exact, run))


def save(errors: Errors, path: Path) -> None:
    """Write what was found, nearly all of it zeros, in a compressed file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f.name: getattr(errors, f.name) for f in fields(errors) if f.name != "facts"}
    np.savez_compressed(path, facts=np.array(json.dumps(errors.facts)), **arrays)


def load(path: Path) -> Errors:
    """What was found before; nothing where the file is missing."""
    if not path.exists():
        return Errors()
    with zipfile.ZipFile(path), np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "facts"}
        return Errors(**arrays, facts=json.loads(str(stored["facts"])))
