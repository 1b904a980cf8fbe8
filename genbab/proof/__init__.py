"""Proofs: the file that a search writes, and what `genbab-check`, a program of its own, says of it."""

from genbab.proof.checking import REJECTED, CheckerVerdict, checked, seconds_of, surroundings, unchecked
from genbab.proof.file import SPLIT, ProofFile, Subject, proved

__all__ = [
    "REJECTED",
    "SPLIT",
    "CheckerVerdict",
    "ProofFile",
    "Subject",
    "checked",
    "proved",
    "seconds_of",
    "surroundings",
    "unchecked",
]
