"""Networks of which a property speaks, and what calling them on inputs gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from genbab.errors import SpecError
from genbab.specs.form.derivatives import MOST, PartialDerivative
from genbab.specs.words.terms import Terms
from genbab.specs.words.variables import Source, SourceVariable, checked_shape


class RunOutputs(Source):
    """The outputs of one run of a network on `arguments`."""

    computed: ClassVar[bool] = True

    def __init__(self, network: Network, name: str, arguments: tuple[Terms, ...]) -> None:
        super().__init__(network.size, name)
        self.network, self.arguments = network, arguments
        self._hidden: dict[str, tuple[HiddenTensor, tuple[int, ...]]] = {}

    def hidden(self, name: str, shape: tuple[int, ...]) -> HiddenTensor:
        """The tensor of this name inside the run; raises SpecError where it was asked for in another size."""
        known, first = self._hidden.setdefault(name, (HiddenTensor(self, name, int(np.prod(shape))), shape))
        if known.size != int(np.prod(shape)):
            raise SpecError(f"the hidden tensor '{name}' has the shapes {first} and {shape}")
        return known

    def derivative(self, entry: int, by: Sequence[SourceVariable]) -> HiddenTensor:
        """The derivative of this output by inputs of the run; raises SpecError for anything else."""
        known: list[SourceVariable] = []
        for argument in self.arguments:
            known += argument.variables() or [SourceVariable(self, -1)] * argument.size
        if not 1 <= len(by) <= MOST or any(one not in known for one in by):
            raise SpecError(
                f"a derivative is by 1 to {MOST} inputs that the network is run on as they are: "
                "f(x)[0].derivative(x[1])"
            )
        name = PartialDerivative.of(entry, [known.index(one) for one in by]).name
        return self.hidden(name, (1,))


class HiddenTensor(Source):
    """A tensor of the model inside one of its runs."""

    computed: ClassVar[bool] = True

    def __init__(self, run: RunOutputs, name: str, size: int) -> None:
        super().__init__(size, name)
        self.run = run


class Network:
    """A network of which a property speaks; calling it on inputs gives its outputs there.

    `outputs` is the shape of its output. The same inputs give the same outputs; different ones another run
    of the same network. Raises SpecError for a shape that is not made of whole numbers from 1 on, and when it
    is called on anything but `Terms`.
    """

    def __init__(self, *outputs: int, name: str = "y") -> None:
        self.shape, self.name = checked_shape(outputs), name
        self._runs: list[tuple[RunOutputs, Terms]] = []

    @property
    def size(self) -> int:
        """How many outputs there are."""
        return int(np.prod(self.shape))

    @property
    def runs(self) -> tuple[RunOutputs, ...]:
        """The runs in the order in which they were first asked for."""
        return tuple(run for run, _ in self._runs)

    def __call__(self, *inputs: Terms) -> Terms:
        """The outputs at these inputs; raises SpecError unless they are `Terms`."""
        if not inputs or not all(isinstance(x, Terms) for x in inputs):
            raise SpecError("a network is called on Terms: y = f(x) with x = Input(5)")
        for run, outputs in self._runs:
            same = zip(run.arguments, inputs, strict=False)
            if len(run.arguments) == len(inputs) and all(a is b for a, b in same):
                return outputs
        run = RunOutputs(self, self.name + "'" * len(self._runs), inputs)
        outputs = Terms.of(run, self.shape)
        self._runs.append((run, outputs))
        return outputs


def Input(*shape: int, name: str = "x") -> Terms:  # reads like the class of its result
    """An unknown input of this shape, e.g. `Input(1, 28, 28)`; raises SpecError for what is no shape."""
    full = checked_shape(shape)
    return Terms.of(Source(int(np.prod(full)), name), full)
