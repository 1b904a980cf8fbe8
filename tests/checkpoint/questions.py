"""A small question that takes some rounds in every way to search, and runs of it that are killed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import genbab
from genbab.branch import SearchProgress
from genbab.config import Config
from genbab.driver.ledger import Ledger
from genbab.network import Affine, Dense, Input, Network, Nonlinear, evaluate
from genbab.nonlinear import make
from genbab.result import Result
from genbab.specs import Clause, Spec, write_vnnlib
from tests.soundness.graphs import to_onnx

WAYS: dict[str, dict[str, Any]] = {
    "inputs": {"branching": "input", "batch": 2},
    "neurons": {"branching": "neuron", "batch": 4, "retighten": "clipped"},
    "regions": {"branching": "neuron", "batch": 4},
    "mixed": {"branching": "mixed", "batch": 4},
}
"""Settings by the kind of search that they lead to."""

FEW = {"child_steps": 5, "root_steps": 3, "attack_restarts": 32}


@dataclass(frozen=True)
class Files:
    """A model, a specification of it, and the place of a checkpoint."""

    model: Path
    spec: Path
    kept: Path

    @staticmethod
    def asking(folder: Path, gap: float) -> Files:
        """Files of this folder in which `ask(gap)` is asked about the network `small`."""
        found = Files(folder / "model.onnx", folder / "spec.vnnlib", folder / "run.checkpoint")
        found.model.write_bytes(to_onnx(small()))
        found.ask(gap)
        return found

    def verify(self, way: str = "inputs", **settings: Any) -> Result:
        """The answer, without a checkpoint."""
        return genbab.verify(self.model, self.spec, config(way, **settings))

    def begin(self, way: str = "inputs", **settings: Any) -> Result:
        """The answer of a run that is kept."""
        return genbab.verify(self.model, self.spec, config(way, **settings), checkpoint=self.kept)

    def ask(self, gap: float, boxes: int = 1) -> None:
        """Ask whether y stays above its least value seen less this share of its range, on halves of a box."""
        network = small()
        x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, size=(50_000, 3)))
        y = evaluate(network, x)
        side = float(y.min()) - gap * float(y.max() - y.min())
        ends = np.linspace(-1, 1, boxes + 1)
        low, high = -np.ones((boxes, 3)), np.ones((boxes, 3))
        low[:, 0], high[:, 0] = ends[:-1], ends[1:]
        clauses = tuple(Clause(k, np.ones((1, 1)), None, np.array([side])) for k in range(boxes))
        write_vnnlib(Spec(low, high, clauses, 1), self.spec)


def config(way: str, **settings: Any) -> Config:
    """The settings of a way to search, for small networks."""
    return Config(**{**FEW, **WAYS[way], **settings})


def small() -> Network:
    """Two layers of eight tanh, three inputs."""
    generator = np.random.default_rng(0)

    def dense(source: int, rows: np.ndarray) -> Affine:
        weight: Tensor = torch.from_numpy(rows.astype(np.float32).astype(np.float64))
        return Affine(((source, Dense(weight)),), torch.zeros(len(rows), dtype=torch.float64))

    first, second = 2 * generator.normal(size=(8, 3)), generator.normal(size=(8, 8))
    tanh, last = make("tanh"), generator.normal(size=(1, 8))
    nodes = (
        dense(0, first),
        Nonlinear(tanh, (1,), 8),
        dense(2, second),
        Nonlinear(tanh, (3,), 8),
        dense(4, last),
    )
    return Network((Input(3), *nodes), 5)


class Killed(Exception):
    """The end of a process that nobody asked: nothing is written after it."""


class Killer:
    """Ends runs after rounds at random, and counts the domains that were bounded in all of them."""

    def __init__(self, seed: int, share: float) -> None:
        self.random, self.share = random.Random(seed), share
        self.bounded = self.kills = 0

    @contextmanager
    def at_work(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Within this, `Killed` is raised in one of some rounds."""
        follow = Ledger.follow

        def followed(ledger: Ledger, progress: SearchProgress) -> None:
            follow(ledger, progress)
            self.bounded += 2 * progress.splits
            if self.random.random() < self.share:
                self.kills += 1
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "follow", followed)
            yield
