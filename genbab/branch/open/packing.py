"""Domains as their differences from the search's root: what the pool keeps of them.

A split changes a few columns of a domain: its rows, most of its intervals and many of its slopes are still
the root's. Per tensor only those columns are stored in which some domain of the batch differs; everything is
exact but slopes, which only start the next search and are rounded to half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genbab.branch.open.domains import Domains


@dataclass(frozen=True, eq=False)
class PackedDomains:
    """B domains as their differences from the root's.

    origin (B,): the root's domain each lies in; per tensor of `Domains` the columns (K,) stored and their
    values (B, K).
    """

    origin: Tensor
    columns: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(t.numel() * t.element_size() for t in (self.origin, *self.columns, *self.values))

    def take(self, rows: Tensor) -> PackedDomains:
        """The domains selected by their numbers."""
        return PackedDomains(self.origin[rows], self.columns, tuple(v[rows] for v in self.values))

    def to(self, device: torch.device) -> PackedDomains:
        """The same on another device."""
        columns, values = (tuple(t.to(device) for t in ts) for ts in (self.columns, self.values))
        return PackedDomains(self.origin.to(device), columns, values)


class Packing:
    """Packs the domains of one search; `root` are those it began with, and their `origin` is their place.

    Rows are never stored: a domain has those of its origin.
    """

    def __init__(self, root: Domains) -> None:
        self.root = _with_slopes(root, _half)
        self.dtypes: list[torch.dtype] = []
        root.warm.with_slopes(self._noted)
        self.place = next(n for n, t in enumerate(self.root.tensors()) if t is root.bound)
        rows = (root.query.matrix, root.query.on_input, root.query.rhs, root.query.clause, root.origin)
        self.fixed = [any(t is one for one in rows) for t in self.root.tensors()]
        self.table = [_flat(t) for t in self.root.tensors()]

    def _noted(self, slopes: Tensor) -> Tensor:
        self.dtypes.append(slopes.dtype)
        return slopes

    def pack(self, domains: Domains) -> PackedDomains:
        """The domains, which must have the parts of the root."""
        assert domains.origin is not None
        columns, values = [], []
        every = torch.arange(1, device=domains.origin.device)
        tensors = _with_slopes(domains, _half).tensors()
        for whole, table, fixed in zip(tensors, self.table, self.fixed, strict=True):
            flat = _flat(whole)
            if fixed or flat.shape[1] == 1:
                differs = every[:0] if fixed else every
            else:
                before = table if len(table) == 1 else table[domains.origin]
                differs = (flat != before).any(0).nonzero().squeeze(-1)
            columns.append(differs)
            values.append(flat if flat.shape[1] == len(differs) else flat[:, differs])
        return PackedDomains(domains.origin, tuple(columns), tuple(values))

    def unpack(self, packed: PackedDomains) -> Domains:
        """The domains that were packed."""
        parts = zip(self.table, packed.columns, packed.values, self.root.tensors(), strict=True)

        def whole(_: Tensor) -> Tensor:
            table, columns, values, like = next(parts)
            flat = values
            if len(columns) < table.shape[1]:
                flat = table[packed.origin]
                flat[:, columns] = values
            return flat.reshape(-1, *like.shape[1:])

        return self._as_before(self.root.mapped(whole))

    @property
    def began(self) -> Domains:
        """The domains that the search began with, slopes rounded as in all that is packed."""
        return self._as_before(self.root)

    def _as_before(self, domains: Domains) -> Domains:
        dtypes = iter(self.dtypes)
        return _with_slopes(domains, lambda slopes: slopes.to(next(dtypes)))

    def bounds(self, packed: PackedDomains) -> Tensor:
        """The bounds (B,) of packed domains."""
        found = self.root.bound[packed.origin]
        if len(packed.columns[self.place]):
            found = packed.values[self.place][:, 0]
        return found

    def join(self, parts: list[PackedDomains]) -> PackedDomains:
        """All domains of the parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        columns, values = [], []
        for place, table in enumerate(self.table):
            union = torch.unique(torch.cat([p.columns[place] for p in parts]))
            columns.append(union)
            values.append(torch.cat([_widened(p, place, table, union) for p in parts]))
        return PackedDomains(torch.cat([p.origin for p in parts]), tuple(columns), tuple(values))


def _widened(packed: PackedDomains, place: int, table: Tensor, union: Tensor) -> Tensor:
    """The values of one tensor in all columns of the union: the root's where it stores none."""
    mine = packed.columns[place]
    if len(mine) == len(union):
        return packed.values[place]
    full = table[:, union][packed.origin]
    full[:, torch.searchsorted(union, mine)] = packed.values[place]
    return full


def _flat(t: Tensor) -> Tensor:
    """(B, K)."""
    return t.flatten(1) if t.dim() > 1 else t[:, None]


def _with_slopes(domains: Domains, change: Callable[[Tensor], Tensor]) -> Domains:
    return replace(domains, warm=domains.warm.with_slopes(change))


def _half(slopes: Tensor) -> Tensor:
    most = torch.finfo(torch.float16).max
    return slopes.clamp(-most, most).to(torch.float16)
