"""The satisfying assignment of a VNN-LIB 2 query, in the two forms of the standard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genbab.errors import UsageError
from genbab.system.files import write_atomically

if TYPE_CHECKING:
    from genbab.reader import Model
    from genbab.result import Counterexample
    from genbab.specs import Spec, TensorName


class Value(NamedTuple):
    """A declared tensor, its numbers in row-major order, and the element type of the model's tensor."""

    tensor: TensorName
    numbers: NDArray[np.float64]
    kind: str


class Assignment:
    """How a counterexample of a spec becomes values of the tensors that its text declares."""

    def __init__(self, spec: Spec, model: Model) -> None:
        self.spec, self.model = spec, model

    @property
    def names(self) -> list[str]:
        """The declared tensors in the order of the text."""
        return [t.name for network in self.spec.declared for t in network.tensors]

    def values(self, found: Counterexample) -> Iterator[Value]:
        """All declared tensors in the order of the text."""
        from genbab.reader import element_types

        x, runs = found.x.astype(np.float64), self.spec.runs
        flat = {"inputs": np.concatenate([run.at(x) for run in runs]) if runs else x}
        flat["outputs"] = found.y.astype(np.float64)
        kinds = element_types(self.model)
        count = len(self.model.input_names)
        of_end = {"inputs": kinds[:count], "outputs": kinds[count:]}
        at, number = {"inputs": 0, "outputs": 0}, {"inputs": 0, "outputs": 0}
        for network in self.spec.declared:
            for end in at:
                for tensor in getattr(network, end):
                    start = at[end]
                    at[end] += tensor.size
                    kind = of_end[end][number[end] % len(of_end[end])]  # runs share the model's tensors
                    number[end] += 1
                    yield Value(tensor, flat[end][start : at[end]], kind)

    def text(self, found: Counterexample) -> str:
        """Per tensor a line `name type [shape]`, then one number per line, exact and without exponents."""
        from genbab.specs import whole_type

        lines: list[str] = []
        for tensor, numbers, kind in self.values(found):
            lines.append(f"{tensor.name} {tensor.type} [{','.join(map(str, tensor.shape))}]")
            whole = whole_type(kind)
            lines.extend(
                str(int(v)) if whole else np.format_float_positional(v, unique=True, trim="0")
                for v in numbers
            )
        return "\n".join(lines) + "\n"

    def write(self, found: Counterexample, folder: Path) -> None:
        """One file NAME.pb per tensor in the folder, a serialised TensorProto of the declared type.

        Where that is `real`, of the type of the model's tensor. Raises `UsageError` when one cannot be
        written.
        """
        from genbab.reader import tensor_bytes

        for tensor, numbers, kind in self.values(found):
            written = kind if tensor.type == "real" else tensor.type
            write_atomically(folder / f"{tensor.name}.pb", tensor_bytes(numbers, written, tensor.shape))

    def clear(self, folder: Path) -> None:
        """Remove what an earlier run left in these places: it would mislead. Raises `UsageError`."""
        for name in self.names:
            try:
                (folder / f"{name}.pb").unlink(missing_ok=True)
            except OSError as error:
                raise UsageError(f"cannot write {folder / name}.pb: {error.strerror or error}") from error


def made_folder(path: Path) -> None:
    """Make the folder, if need be, and see that files can be written there; raises `UsageError`."""
    from tempfile import TemporaryFile

    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to the folder {path}: {error.strerror or error}") from error
