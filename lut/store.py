"""Tables as files: NumPy archives without pickles.

A damaged file, an old one or one that was made from other facts is as good as none.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genbab.kernels.torch.splitting import FIRST_STOP
from genbab.lut.facts import VERSION, TabledFunction, fingerprint, probes, same
from genbab.lut.table import OBJECTIVES, WHOLE, Table

SHIPPED = Path(__file__).resolve().parent / "data"

_FLOATS = ("centres", "places", "stops", "breaks", "probe")
_NUMBERS = ("first", "step", "reach", "period")
_BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


def save(table: Table, path: Path) -> None:
    """Write the table; an older file stays until the new one is complete. Raises OSError."""
    content = _content(table)
    archive = io.BytesIO()
    np.savez_compressed(archive, hash=np.array(_hash(content)), **content)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(archive.getvalue())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path, fn: TabledFunction) -> Table | None:
    """The table in the file if it was made for this very function, else None."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        if str(content.pop("hash")) != _hash(content) or int(content["version"]) != VERSION:
            return None
        table = _table(content)
    except _BROKEN:
        return None
    if table.fingerprint != fingerprint(fn) or not _sensible(table):
        return None
    return table if same(probes(fn, table.centres)[1], table.probe) else None


def _content(table: Table) -> dict[str, Any]:
    content = {name: getattr(table, name).numpy() for name in (*_FLOATS, "data", "rules")}
    numbers = {name: np.array(getattr(table, name)) for name in _NUMBERS}
    texts = {"name": np.array(table.name), "fingerprint": np.array(table.fingerprint)}
    return {"version": np.array(VERSION), "domain": np.array(table.domain), **texts, **numbers, **content}


def _hash(content: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(content):
        array = np.ascontiguousarray(content[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _table(content: dict[str, Any]) -> Table:
    low, high = content["domain"].tolist()
    parts: dict[str, Any] = {n: torch.from_numpy(content[n].astype(np.float64)) for n in _FLOATS}
    parts |= {name: float(content[name]) for name in _NUMBERS}
    parts |= {name: str(content[name]) for name in ("name", "fingerprint")}
    data, rules = content["data"].astype(np.int16), content["rules"].astype(np.uint8)
    return Table(data=torch.from_numpy(data), rules=torch.from_numpy(rules), domain=(low, high), **parts)


def _sensible(table: Table) -> bool:
    """Whether the parts fit together and `Table.points` can rely on them."""
    rows, count = table.data.shape[1], len(table.places)
    fits = (
        table.data.shape == (len(table.centres), rows, count, len(OBJECTIVES))
        and table.rules.shape == (len(table.centres), rows - 1, count - 1, len(OBJECTIVES))
        and table.stops.shape == (len(table.stops), 2)
        and min(len(table.centres), rows - 1, count - 1) >= 1
    )
    ascending = all(
        bool((part[1:] > part[:-1]).all()) for part in (table.centres, table.places, table.breaks)
    )
    shares = bool(((table.data > 0) & (table.data < WHOLE)).all())
    rules = bool((table.rules.long() < FIRST_STOP + len(table.stops)).all())
    return fits and rules and ascending and shares and table.step > 0.0 and table.period >= 0.0
