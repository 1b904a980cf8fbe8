"""One run from attack to verdict: which stage comes when, and how much time it may use."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from genbab.attack import FULL, QUICK, Challenge, Falsified
from genbab.bounds import Answer, Engine, Steps, Tightening, WarmStart, rows_at_once
from genbab.branch import (
    Domains,
    DomainSearch,
    HiddenForms,
    Mixed,
    NeuronBranching,
    Region,
    RegionSearch,
    SearchOutcome,
    SearchSetup,
    Status,
    bound_by_inputs,
    chooser,
    root_domains,
)
from genbab.config import Config
from genbab.driver.endings import Hopeless, found_at, memory_errors, refuted, unproved, without_proof
from genbab.driver.ledger import Ledger
from genbab.driver.root import RootState, cheap, optimised, tightened
from genbab.driver.strategy import Strategy, strategy
from genbab.driver.turns import Turns
from genbab.driver.undefined import Undefined
from genbab.driver.vacuity import vacuity
from genbab.errors import DeadlineReached
from genbab.network import lifted, with_premises
from genbab.problem import queries
from genbab.reader import Model
from genbab.result import Progress, Result, Verdict
from genbab.specs import Spec
from genbab.system.deadline import Deadline
from genbab.system.device import resolve
from genbab.trace import TraceFile

OPEN_ENDED = 120.0
"""Seconds that a run without a time limit plans its root with."""

NARROWING = 0.6
"""Of the time left, the most for narrowing hidden intervals of which something is given before a search."""

DIVES = 8
"""Domains of a round from which short descents start."""


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
        trace: TraceFile | None = None,
    ) -> None:
        self.model, self.spec, self.config, self.deadline = model, spec, config, deadline
        self.ledger = Ledger(started, deadline, progress, trace)
        device = resolve(config.device)
        network = with_premises(lifted(model.network, spec), spec)
        self.engine = Engine.of(network, config, device, deadline.check)
        exact = self.engine.exact
        self.output = exact.output
        self.query = queries(spec, exact, device)
        self.challenge = Challenge(model, spec, exact, deadline, config)
        self.turns = Turns(self.challenge)
        self.undefined = Undefined(exact, self.query)
        self.explained = float("inf")  # margin of the box whose gap is explained

    def decide(self) -> Result:
        """The verdict, with the reason for it; never raises for lack of time."""
        try:
            with memory_errors():
                reason = self._decided()
                if not reason:
                    return self._checked()
        except Falsified as found:
            example = found.counterexample
            result = self.ledger.result(Verdict.FALSIFIED, found_at(example), example)
            return replace(result, runtime=self.challenge.remark(example))
        except DeadlineReached:
            reason = self.undefined.added("the time limit was reached; try a longer one")
            return self.ledger.result(Verdict.TIMEOUT, reason)
        return self.ledger.result(Verdict.UNKNOWN, self.undefined.added(reason))

    def _checked(self) -> Result:
        """The verdict on a proof, which onnxruntime may put in doubt; raises `Falsified`."""
        self.ledger.tell("checking the proof", self.ledger.bound)
        with self.ledger.timed("check"):
            found = self.challenge.doubts()
        verified = not found.reason
        result = self._verified() if verified else self.ledger.result(Verdict.UNKNOWN, found.reason)
        facts = {**result.statistics, "compared": found.count} if found.count else result.statistics
        return replace(result, statistics=facts, runtime=found.runtime)

    def _verified(self) -> Result:
        """The verdict with the reason, and whether what the specification takes for granted can happen."""
        reason, facts = refuted(len(self.challenge.settled)), dict[str, Any]()
        if self.spec.premises is not None:
            with self.ledger.timed("vacuity"):
                said, facts = vacuity(Run, self.model, self.spec.premises, self.config, self.deadline)
            reason = said if facts["vacuous"] else f"{reason}; {said}"
        result = self.ledger.result(Verdict.VERIFIED, reason)
        return replace(result, statistics={**result.statistics, **facts})

    def _decided(self) -> str:
        """The reason of `_stages`; clauses that bounds of closed sets cannot refute are left to rational
        arithmetic, else attacked once more.
        """
        try:
            return self._stages()
        except Hopeless as found:
            where = str(found)
        try:
            if self._settled(self.query.clauses()):
                return self._stages()
        except Hopeless as found:
            where = str(found)
        with suppress(DeadlineReached), self.ledger.timed("attack"):
            self.turns.attack(FULL, self.query.clauses())
        return unproved(where)

    def _settled(self, clauses: list[int]) -> bool:
        """Whether rational arithmetic refutes some of these clauses; the query is without them then."""
        if not self.challenge.settle(sorted(set(clauses))):
            return False
        self.query = self.query.without(self.challenge.settled)
        return True

    def _look(self) -> None:
        """Raises `Hopeless` where it is known that nothing can be proved."""
        if self.challenge.hopeless:
            raise Hopeless(self.challenge.hopeless)

    def _stages(self) -> str:
        """Run every stage; "" when all is proved, else why not."""
        if not len(self.query):
            self.ledger.forget()
            return ""
        self.ledger.report("attacking", None)
        with self.ledger.timed("attack"):
            clauses = self.query.clauses() if self.challenge.settled else None
            self.turns.attack(FULL if self.undefined.certain else QUICK, clauses)
        if self.undefined.certain:
            return self.undefined.certain
        self._look()
        states = self._cheap_states()
        if self.challenge.reals.strict and self._settled([k for s in states for k in s.query.clauses()]):
            return self._stages()
        plan = strategy(self.engine, [s.query for s in states], self.config)
        if states:
            self.ledger.write("plan", **plan.to_dict())
        if plan.splits != "input":
            states = [s.take(torch.tensor([k])) for s in states for k in range(len(s.query))]
        reasons = []
        decided, margins = self.ledger.elsewhere, [s.worst() for s in states]
        for number, state in enumerate(states):
            share = min(self.deadline.left(), OPEN_ENDED) / (len(states) - number)
            self.ledger.elsewhere = min([decided, *margins[:number], *margins[number + 1 :]])
            self.ledger.earlier = self.ledger.domains
            self.turns.restart()
            reasons.append(
                self._by_inputs(state, plan)
                if plan.splits == "input"
                else self._by_neurons(state, share, plan)
            )
            margins[number] = self.ledger.own
        return next((r for r in reasons if r), "")

    def _cheap_states(self) -> list[RootState]:
        """The boxes that are open after the bounds that need no optimisation, in batches that fit the
        memory.
        """
        rows = rows_at_once(self.engine, 1, self.output, searching=False)
        size = max(1, min(4096, rows // max(1, self.query.matrix.shape[1])))
        states = []
        worst = float("inf")
        for part in torch.split(torch.arange(len(self.query)), size):
            self.ledger.report("bounding cheaply", None)
            with self.ledger.timed("cheap bounds"):
                state = cheap(self.engine, self.query.take(part), self.output)
                which = state.open()
                if which.numel():
                    better = tightened(self.engine, state.take(which), self.output, self._share(0.5))
                    state = state.merged(better, which)
            self._widths(state)
            self.undefined.note(state.intervals)
            worst = min(worst, state.worst())
            margins = state.query.worst(state.margins)
            self.ledger.elsewhere = min([self.ledger.elsewhere, *margins[margins > 0].tolist()])
            which = state.open()
            if which.numel():
                states.append(state.take(which))
            else:
                self._explain(state)
        (self.ledger.report if states else self.ledger.tell)("bounding", worst)
        return states

    def _by_inputs(self, state: RootState, plan: Strategy) -> str:
        self._attack(state)
        self._explain(state)
        bound = bound_by_inputs(self.engine, self.output, plan.tighten)
        with self.ledger.timed("search"):
            root = bound(root_domains(state.query, state.margins))
            return self._ended(DomainSearch(bound, self._setup(plan)).run(root))

    def _by_neurons(self, state: RootState, share: float, plan: Strategy) -> str:
        steps = self.config.root_steps
        known: Answer | None = None
        forms = HiddenForms(self.engine, plan.forms, state.box)
        mode = plan.retighten
        stages = ((0, 0.1), (steps, 0.4), (4 * steps, 0.4))[: 2 if mode == "reoptimised" else 3]
        for count, part in stages:
            begun = time.monotonic()
            self.ledger.report("optimising slopes", state.worst())
            with self.ledger.timed("root"):
                how = Tightening(Steps.of(count), part * share, record=forms.keep)
                state, known = optimised(self.engine, state, self.output, how, max(2 * steps, 2 * count))
            self._widths(state)
            if not state.open().numel():
                self.ledger.tell("bounding", state.worst())
                self._explain(state, known)
                return ""
            if plan.splits != "none":
                self._attack(state)
            if count and time.monotonic() - begun > 0.15 * share:
                break
        spent = time.monotonic() - begun
        self._explain(state, known)
        if plan.splits == "none":
            self.ledger.report("bounding", state.worst())
            return "the bounds at the root are too loose and branching is off"
        with self.ledger.timed("root"):
            forms.complete(self.engine.relaxed(state.intervals))
        assert known is not None
        region = Region(
            state.query, state.margins, state.intervals, (), known.certificate, known.weights, forms
        ).opened()
        assert region is not None
        with self.ledger.timed("search"):
            return self._ended(self._search(region, spent, plan))

    def _widths(self, state: RootState) -> None:
        """Note how wide the layers are, until they are explained."""
        if not self.ledger.gap:
            self.ledger.layers = state.layers(self.engine.exact)

    def _explain(self, state: RootState, known: Answer | None = None) -> None:
        """Note where the bound of the worst box is lost, unless a worse one is known or time is short."""
        worst, spent = state.worst(), time.monotonic() - self.ledger.started
        if worst < self.explained and self.deadline.left() > 0.25 * spent:
            self.explained = worst
            with suppress(DeadlineReached):  # who needs the time says so himself
                self.ledger.layers, self.ledger.gap = state.explained(
                    self.engine, WarmStart() if known is None else known.certificate
                )

    def _setup(self, plan: Strategy) -> SearchSetup:
        return SearchSetup(self._falsify, self.ledger.follow, plan.pool, plan.batch)

    def _search(self, region: Region, spent: float, plan: Strategy) -> SearchOutcome:
        """The search below the root, whose hidden rows took the time `spent`."""
        mixed = None
        if plan.splits == "mixed":
            rows, steps = region.query.rhs.shape[1], self.config.child_steps
            mixed = Mixed.of(self.engine, region.forms, rows, steps, plan.tighten)
        branching = NeuronBranching(
            self.engine,
            chooser=lambda root: chooser(self.config, self.engine, root, region.forms, mixed),
            steps=Steps.of(self.config.child_steps),
            clip=plan.retighten != "frozen",
            mixed=mixed,
            narrowing=lambda: self._share(NARROWING),
        )
        renewed = mixed is not None and mixed.tighten
        if plan.retighten != "reoptimised" or renewed or not region.forms.influence.weights:
            return branching.within(region, self._setup(plan)).advance()
        return RegionSearch(
            branching,
            self._setup(plan),
            memory=plan.forms,
            left=lambda: self._share(1.0),
            seconds=spent,
            told=self.ledger.regions,
        ).run(region)

    def _ended(self, outcome: SearchOutcome) -> str:
        self.ledger.know(outcome.progress.bound)
        if outcome.status is Status.TIMEOUT:
            raise DeadlineReached
        return without_proof(outcome, bool(self.challenge.attacker.reachable))

    def _attack(self, state: RootState) -> None:
        """The attack's turn, if it has one, on the clauses of a state; raises `Falsified`."""
        if self.turns.due():
            self.ledger.report("attacking", None)
            with self.ledger.timed("attack"):
                self.turns.take(state.query.clauses())
            self._look()

    def _falsify(self, domains: Domains) -> bool:
        """A few descents from the middles of the least refuted domains and from where their bounds are least,
        and the attack's turn on the clauses of all; raises `Falsified`.
        """
        some = domains.take(domains.bound.argsort()[:DIVES])
        starts, clauses = (some.query.lower + some.query.upper) / 2, some.query.clause.amax(-1).tolist()
        if some.corner is not None:
            starts, clauses = torch.cat([starts, some.corner]), 2 * clauses
        self.challenge.refine(starts, clauses)
        self.turns.take(domains.query.clauses())
        self._look()
        return False

    def _share(self, part: float) -> float:
        return part * min(self.deadline.left(), OPEN_ENDED)
