"""One run from attack to verdict: which stage comes when, and how much time it may use."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from genbab.attack import FULL, QUICK, Challenge, Effort, Falsified
from genbab.bounds import Chosen, Engine, Relaxation, Steps, tightening_cost, varying
from genbab.branch import (
    Domains,
    Forms,
    Inside,
    Outcome,
    Region,
    SearchProgress,
    Shortcuts,
    Tally,
    both_records,
    bound_by_inputs,
    chooser,
    kink_or_middle,
    root_domains,
    search,
)
from genbab.config import Config
from genbab.deadline import Deadline, Timer
from genbab.device import resolve
from genbab.errors import DeadlineReached, ResourceError
from genbab.network import Grouped, Network, Nonlinear
from genbab.problem import queries
from genbab.reader import Model
from genbab.result import Counterexample, Progress, Result, Verdict
from genbab.root import RootState, cheap, optimised, tightened
from genbab.specs import Spec

FEW_INPUTS = 16
"""With at most this many varying inputs, `auto` splits inputs instead of neurons."""

OPEN_ENDED = 120.0
"""Seconds that a run without a time limit plans its root with."""

TIGHTEN_COST = 5e7
"""Hidden rows are bounded backwards in every child box where that costs at most this many multiply-adds per
box.
"""

ATTACK_SHARE = 0.1
"""Share of the time left that one attack may take."""

DIVES = 8
"""Domains of a round from which short descents start."""

INPUT_BATCH = 300_000
"""Neurons of all domains of one round of input splits."""

NEURON_BATCH = 200_000
"""Neurons of all domains of one round of neuron splits: enough to outweigh the cost of calling each
operation.
"""


class Run:
    """The stages of one verification, and what is known between them."""

    def __init__(  # noqa: PLR0913
        self,
        model: Model,
        spec: Spec,
        config: Config,
        deadline: Deadline,
        started: float,
        progress: Callable[[Progress], None],
    ) -> None:
        self.model, self.spec, self.config, self.deadline = model, spec, config, deadline
        self.started, self.progress = started, progress
        device = resolve(config.device)
        self.engine = Engine.of(model.network, config, device, deadline.check)
        exact = self.engine.exact
        self.output = exact.output
        self.query = queries(spec, exact, device)
        self.challenge = Challenge(model, spec, exact, deadline, config)
        self.bound = float("-inf")
        self.elsewhere = float("inf")
        self.domains = self.earlier = 0
        self.spent: dict[str, float] = {}
        self.tally = Tally()

    def decide(self) -> Result:
        """The verdict, with the reason for it; never raises for lack of time."""
        try:
            reason = self._stages() or self.challenge.disagreement()
        except Falsified as found:
            clause = found.counterexample.clause
            reason = f"a counterexample to clause {clause} was found and replayed in onnxruntime"
            return self._result(Verdict.FALSIFIED, reason, found.counterexample)
        except DeadlineReached:
            return self._result(Verdict.TIMEOUT, "the time limit was reached; try a longer one")
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise ResourceError(f"not enough memory ({error}); try a smaller --memory") from error
        except RuntimeError as error:
            if "allocate memory" not in str(error):
                raise
            raise ResourceError("not enough memory; try a smaller --memory") from error
        if reason:
            return self._result(Verdict.UNKNOWN, reason)
        return self._result(Verdict.VERIFIED, "every clause of the specification is refuted on every box")

    def _stages(self) -> str:
        """Run every stage; "" when all is proved, else why not."""
        self._attack(QUICK)
        states = self._cheap_states()
        few = all(int(varying(s.box).numel()) <= FEW_INPUTS for s in states)
        mode = self.config.branching if self.config.branching != "auto" else ("input" if few else "neuron")
        if mode != "input":
            states = [s.take(torch.tensor([k])) for s in states for k in range(len(s.query))]
        reasons = []
        decided, margins = self.elsewhere, [_worst(s) for s in states]
        for number, state in enumerate(states):
            share = min(self.deadline.left(), OPEN_ENDED) / (len(states) - number)
            self.elsewhere = min([decided, *margins[:number], *margins[number + 1 :]])
            self.earlier = self.domains
            reasons.append(
                self._by_inputs(state)
                if mode == "input"
                else self._by_neurons(state, share, mode == "neuron")
            )
            margins[number] = self.own
        return next((r for r in reasons if r), "")

    def _cheap_states(self) -> list[RootState]:
        """The boxes that are open after the bounds that need no optimisation, in batches that fit the
        memory.
        """
        size = max(1, min(4096, self.engine.chunk(1, self.output, 0) // max(1, self.query.matrix.shape[1])))
        states = []
        worst = float("inf")
        for part in torch.split(torch.arange(len(self.query)), size):
            self._report("bounding cheaply", None)
            with self._timed("cheap bounds"):
                state = cheap(self.engine, self.query.take(part), self.output)
                which = state.open()
                if which.numel():
                    state = self._merge(
                        state, tightened(self.engine, state.take(which), self.output, self._share(0.5)), which
                    )
            worst = min(worst, _worst(state))
            margins = state.query.worst(state.margins)
            self.elsewhere = min([self.elsewhere, *margins[margins > 0].tolist()])
            which = state.open()
            if which.numel():
                states.append(state.take(which))
        self._report("bounding", worst)
        return states

    @staticmethod
    def _merge(state: RootState, better: RootState, which: Tensor) -> RootState:
        margins = state.margins.clone()
        margins[which] = better.margins
        intervals = []
        for (low, high), (new_low, new_high) in zip(state.intervals, better.intervals, strict=True):
            low, high = low.clone(), high.clone()
            low[which], high[which] = new_low, new_high
            intervals.append((low, high))
        return RootState(state.query, margins, intervals)

    def _by_inputs(self, state: RootState) -> str:
        self._attack(FULL, state)
        bound = bound_by_inputs(self.engine, self.output, tightening_cost(self.engine) <= TIGHTEN_COST)
        with self._timed("search"):
            root = bound(root_domains(state.query, state.margins))
            size = self.config.batch or max(2, min(2048, INPUT_BATCH // _nonlinear_size(self.engine.exact)))
            return self._ended(
                search(root, bound, self._falsify, self._follow, self.config.memory // 2, lambda: size)
            )

    def _by_neurons(self, state: RootState, share: float, branch: bool) -> str:
        steps = self.config.root_steps
        slopes: dict[int, Chosen] = {}
        shortcuts = Shortcuts(self.engine, self.config.memory // 8)
        forms = Forms(self.engine, self.config.memory // 8, state.box)
        mode = self.config.retighten
        record = both_records(shortcuts.record, forms.keep) if mode != "frozen" else shortcuts.record
        stages = ((0, 0.1), (steps, 0.4), (4 * steps, 0.4))[: 2 if mode == "reoptimised" else 3]
        for count, part in stages:
            begun = time.monotonic()
            self._report("optimising slopes", _worst(state))
            with self._timed("root"):
                counts = (count, 2 * steps)
                state, slopes = optimised(self.engine, state, self.output, counts, part * share, record)
            if not state.open().numel():
                self._report("bounding", _worst(state))
                return ""
            if not count and branch:
                self._attack(FULL, state)
            if count and time.monotonic() - begun > 0.15 * share:
                break
        if not branch:
            self._report("bounding", _worst(state))
            return "the bounds at the root are too loose and branching is off"
        spent = time.monotonic() - begun
        with self._timed("root"):
            shortcuts.complete(state.box, state.intervals, 0.1 * share)
            if mode != "frozen":
                forms.complete(Relaxation(self.engine.exact, state.intervals, torch.float64))
        region = Region(state.query, state.margins, state.intervals, (), slopes, forms).opened()
        assert region is not None
        with self._timed("search"):
            return self._ended(self._search(region, shortcuts, spent))

    def _search(self, region: Region, shortcuts: Shortcuts, spent: float) -> Outcome:
        """The search below the root, whose hidden rows took the time `spent`."""
        size = self.config.batch or max(8, min(4096, NEURON_BATCH // _nonlinear_size(self.engine.exact)))
        inside = Inside(
            self.engine,
            self.output,
            Steps.of(self.config.child_steps),
            lambda root: chooser(self.config, self.engine, root, shortcuts),
            self.config.retighten != "frozen",
            self._falsify,
            self._follow,
            self.config.memory // 2,
            lambda: size,
        )
        if self.config.retighten != "reoptimised" or not region.forms.influence.weights:
            return inside.all(region)
        return inside.by_regions(
            region, self.config.memory // 8, lambda: self._share(1.0), spent, kink_or_middle
        )

    def _ended(self, outcome: Outcome) -> str:
        self._know(outcome.progress.bound)
        if outcome.status == "timeout":
            raise DeadlineReached
        return {
            "verified": "",
            "stuck": "nothing is left to split: the remaining gap is below what float64 can express"
            + (
                ""
                if self.challenge.attacker.reachable
                else "; no float32 input lies in the box, so none was attacked"
            ),
            "memory": "the open domains no longer fit the memory; try a larger --memory",
            "falsified": "a counterexample was found",
        }[outcome.status]

    def _attack(self, effort: Effort, state: RootState | None = None) -> None:
        """Attack all clauses, or those of a state; raises `Falsified`."""
        self._report("attacking", None)
        clauses = None if state is None else sorted(set(state.query.clause.flatten().tolist()))
        with self._timed("attack"):
            self.challenge.attack(effort, clauses, ATTACK_SHARE)

    def _falsify(self, domains: Domains) -> bool:
        """A few descents from the centres of the least refuted domains; raises `Falsified`."""
        some = domains.take(domains.bound.argsort()[:DIVES]).query
        self.challenge.refine((some.lower + some.upper) / 2, some.clause.amax(-1).tolist())
        return False

    def _share(self, part: float) -> float:
        return part * min(self.deadline.left(), OPEN_ENDED)

    def _follow(self, progress: SearchProgress) -> None:
        self.domains = self.earlier + progress.visited
        self._know(progress.bound)
        self.tally.add(progress.gained)
        self.progress(Progress("branching", self.bound, progress.open, self.domains))
        self.deadline.check()

    def _report(self, stage: str, bound: float | None) -> None:
        if bound is not None:
            self._know(bound)
        self.progress(Progress(stage, None if bound is None else self.bound))
        self.deadline.check()

    def _know(self, bound: float) -> None:
        """The worst margin of the boxes at hand; the run's bound is the worst of these and all others."""
        self.own, self.bound = bound, min(bound, self.elsewhere)

    def _timed(self, stage: str) -> Timer:
        return Timer(self.spent, stage)

    def _result(self, verdict: Verdict, reason: str, found: Counterexample | None = None) -> Result:
        bound = None if self.bound == float("-inf") else self.bound
        statistics = {"domains": self.domains, **{f"seconds {k}": round(v, 3) for k, v in self.spent.items()}}
        statistics |= self.tally.summary()
        seconds = time.monotonic() - self.started
        return Result(verdict, seconds, bound, reason, found, statistics)


def _worst(state: RootState) -> float:
    return float(state.query.worst(state.margins).min())


def _nonlinear_size(network: Network) -> int:
    return max(1, sum(node.size for node in network.nodes if isinstance(node, Nonlinear | Grouped)))
