"""The proof of what cheap bounds leave open: slopes optimised at the root, then a search as planned."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

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
    SearchProgress,
    SearchSetup,
    Status,
    bound_by_inputs,
    chooser,
    root_domains,
)
from genbab.branch.kept.data import DomainData, RegionData, SubsearchData
from genbab.branch.open.pool import SpillFull
from genbab.branch.search import INF
from genbab.driver.account import RootAccount
from genbab.driver.context import Context
from genbab.driver.crew import (
    ATTACK,
    Contender,
    LocalTeam,
    Portfolio,
    Rival,
    SearchCrew,
    Serving,
    rivals,
)
from genbab.driver.endings import without_proof
from genbab.driver.root import RootFound, RootState, optimised
from genbab.driver.saved.data import OpenBoxes
from genbab.driver.saved.fits import names
from genbab.driver.strategy import Strategy, strategy
from genbab.errors import DeadlineReached, ResourceError

NARROWING = 0.6
"""Of the time left, the most for narrowing hidden intervals of which something is given before a search."""

PROMPT = 0.15
"""Of its share of time, the least that a stage of the root takes for there to be no longer one."""


class Prover:
    """Proves open boxes by a plan: all at once by splits of inputs, else box by box."""

    def __init__(self, context: Context, plan: Strategy, account: RootAccount) -> None:
        self.context, self.plan, self.account = context, plan, account
        falsify, follow = context.turns.falsify, context.saver.follow
        self.rivals, workers = rivals(plan, context.config), context.config.workers or 1
        pool = plan.pool * (workers - len(self.rivals)) // workers
        self.setup = SearchSetup(falsify, follow, pool, plan.batch, context.proof)

    def decide(self, left: OpenBoxes) -> str:
        """Decide what is open; "" when all is proved, else the first reason why not."""
        context, ledger = self.context, self.context.ledger
        context.saver.open, margins = left, [s.worst() for s in left.boxes]
        while left.boxes:
            share = context.share(1.0) / len(left.boxes)
            ledger.elsewhere = min([left.decided, *margins[1:]])
            if left.search is None:
                ledger.earlier = ledger.domains
            context.turns.restart(left.rounds)
            reason = self.prove(left.boxes[0], share)
            context.saver.done(reason, ledger.own)
            margins.pop(0)
        return next(iter(left.reasons), "")

    def prove(self, state: RootState, share: float) -> str:
        """Prove the state's clauses in about `share` seconds for its root; "" if proved, else why not.

        Raises `ResourceError` where the search of an earlier run does not fit the memory.
        """
        try:
            if self.plan.splits == "input":
                return self._by_inputs(state)
            return self._by_neurons(state, share)
        except SpillFull as full:
            raise ResourceError(f"what the checkpoint has open does not fit the memory: {full}") from full

    def _crew(self, state: RootState, found: RootFound | None = None) -> SearchCrew | Serving:
        """Who searches below the root of these boxes, or of the one that was found."""
        context, ledger = self.context, self.context.ledger
        if not self.rivals:
            return context.crew
        others = [Contender(r.name, partial(self._by_rival, r, state, found)) for r in self.rivals]
        portfolio = Portfolio(ledger, context.turns, context.saver, others)
        team = LocalTeam((context.config.workers or 1) - len(others))
        return SearchCrew(team, ledger.deadline, context.turns, context.saver, portfolio)

    def _by_rival(self, rival: Rival, state: RootState, found: RootFound | None) -> SearchOutcome:
        """How the same question ends with other settings, in a process of its own.

        All boxes are decided again, each by itself where neurons are split.
        """
        context, ledger = self.context, self.context.ledger
        query, before = state.query, ledger.domains
        ledger.earlier = before
        if rival is ATTACK:
            context.turns.persist(query.clauses())
            return SearchOutcome(Status.STUCK, SearchProgress(ledger.own))
        config, deadline = rival.settings(context.config), ledger.deadline
        alone = SearchCrew(LocalTeam(1), deadline, context.turns, context.saver)
        plan = strategy(context.engine, [query], config)
        prover = Prover(replace(context, config=config, crew=alone), plan, self.account)
        if found is not None and plan.splits != "input":
            reason = prover._ended(prover._searched(found.region(), None, alone, found.seconds))
            bound = ledger.own
        else:
            boxes, rounds = [state] if plan.splits == "input" else state.each(), context.turns.rounds
            left = OpenBoxes(plan.splits, plan.retighten, INF, names(query)[:0], boxes, rounds=rounds)
            reason = prover.decide(left)
            bound = left.decided
        progress = SearchProgress(bound, visited=ledger.domains - before)
        return SearchOutcome(Status.STUCK if reason else Status.VERIFIED, progress)

    def _by_inputs(self, state: RootState) -> str:
        context, before = self.context, self.context.saver.search_before()
        if before is None:
            context.attack(state.query.clauses())
            self.account.explain(state)
        bound = bound_by_inputs(context.engine, context.engine.exact.output, self.plan.tighten)
        search = DomainSearch(bound, self.setup)
        with context.ledger.timed("search"):
            if isinstance(before, DomainData):
                begun = before.state(self.plan.pool)
            else:
                root = root_domains(state.query, state.margins)
                if context.proof is not None:  # bounding cuts the boxes
                    root = replace(root, number=context.proof.roots(root))
                begun = search.begin(bound(root))
            context.saver.searching(lambda: DomainData.of(begun))
            return self._ended(self._crew(state).domains(search, begun))

    def _by_neurons(self, state: RootState, share: float) -> str:
        ledger, before = self.context.ledger, self.context.saver.search_before()
        if isinstance(before, SubsearchData | RegionData):
            with ledger.timed("search"):
                return self._ended(self._searched(before.region, before, self.context.crew))
        found = self._optimised(state, share)
        state = found.state
        if not state.open().numel():
            ledger.tell("bounding", state.worst())
            self.account.explain(state, found.warm)
            return ""
        self.account.explain(state, found.warm)
        if self.plan.splits == "none":
            ledger.report("bounding", state.worst())
            return "the bounds at the root are too loose and branching is off"
        with ledger.timed("root"):
            found.forms.complete(self.context.engine.relaxed(state.intervals))
        with ledger.timed("search"):
            crew = self._crew(state, found)
            return self._ended(self._searched(found.region(), None, crew, found.seconds))

    def _optimised(self, state: RootState, share: float) -> RootFound:
        """The root bounded with optimised slopes as long as it is open."""
        context, engine, steps = self.context, self.context.engine, self.context.config.root_steps
        found = context.saver.root_before() or RootFound(
            state, HiddenForms(engine, self.plan.forms, state.box)
        )
        stages = ((0, 0.1), (steps, 0.4), (4 * steps, 0.4))
        for number, (count, part) in enumerate(stages[: 2 if self.plan.retighten == "reoptimised" else 3]):
            if number < found.stage:
                continue
            if number > found.stage:
                how = Tightening(Steps.of(count), part * share, record=self._keeping(found))
                found = self._stage(found, how, max(2 * steps, 2 * count))
                context.saver.root_found(found)
            self.account.note_widths(found.state)
            if not found.state.open().numel():
                break
            if self.plan.splits != "none":
                context.attack(found.state.query.clauses())
            if count and found.seconds > PROMPT * share:
                break
        return found

    def _stage(self, found: RootFound, how: Tightening, steps: int) -> RootFound:
        """The root after one more stage, with so many steps for the specification's rows."""
        context, engine, state = self.context, self.context.engine, found.state
        begun = engine.clock.now()
        context.ledger.report("optimising slopes", state.worst())
        with context.ledger.timed("root"):
            state, known = optimised(engine, state, engine.exact.output, how, steps)
        if context.proof is not None and known is not None:
            context.proof.rows(state.query, known)
        return found.after(state, known, engine.clock.now() - begun)

    def _keeping(self, found: RootFound) -> Record:
        """Who is told of hidden rows that are bounded: the forms, and the proof, if one is written."""
        proof, query, forms = self.context.proof, found.state.query, found.forms
        if proof is None:
            return forms.keep

        def keep(node: int, neurons: Tensor, found: Answer) -> None:
            forms.keep(node, neurons, found)
            proof.hidden(query, node, neurons, found)

        return keep

    def _searched(
        self,
        region: Region,
        before: SubsearchData | RegionData | None,
        crew: SearchCrew | Serving,
        seconds: float = 0.0,
    ) -> SearchOutcome:
        """The search of a crew below the root, whose hidden rows took so many seconds, or the one before."""
        context, plan, saver = self.context, self.plan, self.context.saver
        branching = self._branching(region)
        renewed = branching.mixed is not None and branching.mixed.tighten
        simple = plan.retighten != "reoptimised" or renewed or not region.forms.influence.weights
        if isinstance(before, SubsearchData) or (before is None and simple):
            task = before.task(branching, self.setup) if before else branching.within(region, self.setup)
            begun = task.state = task.state or task.search.begin(task.search.bound(task.domains))
            saver.searching(lambda: SubsearchData.of(task))
            return crew.domains(task.search, begun, lambda d: replace(SubsearchData.of(task), state=d))
        search = RegionSearch(
            branching,
            self.setup,
            memory=plan.forms,
            left=lambda: context.share(1.0),
            seconds=seconds,
            told=context.ledger.regions,
        )
        state = before.state(search) if before else search.begin(region)
        saver.searching(lambda: RegionData.of(state))
        return crew.regions(search, state)

    def _branching(self, region: Region) -> NeuronBranching:
        """How domains of the region are split."""
        context, engine, config = self.context, self.context.engine, self.context.config
        mixed = None
        if self.plan.splits == "mixed":
            rows = region.query.rhs.shape[1]
            mixed = Mixed.of(engine, region.forms, rows, config.child_steps, self.plan.tighten)
        return NeuronBranching(
            engine,
            chooser=lambda root: chooser(config, engine, root, region.forms, mixed),
            steps=Steps.of(config.child_steps),
            clip=self.plan.retighten != "frozen",
            mixed=mixed,
            narrowing=lambda: context.share(NARROWING) if context.proof is None else 0.0,
        )

    def _ended(self, outcome: SearchOutcome) -> str:
        """Why a search proves nothing, "" where it does; raises `DeadlineReached`."""
        self.context.ledger.know(outcome.progress.bound)
        if outcome.status is Status.TIMEOUT:
            raise DeadlineReached
        if outcome.status is Status.MEMORY:  # another run may have more
            self.context.saver.write()
        return without_proof(outcome, self.context.turns.reachable)
