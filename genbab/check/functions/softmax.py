"""Softmax of rows: intervals, and planes below and above every entry.

Arrays are (..., K): rows of K entries. `apart` is known of differences, x_j - x_k at [..., j, k]. Each plane
holds for any parameters, which are chosen for the tangents at a point:

    e^y / t >= v (2 + y - 2 log v + log b) - b t        for t, v, b > 0,
    1 / t >= 2 sqrt(b) - b t                            for t, b > 0,
    log sum e^x_j >= sum q_j x_j - sum q_j log q_j      for q >= 0 that add up to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genbab.check.functions.formula import apply, argument
from genbab.check.functions.lines import Slant, intercepts
from genbab.check.functions.primitives import logistic, logistic_slope
from genbab.check.intervals import TINY, TRUST, UNIT, Array, Pair, gamma, magnitude, monotone

SIGMOID = apply("sigmoid", argument())
FAR = 300.0  # differences above have no chord
ROOM = 2 * TRUST + 2000 * UNIT  # relative error of e^d, d a rounded difference of at least -745
SAMPLES = 24


class SharePlanes(NamedTuple):
    """below x + low <= softmax(x) <= above x + high on a box: matrices (..., K, K), intercepts (..., K)."""

    below: Array
    low: Array
    above: Array
    high: Array
    at: Array  # the point (..., K) that they are tangent at


def logits(x: Pair, apart: Pair | None) -> Pair:
    """Intervals of x_k less the logarithm of the sum of e^x_j over j other than k."""
    ends = []
    for own, other, sign in ((x[0], x[1], -1.0), (x[1], x[0], 1.0)):
        top, rest = _rest(other)
        rest = np.maximum(rest - sign * TINY, 0.0)
        found = (own - top) - np.log(rest)
        size = np.abs(own) + np.abs(top) + np.abs(np.log(rest)) * 64
        ends.append(found + sign * (4 * UNIT * size + 2 * ROOM + gamma(other.shape[-1])))
    low, high = ends
    if apart is not None:
        diagonal = np.eye(x[0].shape[-1], dtype=bool)
        for end, sign in ((1, -1.0), (0, 1.0)):
            each = np.where(diagonal, -np.inf, apart[end])
            top = each.max(-2)
            total = np.log(np.exp(each - top[..., None, :]).sum(-2))
            room = 4 * UNIT * (np.abs(top) + 64 * np.abs(total)) + 2 * ROOM + gamma(each.shape[-1])
            found = -top - total + sign * room
            low, high = (np.fmax(low, found), high) if end else (low, np.fmin(high, found))
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _rest(x: Array) -> Pair:
    """The greatest entry of each row, and the sum of e^(x_j - it) over j other than k."""
    top = x.max(-1, keepdims=True)
    powers = np.exp(x - top)
    none = np.zeros_like(powers[..., :1])
    before = np.concatenate([none, np.cumsum(powers, -1)[..., :-1]], -1)
    after = np.concatenate([np.cumsum(powers[..., ::-1], -1)[..., ::-1][..., 1:], none], -1)
    return np.broadcast_to(top, x.shape), np.maximum(before + after, 0.0)


def ranges(x: Pair, apart: Pair | None) -> Pair:
    """Intervals of the softmax."""
    if x[0].shape[-1] == 1:
        return np.ones_like(x[0]), np.ones_like(x[0])
    with np.errstate(all="ignore"):
        return _of_logits(logits(x, apart))


def _of_logits(s: Pair) -> Pair:
    return monotone(logistic, s, 0.0, 1.0)


def planes(x: Pair, apart: Pair | None, at: Array) -> SharePlanes:
    """SharePlanes near the tangents at a point (..., K), which is moved into the box."""
    at = np.clip(np.where(np.isnan(at), 0.0, at), *x)
    flat = np.zeros((*x[0].shape, x[0].shape[-1]))
    if x[0].shape[-1] == 1:
        low, high = ranges(x, apart)
        return SharePlanes(flat, low, flat, high, at)
    with np.errstate(all="ignore"):
        s = logits(x, apart)
        low, high = _of_logits(s)
        below, icpt = _below(x, at)
        if apart is not None:
            more, other = _below_apart(x, apart, at)
            better = _value(more, other, at) > _value(below, icpt, at)
            below, icpt = np.where(better[..., None], more, below), np.where(better, other, icpt)
        below, icpt = _usable(below, icpt, low, at, 1.0)
        above, roof = _usable(*_above(x, s, at), high, at, -1.0)
    return SharePlanes(below, icpt, above, roof, at)


def _usable(slope: Array, icpt: Array, end: Array, at: Array, sign: float) -> Pair:
    """The planes, and the end of the interval where they are no better at the point or not finite."""
    good = np.isfinite(slope).all(-1) & np.isfinite(icpt)
    good &= sign * (_value(np.where(good[..., None], slope, 0.0), icpt, at) - end) > 0
    return np.where(good[..., None], slope, 0.0), np.where(good, icpt, end)


def _value(slope: Array, icpt: Array, at: Array) -> Array:
    return np.asarray((slope @ at[..., None])[..., 0] + icpt)


def _chords(low: Array, high: Array, shift: Array) -> tuple[Array, Array]:
    """(start, slope): start + slope (d - low) is at least e^(d - shift) on [low, high]."""
    ends = [np.exp(d - shift) * (1 + ROOM) + TINY for d in (low, high)]
    width = np.nextafter(high - low, 0.0)
    slope = np.where(width > 0, np.maximum(ends[1] - ends[0], 0.0) / width, 0.0)
    rise = np.nextafter(slope * width, 0.0)
    return np.maximum(ends[0], np.nextafter(ends[1] - rise, np.inf)), slope


def _below(x: Pair, at: Array) -> Pair:
    """e^(x_k - M) over a sum of chords, M the greatest upper end."""
    top = x[1].max(-1, keepdims=True)
    start, slope = _chords(*x, top)
    total = (start + slope * (at - x[0])).sum(-1, keepdims=True)
    value = np.exp(at - top) / total
    b = value / total
    constant = (
        value * (2 - top - 2 * np.log(value) + np.log(b)) - b * (start - slope * x[0]).sum(-1)[..., None]
    )
    logs = 2 + np.abs(top) + 66 * (2 * np.abs(np.log(value)) + np.abs(np.log(b)))
    size = value * (logs + magnitude(x))
    size = size + b * (start + slope * (np.abs(x[0]) + magnitude(x)) * 2).sum(-1)[..., None]
    diagonal = np.eye(at.shape[-1])
    matrix = value[..., None] * diagonal - b[..., None] * slope[..., None, :]
    return matrix, constant - 2 * gamma(at.shape[-1] + 16) * size - TINY


def _below_apart(x: Pair, apart: Pair, at: Array) -> Pair:
    """1 / (1 + the sum of chords of e^(x_j - x_k))."""
    diagonal = np.eye(at.shape[-1], dtype=bool)
    usable = np.where(diagonal, 0.0, apart[1]).max(-2) < FAR
    low, high = (np.where(diagonal | ~usable[..., None, :], 0.0, end) for end in apart)
    start, slope = (
        np.where(diagonal, 0.0, part).swapaxes(-1, -2) for part in _chords(low, high, np.zeros(()))
    )
    low = low.swapaxes(-1, -2)  # [..., k, j], as the coefficients
    fixed = 1 + (start - slope * low).sum(-1)
    total = fixed + (slope * (at[..., None, :] - at[..., :, None])).sum(-1)
    b = np.where(total > 0, 1 / (total * total), 0.0)
    matrix = -b[..., None] * (slope - np.where(diagonal, slope.sum(-1)[..., None], 0.0))
    reach = magnitude(x)
    size = 1 + (start + slope * (np.abs(low) + reach[..., None, :] + reach[..., :, None])).sum(-1)
    owed = 4 * gamma(at.shape[-1] + 16) * (b * size + 2 * np.sqrt(b)) + TINY
    return matrix, np.where(usable, 2 * np.sqrt(b) - b * fixed - owed, -np.inf)


def _above(x: Pair, s: Pair, at: Array) -> Pair:
    """A line above the sigmoid, increasing, of a plane above the logit."""
    count = at.shape[-1]
    diagonal = np.eye(count, dtype=bool)
    each = np.where(diagonal, -np.inf, at[..., None, :])
    powers = np.exp(each - each.max(-1, keepdims=True))
    q = powers / powers.sum(-1, keepdims=True)
    entropy = np.where(q > 0, q * np.log(q), 0.0).sum(-1)
    k = np.minimum(logistic_slope(at - (q * at[..., None, :]).sum(-1) + entropy), _steepest(s))
    k = np.where(np.isfinite(k), np.maximum(k, 0.0), 0.0)
    flat = [(s[0].ravel(), s[1].ravel())]
    question = Slant(SIGMOID, np.arange(k.size), flat, [k.ravel()], np.full(k.size, -1.0))
    used, icpt = intercepts(question)
    k, c = used[0].reshape(k.shape), icpt.reshape(k.shape)
    matrix = k[..., None] * (diagonal - q)
    most = magnitude(x).max(-1, keepdims=True)
    size = k * (2 * most + 66 * (np.abs(entropy) + 1)) + np.abs(c)
    return matrix, c + k * entropy + 8 * gamma(count + 16) * size + TINY


def _steepest(s: Pair) -> Array:
    """About the slope of the concave envelope of the sigmoid at the lower end of intervals."""
    width = s[1] - s[0]
    found = logistic_slope(s[0])
    for share in np.linspace(0.0, 1.0, SAMPLES + 1)[1:]:
        step = width * share
        rise = (logistic(s[0] + step) - logistic(s[0])) / step
        found = np.fmax(found, np.where(step > 0, rise, 0.0))
    return found


def knapsack(a: Array, low: Array, high: Array) -> Array:
    """(..., 1): a multiplier of the sum of entries, which is 1, near the best for these values of planes."""
    a, low, high = np.broadcast_arrays(a, low, high)
    order = np.argsort(a, -1)
    room = np.cumsum(np.take_along_axis(np.maximum(high - low, 0.0), order, -1), -1)
    left = 1.0 - low.sum(-1, keepdims=True)
    place = np.minimum((room < left).sum(-1, keepdims=True), a.shape[-1] - 1)
    return np.take_along_axis(a, np.take_along_axis(order, place, -1), -1)
