"""A member of a crew on a node of a cluster: the same question read there, and the search taken up."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial

import torch

from genbab.checkpoint import KeptRun
from genbab.cluster.actors import Mailbox
from genbab.config import Config
from genbab.driver import Verification, fitted, load_within
from genbab.driver.crew.member import served
from genbab.driver.crew.messages import Answer, Order
from genbab.driver.crew.serving import Serving
from genbab.driver.crew.team import PlaceInTeam
from genbab.errors import DeadlineReached
from genbab.specs import Spec
from genbab.system.deadline import Deadline
from genbab.system.device import usual_torch
from genbab.system.schedule import RunSchedule
from genbab.told import Told


@dataclass(frozen=True, eq=False)
class Briefing:
    """What a member has to know: the question, where the search stands, its place, and seconds to go."""

    model: bytes
    spec: Spec
    config: Config
    kept: KeptRun
    place: PlaceInTeam
    seconds: float | None


class MailPost:
    """A member's post by way of an actor's mailbox."""

    def __init__(self, mail: Mailbox) -> None:
        self.mail = mail

    def receive(self, wait: bool) -> Order | None:
        """The next order; None where none has come and `wait` is False."""
        data = self.mail.receive(wait)
        if data is None:
            return None
        order: Order = pickle.loads(data)
        return order

    def send(self, message: Answer) -> None:
        """Send a message."""
        self.mail.send(pickle.dumps(message, protocol=5))


def serve(mail: Mailbox, briefing: Briefing) -> None:
    """Serve a crew elsewhere until it is gone; whatever goes wrong is told."""
    post = MailPost(mail)
    served(post, partial(_work, post, briefing))


def _work(post: MailPost, briefing: Briefing) -> None:
    """Read the question, take up the search, and do what a member does."""
    torch.set_num_threads(1)
    config, place = briefing.config, briefing.place
    deadline = Deadline(briefing.seconds)
    try:
        model = load_within(deadline, briefing.model, config=config)
        with usual_torch():
            model, spec = fitted(model, briefing.spec, deadline)
            told = Told(before=briefing.kept, crew=lambda v: Serving(post, place.number, place, v.turns))
            Verification(model, spec, config, RunSchedule(deadline), told).serve()
    except DeadlineReached:  # before there was anything to search; the crew has the time, too
        return
