"""The proof of what cheap bounds leave open: slopes optimised at the root, then a search as planned."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from genbab.bounds import Answer, Record, Steps, Tightening
from genbab.branch import (
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
from genbab.driver.account import RootAccount
from genbab.driver.context import Context
from genbab.driver.crew import LocalTeam, SearchCrew
from genbab.driver.endings import without_proof
from genbab.driver.root import RootState, optimised
from genbab.driver.strategy import Strategy
from genbab.errors import DeadlineReached

NARROWING = 0.6
"""Of the time left, the most for narrowing hidden intervals of which something is given before a search."""

PROMPT = 0.15
"""Of its share of time, the least that a stage of the root takes for there to be no longer one."""


class Prover:
    """Proves open boxes by a plan: all at once by splits of inputs, else box by box."""

    def __init__(self, context: Context, plan: Strategy, account: RootAccount) -> None:
        self.context, self.plan, self.account = context, plan, account
        falsify, follow = context.turns.falsify, context.ledger.follow
        self.setup = SearchSetup(falsify, follow, plan.pool, plan.batch, context.proof)
        self.crew = SearchCrew(LocalTeam(context.config.workers), context.schedule.deadline, context.turns)

    def prove(self, state: RootState, share: float) -> str:
        """Prove the state's clauses in about `share` seconds for its root; "" if proved, else why not."""
        if self.plan.splits == "input":
            return self._by_inputs(state)
        return self._by_neurons(state, share)

    def _by_inputs(self, state: RootState) -> str:
        context = self.context
        context.attack(state.query.clauses())
        self.account.explain(state)
        bound = bound_by_inputs(context.engine, context.engine.exact.output, self.plan.tighten)
        with context.ledger.timed("search"):
            root = root_domains(state.query, state.margins)
            if context.proof is not None:  # bounding cuts the boxes
                root = replace(root, number=context.proof.roots(root))
            search = DomainSearch(bound, self.setup)
            return self._ended(self.crew.domains(search, search.begin(bound(root))))

    def _by_neurons(self, state: RootState, share: float) -> str:
        ledger, engine = self.context.ledger, self.context.engine
        forms = HiddenForms(engine, self.plan.forms, state.box)
        state, known, seconds = self._optimised(state, share, forms)
        if not state.open().numel():
            ledger.tell("bounding", state.worst())
            self.account.explain(state, known)
            return ""
        self.account.explain(state, known)
        if self.plan.splits == "none":
            ledger.report("bounding", state.worst())
            return "the bounds at the root are too loose and branching is off"
        with ledger.timed("root"):
            forms.complete(engine.relaxed(state.intervals))
        assert known is not None
        region = Region(
            state.query, state.margins, state.intervals, (), known.certificate, known.weights, forms
        ).opened()
        assert region is not None
        with ledger.timed("search"):
            return self._ended(self._searched(region, seconds))

    def _optimised(
        self, state: RootState, share: float, forms: HiddenForms
    ) -> tuple[RootState, Answer | None, float]:
        """The root bounded with optimised slopes as long as it is open, and what came of it.

        (state, slopes of its rows, seconds of the last stage).
        """
        context, engine, steps = self.context, self.context.engine, self.context.config.root_steps
        known: Answer | None = None
        stages = ((0, 0.1), (steps, 0.4), (4 * steps, 0.4))
        for count, part in stages[: 2 if self.plan.retighten == "reoptimised" else 3]:
            begun = engine.clock.now()
            context.ledger.report("optimising slopes", state.worst())
            with context.ledger.timed("root"):
                how = Tightening(Steps.of(count), part * share, record=self._keeping(state, forms))
                output = engine.exact.output
                state, known = optimised(engine, state, output, how, max(2 * steps, 2 * count))
            if context.proof is not None and known is not None:
                context.proof.rows(state.query, known)
            self.account.note_widths(state)
            if not state.open().numel():
                break
            if self.plan.splits != "none":
                context.attack(state.query.clauses())
            if count and engine.clock.now() - begun > PROMPT * share:
                break
        return state, known, engine.clock.now() - begun

    def _keeping(self, state: RootState, forms: HiddenForms) -> Record:
        """Who is told of hidden rows that are bounded: the forms, and the proof, if one is written."""
        proof, query = self.context.proof, state.query
        if proof is None:
            return forms.keep

        def keep(node: int, neurons: Tensor, found: Answer) -> None:
            forms.keep(node, neurons, found)
            proof.hidden(query, node, neurons, found)

        return keep

    def _searched(self, region: Region, seconds: float) -> SearchOutcome:
        """The search below the root, whose hidden rows took so many seconds."""
        context, plan = self.context, self.plan
        engine, config = context.engine, context.config
        mixed = None
        if plan.splits == "mixed":
            rows = region.query.rhs.shape[1]
            mixed = Mixed.of(engine, region.forms, rows, config.child_steps, plan.tighten)
        branching = NeuronBranching(
            engine,
            chooser=lambda root: chooser(config, engine, root, region.forms, mixed),
            steps=Steps.of(config.child_steps),
            clip=plan.retighten != "frozen",
            mixed=mixed,
            narrowing=lambda: context.share(NARROWING) if context.proof is None else 0.0,
        )
        renewed = mixed is not None and mixed.tighten
        if plan.retighten != "reoptimised" or renewed or not region.forms.influence.weights:
            task = branching.within(region, self.setup)
            return self.crew.domains(task.search, task.search.begin(task.search.bound(task.domains)))
        search = RegionSearch(
            branching,
            self.setup,
            memory=plan.forms,
            left=lambda: context.share(1.0),
            seconds=seconds,
            told=context.ledger.regions,
        )
        return self.crew.regions(search, region)

    def _ended(self, outcome: SearchOutcome) -> str:
        """Why a search proves nothing, "" where it does; raises `DeadlineReached`."""
        self.context.ledger.know(outcome.progress.bound)
        if outcome.status is Status.TIMEOUT:
            raise DeadlineReached
        return without_proof(outcome, self.context.turns.reachable)
