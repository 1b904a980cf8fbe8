"""The property of a sample in a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbab.nap import Pattern
from genbab.reader import Model
from genbab.specs import Spec, robustness
from genbab.studies.data import Floats


def ball(model: Model, x: Floats, details: Mapping[str, Any], eps: float) -> Spec:
    """Unsafe: another class reaches the output of details["label"] within eps of x (D,).

    Inside details["bounds"], where the hidden values follow details["pattern"], if there is one. Raises
    `SpecError` for what `genbab.specs.robustness` refuses.
    """
    clip = None if details["bounds"] is None else (details["bounds"][0], details["bounds"][1])
    spec = robustness(x, int(details["label"]), model.network.output_size, eps, clip, details["norm"])
    return Pattern.from_dict(details["pattern"]).within(spec) if "pattern" in details else spec
