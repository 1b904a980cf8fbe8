"""The premise of `genbab verify --nap`: that inputs follow the pattern of a class."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from genbab.cli.verify.question import readable
from genbab.errors import UsageError
from genbab.result import Counterexample, Result

if TYPE_CHECKING:
    from genbab.specs import Spec


@dataclass(frozen=True)
class PatternPremise:
    """That inputs follow the pattern of class `label` in the file `path`."""

    path: Path
    label: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> PatternPremise | None:
        """The premise of a command line, if it has one; raises `UsageError` for options that make none."""
        if options.nap is None and options.nap_class is None:
            return None
        if options.nap is None or options.nap_class is None:
            missing = "--nap FILE" if options.nap is None else "--nap-class N"
            raise UsageError(f"{missing} is missing: --nap FILE --nap-class N name a file and a class")
        if options.network is not None:
            raise UsageError(
                "--nap is for MODEL SPEC; a query of the VNN-LIB standard says itself what it assumes"
            )
        if not options.nap_class.isdecimal():
            raise UsageError(f"--nap-class {options.nap_class}: must be a whole number from 0")
        return cls(Path(options.nap), int(options.nap_class))

    def check_file(self) -> None:
        """Raise unless the file can be opened."""
        readable(self.path, "pattern file", UsageError)

    def within(self, spec: Spec) -> Spec:
        """The spec, asked only of inputs that follow the pattern; raises `UsageError` where there is none."""
        from genbab import nap

        patterns = nap.load(self.path)
        if self.label not in patterns:
            known = ", ".join(map(str, sorted(patterns))) or "none"
            raise UsageError(f"{self.path} has no pattern of class {self.label}; there is {known}")
        return patterns[self.label].within(spec)

    def told(self, result: Result, outputs: int | None) -> Result:
        """The result in words that say what it was asked of.

        Of the counterexample's y only the `outputs` of the model stay, what follows them is "hidden" in the
        statistics.
        """
        about = f"asked only of inputs that follow the pattern of class {self.label} in {self.path}"
        facts = {**result.statistics, "pattern": {"file": str(self.path), "class": self.label}}
        found = result.counterexample
        if found is not None and outputs is not None:
            facts["hidden"] = found.y[outputs:].tolist()
            found = Counterexample(found.x, found.y[:outputs], found.clause)
        reason = f"{result.reason}; {about}" if result.reason else about
        return replace(result, reason=reason, statistics=facts, counterexample=found)
