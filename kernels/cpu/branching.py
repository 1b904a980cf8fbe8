"""Compiled loops of branch and bound: half-spaces, scores, branching points. See `splitting`."""

from __future__ import annotations

from typing import Any

import numpy as np

from genbab.kernels.cpu.elementary import PLAIN, compiled, num
from genbab.kernels.cpu.loops import SUMS, at
from genbab.kernels.torch.splitting import (
    CORNERS,
    FIRST_STOP,
    INTERPOLATE,
    MIDDLE,
    NEAREST,
    ON,
    ONE_SIDED,
    SNAP,
    STEPS,
)


@compiled(**SUMS)
def _slope_and_size(scaled: Any, side: Any, weight: Any) -> tuple[Any, Any]:
    """(Σ sign(y)·side, Σ |y|) of y = scaled + weight·side."""
    slope, size, zero = num(scaled[0], 0.0), num(scaled[0], 0.0), num(scaled[0], 0.0)
    for i in range(len(scaled)):
        y = scaled[i] + weight * side[i]
        slope += side[i] if y > zero else (-side[i] if y < zero else zero)
        size += abs(y)
    return slope, size


@compiled(**SUMS)
def _crossed(scaled: Any, side: Any) -> tuple[Any, Any]:
    """(Σ scaled·sign(side), Σ |side|)."""
    total, size, zero = num(scaled[0], 0.0), num(scaled[0], 0.0), num(scaled[0], 0.0)
    for i in range(len(scaled)):
        total += scaled[i] if side[i] > zero else (-scaled[i] if side[i] < zero else zero)
        size += abs(side[i])
    return total, size


@compiled(**PLAIN)
def _weight(scaled: Any, side: Any, offset: Any) -> Any:
    zero = num(scaled[0], 0.0)
    slope, size = _slope_and_size(scaled, side, zero)
    crossed, whole = _crossed(scaled, side)
    left, left_slope, right, right_slope = -size, offset - slope, -crossed, offset - whole
    best, value = zero, left
    if not (left_slope > zero and right_slope < zero):
        return best
    for _ in range(STEPS):
        weight = (right - left) / (left_slope - right_slope)
        weight = weight if zero <= weight < np.inf else zero
        slope, size = _slope_and_size(scaled, side, weight)
        slope, now = offset - slope, weight * offset - size
        if now > value:
            best, value = weight, now
        if slope > zero:
            left, left_slope = now - weight * slope, slope
        else:
            right, right_slope = now - weight * slope, slope
    return best


@compiled(**PLAIN)
def weight_rows(
    begin: int, end: int, form: Any, middle: Any, radius: Any, normal: Any, level: Any, found: Any
) -> None:
    """`weights`."""
    rows, halves = found.shape[1], found.shape[2]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        scaled, side = at(form, b, s) * radius[b], np.empty_like(radius[b])
        for h in range(halves):
            offset = -level[b, h]
            for i in range(len(side)):
                side[i] = normal[b, h, i] * radius[b, i]
                offset += normal[b, h, i] * middle[b, i]
            weight = _weight(scaled, side, offset)
            found[b, s, h] = weight
            for i in range(len(side)):
                scaled[i] += weight * side[i]


@compiled(**SUMS)
def _least(joint: Any, mass: Any, low: Any, high: Any) -> tuple[Any, Any]:
    total, size, zero = num(joint[0], 0.0), num(joint[0], 0.0), num(joint[0], 0.0)
    for i in range(len(joint)):
        x = low[i] if joint[i] > zero else high[i]
        reach = max(abs(low[i]), abs(high[i]))
        total += zero if joint[i] == zero else joint[i] * x
        size += zero if mass[i] == zero else mass[i] * reach
    return total, size


@compiled(**PLAIN)
def dual_rows(
    begin: int,
    end: int,
    form: Any,
    low: Any,
    high: Any,
    normal: Any,
    level: Any,
    weight: Any,
    value: Any,
    size: Any,
) -> None:
    """`reference.dual`."""
    rows = value.shape[1]
    for r in range(begin, end):
        b, s = r // rows, r % rows
        joint = at(form, b, s).copy()
        mass = np.abs(joint)
        total, wide = num(joint[0], 0.0), num(joint[0], 0.0)
        for h in range(level.shape[1]):
            w = weight[b, s, h]
            total -= w * level[b, h]
            wide += w * abs(level[b, h])
            for i in range(len(joint)):
                joint[i] += w * normal[b, h, i]
            for i in range(len(joint)):
                mass[i] += w * abs(normal[b, h, i])
        least, reach = _least(joint, mass, low[b], high[b])
        value[b, s], size[b, s] = total + least, wide + reach


@compiled(**SUMS)
def _reach(own: Any, side: Any, weight: Any) -> Any:
    """Σ |own + weight·side|."""
    total = num(own[0], 0.0)
    for i in range(len(own)):
        total += abs(own[i] + weight * side[i])
    return total


@compiled(**PLAIN)
def reach_rows(begin: int, end: int, form: Any, below: Any, above: Any, weight: Any, found: Any) -> None:
    """`reach`."""
    zero = num(form[0, 0, 0], 0.0)
    for p in range(begin, end):
        for s in range(found.shape[1]):
            for m in range(found.shape[2]):
                w = weight[p, s, m]
                found[p, s, m] = _reach(form[p, s], above[p] if w < zero else below[p], w)


@compiled(**PLAIN)
def _before(ascending: Any, first: int, last: int, x: Any) -> int:
    """How many of ascending[first:last] are below x."""
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low - first


@compiled(**PLAIN)
def _nearest(x: Any, ascending: Any) -> Any:
    i = _before(ascending, 0, len(ascending), x)
    if i == len(ascending) or (i > 0 and x <= 0.5 * (ascending[i - 1] + ascending[i])):
        return ascending[i - 1]
    return ascending[i]


@compiled(**PLAIN)
def _middle(l: Any, u: Any) -> Any:  # noqa: E741
    point = 0.5 * l + 0.5 * u
    if np.isinf(u):
        point = l + max(abs(l), 1.0)
    if np.isinf(l):
        point = u - max(abs(u), 1.0)
    return point if np.isfinite(point) else 0.0


@compiled(**PLAIN)
def _mixed(cell: Any, across: Any, up: Any) -> Any:
    """The share that the rule of a cell reads from its corners."""
    a, b, c, d, rule = cell[0], cell[1], cell[2], cell[3], cell[4]
    if rule == MIDDLE:
        return 0.5
    if rule == INTERPOLATE or rule >= FIRST_STOP:
        first, second = a + across * (b - a), c + across * (d - c)
        return first + up * (second - first)
    above = rule == CORNERS + 2 or rule == CORNERS + 3 or (rule == NEAREST and up >= 0.5)
    beyond = rule == CORNERS + 1 or rule == CORNERS + 3 or (rule == NEAREST and across >= 0.5)
    if above:
        return d if beyond else c
    return b if beyond else a


@compiled(**PLAIN)
def _point(
    l: Any, u: Any, aim: int, centres: Any, between: Any, places: Any, cells: Any, aims: Any, stops: Any,  # noqa: E741
    jumps: Any, numbers: Any, rows: int,
) -> Any:  # fmt: skip
    first, step, reach, period, start, end, widest = numbers
    low, high = max(l, start), min(u, end)
    width, centre = high - low, 0.5 * low + 0.5 * high
    if not (0.0 < width < np.inf and width <= widest and abs(centre) <= reach):
        return _middle(l, u)
    turn = np.floor((centre - centres[0]) / period) * period if period else 0.0
    nearest, wrapped = _before(between, 0, len(between), centre - turn), 0.0
    if nearest == len(centres):
        nearest, wrapped = 0, period
    z = (centre - turn - (centres[nearest] + wrapped)) / (min(width, period) if period else width)
    column = _before(places, 1, len(places) - 1, z)
    across = min(max((z - places[column]) / (places[column + 1] - places[column]), 0.0), 1.0)
    height = min(max((np.log2(width) - first) / step, 0.0), float(rows))
    line = min(int(height), rows - 1)
    cell = cells[((nearest * rows + line) * (len(places) - 1) + column) * 3 + aim]
    point, rule = low + _mixed(cell, across, height - line) * width, cell[4]
    if len(aims):
        back = np.floor((point - centres[0]) / period) * period if period else 0.0
        goal = _nearest(point - back, aims) + back
        if abs(goal - point) <= SNAP * width and low < goal < high:
            point = goal
    if len(stops):
        point = _stopped(point, rule, turn + wrapped, low, high, centres, stops, jumps, period)
    return point if l < point < u else _middle(l, u)


@compiled(**PLAIN)
def _stopped(
    point: Any, rule: Any, turn: Any, low: Any, high: Any, centres: Any, stops: Any, jumps: Any, period: Any
) -> Any:
    """The stop that the rule names where it is inside, else the point, off jumps."""
    if rule >= FIRST_STOP:
        i = int(rule) - FIRST_STOP
        stop, side = stops[i, 0] + turn, stops[i, 1]
        if side != 0.0:
            stop = np.nextafter(stop, np.copysign(np.inf, side))
        if low < stop < high:
            return stop
    if len(jumps):
        back = np.floor((point - centres[0]) / period) * period if period else 0.0
        jump = _nearest(point - back, jumps) + back
        if abs(jump - point) <= ON * max(high - low, abs(jump)):
            return np.nextafter(jump, np.inf if jump - low < high - jump else -np.inf)
    return point


@compiled(**PLAIN)
def point_rows(
    begin: int, end: int, l: Any, u: Any, weight: Any, centres: Any, between: Any, places: Any,  # noqa: E741
    cells: Any, aims: Any, stops: Any, jumps: Any, numbers: Any, rows: int, found: Any,
) -> None:  # fmt: skip
    """`points` of flat intervals."""
    for i in range(begin, end):
        below, above = weight[i, 0], weight[i, 1]
        aim = 1 - int(below > ONE_SIDED * above) + int(above > ONE_SIDED * below)
        found[i] = _point(l[i], u[i], aim, centres, between, places, cells, aims, stops, jumps, numbers, rows)
