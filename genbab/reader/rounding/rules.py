"""What a program rounds in each operator, in terms of the nodes that the operator became.

A node that gets no rounding is exact: it says what computed numbers mean (a maximum as y + relu(x - y), say).
Operators without a rule here are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from genbab.network import Affine, Grouped, Network, Nonlinear
from genbab.network.rounding.counts import REACH, joined, literally, terms_of
from genbab.network.rounding.elementary import ElementaryTable, Pieces
from genbab.network.rounding.formats import FLOAT32, Format
from genbab.network.rounding.steps import Rounding
from genbab.nonlinear import Nonlinearity
from genbab.nonlinear.facts.registry import OPERATORS
from genbab.reader.convert.control import CONTROL
from genbab.reader.convert.convert import Lowered
from genbab.reader.convert.rules import DOMAINS
from genbab.reader.convert.sequences import SEQUENCES
from genbab.reader.lower import MOVES
from genbab.reader.rounding.composites import of_batch_norm, of_softmax
from genbab.reader.rounding.ends import (
    check_constants,
    of_joined_factor,
    of_joined_norm,
    of_norm_scale,
    of_small_constants,
)
from genbab.reader.rounding.forms import FORMS, rounded_to, shorter
from genbab.reader.rounding.kinds import (
    CASTS,
    COMPLEMENTS,
    EXACT,
    KEEPING,
    MOVING,
    ONCE,
    POWER,
    QUANTISED,
    RECURRENT,
    STEPS,
    SUMS,
)
from genbab.reader.rounding.known import multiple, near
from genbab.reader.rounding.norms import NORMS, NormStep, norm_of
from genbab.reader.rounding.recurrent import of_recurrent
from genbab.reader.tensors import elements
from genbab.reader.tensors.functions import function
from genbab.reader.tensors.values import Masked, Refused, Var


@dataclass
class Roundings:
    """What the program of a lowered network rounds, by node; problems: operators without a rule.

    form: the shortest format of its tensors; norms: by node, the norms that have errors of their own. marked:
    nodes at which the operator that is looked at rounds, in the format that its sums are kept in.
    """

    network: Network
    table: ElementaryTable
    form: Format
    found: dict[int, Rounding] = field(default_factory=dict)
    terms: dict[int, float] = field(default_factory=dict)
    live: frozenset[int] = frozenset()
    marked: set[int] = field(default_factory=set)
    norms: dict[int, tuple[NormStep, Format]] = field(default_factory=dict)
    problems: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, step: Lowered) -> None:
        """Note what one operator rounds."""
        if step.op.kind in QUANTISED and step.op.node.domain in DOMAINS:
            self._quantised(step)
            self._shortened(step, shorter(step, FLOAT32))
            return
        named = [v for v, name in zip(step.outputs, step.op.node.output, strict=False) if name]
        outputs = [v.value if isinstance(v, Masked) else v for v in named]
        made = [v for v in outputs if isinstance(v, Var) and not (v.whole or v.boolean)]
        try:
            check_constants(step)
        except Refused as reason:
            self.problems.append((step.op.label, step.op.kind, str(reason)))
            return
        kind, plain = step.op.kind, step.op.node.domain in DOMAINS
        if not made or (plain and (kind in MOVES or kind in EXACT or kind in CONTROL or kind in SEQUENCES)):
            return
        form = shorter(step, FORMS[made[0].element])
        self.live = frozenset().union(*(self.network.ancestors[v.node] for v in made))
        self.marked.clear()
        try:
            self._rule(step, plain)(step, form.wide, made)
            self._shortened(step, form)
        except Refused as reason:
            self.problems.append((step.op.label, kind, str(reason)))

    def _rule(self, step: Lowered, plain: bool) -> Callable[[Lowered, Format, Sequence[Var]], None]:
        kind = step.op.kind
        if plain and kind in ONCE:
            return self._once
        if plain and kind in CASTS:
            return self._cast
        if plain and kind in MOVING and step.op.text(*MOVING[kind]) == MOVING[kind][1]:
            return self._exact
        if plain and kind in SUMS:
            return self._sums
        if plain and kind in RECURRENT:
            return self._recurrent
        if plain and kind in STEPS:
            return self._steps
        special: dict[str, Callable[[Lowered, Format, Sequence[Var]], None]] = {
            **dict.fromkeys(NORMS, self._norm),
            "BatchNormalization": self._batch_norm,
            "Softmax": self._softmax,
            "LogSoftmax": self._softmax,
        }
        if plain and kind in special:
            return special[kind]
        if ("" if plain else step.op.node.domain, kind) in OPERATORS or (plain and kind in ("Gelu", "Pow")):
            return self._function
        raise Refused("what it rounds is not known")

    @property
    def kept(self) -> frozenset[int]:
        """The nodes that must stay nodes: what norms are of, and what they are."""
        return frozenset(node for norm, _ in self.norms.values() for node in (norm.source, norm.node))

    def mark(self, i: int, rounding: Rounding | None) -> None:
        """Note what the program rounds at node i, beside what is known."""
        if rounding is not None and i in self.live:
            self.found[i] = joined(self.found.get(i), rounding)
            self.marked.add(i)

    def _shortened(self, step: Lowered, form: Format) -> None:
        """What is rounded to a short format, or kept: whatever is computed on the way, sums as a whole."""
        if not form.short:
            return
        for i in sorted(i for i in self.marked if step.first <= i < step.last):
            node, more = self.network.nodes[i], rounded_to(form)
            if step.op.kind in NORMS and isinstance(node, Affine):  # the product with the scale, too
                each = torch.full_like(node.bias, form.unit)
                more = replace(more, sums=each, absolute=2.0 * form.tiny)
            elif step.op.kind in COMPLEMENTS and self.found[i].function:
                more = replace(more, absolute=form.unit + form.tiny)
            self.mark(i, more)
        for i, (norm, _) in self.norms.items():
            if step.first <= i < step.last:
                self.norms[i] = norm, form

    def _cast(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        """A conversion that rounds is a node of its own."""
        for v in made:
            if step.first <= v.node < step.last and v.node in self.network.affine:
                self.mark(v.node, rounded_to(form))

    def _exact(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        """Nothing is rounded."""

    def _once(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        """One operation, which a sum of products may take in: it is one more of its terms, or a factor."""
        read = [v.node for v in step.inputs if isinstance(v, Var) and v.node in self.terms]
        factor, added = step.op.kind not in ("Add", "Sub"), 0.0
        if read and not factor:
            added = sum(self.terms[i] for i in read) + float(len(step.inputs) - len(read)) - 1.0
        for i in read:
            more = 0.0 if factor else added + 1.0 - self.terms[i]
            self._more(i, more * form.unit / 2.0, form.unit * factor)
            if factor and i in self.network.affine:
                self._joined(i, made, of_joined_factor(self.network.affine[i], step, form))
        for v in made:
            if step.first <= v.node < step.last:
                self.mark(v.node, Rounding(unit=form.unit, absolute=form.tiny))
                self.mark(v.node, of_small_constants(step, form))
                self._more(v.node, max(0.0, added - 1.0) * form.unit / 2.0)

    def _joined(self, i: int, made: Sequence[Var], lost: float) -> None:
        """What is lost where the weights of sum i are multiplied by what comes after it."""
        self.mark(i, Rounding(largest=REACH))
        for v in made:
            self.mark(v.node, Rounding(absolute=lost))

    def _more(self, i: int, partial: float, each: float = 0.0) -> None:
        """So much more of a sum's partial sums, and of each term."""
        node = self.network.affine.get(i)
        if node is not None and (partial or each):
            self.mark(i, Rounding(sums=torch.full_like(node.bias, partial + each), unit=partial))

    def _sums(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        more = SUMS[step.op.kind] + any(i in self.network.nonlinear for i in range(step.first, step.last))
        sums = {i: self.network.affine[i] for i in range(step.first, step.last) if i in self.network.affine}
        many = {i: float(terms_of(node).max()) for i, node in sums.items()}
        whole = sum(count for count in many.values() if count > 1.0)
        for i, node in sums.items():  # a bias, say, may be any of the terms
            self.mark(i, literally(node, form, more, whole - many[i] if many[i] > 1.0 else 0.0))
        for v in made:
            if v.node in sums:
                self.terms[v.node] = max(1.0, whole)
            if v.node in self.network.nonlinear:
                self.mark(v.node, Rounding(unit=form.unit, absolute=form.tiny))

    def _steps(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        for i in range(step.first, step.last):
            node = self.network.nodes[i]
            if isinstance(node, Affine):
                self.mark(i, literally(node, form, 1))
            elif isinstance(node, Grouped):
                raise Refused("what it rounds is not known")
            elif isinstance(node, Nonlinear):
                self.mark(i, self._computed(node, form))

    def _recurrent(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        for i, found in of_recurrent(self.network, step, form, self._in_recurrence):
            self.mark(i, found)

    def _in_recurrence(self, fn: Nonlinearity) -> Pieces:
        """What is known of a function inside a recurrent operator, where runtimes have others."""
        found = self.table.recurrent(str(fn))
        if not found:
            inside = f"{fn} of recurrent operators"
            raise Refused(
                f"the table '{self.table.name}' does not have {inside}; --elementary 4ulp, say, does"
            )
        return near(found, fn, self.form)

    def _quantised(self, step: Lowered) -> None:
        """Float steps before numbers are rounded to integers; these are exact."""
        self.live = frozenset(range(step.first, step.last))
        self.marked.clear()
        for i in sorted(self.live):
            node = self.network.nodes[i]
            if isinstance(node, Affine):
                self.mark(i, literally(node, FLOAT32, 2))
            elif isinstance(node, Nonlinear) and node.fn.name == "round":
                return
            elif isinstance(node, Nonlinear) and node.fn.name not in KEEPING:
                self.mark(i, Rounding(unit=FLOAT32.unit, absolute=FLOAT32.tiny))

    def _computed(self, node: Nonlinear, form: Format) -> Rounding | None:
        """A product, or a function that an operator of several steps takes on its way."""
        if not isinstance(node.fn, Nonlinearity):
            return Rounding(unit=form.unit, absolute=form.tiny)
        if node.fn.name in KEEPING:
            return None
        if node.fn.name in ("power", "sqrt", "reciprocal"):
            return Rounding(unit=POWER * form.unit, absolute=form.tiny)
        return Rounding(function=self.pieces(node.fn))

    def _function(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        for i in range(step.first, step.last):
            node = self.network.nodes[i]
            if not isinstance(node, Nonlinear) or not isinstance(node.fn, Nonlinearity):
                if isinstance(node, Affine) and literally(node, form) is None:
                    continue
                raise Refused("what it rounds is not known")
            self.mark(i, Rounding(function=self.pieces(node.fn)))

    def pieces(self, fn: Nonlinearity) -> Pieces:
        """What the table says of a function; raises `Refused` where that is nothing."""
        found = self.table.pieces(str(fn))
        if not found and fn.name == "elu":
            found = multiple(self.table.pieces("elu(1)"), fn.params[0])
        if not found:
            raise Refused(f"the table '{self.table.name}' does not have {fn}; --elementary 4ulp, say, does")
        return near(found, fn, self.form)

    def _batch_norm(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        """Runtimes multiply the factors into the weights of the convolution before, where there is one."""
        self.mark(made[0].node, of_batch_norm(step, form, made[0].shape))
        source = step.inputs[0]
        if isinstance(source, Var) and source.node in self.terms:
            self._joined(source.node, made, of_joined_norm(self.network.affine[source.node], step, form))
            self._more(source.node, form.unit, 2.0 * form.unit)
            self._more(made[0].node, self.terms[source.node] * form.unit / 2.0)

    def _norm(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        """The norm has an error of its own; scale and bias may be joined with it, or come after it."""
        if step.op.integer("stash_type", elements.FLOAT) in elements.SHORT:
            raise Refused("a norm whose sums are kept in a type below float32")
        norm = norm_of(self.network, step)
        if norm is None or any(step.op.node.output[1:]):
            raise Refused("a norm of single numbers, or one whose mean is an output, too")
        self.norms[norm.node] = norm, form
        small = of_norm_scale(step, norm.epsilon, form)
        for i in range(norm.node + 1, step.last):
            node = self.network.nodes[i]
            if isinstance(node, Affine):
                self.mark(i, literally(node, form, 2))
            else:
                self.mark(i, Rounding(unit=3 * form.unit, absolute=form.tiny))
            self.mark(i, Rounding(absolute=small))

    def _softmax(self, step: Lowered, form: Format, made: Sequence[Var]) -> None:
        exp = self.pieces(function("exp"))
        log = self.pieces(function("log")) if step.op.kind == "LogSoftmax" else None
        for v in made:
            self.mark(v.node, of_softmax(step, form, exp, log))
