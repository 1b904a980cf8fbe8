"""How a check ends other than by accepting."""

from __future__ import annotations


class Unusable(Exception):
    """A file cannot be read, or says something that there is no rule for: exit code 2."""


class Unfinished(Exception):
    """Neither accepted nor rejected: the time is up, or a process has ended early; exit code 2."""


class Rejected(Exception):
    """The proof does not show what it claims: exit code 1."""
