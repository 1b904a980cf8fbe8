"""Records the tree of `genbab verify` with one worker: the search notes it as it does for a proof."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from crew_scaling.tree import RecordedTree
from genbab.attack import AttackEffort
from genbab.branch import Domains, DomainSearch
from genbab.branch.search import DomainState
from genbab.cli import main
from genbab.driver.turns import Turns


@dataclass(eq=False)
class TreeNotes:
    """Notes what a search over domains does, in the place of a proof."""

    roots_: int = 0
    nodes: int = 0
    batch: int = 0
    parents: list[np.ndarray] = field(default_factory=list)
    bounds: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    attacks: list[float] = field(default_factory=list)
    each_attack: list[float] = field(default_factory=list)
    began: float = 0.0
    turns: tuple[float, float, int] | None = None

    def roots(self, domains: Domains) -> Tensor:
        """The numbers of the domains that a search begins with."""
        assert not self.nodes, "more than one search: regions are not recorded"
        self.roots_ = self.nodes = len(domains)
        return torch.arange(len(domains))

    def split(self, parents: Domains) -> Tensor:
        """The numbers of the children of domains that are split, as `bisect` orders them."""
        assert parents.number is not None
        self.parents.append(parents.number.numpy().copy())
        self.bounds.append(parents.bound.numpy().copy())
        first, self.nodes = self.nodes, self.nodes + 2 * len(parents)
        return torch.arange(first, self.nodes)

    def closed(self, domains: Domains) -> None:
        """Nothing: what is never split was refuted."""

    def tree(self) -> RecordedTree:
        """What was noted."""
        return RecordedTree(
            self.roots_,
            np.concatenate(self.parents),
            np.concatenate(self.bounds),
            np.array([len(some) for some in self.parents]),
            np.array(self.seconds),
            np.array(self.processor),
            np.array(self.attacks),
            np.array([self.each_attack[-1] if self.each_attack else 0.0, *(self.turns or (0.0, 0.0, 0))]),
            self.batch,
        )


def recorded(words: list[str]) -> RecordedTree:
    """The tree of a run of `genbab verify` with these words."""
    notes, begin, step = TreeNotes(), DomainSearch.begin, DomainSearch.step
    attack, falsify = Turns.attack, Turns.falsify

    def noting(search: DomainSearch) -> DomainSearch:
        return replace(search, setup=replace(search.setup, record=notes))

    def noted_begin(search: DomainSearch, root: Domains) -> DomainState:
        notes.batch, notes.began = search.setup.batch, time.monotonic()
        return begin(noting(search), root)

    def noted_step(search: DomainSearch, state: DomainState) -> None:
        before, processor, rounds = time.perf_counter(), time.process_time(), len(notes.parents)
        attacks = len(notes.each_attack)
        step(noting(search), state)
        if len(notes.parents) > rounds:
            notes.seconds.append(time.perf_counter() - before)
            notes.processor.append(time.process_time() - processor)
            notes.attacks.append(sum(notes.each_attack[attacks:]))

    def noted_attack(turns: Turns, effort: AttackEffort, clauses: Sequence[int] | None = None) -> None:
        processor = time.process_time()
        attack(turns, effort, clauses)
        notes.each_attack.append(time.process_time() - processor)

    def noted_falsify(turns: Turns, domains: Domains) -> bool:
        if notes.turns is None:
            notes.turns = turns.taken, notes.began - turns.begun, turns.rounds
        return falsify(turns, domains)

    of_search = mock.patch.multiple(DomainSearch, begin=noted_begin, step=noted_step)
    with of_search, mock.patch.multiple(Turns, attack=noted_attack, falsify=noted_falsify):
        code = main(["verify", *words, "--workers", "1", "--threads", "1"])
    if code or not notes.parents:
        raise SystemExit(f"nothing to record: exit code {code}, {len(notes.parents)} rounds")
    return notes.tree()


def record(words: list[str], path: Path) -> None:
    """Record a run in this process, and keep its tree."""
    recorded(words).save(path)
