"""The open parentheses of a formula while it is read: what each takes, and what it has taken."""

from __future__ import annotations

from typing import ClassVar

from genbab.specs.form.rows import Linear
from genbab.specs.lowering.formula import Dnf

EXPECTED = {
    "command": "a command: (declare-const X_0 Real), (assert ...)",
    "formula": "a formula: (and ...), (or ...) or a relation <= >= < > = ==",
    "term": "a number, a variable X_i or Y_j, or (+ ...), (- ...), (* ...), (/ ...)",
    "words": "words",
}
"""What each kind of frame takes, in the words of an error message."""


class Misplaced(Exception):  # becomes a SpecError with a place
    """Something stands where it must not; the text says what would be accepted."""


class Frame:
    """An open parenthesis: its head, its token, and what it takes."""

    __slots__ = ("at", "head")
    wants: ClassVar[str] = "words"

    def __init__(self, head: str, at: int) -> None:
        self.head, self.at = head, at

    def literal(self, token: int) -> None:
        """Take a relation, the literal of this token; raises Misplaced where none may stand."""
        raise Misplaced(f"found a relation where ({self.head} ...) takes {EXPECTED[self.wants]}")

    def formula(self, dnf: Dnf) -> None:
        """Take a formula that is finished; only frames that want formulas do."""
        raise NotImplementedError

    def term(self, term: Linear) -> None:
        """Take a linear term that is finished; only frames that want terms do."""
        raise NotImplementedError


class Words(Frame):
    """A command that is made of words."""

    __slots__ = ("words",)

    def __init__(self, head: str, at: int) -> None:
        super().__init__(head, at)
        self.words: list[str] = []


class Assert(Frame):
    """`(assert F)`; hands F to the conjunction of the whole text."""

    __slots__ = ("dnf",)
    wants = "formula"

    def __init__(self, head: str, at: int) -> None:
        super().__init__(head, at)
        self.dnf: Dnf = []

    def literal(self, token: int) -> None:
        """Take a relation."""
        self.formula([(token,)])

    def formula(self, dnf: Dnf) -> None:
        """Take the only formula; raises Misplaced for a second one."""
        if self.dnf:
            raise Misplaced("an (assert ...) takes one formula; join several by (and ...); is a ')' missing?")
        self.dnf = dnf


class And(Frame):
    """`(and ...)`; one directly inside another shares its lists."""

    __slots__ = ("factors", "outer", "plain", "start")
    wants = "formula"

    def __init__(self, head: str, at: int, outer: And | None = None) -> None:
        super().__init__(head, at)
        self.outer = outer
        self.plain: list[int] = outer.plain if outer else []
        self.factors: list[Dnf] = outer.factors if outer else []
        self.start = self.size()

    def size(self) -> int:
        """How much has been taken, together with the outer conjunctions."""
        return len(self.plain) + len(self.factors)

    def literal(self, token: int) -> None:
        """Take a relation."""
        self.plain.append(token)

    def formula(self, dnf: Dnf) -> None:
        """Take a formula that is finished."""
        if len(dnf) == 1:
            self.plain.extend(dnf[0])
        else:
            self.factors.append(dnf)


class Or(Frame):
    """`(or ...)`; one directly inside another shares its list."""

    __slots__ = ("outer", "start", "terms")
    wants = "formula"

    def __init__(self, head: str, at: int, outer: Or | None = None) -> None:
        super().__init__(head, at)
        self.outer = outer
        self.terms: Dnf = outer.terms if outer else []
        self.start = self.size()

    def size(self) -> int:
        """How many conjunctions have been taken, together with the outer disjunctions."""
        return len(self.terms)

    def literal(self, token: int) -> None:
        """Take a relation."""
        self.terms.append((token,))

    def formula(self, dnf: Dnf) -> None:
        """Take a formula that is finished."""
        self.terms.extend(dnf)


class Operands(Frame):
    """A relation or an arithmetic operator with its terms."""

    __slots__ = ("terms",)
    wants = "term"

    def __init__(self, head: str, at: int) -> None:
        super().__init__(head, at)
        self.terms: list[Linear] = []

    def term(self, term: Linear) -> None:
        """Take a linear term that is finished."""
        self.terms.append(term)
