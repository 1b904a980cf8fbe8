"""Recurrent layers and attention."""

from __future__ import annotations

import numpy as np

from tests.reader.cases.case import Case, case, ints, weights

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
HEADS = (1, 1, 2, 2)
MASK = np.array([[True, False], [True, True]])


def layer(kind: str, directions: int, **attributes: object) -> Case:
    """Two steps of a layer with two hidden units."""
    gates = GATES[kind]
    given = [weights(directions, gates * 2, n, seed=n) / 2 for n in (2, 2)]
    bias = weights(directions, gates * 4) / 2
    return case(kind, (2, 1, 2), *given, bias, hidden_size=2, **attributes)


CASES = [
    *(layer(kind, 1) for kind in GATES),
    *(layer(kind, 2, direction="bidirectional") for kind in GATES),
    layer("GRU", 1, linear_before_reset=1, direction="reverse"),
    case("Attention", HEADS, HEADS, HEADS, opset=23),
    case("Attention", HEADS, HEADS, HEADS, opset=23, is_causal=1),
    case("Attention", HEADS, HEADS, HEADS, MASK, opset=23, scale=0.5),
    case("RotaryEmbedding", (1, 2, 2, 4), weights(2, 2), weights(2, 2), ints(0, 1).reshape(1, 2), opset=23),
]
