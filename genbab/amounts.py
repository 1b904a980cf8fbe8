"""Amounts of memory and time: read from text, and how much memory the machine has."""

from __future__ import annotations

import os
import re
from pathlib import Path

GIB = 1 << 30
SMALLEST_MEMORY = 64 << 20

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_memory(text: str) -> int:
    """The bytes meant by "4GB", "512MiB", "1.5g" or "4000000000".

    kB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024, in either case, the B optional.
    Raises `ValueError` when the text is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if not match or (match[3] and not match[2]):
        raise ValueError(text)
    return int(float(match[1]) * (_BINARY if match[3] else _UNITS)[match[2]])


def parse_seconds(text: str) -> float | None:
    """Seconds: of "60", "90s", "500ms", "2m", "1h"; None for "none"; raises `ValueError` otherwise."""
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in _SECONDS:
        raise ValueError(text)
    return float(match[1]) * _SECONDS[match[2]]


def machine_memory() -> int:
    """The bytes this process may hope for: the lesser of the machine's memory and the container's limit."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        total = 8 * GIB
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return total


def default_memory() -> int:
    """4 GiB, or half of the machine where that is less (bytes)."""
    return max(SMALLEST_MEMORY, min(4 * GIB, machine_memory() // 2))
