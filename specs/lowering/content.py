"""What a property says, in any notation, before it becomes a `Spec`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from genbab.errors import SpecError
from genbab.specs.form.declarations import NetworkName
from genbab.specs.form.elements import Ball, Hidden, Run
from genbab.specs.lowering.entries import Bounds
from genbab.specs.lowering.formula import PackedDnf
from genbab.specs.lowering.relations import DenseRows
from genbab.specs.numbers.arrays import Ints


@dataclass(frozen=True)
class Content:
    """What a property says, in any notation: literals, when they make it true, what each of them means.

    A point is unsafe that satisfies all literals of `common` and all those of at least one of `terms`.
    sizes (D, O): inputs, outputs of all runs; `rows` have one more column per product. balls: by literal;
    a literal with a ball has bounds, too. error(message, literal) points at a literal (None: at the whole);
    name(i) is what people call input i. text: where the places are that bounds are said at.
    """

    sizes: tuple[int, int]
    common: Sequence[int] | Ints
    terms: PackedDnf
    bounds: Bounds
    rows: DenseRows
    never: Ints
    error: Callable[[str, int | None], SpecError]
    name: Callable[[int], str] = "X_{}".format
    example: str = "(assert (<= X_0 1.5))"
    balls: Mapping[int, Ball] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    products: tuple[tuple[int, ...], ...] = ()
    hidden: tuple[Hidden, ...] = ()
    notes: tuple[str, ...] = ()
    declared: tuple[NetworkName, ...] = ()
    text: bytes = b""
