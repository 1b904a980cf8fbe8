"""What can go wrong, as a tree; the exit code of the command line lives on the class.

Exception
├── GenbabError            4  internal: please report
│   ├── UsageError         2  an option or argument makes no sense
│   ├── ModelError         2  the model cannot be read or does not fit
│   │   └── UnsupportedError  3  the model uses operators genbab has no sound rule for
│   ├── SpecError          2  the specification cannot be read or does not fit
│   └── ResourceError      2  no such device, not enough memory
└── DeadlineReached           the time is up: gives the verdict "timeout", never an error message
"""

from __future__ import annotations

from collections.abc import Sequence


class GenbabError(Exception):
    """Base of every error that genbab raises on purpose; its text is meant to be read by people."""

    exit_code: int = 4


class UsageError(GenbabError):
    """An option, argument or setting that makes no sense."""

    exit_code = 2


class ModelError(GenbabError):
    """The model is missing, unreadable, inconsistent, or does not fit what is asked of it."""

    exit_code = 2


class UnsupportedError(ModelError):
    """Operators without a sound rule; `problems` lists every one as (node name, operator, reason).

    hint: what else could be done, for people.
    """

    exit_code = 3

    def __init__(self, source: str, problems: Sequence[tuple[str, str, str]], hint: str = "") -> None:
        self.source, self.problems = source, tuple(problems)
        lines = [f"{source}: {len(self.problems)} node(s) cannot be verified soundly:"]
        lines += [f"  node '{name}' ({operator}): {reason}" for name, operator, reason in self.problems]
        super().__init__("\n".join([*lines, *([hint] if hint else [])]))


class SpecError(GenbabError):
    """The specification is unreadable or does not fit the model.

    Carries line and column (from 1) when known, 0 otherwise.
    """

    exit_code = 2

    def __init__(self, message: str, source: str = "", line: int = 0, column: int = 0) -> None:
        self.line, self.column = line, column
        place = (
            f"{source or 'specification'}:{line}:{column}: " if line else (f"{source}: " if source else "")
        )
        super().__init__(place + message)


class ResourceError(GenbabError):
    """The device does not exist or the memory does not suffice."""

    exit_code = 2


class DeadlineReached(Exception):  # an event, not an error
    """The time given to a run is over; the verdict is `timeout` with the best bound so far."""
