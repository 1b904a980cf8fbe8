"""Instances of a list, verified by processes of this machine."""

from __future__ import annotations

from genbab.cli.many.child import Children
from genbab.cli.many.order import Orders, carried_out
from genbab.studies.records.provenance import facts
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.system.process import Ended


class Here:
    """Questions of a list, answered by processes of this machine."""

    def __init__(self, orders: Orders) -> None:
        self.orders, self.children = orders, Children()

    def ask(self, question: StudyQuestion) -> tuple[StudyAnswer, str]:
        """What came of `genbab verify`; raises `Ended` after `end`."""
        outcome = carried_out(self.orders(question), self.children)
        if self.children.ended:  # it did not end by itself
            raise Ended
        return outcome.answer, facts()

    def end(self) -> None:
        """End the processes that run; no more are started."""
        self.children.end()
