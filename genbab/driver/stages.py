"""The stages of a verification: attack, cheap bounds, a plan, and then each open box by that plan."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from genbab.attack import FULL, QUICK
from genbab.bounds import rows_at_once
from genbab.config import Config
from genbab.driver.account import RootAccount
from genbab.driver.context import Context
from genbab.driver.prover import Prover
from genbab.driver.root import RootState, cheap, tightened
from genbab.driver.saved.data import OpenBoxes
from genbab.driver.saved.fits import names
from genbab.driver.strategy import Strategy, strategy
from genbab.problem import Query


class Stages:
    """The stages on the boxes of a query, and the query as far as it is not settled otherwise."""

    def __init__(self, context: Context, query: Query) -> None:
        self.context, self.query = context, query
        self.account = RootAccount(context)

    def run(self) -> str:
        """Run every stage; "" when all is proved, else why not.

        Raises `Falsified`, `Hopeless` and `DeadlineReached`.
        """
        context = self.context
        left = context.saver.taken_up()
        while len(self.query):
            self._attack()
            if context.undefined.certain:
                return context.undefined.certain
            context.turns.check()
            if left is not None:
                return self._go_on(left)
            states = self._cheap_states()
            strict = context.turns.challenge.reals.strict
            open_ = [k for s in states for k in s.query.clauses()]
            if not (strict and self.settled(open_, points=context.proof is None)):
                plan = self._plan(states, context.config)
                return self._by_plan(plan, self._left(plan, states))
        context.ledger.forget()
        return ""

    def serve(self) -> None:
        """Take up the search at hand of another process, at once."""
        left = self.context.saver.taken_up()
        assert left is not None, "there is a search"
        self._go_on(left)

    def _go_on(self, left: OpenBoxes) -> str:
        """Decide what an earlier run or another process has open, by its kind of plan."""
        fixed = self.context.config.with_(branching=left.splits, retighten=left.retighten)
        return self._by_plan(self._plan(left.boxes, fixed), left)

    def settled(self, clauses: Sequence[int], points: bool = True) -> bool:
        """Whether exact arithmetic refutes some of these clauses; the query is without them then.

        points: whether boxes of few points may be gone through, which no proof can say.
        """
        challenge = self.context.turns.challenge
        if not challenge.settle(sorted(set(clauses)), points):
            return False
        self.query = self.query.without(challenge.settled)
        return True

    def _attack(self) -> None:
        """A first attack: short, unless nothing can be proved."""
        context = self.context
        context.ledger.report("attacking", None)
        with context.ledger.timed("attack"):
            clauses = self.query.clauses() if context.turns.challenge.settled else None
            context.turns.attack(FULL if context.undefined.certain else QUICK, clauses)

    def _cheap_states(self) -> list[RootState]:
        """The boxes that bounds without optimisation leave open, in batches that fit the memory."""
        context, ledger, worst = self.context, self.context.ledger, float("inf")
        states = []
        for part in torch.split(torch.arange(len(self.query)), self._batch()):
            ledger.report("bounding cheaply", None)
            with ledger.timed("cheap bounds"):
                state = self._cheap(self.query.take(part))
            self.account.note_widths(state)
            context.undefined.note(state.intervals)
            worst = min(worst, state.worst())
            margins = state.query.worst(state.margins)
            ledger.elsewhere = min([ledger.elsewhere, *margins[margins > 0].tolist()])
            which = state.open()
            if which.numel():
                states.append(state.take(which))
            else:
                self.account.explain(state)
        (ledger.report if states else ledger.tell)("bounding", worst)
        return states

    def _batch(self) -> int:
        """How many boxes are bounded together."""
        engine = self.context.engine
        rows = rows_at_once(engine, 1, engine.exact.output, searching=False)
        return max(1, min(4096, rows // max(1, self.query.matrix.shape[1])))

    def _cheap(self, query: Query) -> RootState:
        """Boxes with cheap bounds, and with those of hidden rows where these leave them open."""
        engine, output = self.context.engine, self.context.engine.exact.output
        state = cheap(engine, query, output)
        which = state.open()
        if not which.numel():
            return state
        part, proof = state.take(which), self.context.proof
        record = None if proof is None else proof.tightening(part.query)
        better = tightened(engine, part, output, self.context.share(0.5), record)
        return state.merged(better, which)

    def _plan(self, states: list[RootState], config: Config) -> Strategy:
        """What to do about these boxes with these settings."""
        context = self.context
        plan = strategy(context.engine, [s.query for s in states], config, context.proof is not None)
        if states:
            context.ledger.write("plan", **plan.to_dict())
        return plan

    def _left(self, plan: Strategy, states: list[RootState]) -> OpenBoxes:
        """All that is open, before the plan is carried out."""
        if plan.splits != "input":
            states = [one for state in states for one in state.each()]
        every = names(self.query)
        open_ = torch.cat([every[:0], *(names(s.query) for s in states)])
        finished = every[~torch.isin(every, open_)]
        return OpenBoxes(plan.splits, plan.retighten, self.context.ledger.elsewhere, finished, states)

    def _by_plan(self, plan: Strategy, left: OpenBoxes) -> str:
        """Decide what is open, by one plan; "" when all is proved, else the first reason why not."""
        return Prover(self.context, plan, self.account).decide(left)
