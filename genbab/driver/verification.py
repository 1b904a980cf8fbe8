"""One verification from question to verdict: what proves, what refutes, and what is said of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from genbab.amounts import SMALLEST_MEMORY
from genbab.attack import FULL, Challenge, Falsified
from genbab.bounds import Engine
from genbab.branch import Status
from genbab.checkpoint import KeptRun
from genbab.config import Config
from genbab.driver.context import Context
from genbab.driver.crew import LocalTeam, SearchCrew, check_portfolio, workers_of
from genbab.driver.endings import Hopeless, found_at, memory_errors, refuted, unproved
from genbab.driver.ledger import Ledger
from genbab.driver.record.proving import ProofRecord
from genbab.driver.saved.fits import taken_up, unlike
from genbab.driver.saved.saver import Saver
from genbab.driver.stages import Stages
from genbab.driver.turns import Turns
from genbab.driver.undefined import Undefined
from genbab.driver.vacuity import vacuity
from genbab.errors import DeadlineReached
from genbab.network import lifted, with_premises
from genbab.problem import Query, queries
from genbab.reader import Model, turn_by_turn
from genbab.result import Result, Verdict
from genbab.specs import Spec
from genbab.system.device import resolve
from genbab.system.schedule import RunSchedule
from genbab.told import Told


class Verification:
    """A question about a model, and what it is answered with.

    Raises `UsageError` where a proof is to be written and there can be none, and where the checkpoint that is
    to be taken up does not fit.
    """

    def __init__(
        self,
        model: Model,
        spec: Spec,
        config: Config,
        schedule: RunSchedule,
        told: Told = Told(),  # noqa: B008 - nobody writes into it
    ) -> None:
        deadline = schedule.deadline
        if told.proof is not None:  # its checker follows the file's graph
            model = turn_by_turn(model, deadline.check)
        self.model, self.spec, self.config, self.schedule = model, spec, config, schedule
        self.ledger = Ledger(deadline, told.progress, told.trace, config.arithmetic)
        device = resolve(config.device)
        workers = workers_of(config, device)
        planned = config.with_(workers=workers)
        check_portfolio(planned, told.proof is not None)
        network = with_premises(lifted(model.network, spec), spec)
        shared = config.with_(memory=max(SMALLEST_MEMORY, config.memory // workers))
        self.engine = Engine.of(network, shared, device, deadline.check, schedule.clock)
        self.challenge = Challenge(model, spec, self.engine.exact, schedule, config)
        query = queries(self.challenge.domain, self.engine.exact, device)
        self.undefined = Undefined(self.engine.exact, query)
        turns = self.turns = Turns(self.challenge, schedule.clock)
        self.proof = None
        if told.proof is not None:
            self.proof = ProofRecord(told.proof, model, self.challenge.domain, self.engine.exact, config)
        self.saver = Saver(told.checkpoint, config, self.engine, self.ledger, turns)
        before = told.before if told.checkpoint is None else told.checkpoint.before
        if before is not None:
            query = self._going_on(before, query)
        team = LocalTeam(workers)
        crew = told.crew(self) if told.crew else SearchCrew(team, deadline, turns, self.saver)
        parts = self.engine, self.ledger, turns, self.undefined, self.saver, crew, self.proof
        self.stages = Stages(Context(planned, schedule, *parts), query)

    def _going_on(self, before: KeptRun, query: Query) -> Query:
        """The query without what is settled, in a run that is taken up; raises `UsageError`."""
        run = taken_up(before, self.engine, query)
        if run.open is not None:
            unlike(before.config, self.config, run.open)
        self.challenge.settled = frozenset(run.settled)
        self.saver.go_on(run)
        return query.without(run.settled)

    def serve(self) -> None:
        """Take up the search at hand for a crew elsewhere; leaves by what its member raises."""
        self.stages.serve()

    def decide(self) -> Result:
        """The verdict, with the reason for it; never raises for lack of time."""
        result, checkpoint = self._decided(), self.saver.checkpoint
        return result if checkpoint is None else checkpoint.told(result)

    def _decided(self) -> Result:
        try:
            with memory_errors():
                self.saver.due()
                reason = self._undecided()
                if not reason:
                    return self._checked()
        except Falsified as found:
            example = found.counterexample
            result = self.ledger.result(Verdict.FALSIFIED, found_at(example, self.config.arithmetic), example)
            return replace(result, runtime=self.challenge.remark(example))
        except DeadlineReached:
            self.saver.write()
            if self.schedule.deadline.stopped:
                return self._open(Verdict.UNKNOWN, f"interrupted by {self.schedule.deadline.stopped}")
            return self._open(Verdict.TIMEOUT, Status.TIMEOUT.message)
        return self._open(Verdict.UNKNOWN, reason)

    def _open(self, verdict: Verdict, reason: str) -> Result:
        """A verdict that claims nothing, and why nothing was attacked where onnxruntime cannot judge."""
        notes = () if self.model.replayable else self.model.notes
        return self.ledger.result(verdict, "; ".join([self.undefined.added(reason), *notes]))

    def _undecided(self) -> str:
        """Why the stages prove nothing, "" where they do; raises `Falsified`.

        Clauses that bounds of closed sets cannot refute are left to rational arithmetic, else attacked once
        more.
        """
        stages = self.stages
        try:
            return stages.run()
        except Hopeless as found:
            where = str(found)
        try:
            if stages.settled(stages.query.clauses()):
                return stages.run()
        except Hopeless as found:
            where = str(found)
        with suppress(DeadlineReached), self.ledger.timed("attack"):
            stages.context.turns.attack(FULL, stages.query.clauses())
        return unproved(where)

    def _checked(self) -> Result:
        """The verdict on a proof, which onnxruntime may put in doubt; raises `Falsified`."""
        self.ledger.tell("checking the proof", self.ledger.bound)
        with self.ledger.timed("check"):
            found = self.challenge.doubts()
        result = self.ledger.result(Verdict.UNKNOWN, found.reason) if found.reason else self._verified()
        facts = {**result.statistics, "compared": found.count} if found.count else result.statistics
        return replace(result, statistics=facts, runtime=found.runtime)

    def _verified(self) -> Result:
        """The verdict with the reason, and whether the premise of the specification can happen at all."""
        reason = refuted(len(self.challenge.settled), self.config.arithmetic, self.config.elementary)
        facts = dict[str, Any]()
        premise = self.spec.premises
        if premise is not None:
            with self.ledger.timed("vacuity"):
                said, facts = vacuity(lambda limit: self._asked(premise, limit), self.schedule)
            reason = said if facts["vacuous"] else f"{reason}; {said}"
        if self.proof is not None:
            facts["proof"] = self.proof.finished(len(self.challenge.settled))
        result = self.ledger.result(Verdict.VERIFIED, reason)
        return replace(result, statistics={**result.statistics, **facts})

    def _asked(self, spec: Spec, schedule: RunSchedule) -> Result:
        """The verdict on another question about the model."""
        return Verification(self.model, spec, self.config, schedule).decide()
