"""What all members of a crew have open at one moment: for a checkpoint, or for when one of them is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genbab.driver.crew.messages import Parcel, Reveal, Revealed
from genbab.driver.crew.part import MemberPart


@dataclass(eq=False)
class Snapshot:
    """A picture in the making: nothing moves between members from its first moment to its last.

    parts: of the members that are asked, once nothing is on its way between any; shown: what they said, by
    the places of their parts here.
    """

    parts: Sequence[MemberPart] | None = None
    shown: dict[int, Revealed] = field(default_factory=dict)

    def ask(self, parts: Sequence[MemberPart]) -> None:
        """Ask all members that search domains, unless somebody is still to hand some over.

        One that was sent to divide a region has handed over what it had, unless it had stopped before;
        one that makes the first attacks was given nothing.
        """
        if self.parts is None and not any(part.asked is not None for part in parts):
            self.parts = [part for part in parts if part.searches or part.report.stopped]
            for part in self.parts:
                part.member.send(Reveal())

    def tell(self, part: MemberPart, shown: Revealed) -> None:
        """A member has answered: if not before its last parcel, to a picture that was given up."""
        if self.parts is None or part not in self.parts or shown.taken != part.sent:
            return
        self.shown[self.parts.index(part)] = shown
        if part.keeps and not shown.trouble:
            part.held = [] if shown.parcel is None else [shown.parcel]

    @property
    def complete(self) -> bool:
        """Whether all have answered."""
        return self.parts is not None and len(self.shown) == len(self.parts)

    @property
    def parcels(self) -> list[Parcel]:
        """What they have open."""
        return [shown.parcel for shown in self.shown.values() if shown.parcel is not None]

    @property
    def trouble(self) -> str:
        """Why some could not say what they have, "" where all could."""
        return next((shown.trouble for shown in self.shown.values() if shown.trouble), "")
