"""Normalisation layers."""

from __future__ import annotations

import numpy as np

from tests.reader.cases.case import case, weights

POSITIVE = np.abs(weights(2)) + 0.5

CASES = [
    case("BatchNormalization", (1, 2, 3), weights(2), weights(2, seed=2), weights(2, seed=3), POSITIVE),
    case("LayerNormalization", (2, 4), weights(4), weights(4, seed=2)),
    case("LayerNormalization", (1, 2, 2), weights(2, 2), None, axis=1, epsilon=0.01),
    case("LayerNormalization", (1, 3), weights(3), weights(3), outputs=3),
    case("RMSNormalization", (2, 4), weights(4), opset=23),
    case("RMSNormalization", (1, 2, 2), weights(2, 2), opset=23, axis=1, epsilon=0.01),
    case("SimplifiedLayerNormalization", (2, 3), weights(3), low=0.5),
    case("InstanceNormalization", (1, 2, 4), weights(2), weights(2, seed=2)),
    case("GroupNormalization", (1, 4, 2), weights(4), weights(4, seed=2), opset=21, num_groups=2),
    case("GroupNormalization", (1, 4, 2), weights(2), weights(2, seed=2), opset=18, num_groups=2),
    case("MeanVarianceNormalization", (1, 1, 2, 2), low=2.0, high=4.0, loose=True),
    case("MeanVarianceNormalization", (1, 2, 3), axes=[2], loose=True),
    case("LpNormalization", (2, 3), low=0.5),
    case("LpNormalization", (2, 3), low=0.5, p=1, axis=0),
    case("LRN", (1, 4, 1, 2), size=3, alpha=0.5),
    case("LRN", (1, 3, 1, 2), size=1, beta=0.5, bias=2.0),
    case("LRN", (1, 2, 1, 2), size=5),
]
