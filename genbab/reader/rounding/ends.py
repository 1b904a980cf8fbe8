"""Constants at the ends of a format's range: below the normal numbers, or beyond them when joined."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genbab.network import Affine
from genbab.network.rounding.counts import REACH, terms_of
from genbab.network.rounding.formats import FORMATS, Format
from genbab.network.rounding.steps import Rounding
from genbab.reader.convert.convert import Lowered
from genbab.reader.rounding.kinds import CASTS, CHARGED
from genbab.reader.tensors.exact import ball
from genbab.reader.tensors.values import Inexact, Refused

Sizes = npt.NDArray[np.float64]

LEAST = 2.0**-149
"""The least number of float32 above 0."""

ROOM = 1.01
"""Room for a few roundings."""


def check_constants(step: Lowered) -> None:
    """Raises `Refused` where an operator without a charge for it reads a constant below the normal ones."""
    if step.op.kind in CHARGED or step.op.kind in CASTS:
        return
    if any(_below(value) for value in step.inputs):
        raise Refused("a constant below the normal numbers, which some programs take for 0")


def of_small_constants(step: Lowered, form: Format) -> Rounding | None:
    """What Add, Sub and Mul lose where constants below the normal numbers count as 0; None without these.

    Raises `Refused` for a quotient, which is lost as a whole.
    """
    if not any(_below(value) for value in step.inputs):
        return None
    if step.op.kind == "Div":
        raise Refused("a divisor or dividend below the normal numbers, which some programs take for 0")
    return Rounding(absolute=form.tiny * REACH, largest=REACH)


def of_joined_factor(node: Affine, step: Lowered, form: Format) -> float:
    """What is lost where a program multiplies the constant factors of `step` into a sum's weights beforehand.

    Raises `Refused` where that leaves the range.
    """
    sizes = [size_of(value) for value in step.inputs if isinstance(value, np.ndarray | Inexact)]
    most, least = _ends(sizes)
    factor = most if step.op.kind != "Div" else 1.0 / least
    return joined_range(node, factor, form)


def of_joined_norm(node: Affine, step: Lowered, form: Format) -> float:
    """The same for a batch normalisation, whose factor is joined with the weights before it."""
    return joined_range(node, float(normalising(step)[0].max(initial=0.0)), form)


def normalising(step: Lowered) -> tuple[Sizes, Sizes]:
    """(factors, reciprocals of the root) of a batch normalisation, at most."""
    scale, _, _, variance = (size_of(v) for v in step.inputs[1:5])
    with np.errstate(all="ignore"):
        root = ROOM / np.sqrt(variance + step.op.number("epsilon", 1e-5))
    return scale * root, root


def of_norm_scale(step: Lowered, epsilon: float, form: Format) -> float:
    """What is lost where the scale of a norm is multiplied by the root's reciprocal beforehand.

    Raises `Refused` where that may leave the range.
    """
    scale = step.inputs[1] if len(step.inputs) > 1 else None
    most = float(size_of(scale).max(initial=0.0)) if isinstance(scale, np.ndarray | Inexact) else 1.0
    if not most / math.sqrt(max(epsilon, LEAST)) < form.largest / 8.0:
        raise Refused("a scale that may leave the range before the norm is multiplied by it")
    return 4.0 * form.tiny * REACH


def joined_range(node: Affine, factor: float, form: Format) -> float:
    """What a sum may lose where its weights are multiplied by factors up to this, for sources below `REACH`.

    Raises `Refused` where that leaves the range.
    """
    weights = [part.some_weight for _, one in node.terms for part in one.parts]
    most = max([1.0, *(float(w.abs().max()) for w in weights if w is not None and w.numel())])
    if node.bias.numel():
        most = max(most, float(node.bias.abs().max()))
    if not most * factor < form.largest / 8.0:
        raise Refused("a factor that takes the weights before it out of the range")
    return 4.0 * float(terms_of(node).max()) * form.tiny * REACH


def size_of(value: object) -> Sizes:
    """The sizes of a constant's numbers, at most."""
    assert isinstance(value, np.ndarray | Inexact)
    number, error = ball(value)
    return np.abs(number) + error


def _ends(sizes: Sequence[Sizes]) -> tuple[float, float]:
    """The largest and the least size other than 0; 1 where there are none."""
    flat = np.concatenate([s.reshape(-1) for s in sizes]) if sizes else np.ones(1)
    flat = flat[flat > 0]
    return (float(flat.max()), float(flat.min())) if flat.size else (1.0, 1.0)


def _below(value: object) -> bool:
    """Whether a constant has numbers other than 0 below the normal ones: of float32 for shorter types."""
    form = FORMATS.get(value.dtype.name) if isinstance(value, np.ndarray) else None
    if form is None or not isinstance(value, np.ndarray):
        return False
    size = np.abs(value.astype(np.float64))
    return bool(((size > 0) & (size < form.wide.tiny)).any())
