"""Proofs by many hands: one tree in one file, whoever noted its parts, which the checker accepts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genbab.api import prove
from genbab.branch.regions import search as search_module
from genbab.config import Config
from genbab.driver.crew import crew as crew_module
from genbab.driver.crew import sharing as sharing_module
from genbab.driver.crew.proving import MemberFile, ProofMerge
from genbab.network import Nonlinear, evaluate
from genbab.nonlinear import make
from tests.test_driver import dense, layered


class Written:
    """A proof's file in memory: for each node its parent, and the split by the tensor's name."""

    def __init__(self, roots: int) -> None:
        self.made: list[tuple[int, str, int, float, bool] | None] = [None] * roots
        self.names: list[str] = []
        self.hinted: list[int] = []

    def tensor(self, name: str) -> int:
        self.names += [] if name in self.names else [name]
        return self.names.index(name)

    def split(self, nodes: Any, tensors: Any, entries: Any, points: Any) -> Any:
        first = len(self.made)
        for node, tensor, entry, point in zip(nodes, tensors, entries, points, strict=True):
            name = "" if tensor < 0 else self.names[tensor]
            self.made += [(int(node), name, int(entry), float(point), upper) for upper in (False, True)]
        lower = first + 2 * np.arange(len(nodes), dtype=np.int64)
        return np.concatenate([lower, lower + 1])

    def hints(self, nodes: Any, rows: Any, slopes: Any) -> None:
        self.hinted += nodes.tolist()

    def path(self, node: int) -> list[tuple[str, int, float, bool]]:
        """The splits from the root to a node."""
        found: list[tuple[str, int, float, bool]] = []
        while (made := self.made[node]) is not None:
            node, *split = made
            found.append(tuple(split))  # type: ignore[arg-type]
        return [("root", node, 0.0, False), *found[::-1]]


@pytest.mark.parametrize("seed", range(10))
def test_nodes_keep_their_paths_whoever_made_them(seed: int) -> None:
    """Domains wander between members, who split and close them; the file has the path of each."""
    chance = random.Random(seed)
    file = Written(3)
    merge, members = ProofMerge(file), [MemberFile(place) for place in range(3)]
    root = np.arange(3, dtype=np.int64)
    open_ = [[(int(n), [("root", int(n), 0.0, False)])] for n in root]
    closed: list[list[tuple[str, int, float, bool]]] = []
    for _ in range(60):
        place = chance.randrange(3)
        mine, member = open_[place], members[place]
        if not mine:
            continue
        chance.shuffle(mine)
        some, open_[place] = mine[:2], mine[2:]
        names = [chance.choice(("", "a", "b", "c")) for _ in some]
        which = np.asarray([member.tensor(n) if n else -1 for n in names], dtype=np.int64)
        nodes = np.asarray([n for n, _ in some], dtype=np.int64)
        entries, points = np.arange(len(some)), np.asarray([chance.random() for _ in some])
        found = member.split(nodes, which, entries, points).tolist()
        for k, (_, path) in enumerate(some):
            for upper in (False, True):
                child = found[k + upper * len(some)]
                whole = [*path, (names[k], int(entries[k]), float(points[k]), upper)]
                if chance.random() < 0.4:
                    member.hints(np.asarray([child]), np.zeros((1, 1, 1)), {})
                    closed.append(whole)
                else:
                    to = chance.randrange(3)
                    open_[to].append((child, whole))
        merge.add(member.taken())
    for one in members:
        merge.add(one.taken())
    assert sorted(map(str, map(file.path, file.hinted))) == sorted(map(str, closed))


@pytest.mark.parametrize(("mode", "room"), [("input", 0.05), ("neuron", 0.1)])
def test_the_checker_accepts_what_a_crew_proves(
    mode: Any, room: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "ALONE", 0.0)
    monkeypatch.setattr(search_module, "FIRST", 0.01)
    shared: list[int] = []

    class Noted(ProofMerge):
        def add(self, notes: Any) -> None:
            shared.append(len(notes))
            super().add(notes)

    monkeypatch.setattr(sharing_module, "ProofMerge", Noted)
    rows = tuple(
        tuple(float(np.float32(w)) for w in row) for row in 3 * np.random.default_rng(3).normal(size=(6, 2))
    )
    model = layered(dense(0, *rows), Nonlinear(make("sin"), (1,), 6), dense(2, (1.0,) * 6), inputs=2)
    grid = torch.cartesian_prod(*2 * [torch.linspace(-1.0, 1.0, 301, dtype=torch.float64)])
    level = float(evaluate(model.network, grid).min()) - room
    declared = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "X_1", "Y_0"))
    box = "".join(f"(assert (>= X_{d} -1.0))\n(assert (<= X_{d} 1.0))\n" for d in range(2))
    files = tmp_path / "waves.onnx", tmp_path / "waves.vnnlib", tmp_path / "waves.proof"
    files[0].write_bytes(model.proto)
    files[1].write_text(f"{declared}{box}(assert (<= Y_0 {level}))\n")
    result = prove(*files, Config(timeout=60, branching=mode, workers=2), check=60)
    assert result.verdict == "verified" and sum(shared) > 2
    assert result.statistics["proof_check"]["outcome"] == "accepted", result.statistics["proof_check"]
