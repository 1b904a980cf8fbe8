"""Where the zoo's files lie, and what is kept of a family beside its model and its two properties."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genbab.specs import Spec

ZOO = Path(__file__).resolve().parent
HOLDS, FAILS = 0.4, 1.1  # parts of the radius that the attack broke


@dataclass(frozen=True)
class Files:
    """The files of one family."""

    name: str

    @property
    def model(self) -> Path:
        """The network."""
        return ZOO / "onnx" / f"{self.name}.onnx"

    def spec(self, kind: str) -> Path:
        """The property of that kind, holds or fails."""
        return ZOO / "vnnlib" / f"{self.name}_{kind}.vnnlib"

    @property
    def record(self) -> Path:
        """What is kept: `centre`, `clip`, `radius` that the attack broke, what train.py and run.py say."""
        return ZOO / "records" / f"{self.name}.json"

    def kept(self) -> dict[str, Any]:
        """The content of the record."""
        known: dict[str, Any] = json.loads(self.record.read_text())
        return known

    def keep(self, facts: dict[str, Any]) -> None:
        """Write the record."""
        lines = (f"{json.dumps(name)}: {json.dumps(fact)}" for name, fact in facts.items())
        self.record.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def at_radius(spec: Spec, kept: dict[str, Any], radius: float) -> Spec:
    """The property, asked of all inputs within `radius` of the centre instead."""
    centre = np.array(kept["centre"])
    lower, upper = (np.clip(centre + side * radius, *kept["clip"])[None] for side in (-1, 1))
    return dataclasses.replace(spec, lower=lower, upper=upper, lower_open=None, upper_open=None)
