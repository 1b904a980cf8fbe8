"""Packed domains out of the way: in the host's memory when the search runs on a GPU, else on a disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import torch
from torch import Tensor

from genbab.branch.open.packing import PackedDomains

RESERVE = 1 << 30
"""Bytes of the disk that are left to others."""


class SpillFull(Exception):
    """Nothing more can be put away; its text says where and why."""


@dataclass(frozen=True, eq=False)
class Block:
    """Packed domains put away. kept: themselves, or else where their tensors lie in the file."""

    kept: PackedDomains | None
    start: int
    size: int
    shapes: tuple[tuple[torch.dtype, tuple[int, ...]], ...]


class Spill:
    """Puts packed domains away and gives them back, once each.

    The file has no name where the system allows it, so it vanishes with the process however that ends. It
    lies in the folder for temporary files (TMPDIR), or in /var/tmp where that folder is in memory itself.
    """

    def __init__(self, device: torch.device, host: int) -> None:
        self.device, self.room = device, host if device.type != "cpu" else 0
        self._file: BinaryIO | None = None
        self._end = 0
        self._holes: list[tuple[int, int]] = []

    def put(self, packed: PackedDomains) -> Block:
        """Put them away; raises `SpillFull`."""
        if packed.nbytes <= self.room:
            self.room -= packed.nbytes
            return Block(packed.to(torch.device("cpu")), 0, packed.nbytes, ())
        tensors = [t.contiguous().cpu() for t in (packed.origin, *packed.columns, *packed.values)]
        size = sum(t.numel() * t.element_size() for t in tensors)
        try:
            file = self._opened()
            if shutil.disk_usage(folder()).free < size + RESERVE:
                raise SpillFull(f"the disk of {folder()} is nearly full")
            start = self._place(size)
            file.seek(start)
            for t in tensors:
                file.write(t.reshape(-1).view(torch.uint8).numpy().data)
            file.flush()
        except OSError as error:
            raise SpillFull(f"cannot write to {folder()}: {error.strerror or error}") from error
        return Block(None, start, size, tuple((t.dtype, tuple(t.shape)) for t in tensors))

    def get(self, block: Block) -> PackedDomains:
        """Take a block back; its place is free again. Raises `SpillFull` when it cannot be read."""
        packed = self.read(block)
        self.free(block)
        return packed

    def free(self, block: Block) -> None:
        """Let others have the place of a block, which is wanted no more."""
        if block.kept is not None:
            self.room += block.size
        else:
            self._holes.append((block.start, block.size))

    def read(self, block: Block) -> PackedDomains:
        """A copy of a block, which stays; raises `SpillFull` when it cannot be read."""
        if block.kept is not None:
            return block.kept.to(self.device)
        assert self._file is not None
        content = torch.empty(block.size, dtype=torch.uint8)
        try:
            self._file.seek(block.start)
            count = self._file.readinto(content.numpy().data)  # type: ignore[attr-defined]
        except OSError as error:
            raise SpillFull(f"cannot read from {folder()}: {error.strerror or error}") from error
        if count != block.size:
            raise SpillFull(f"cannot read from {folder()}: {count} of {block.size} bytes came back")
        tensors, at = [], 0
        for dtype, shape in block.shapes:
            tensors.append(_read(content, at, dtype, shape).to(self.device))
            at += tensors[-1].numel() * tensors[-1].element_size()
        half = len(tensors) // 2 + 1
        return PackedDomains(tensors[0], tuple(tensors[1:half]), tuple(tensors[half:]))

    def _opened(self) -> BinaryIO:
        if self._file is None:
            file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder(), prefix="genbab-"))
            weakref.finalize(self, file.close)
            self._file = file
        return self._file

    def _place(self, size: int) -> int:
        """Where so many bytes go: into a hole that is large enough, or to the end."""
        for number, (start, room) in enumerate(self._holes):
            if room >= size:
                self._holes[number] = (start + size, room - size)
                return start
        self._end += size
        return self._end - size


def folder() -> str:
    """Where temporary files go that may be large."""
    chosen = tempfile.gettempdir()
    if "TMPDIR" not in os.environ and _in_memory(chosen) and os.access("/var/tmp", os.W_OK | os.X_OK):
        return "/var/tmp"
    return chosen


def _in_memory(place: str) -> bool:
    """Whether the folder is itself kept in memory, as far as the system tells."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    inside = [m for m in mounts if len(m) > 2 and Path(place).resolve().is_relative_to(m[1])]
    return bool(inside) and max(inside, key=lambda m: len(m[1]))[2] in ("tmpfs", "ramfs")


def _read(content: Tensor, at: int, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    count = 1
    for length in shape:
        count *= length
    size = count * torch.empty(0, dtype=dtype).element_size()
    return content[at : at + size].clone().view(dtype).reshape(shape)
