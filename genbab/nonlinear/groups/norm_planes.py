"""Planes below any linear form of the values of a norm, for any slope: the intercept is bounded.

With σ = 1/√(Σ z² + floor), known to lie in [s, t], every entry is y_i = z_i·σ. For a slope k and any
multiplier λ, since Σ z² + floor - σ⁻² = 0,

    Σ A·y - k·z  =  P(z, σ) + λ·(floor - σ⁻²),      P(z, σ) = Σ (A_i·σ - k_i)·z_i + λ·z_i².

The least P over the box of z is one clamp per entry. It is concave in σ, as every P(z, ·) is linear: so it
lies above its chord, and the least sum of the chord and -λ·σ⁻² is at an end (λ >= 0) or where the derivative
of a convex function vanishes (λ < 0). [s, t] is cut into a few cells with a multiplier each; the dual value
is concave in λ, and a few steps find a good one. All of them are sound. Where the box is so wide that this
says less than the entries' ranges and Σ y² <= 1, the plane is a constant.

The default slope is the gradient at the centre of the box; what is searched is the difference to it, uphill
along (v - z*), v where the whole form is least and z* where the plane touches (envelope theorem).

Shapes: B domains, S rows of the specification, R rows of K entries, N = R·K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.nonlinear.groups.kind import GroupKind
from genbab.nonlinear.groups.norm import Norm, NormBox
from genbab.nonlinear.groups.softmax import by_rows

TRIED = {False: 4, True: 12}
"""Multipliers tried per cell: while slopes are searched, and for a bound that is kept."""

RATIOS = (1.08, 1.6)
"""One cell where the largest σ is at most this often the smallest, two cells, or else four."""

_NONE = {torch.float32: 1e-25, torch.float64: 1e-200}
"""Multipliers below this count as 0."""


@dataclass(frozen=True, eq=False)
class _Cell:
    """The bound of Σ A·y - k·z on one cell of σ, and where it is attained; all (B, S, R, 1 or K).

    mass: what rounding errors of the value are relative to; z: the point; y: z·σ there; rise: the value's
    derivative by λ.
    """

    value: Tensor
    mass: Tensor
    z: Tensor
    y: Tensor
    rise: Tensor

    def chosen(self, other: _Cell, mine: Tensor) -> _Cell:
        """This one where the mask is true, the other elsewhere."""
        return _Cell(
            torch.where(mine, self.value, other.value),
            torch.where(mine, self.mass, other.mass),
            torch.where(mine, self.z, other.z),
            torch.where(mine, self.y, other.y),
            torch.where(mine, self.rise, other.rise),
        )


@dataclass(frozen=True, eq=False)
class NormPlanes:
    """A plane below Σ A·norm for every row of a specification: form (B, S, N), constants (B, S, R).

    masses (B, S, R): what rounding errors are relative to, those of adding the form to others included; None
    unless rigorous. upper (B, S, R, K): entries with A < 0; at (B, S, N): differences to the default slopes;
    touch, step (B, S, N): where the planes touch, and a natural step of the slopes. values (B, S, R, K): y
    there; flat (B, S, R, 1): planes that are constants; gradient: σ and the centre that give default slopes.
    """

    form: Tensor
    constants: Tensor
    masses: Tensor | None
    upper: Tensor
    at: Tensor
    touch: Tensor
    step: Tensor
    values: Tensor
    flat: Tensor
    gradient: tuple[Tensor, Tensor]

    def along(self, v: Tensor) -> Tensor:
        """The entries' lines at arguments v (B, S, N): the derivative by A of the form at v."""
        scale, centre = self.gradient
        length = centre.shape[-1]
        delta = by_rows(v - self.touch, length)
        moved = scale * (delta - scale.square() * centre * (centre * delta).sum(-1, keepdim=True))
        return torch.where(self.flat, self.values, self.values + moved).flatten(-2)

    def moved(self, at: Tensor, v: Tensor, rate: float, direction: Callable[[Tensor], Tensor]) -> Tensor:
        """The slopes' differences `at`, moved uphill."""
        uphill = torch.nan_to_num_(self.uphill(v), nan=0.0, posinf=0.0, neginf=0.0)
        return at + direction(uphill) * self.step * rate

    def uphill(self, v: Tensor) -> Tensor:
        """The derivative of the form at v by the slopes, (B, S, N)."""
        return v - self.touch


def norm_planes(box: NormBox, a: Tensor, at: Tensor | None, *, rigorous: bool) -> NormPlanes:
    """Planes below Σ a·norm on the box, a (B, S, N).

    Their slopes differ from the default ones by `at` (B, S, N): any differences are sound.

    Rigorous: they hold over the reals once a multiple of eps·masses is taken off (`norm_roundings`).
    """
    length = box.fn.length
    rows = by_rows(a, length)
    slow, fast = box.scale
    scale, centre = (slow * fast).sqrt(), box.middle
    total = (rows * centre).sum(-1, keepdim=True)
    k = scale * (rows - scale.square() * total * centre)
    shift = torch.zeros_like(a) if at is None else at.expand(a.shape).nan_to_num(0.0, 0.0, 0.0)
    k = k + by_rows(shift, length)
    found = _least(box, rows, k, total, TRIED[rigorous])
    low, mixed = _constants(box, rows)
    here = (k * centre).sum(-1, keepdim=True) + found.value
    flat = ~(here > low) | ~box.usable
    form = torch.where(flat, 0.0, k)
    constants = torch.where(flat, low, found.value)[..., 0]
    masses = None
    if rigorous:
        flat_mass = torch.where(torch.isfinite(low), rows.abs().sum(-1, keepdim=True), 0.0)
        masses = torch.where(flat, flat_mass, found.mass)[..., 0].nan_to_num(torch.inf, torch.inf)
    wide = box.ends[1] - box.ends[0]
    step = rows.abs() * (fast - slow) + total.abs() * scale.pow(3) * wide
    return NormPlanes(
        form.flatten(-2),
        constants,
        masses,
        rows < 0,
        shift,
        found.z.flatten(-2),
        step.flatten(-2),
        torch.where(flat, mixed, found.y),
        flat,
        (scale, centre),
    )


def norm_roundings(length: int) -> int:
    """How many units of rounding error, relative to the masses, planes of rows of this length have."""
    return 16 * (64 + length)


def norm_lost(box: NormBox, a: Tensor, at: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """Roughly what the interval of each number of each argument costs Σ a·norm at v, >= 0.

    (B, S, size of the argument) each.
    """
    length = box.fn.length
    found = norm_planes(box, a, at, rigorous=False)
    rows, z, touch = by_rows(a, length), by_rows(v, length).clamp(*box.ends), by_rows(found.touch, length)
    root = (z.square().sum(-1, keepdim=True) + box.fn.floor).rsqrt()
    total = (rows * z).sum(-1, keepdim=True)
    curve = -total * root.pow(3) / 2
    bent = (rows * root - by_rows(found.form, length)) * (z - touch) + curve * (z.square() - touch.square())
    own = torch.where(found.flat, rows.abs() * (box.range[1] - box.range[0]) / 2, bent).clamp_min(0.0)
    parts = [own.flatten(-2)]
    if box.sums is not None:
        slow, fast = box.scale
        there = (fast - root).clamp_min(0.0) + (root - slow).clamp_min(0.0)
        parts.append((total.abs() * there / 2)[..., 0])
    return tuple(part.nan_to_num(0.0) for part in parts)


def _least(box: NormBox, a: Tensor, k: Tensor, total: Tensor, tried: int) -> _Cell:
    """The least value of Σ a·y - k·z over the box, bounded from below."""
    slow, fast = box.scale
    ratio = float((fast / slow).amax()) if slow.numel() else 1.0
    cells = 1 if ratio <= RATIOS[0] else 2 if ratio <= RATIOS[1] else 4
    factor = (fast / slow).pow(1.0 / cells)
    edges = [slow, *(slow * factor**n for n in range(1, cells)), fast]
    found: _Cell | None = None
    for low, high in zip(edges, edges[1:], strict=False):
        one = _searched(box, a, k, total, (low, torch.maximum(low, high)), tried)
        if found is not None:
            mass = torch.maximum(found.mass, one.mass)
            one = replace(found.chosen(one, found.value <= one.value), mass=mass)
        found = one
    assert found is not None
    return found


def _searched(
    box: NormBox, a: Tensor, k: Tensor, total: Tensor, cell: tuple[Tensor, Tensor], tried: int
) -> _Cell:
    """The bound on the cell of σ with the best of so many multipliers."""
    low, high = cell
    scale = (box.scale[0] * box.scale[1]).sqrt()
    size = a.norm(dim=-1, keepdim=True) * high.square() + k.norm(dim=-1, keepdim=True) * high
    multiplier = -total * scale * low * high / 2
    step = multiplier.abs() / 8 + size / 100
    below, above = multiplier - 1e3 * step, multiplier + 1e3 * step
    rise_below, rise_above = torch.full_like(size, torch.inf), torch.full_like(size, -torch.inf)
    best: _Cell | None = None
    for _ in range(tried):
        one = _cell(box, a, k, multiplier, low, high)
        best = one if best is None else one.chosen(best, one.value > best.value)
        rising = one.rise > 0
        below, rise_below = torch.where(rising, multiplier, below), torch.where(rising, one.rise, rise_below)
        above, rise_above = torch.where(rising, above, multiplier), torch.where(rising, rise_above, one.rise)
        known = torch.isfinite(rise_below) & torch.isfinite(rise_above)
        part = (rise_below / (rise_below - rise_above)).clamp(0.1, 0.9)
        further = torch.where(rising, multiplier + step, multiplier - step)
        multiplier = torch.where(known, torch.lerp(below, above, part), further)
        step = 3 * step
    assert best is not None
    return best


def _cell(box: NormBox, a: Tensor, k: Tensor, multiplier: Tensor, low: Tensor, high: Tensor) -> _Cell:
    """The bound for one multiplier λ (B, S, R, 1) on σ in [low, high]."""
    lam = torch.where(multiplier.abs() < _NONE[a.dtype], 0.0, multiplier)
    ends = [_clamped(box, a * s - k, lam) for s in (low, high)]
    (first, p), (second, q) = ends
    wide = high - low
    slope = torch.where(wide > 0, (q - p) / wide.clamp_min(torch.finfo(a.dtype).tiny), 0.0)
    bend = -lam.clamp_max(0.0)
    root = (2 * bend / slope.clamp_min(torch.finfo(a.dtype).tiny)).pow(1.0 / 3.0)
    root = torch.minimum(torch.maximum(root, low), high)
    left = p - lam / low.square() <= q - lam / high.square()
    at = torch.where(lam < 0, torch.where(slope > 0, root, high), torch.where(left, low, high))
    part = torch.where(wide > 0, (at - low) / wide.clamp_min(torch.finfo(a.dtype).tiny), 0.0).clamp(0.0, 1.0)
    # convex in σ: the tangent at any σ in the cell lies below, however far from the least value that σ is
    leans = slope - 2 * bend / at.pow(3)
    missed = torch.maximum(leans * (at - low), -leans * (high - at)).clamp_min(0.0)
    missed = torch.where(lam < 0, missed, 0.0)
    value = torch.lerp(p, q, part) + lam * (box.fn.floor - at.pow(-2)) - missed
    size = torch.maximum(box.ends[0].abs(), box.ends[1].abs())
    mass = ((a.abs() * high + k.abs() + lam.abs() * size) * size).sum(-1, keepdim=True)
    mass = 2 * mass + lam.abs() * (box.fn.floor + 4 * high / low.pow(3))
    z = torch.lerp(first, second, part)
    y = torch.lerp(first * low, second * high, part)
    squares = torch.lerp(first.square().sum(-1, keepdim=True), second.square().sum(-1, keepdim=True), part)
    return _Cell(value, mass, z, y, squares + box.fn.floor - at.pow(-2))


def _clamped(box: NormBox, q: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
    """(z, Σ q·z + λ·z²) at the least such sum over the box."""
    low, high = box.ends
    inner = torch.minimum(torch.maximum(-q / (2 * lam), low), high)
    outer = torch.where(q + lam * (low + high) > 0, low, high)
    z = torch.where(lam > 0, inner, outer)
    return z, ((q + lam * z) * z).sum(-1, keepdim=True)


def _constants(box: NormBox, a: Tensor) -> tuple[Tensor, Tensor]:
    """A lower bound (B, S, R, 1) of Σ a·y by the entries' ranges and by Σ y² <= 1; the y that attain it."""
    low, high = box.range
    y = torch.where(a >= 0, low, high)
    by_entry = torch.where(a == 0, 0.0, a * y).sum(-1, keepdim=True)
    length = a.norm(dim=-1, keepdim=True)
    room = box.rounding
    by_length = torch.where(torch.isfinite(y).all(-1, keepdim=True), -length * (1 + room), -torch.inf)
    whole = by_length > by_entry
    return torch.maximum(by_entry, by_length), torch.where(whole, -a / length.clamp_min(1e-30), y)


def _box(fn: Norm, boxes: list[tuple[Tensor, Tensor]]) -> NormBox:
    return NormBox(fn, *boxes[0], boxes[1] if len(boxes) > 1 else None)


def _planes(box: NormBox, a: Tensor, at: Tensor | None, rigorous: bool) -> NormPlanes:
    return norm_planes(box, a, at, rigorous=rigorous)


def _lost(box: NormBox, a: Tensor, at: Tensor, v: Tensor, known: object) -> tuple[Tensor, ...]:
    return norm_lost(box, a, at, v)


KIND = GroupKind(Norm, _box, _planes, norm_roundings, _lost)
"""What bounds need of norms."""
