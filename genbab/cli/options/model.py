"""The words that say what of a model is read: its outputs, and the shapes of its inputs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genbab.errors import UsageError

if TYPE_CHECKING:
    from genbab.reader import Wanted


@dataclass(frozen=True)
class ReadingWords:
    """Which outputs of a model are read, and shapes of its inputs by name."""

    outputs: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, options: argparse.Namespace) -> ReadingWords:
        """What a command line says; raises `UsageError` for shapes that are none."""
        found: dict[str, tuple[int, ...]] = {}
        for text in options.read_shapes or ():
            name, _, numbers = text.rpartition("=")
            parts = numbers.replace("x", ",").split(",")
            if not name or not all(part.strip().isdecimal() and int(part) for part in parts):
                raise UsageError(f"--shape {text}: expected NAME=1,16,4: whole numbers from 1")
            if name in found:
                raise UsageError(f"--shape: {name} is given twice")
            found[name] = tuple(int(part) for part in parts)
        return cls(tuple(options.read_outputs or ()), found)

    def __bool__(self) -> bool:
        return bool(self.outputs or self.shapes)

    def wanted(self) -> Wanted:
        """The same as the reader takes it, which is loaded for it."""
        from genbab.reader import Wanted

        return Wanted.of(self.outputs, self.shapes)

    @property
    def words(self) -> list[str]:
        """The same as words of `genbab verify` and of `genbab-check`."""
        shapes = [
            f"--shape={name}={','.join(map(str, shape))}" for name, shape in sorted(self.shapes.items())
        ]
        return [*(f"--output={name}" for name in self.outputs), *shapes]


def add_reading(parser: argparse.ArgumentParser, flag: str = "--output") -> None:
    """Add the words; `flag` names an output."""
    group = parser.add_argument_group("what of the model is read")
    group.add_argument(
        flag,
        dest="read_outputs",
        metavar="NAME",
        action="append",
        help="only this output, and what it needs (repeat it; default: all, one after the other)",
    )
    group.add_argument(
        "--shape",
        dest="read_shapes",
        metavar="NAME=1,16,4",
        action="append",
        help="the shape of an input whose axes the file leaves open (default: a leading axis is 1)",
    )
