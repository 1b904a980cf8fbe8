"""Compiled loops of the planes of softmax; see `kernels.torch.softmax`.

Loops over a row write one array each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, exp, log, num
from genbab.kernels.cpu.loops import at
from genbab.kernels.cpu.touching import points
from genbab.kernels.cpu.values import values
from genbab.kernels.functions import Code
from genbab.kernels.torch.softmax import (
    AT_HIGH,
    AT_LOW,
    CERTAIN,
    DOWN,
    FIXED,
    HIGH,
    KNOWN,
    LEAST,
    LOW,
    MOST,
    S_HIGH,
    S_LOW,
    SLOPE,
    START,
    STEEPEST,
    TOP,
    USABLE,
)

FORM, AT, UPPER, VALUE, OWN, CROSS, POWER = range(7)
"""Rows of what a call makes."""


@compiled(**PLAIN)
def _powers(length: int, floor: Any, x: Any, d: Any, power: Any, rest: Any) -> None:
    """d = x - the group's largest, power = exp(d), rest the sum of the other powers."""
    for first in range(0, len(x), length):
        top = x[first]
        for i in range(first + 1, first + length):
            top = max(top, x[i])
        for i in range(first, first + length):
            d[i] = x[i] - top
    for i in range(len(x)):
        power[i] = exp(d[i])
    for first in range(0, len(x), length):
        total, alone, place = num(x[0], 0.0), num(x[0], 0.0), first
        for i in range(first, first + length):
            if d[i] == num(x[0], 0.0):
                place = i
            total += power[i]
        for i in range(first, first + length):
            alone += num(x[0], 0.0) if i == place else power[i]
            rest[i] = total - power[i]
        rest[place] = alone
    for i in range(len(x)):
        rest[i] = max(rest[i], num(x[i], floor))


@compiled(**PLAIN)
def _below(
    length: int, floor: Any, facts: Any, x: Any, power: Any, total: Any, value: Any, own: Any, cross: Any
) -> None:
    """The lower tangents; power and total are spare."""
    zero = num(x[0], 0.0)
    for i in range(len(x)):
        power[i] = exp(x[i] - facts[TOP, i])
    for first in range(0, len(x), length):
        chords = zero
        for i in range(first, first + length):
            chords += facts[START, i] + facts[SLOPE, i] * (x[i] - facts[LOW, i])
        chords = max(chords, num(zero, floor))
        for i in range(first, first + length):
            total[i] = chords
    for i in range(len(x)):
        there = (facts[KNOWN, i] != zero) & (power[i] >= num(zero, floor))
        own[i] = power[i] / total[i] if there else zero
    for i in range(len(x)):
        cross[i] = own[i] / total[i]
    for i in range(len(x)):
        value[i] = own[i] if facts[KNOWN, i] != zero else facts[LEAST, i]


@compiled(**PLAIN)
def _paired(
    length: int, facts: Any, slopes: Any, d: Any, inverse: Any, value: Any, own: Any, cross: Any
) -> None:
    """What differences tell about lower tangents, where that is more."""
    zero, one = num(d[0], 0.0), num(d[0], 1.0)
    for i in range(len(d)):
        inverse[i] = one + facts[FIXED, i] - facts[DOWN, i] * d[i]
    for g in range(len(d) // length):
        first = g * length
        for j in range(length):
            for k in range(length):
                inverse[first + k] += slopes[g, j, k] * d[first + j]
    for i in range(len(d)):
        mine = one / max(inverse[i], one)
        inverse[i] = mine if (facts[USABLE, i] != zero) & (mine > value[i]) else zero
    for i in range(len(d)):
        value[i] = inverse[i] if inverse[i] > zero else value[i]
    for i in range(len(d)):
        own[i] = zero if inverse[i] > zero else own[i]
    for i in range(len(d)):
        cross[i] = inverse[i] * inverse[i] if inverse[i] > zero else cross[i]


@compiled(**PLAIN)
def _above(facts: Any, d: Any, power: Any, rest: Any, steep: Any, at_point: Any, f: Any, high: Any) -> None:
    """The upper tangents: `steep` by the logit, `high` at the point; at_point and f are spare."""
    zero, one = num(d[0], 0.0), num(d[0], 1.0)
    for i in range(len(d)):
        total = power[i] + rest[i]
        inner = power[i] / total * (rest[i] / total)
        k = min(inner if power[i] > rest[i] else num(zero, 0.25), facts[STEEPEST, i])
        there = (facts[KNOWN, i] != zero) & (rest[i] > num(zero, CERTAIN) * power[i])
        steep[i] = k if there else zero
    for i in range(len(d)):
        high[i] = -one
    points(Code.SIGMOID, high, steep, d, one, one, at_point)
    for i in range(len(d)):
        at_point[i] = min(max(at_point[i], facts[S_LOW, i]), facts[S_HIGH, i])
    values(Code.SIGMOID, 0.0, at_point, f)
    for i in range(len(d)):
        c = f[i] - steep[i] * at_point[i]
        c = max(c, facts[AT_LOW, i] - steep[i] * facts[S_LOW, i])
        f[i] = max(c, facts[AT_HIGH, i] - steep[i] * facts[S_HIGH, i])
    for i in range(len(d)):
        line = f[i] + steep[i] * (d[i] - log(rest[i]))
        high[i] = line if facts[KNOWN, i] != zero else facts[MOST, i]


@compiled(**PLAIN)
def _knapsack(a: Any, low: Any, high: Any, order: Any) -> int:
    """Which entry of a group follows from the others; order: spare, as long as the group at least."""
    left = num(a[0], 1.0)
    for k in range(len(a)):
        left -= low[k]
        place = k
        while place > 0 and (a[order[place - 1]] > a[k] or a[order[place - 1]] != a[order[place - 1]]):
            order[place] = order[place - 1]
            place -= 1
        order[place] = k
    room, place = num(a[0], 0.0), 0
    for k in range(len(a)):
        room += high[order[k]] - low[order[k]]
        place += 1 if room < left else 0  # points outside of the differences' box may have high < low
    return int(order[min(place, len(a) - 1)])


@compiled(**PLAIN)
def _form(
    length: int, is_apart: bool, facts: Any, slopes: Any, w: Any, taken: Any, paired: Any, made: Any
) -> None:
    """The form of the planes for coefficients w less the critical ones; taken and paired are spare."""
    zero = num(w[0], 0.0)
    for i in range(len(w)):
        taken[i] = w[i] * made[CROSS, i]
    for i in range(len(w)):
        lower = (made[UPPER, i] == zero) & (made[OWN, i] == zero)
        paired[i] = taken[i] if lower else zero
    for first in range(0, len(w), length):
        over, under = zero, zero
        for i in range(first, first + length):
            over += taken[i] if made[UPPER, i] != zero else zero
            under += zero if made[UPPER, i] != zero else taken[i] - paired[i]
        for i in range(first, first + length):
            made[FORM, i] = w[i] * made[OWN, i] - made[POWER, i] * over - facts[SLOPE, i] * under
    if is_apart:
        for g in range(len(w) // length):
            first = g * length
            for j in range(length):
                total = facts[DOWN, first + j] * paired[first + j]
                for k in range(length):
                    total -= slopes[g, j, k] * paired[first + k]
                made[FORM, first + j] += total


@compiled(**PLAIN)
def _weighed(length: int, a: Any, low: Any, high: Any, order: Any, critical: Any, w: Any) -> Any:
    """w = a less the critical coefficient of each group, whose sum is returned."""
    total = num(a[0], 0.0)
    for g in range(len(a) // length):
        part = slice(g * length, (g + 1) * length)
        critical[g] = _knapsack(a[part], low[part], high[part], order)
        c = a[g * length + critical[g]]
        total += c
        for i in range(g * length, (g + 1) * length):
            w[i] = a[i] - c
    return total


@compiled(**PLAIN)
def _taken(w: Any, rest: Any, upper: Any, lower: Any, out: Any) -> None:
    """The lines of the sides that the signs of w tell.

    upper: (value, slope by the logit), lower: (value, own, cross).
    """
    zero, one = num(w[0], 0.0), num(w[0], 1.0)
    (high, steep), (low, own, cross) = upper, lower
    for i in range(len(w)):
        out[UPPER, i] = one if w[i] < zero else zero
    for i in range(len(w)):
        out[VALUE, i] = high[i] if w[i] < zero else low[i]
    for i in range(len(w)):
        out[OWN, i] = steep[i] * (one + out[POWER, i] / rest[i]) if w[i] < zero else own[i]
    for i in range(len(w)):
        out[CROSS, i] = steep[i] / rest[i] if w[i] < zero else cross[i]


@compiled(**PLAIN)
def planes_rows(
    begin: int, end: int, length: int, is_apart: bool, floor: Any, a: Any, points_at: Any, facts: Any,
    slopes: Any, made: Any, bias: Any, critical: Any,
) -> None:  # fmt: skip
    """`softmax_planes`; facts (13 or 16, B or 1, N), slopes (B or 1, G, K, K), made (7, B, S, N)."""
    rows, n = made.shape[2], made.shape[3]
    spare, order = np.empty((8, n), made.dtype), np.empty(length, np.int64)
    zero = num(spare[0, 0], 0.0)
    d, rest, high, steep, low, low_own, low_cross, w = spare
    for r in range(begin, end):
        b, s = r // rows, r % rows
        own_box = b if facts.shape[1] > 1 else 0
        mine, given, of, out = at(a, b, s), at(points_at, b, s), facts[:, own_box], made[:, b, s]
        x, power = out[AT], out[POWER]
        for i in range(n):
            x[i] = min(max(given[i] if given[i] == given[i] else zero, of[LOW, i]), of[HIGH, i])
        _below(length, floor, of, x, d, w, low, low_own, low_cross)
        _powers(length, floor, x, d, power, rest)
        if is_apart:
            _paired(length, of, slopes[own_box], d, w, low, low_own, low_cross)
        _above(of, d, power, rest, steep, out[VALUE], out[CROSS], high)
        total = _weighed(length, mine, low, high, order, critical[b, s], w)
        _taken(w, rest, (high, steep), (low, low_own, low_cross), out)
        _form(length, is_apart, of, slopes[own_box], w, low, high, out)
        for i in range(n):
            total += w[i] * out[VALUE, i] - out[FORM, i] * x[i]
        bias[b, s] = total


@compiled(**PLAIN)
def _among(
    length: int,
    is_apart: bool,
    facts: Any,
    slopes: Any,
    side: Any,
    own: Any,
    power: Any,
    delta: Any,
    mixed: Any,
) -> None:
    """The sums that the cross slopes of the entries' lines go with."""
    zero = num(delta[0], 0.0)
    for g in range(len(delta) // length):
        first = g * length
        over, under = zero, zero
        for i in range(first, first + length):
            over += power[i] * delta[i]
            under += facts[SLOPE, i] * delta[i]
        for i in range(first, first + length):
            mixed[i] = over if side[i] != zero else under
            if is_apart and side[i] == zero and own[i] == zero:
                mixed[i] = -facts[DOWN, i] * delta[i]
                for j in range(length):
                    mixed[i] += slopes[g, j, i - first] * delta[first + j]


@compiled(**PLAIN)
def values_rows(
    begin: int, end: int, length: int, is_apart: bool, facts: Any, slopes: Any, lines: Any, critical: Any,
    v: Any, y: Any,
) -> None:  # fmt: skip
    """`softmax_values`; lines: the points, and what planes keep of each entry's line but its critical one."""
    rows, n = y.shape[1], y.shape[2]
    spare = np.empty((2, n), y.dtype)
    delta, mixed = spare[0], spare[1]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        own_box = b if facts.shape[1] > 1 else 0
        there, x, value, own = at(v, b, s), at(lines[0], b, s), at(lines[2], b, s), at(lines[3], b, s)
        cross, out = at(lines[4], b, s), y[b, s]
        for i in range(n):
            delta[i] = there[i] - x[i]
        side, power = at(lines[1], b, s), at(lines[5], b, s)
        _among(length, is_apart, facts[:, own_box], slopes[own_box], side, own, power, delta, mixed)
        for i in range(n):
            out[i] = value[i] + own[i] * delta[i] - cross[i] * mixed[i]
        for g in range(n // length):
            place, others = g * length + critical[b, s, g], num(out[0], 0.0)
            for i in range(g * length, (g + 1) * length):
                others += num(out[0], 0.0) if i == place else out[i]
            out[place] = num(out[0], 1.0) - others
