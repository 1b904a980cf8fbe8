"""Whether values are what the annotations of their classes say: for values that were read from a file."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class TypeCheck:
    """Looks through plain values, collections, dataclasses and named tuples; not at fields of these names."""

    without: frozenset[str] = frozenset()

    def wrong(self, value: Any, hint: Any, where: str = "") -> str:
        """Where something is not what its annotation says, and what it is; "" where all is as it says."""
        origin, args = get_origin(hint), get_args(hint)
        if hint is Any:
            return ""
        if origin in (Union, types.UnionType):
            found = [self.wrong(value, one, where) for one in args]
            return "" if "" in found else max(found, key=len)
        if origin is not None:
            return self._in_collection(value, (origin, args), where)
        kinds = (int, float) if hint is float else hint
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint in (int, float)):
            return f"{where or 'the whole'}: {type(value).__name__} in place of {hint.__name__}"
        return self._in_fields(value, where)

    def _in_collection(self, value: Any, of: tuple[Any, tuple[Any, ...]], where: str) -> str:
        origin, args = of
        kind = origin if origin in (list, tuple) else Mapping
        if not isinstance(value, kind):
            return f"{where}: {type(value).__name__} in place of {kind.__name__}"
        if isinstance(value, Mapping):
            keys = (self.wrong(k, args[0], f"key of {where}") for k in value)
            return _first(keys) or _first(self.wrong(v, args[1], f"{where}[{k!r}]") for k, v in value.items())
        if origin is list or args[-1] is Ellipsis:
            args = (args[0],) * len(value)
        if len(value) != len(args):
            return f"{where}: {len(value)} values in place of {len(args)}"
        pairs = enumerate(zip(value, args, strict=True))
        return _first(self.wrong(v, one, f"{where}[{n}]") for n, (v, one) in pairs)

    def _in_fields(self, value: Any, where: str) -> str:
        if isinstance(value, Enum):
            return ""
        if dataclasses.is_dataclass(value):
            names = [f.name for f in dataclasses.fields(value) if f.init and f.name not in self.without]
        else:
            names = list(getattr(value, "_fields", ()))
        hints = get_type_hints(type(value)) if names else {}
        dot = f"{where}." if where else ""
        return _first(self.wrong(getattr(value, n), hints[n], dot + n) for n in names)


def _first(found: Iterable[str]) -> str:
    return next((text for text in found if text), "")
