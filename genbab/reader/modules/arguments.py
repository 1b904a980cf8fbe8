"""What a module is called with: tensors in any structure, by position or name, beside what is held fixed."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from genbab.errors import ModelError, UsageError

Inputs = tuple[Tensor, ...]

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
"""Types of integers that inputs may have."""

TYPES = (torch.float32, torch.float64, torch.bool, *WHOLE)
"""All types that inputs may have."""

FIXED = (bool, int, float, str, bytes, type(None))
"""What may stand in an example beside tensors; it is held as it is."""


@dataclass(frozen=True, eq=False)
class Arguments:
    """The arguments of a call: its tensors in flat order, detached, with their names, and where they stand.

    Names are those of the parameters, followed by the way into a structure: `x`, `state.cell`, `points.0`.
    plain: the tensors are all there is, by position.
    """

    tensors: Inputs
    names: tuple[str, ...]
    leaves: tuple[Any, ...]
    structure: _pytree.TreeSpec
    plain: bool

    @staticmethod
    def of(example: Any, module: nn.Module | None, name: str) -> Arguments:
        """The arguments that an example stands for.

        A tensor is the one argument, a list or tuple has one entry per argument, a dictionary gives arguments
        by name. `UsageError` for what holds no tensor, or something that is none and cannot be held fixed;
        `ModelError` for tensors of other types than `TYPES`. name: what the module is called in these.
        """
        if isinstance(example, Tensor):
            return Arguments.of_call((example,), {}, module, name)
        if isinstance(example, Mapping) and all(isinstance(key, str) for key in example):
            return Arguments.of_call((), dict(example), module, name)
        if isinstance(example, list | tuple) and not hasattr(example, "_fields"):
            return Arguments.of_call(tuple(example), {}, module, name)
        raise _no_example(name, f"a {type(example).__name__}")

    @staticmethod
    def of_call(
        positional: tuple[Any, ...], named: Mapping[str, Any], module: nn.Module | None, name: str
    ) -> Arguments:
        """The arguments of module(*positional, **named); errors as for `of`."""
        found, structure = _pytree.tree_flatten_with_path((positional, dict(named)))
        firsts = _parameters(module, len(positional))
        ways = [_way(path, firsts) for path, _ in found]
        _refuse([(way, leaf) for way, (_, leaf) in zip(ways, found, strict=True)], name)
        leaves = tuple(leaf.detach() if isinstance(leaf, Tensor) else leaf for _, leaf in found)
        kept = [(way, leaf) for way, leaf in zip(ways, leaves, strict=True) if isinstance(leaf, Tensor)]
        plain = not named and all(isinstance(one, Tensor) for one in positional)
        return Arguments(
            tuple(leaf for _, leaf in kept), distinct(way for way, _ in kept), leaves, structure, plain
        )

    def filled(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(positional, named) arguments with these tensors in the places of the example's."""
        rest = iter(tensors)
        leaves = [next(rest) if isinstance(leaf, Tensor) else leaf for leaf in self.leaves]
        positional, named = _pytree.tree_unflatten(leaves, self.structure)
        return positional, named

    def flat(self, module: nn.Module) -> Call:
        """The module as a function of the tensors of its arguments, one after the other."""
        return Call(module, self)


class Call(nn.Module):
    """A module as one that takes the tensors of its arguments by position and gives those of its result.

    names: what its results are called, () where the module fails on the example.
    """

    def __init__(self, module: nn.Module, arguments: Arguments) -> None:
        super().__init__()
        self.module, self.arguments = module, arguments
        self.names: tuple[str, ...] = ()
        self._plain = arguments.plain
        try:
            positional, named = arguments.filled(arguments.tensors)
            made = module(*positional, **named)
        except Exception:  # whatever its code meets; the exporters say so
            return
        found = output_tensors(made)
        self.names = distinct((name for name, _ in found), arguments.names)
        self._plain &= len(found) == sum(isinstance(leaf, Tensor) for leaf in _pytree.tree_leaves(made))

    @property
    def direct(self) -> nn.Module:
        """The module itself where it takes and gives nothing but tensors, else this one."""
        return self.module if self._plain else self

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors that the module gives for these."""
        positional, named = self.arguments.filled(inputs)
        return tuple(tensor for _, tensor in output_tensors(self.module(*positional, **named)))


def output_tensors(made: Any) -> tuple[tuple[str, Tensor], ...]:
    """All tensors of what a module returned, in their order, each with the way to it as its name.

    A tensor alone is called "output", entries of a tuple "output.0", "output.1", those of dictionaries,
    named tuples and data classes by their own names.
    """
    found = [(way or "output", tensor) for way, tensor in _inside("", made)]
    ways = [f"output.{way}" if way[0].isdigit() else way for way, _ in found]
    return tuple(zip(distinct(ways), (tensor for _, tensor in found), strict=True))


def distinct(names: Iterable[str], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """The names, those that are taken or came before with an underscore after them."""
    made = [*taken]
    for name in names:
        while name in made:
            name += "_"
        made.append(name)
    return tuple(made[len(taken) :])


def _inside(way: str, made: Any) -> Iterable[tuple[str, Tensor]]:
    for path, leaf in _pytree.tree_flatten_with_path(made)[0]:
        place = ".".join([*([way] if way else []), *map(_step, path)])
        if isinstance(leaf, Tensor):
            yield place, leaf
        elif dataclasses.is_dataclass(leaf) and not isinstance(leaf, type):
            for field in dataclasses.fields(leaf):
                yield from _inside(f"{place}.{field.name}".lstrip("."), getattr(leaf, field.name))


def _step(key: Any) -> str:
    """One step of a way into a structure, as people write it."""
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _way(path: tuple[Any, ...], firsts: Sequence[str]) -> str:
    """The way to a leaf of (positional, named)."""
    steps = [_step(key) for key in path]
    first = firsts[int(steps[1])] if steps[0] == "0" else steps[1]
    return ".".join([first, *steps[2:]])


def _parameters(module: nn.Module | None, count: int) -> list[str]:
    """The names of the module's first parameters."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known: list[str] = []
    if module is not None:
        try:
            of_forward = inspect.signature(module.forward).parameters.values()
            known = [one.name for one in of_forward if one.kind in kinds]
        except (TypeError, ValueError):  # a scripted module does not tell
            pass
    return [known[i] if i < len(known) else f"input.{i}" for i in range(count)]


def _refuse(found: Sequence[tuple[str, Any]], name: str) -> None:
    """Raises for what an example cannot hold, all of it at once."""
    wrong = [
        f"'{way}' is a {type(leaf).__name__}" for way, leaf in found if not isinstance(leaf, (Tensor, *FIXED))
    ]
    tensors = [leaf for _, leaf in found if isinstance(leaf, Tensor)]
    if wrong or not tensors:
        raise _no_example(name, "; ".join(wrong) or "no tensor")
    for i, tensor in enumerate(tensors):
        if tensor.dtype not in TYPES:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"{name}: input {i} holds {kind}; genbab reads float32 and float64 inputs, integers and bool"
            )


def _no_example(name: str, found: str) -> UsageError:
    return UsageError(
        f"{name}: an example is a tensor, a list or tuple of one entry per argument, or a dictionary of "
        "arguments by name, made of tensors and of numbers, truth values, texts and None, which are held "
        f"fixed; found {found}"
    )
