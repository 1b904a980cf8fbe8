"""Labels: numbers that stand for classes, looked up in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from genbab.reader.lower.ml.scores import TEXT, numbered
from genbab.reader.lower.numbers.comparison import equal
from genbab.reader.lower.numbers.reductions import reduce_sum
from genbab.reader.lower.table import ml_lowering
from genbab.reader.tensors.arithmetic import combine, scale
from genbab.reader.tensors.builder import Builder
from genbab.reader.tensors.values import Array, Op, Refused, Value, Var, integers, needed, room


@ml_lowering(
    "ArrayFeatureExtractor", how="affine: numbers are moved; at the place that an ArgMax finds, a sum"
)
def _extract(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """The entries of the last axis at these places."""
    x, at = needed(inputs, 0), needed(inputs, 1)
    if not isinstance(x, Var) and x.dtype.kind in "OSU":
        raise Refused(TEXT)
    if isinstance(at, Var):
        return _at_winner(b, x, at)
    places = integers(at, "its places") or []
    length = x.shape[-1]
    if any(not 0 <= p < length for p in places):
        raise ValueError(f"a place outside of 0 to {length - 1}")
    found = np.take(np.arange(x.size).reshape(x.shape), places, axis=-1)
    return b.gather(x, found.reshape(1, -1) if found.ndim == 1 else found)


def _at_winner(b: Builder, x: Value, at: Var) -> Value:
    """(1, n): constants at the places that were found by comparing."""
    if isinstance(x, Var) or x.size != x.shape[-1]:
        raise Refused("places that depend on the network's input, of what depends on it, too")
    room((at.size, x.size))
    won: Value
    if at.node in b.winners:
        won = b.winners[at.node]
        won = (
            won.reshaped((at.size, x.size)) if isinstance(won, Var) and won.size == at.size * x.size else won
        )
    else:
        won = equal(b, at.reshaped((at.size, 1)), np.arange(x.size))
    made = numbered(b, won, x.reshape(-1).astype(np.float64))
    return made.reshaped((1, at.size)) if isinstance(made, Var) else made.reshape(1, -1)


@ml_lowering("LabelEncoder", how="two steps per key")
def _label_encoder(b: Builder, op: Op, inputs: list[Value | None]) -> Value:
    """default + Σ_k (value_k - default) where x is key_k."""
    x = needed(inputs, 0)
    keys, values, default = _table(op)
    if not isinstance(x, Var):
        raise Refused("a table of constants")
    if len(keys) != len(values) or len(np.unique(keys)) < len(keys):
        raise ValueError(
            f"{len(keys)} keys, {len(np.unique(keys))} of them different, and {len(values)} values"
        )
    if not np.isfinite(keys).all():
        raise Refused("a key that is no finite number")
    room((x.size, len(keys)))
    hit = equal(b, x.reshaped((x.size, 1)), keys.astype(np.int64) if x.whole else keys)
    chosen = scale(b, hit, values - default)
    total = reduce_sum(b, chosen, [1], keep=False) if isinstance(chosen, Var) else chosen.sum(axis=1)
    made = combine(b, [(total, 1.0), (np.array(default), 1.0)])
    if isinstance(made, Var):
        ends = np.append(values, default)
        b.known[made.node] = float(ends.min()), float(ends.max())
        return made.reshaped(x.shape)
    return np.asarray(made).reshape(x.shape)


def _table(op: Op) -> tuple[Array, Array, float]:
    """The keys, their values, and the value of everything else."""
    found: dict[str, Any] = {}
    for side in ("keys", "values"):
        for kind in ("int64s", "floats", "tensor"):
            value = op.attributes.get(f"{side}_{kind}")
            if value is not None:
                found[side] = numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
        if side not in found:
            raise Refused("text as keys or values")
    default = op.attributes.get("default_tensor")
    if isinstance(default, TensorProto):
        rest = float(numpy_helper.to_array(default).reshape(-1)[0])
    else:
        whole = "values_int64s" in op.attributes
        rest = float(
            op.attributes.get("default_int64", -1) if whole else op.attributes.get("default_float", 0.0)
        )
    keys, values = (np.asarray(found[side]).reshape(-1) for side in ("keys", "values"))
    if keys.dtype.kind not in "iuf" or values.dtype.kind not in "iuf":
        raise Refused("text as keys or values")
    return keys.astype(np.float64), values.astype(np.float64), rest
