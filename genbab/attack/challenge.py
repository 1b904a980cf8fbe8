"""The other side of a run: attacks on the property, doubts about a proof; onnxruntime judges both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from genbab.attack.doubt import REPLAYED, Doubts, ProofCheck, points, unavailable
from genbab.attack.finite import FiniteRefuter
from genbab.attack.hunt import AttackEffort
from genbab.attack.rational import RationalRefuter
from genbab.attack.reals import Reals
from genbab.attack.replay import Placed, Replayer
from genbab.attack.search import Attacker
from genbab.attack.targets import Floats, SearchNumbers, around
from genbab.config import Config
from genbab.errors import DeadlineReached
from genbab.network import Network, evaluate, without_domains
from genbab.reader import Model
from genbab.result import Counterexample
from genbab.specs import Spec
from genbab.system.device import resolve
from genbab.system.schedule import RunSchedule

GUESSES = 64
"""Points that are tried in onnxruntime where the network only knows how far conversions may round."""

REFINE_STEPS = 4
"""Gradient steps of a descent that starts inside the search."""


BEST = 4
"""Of the best points of an attack so many are looked at for equality."""


class Falsified(Exception):  # an event
    """A counterexample was confirmed."""

    def __init__(self, counterexample: Counterexample) -> None:
        super().__init__()
        self.counterexample = counterexample


def _large(network: Network, spec: Spec) -> bool:
    """Whether integers of the spec may be no numbers of float32."""
    whole = network.entry.whole
    if whole is None or not len(spec.lower):
        return False
    mine = whole.columns.cpu().numpy()
    return max(float(np.abs(end[:, mine]).max()) for end in (spec.lower, spec.upper)) > 2.0**24


class Challenge:
    """Attacks on one property of a model, and the network proved about compared with onnxruntime."""

    def __init__(
        self, model: Model, spec: Spec, network: Network, schedule: RunSchedule, config: Config
    ) -> None:
        self.whole = FiniteRefuter(network, spec)
        network = without_domains(network)
        self.spec, self.network, self.schedule, self.config = spec, network, schedule, config
        self.device = resolve(config.device)
        self.replayable = model.replayable
        self.replayer = Replayer(model)
        self.hopeless = ""
        """Why nothing can be proved, as far as is known: a clause is attained, if only with equality."""
        self.settled: frozenset[int] = frozenset()
        self.reals = Reals(network, spec, self.device)
        certain = self.reals.violated if config.arithmetic == "real" else self._read_as
        self.certain = certain if config.witness == "nearest" else None
        double = any(kind == np.float64 for kind in model.input_dtypes) or _large(network, spec)
        numbers = SearchNumbers(torch.float64 if double else torch.float32, self.device, nearest=True)
        self.guessed, self.coarse = False, model.precision.short
        memory = max(1 << 26, config.memory // 8)
        self.attacker = Attacker(network, spec, self.confirm, numbers, memory, schedule.clock)

    def confirm(self, x: np.ndarray) -> Counterexample | None:
        """The counterexample at x (D,), replayed, or None."""
        self.schedule.clock.worked(lambda: REPLAYED)
        found = self.replayer.confirm(self.spec, x, self.certain)
        if found is None and not self.hopeless:
            self.hopeless = self.reals.equality(x, self.settled) or self._beyond(x)
        return found

    @cached_property
    def domain(self) -> Spec:
        """The spec of what a proof speaks of: in floating-point numbers, whatever is read for a bound."""
        if self.config.arithmetic == "real":
            return self.spec
        return around(self.spec, self.replayer.types(self.spec))

    @staticmethod
    def _read_as(placed: Placed, clause: int) -> bool:
        """That numbers next to an interval without any belong to the set: a program reads them for it."""
        return True

    def _beyond(self, x: np.ndarray) -> str:
        """Which clause a real point near x violates that the numbers of the model cannot say, if one does."""
        placed = self.replayer.placed(self.spec, x, nearest=True) if self.replayable else None
        if placed is None or not placed.off.any():
            return ""
        clause = self.reals.first_violated(placed)
        if clause is None:
            return ""
        but = "in onnxruntime the nearest one does not"
        if self.certain is None:
            but = "--witness nearest takes the nearest one"
        return (
            f"a real point of the box violates clause {clause}, but no number of the model's type lies in "
            f"the box at some inputs ({but})"
        )

    def settle(self, clauses: Sequence[int], points: bool = True) -> bool:
        """Whether exact arithmetic refutes some of these clauses that it had not refuted before.

        They are `settled` then; equality is looked for in others only. points: whether boxes of few points
        may be gone through.
        """
        found = RationalRefuter(self.network, self.domain).refuted(clauses)
        if points and self.config.arithmetic == "real":
            found |= self.whole.refuted([k for k in clauses if k not in found])
        found = found - self.settled
        self.settled |= found
        self.hopeless = "" if found else self.hopeless
        return bool(found)

    def attack(self, effort: AttackEffort, clauses: Sequence[int] | None = None, share: float = 1.0) -> None:
        """Attack the clauses (default: all) for at most this share of the time that is left.

        The settings bound the effort's restarts and steps (no restarts: no attack) and give the seed. Raises
        `Falsified` or `DeadlineReached`.
        """
        config = self.config
        if not config.attack_restarts or not self.replayable:
            return
        bounded = replace(
            effort,
            restarts=min(effort.restarts, config.attack_restarts),
            steps=min(effort.steps, config.attack_steps),
            seed=config.seed,
        )
        self._guess()
        left = self.schedule.left()
        limit = self.schedule.limit(share * left) if left < float("inf") else self.schedule.deadline
        try:
            found = self.attacker.run(bounded, limit, clauses)
        except DeadlineReached:
            self.schedule.check()
            return
        self._judge(found.counterexample)
        for x in found.points[:BEST]:
            self.hopeless = self.hopeless or self.reals.equality(x, self.settled)

    def _guess(self) -> None:
        """Once, some points of the boxes in onnxruntime, for models that convert numbers; raises `Falsified`.

        Gradients of a network without the file's conversions see nothing of what these round off, nor of what
        short types do.
        """
        weights = any(node.uncertainty.weights for node in self.network.affine.values())
        if not (weights or self.coarse) or self.guessed:
            return
        self.guessed = True
        for x in islice(points(self.spec, self.config.seed), GUESSES):
            self.schedule.check()
            self._judge(self.confirm(x))

    def refine(self, starts: Tensor, clauses: Sequence[int]) -> None:
        """Short descents from starts (M, D), each towards its clause; raises like `attack`."""
        if not self.config.attack_restarts or not self.replayable:
            return
        found = self.attacker.refine(starts.cpu().numpy(), clauses, REFINE_STEPS, self.schedule.deadline)
        self._judge(found.counterexample)

    def doubts(self) -> Doubts:
        """What speaks against a proof: the network proved about against onnxruntime, inside the boxes.

        The check at load uses inputs of order 1; this one uses inputs of the property itself, and raises
        `Falsified` at one that violates it. No doubts about a model that onnxruntime cannot run: its notes
        say so.
        """
        if not self.replayable:
            return Doubts()

        def ours(x: Floats) -> Floats:
            found: Floats = evaluate(self.network, torch.from_numpy(x).to(self.device)).cpu().numpy()
            return found

        def judge(x: Floats) -> None:
            self._judge(self.confirm(x))

        check = ProofCheck(self.replayer, self.spec, ours, judge)
        return check.doubts(self.schedule, self.config.seed)

    def remark(self, found: Counterexample) -> str:
        """What people should know of onnxruntime's default session at a counterexample, or ""."""
        x = np.asarray(found.x, dtype=np.float64)
        y, why = self.replayer.answer(self.spec, x, optimised=True)
        if y is None:
            return unavailable(why)
        finite = bool(np.isfinite(y).all())
        if finite and self.spec.violation(x, y[: self.spec.output_size]) is not None:
            return ""
        return (
            "onnxruntime's default session, which rewrites the model, does not agree: its outputs at the "
            "counterexample, which was found with the file as written, do not violate the property"
        )

    @staticmethod
    def _judge(found: Counterexample | None) -> None:
        if found is not None:
            raise Falsified(found)
