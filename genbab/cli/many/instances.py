"""Lists of instances as VNN-COMP writes them: `onnx,vnnlib,timeout`, paths relative to the list.

For a query about several networks, onnx is a list `[('f', 'a.onnx'), ('g', 'b.onnx')]`.

A list is written by the person who runs it, so its paths may lead anywhere: `../`, absolute, links. (What a
*model* names, its external data, must lie in the model's folder: models come from elsewhere.)
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from genbab.amounts import parse_seconds
from genbab.cli.many.several import networks, plain, query_words
from genbab.errors import UsageError

COLUMNS = ("onnx", "vnnlib", "timeout")


@dataclass(frozen=True)
class ListedInstance:
    """One row: model and specification as the list has them, their files, seconds (None: not said).

    networks: the files of the models of several networks by name, () for one model; model_path is the first.
    """

    model: str
    spec: str
    timeout: float | None
    model_path: Path
    spec_path: Path
    networks: tuple[tuple[str, Path], ...] = ()

    @property
    def words(self) -> list[str]:
        """What `genbab verify` is asked."""
        if self.networks:
            return query_words(self.networks, self.spec_path)
        return [plain(self.model_path), plain(self.spec_path)]

    @property
    def files(self) -> list[str]:
        """The files among these words, as they stand there, the specification last."""
        if self.networks:
            return [*(str(path) for _, path in self.networks), plain(self.spec_path)]
        return self.words


def read_instances(path: Path) -> list[ListedInstance]:
    """The rows in order, without a header; raises `UsageError` that lists every line that makes no sense."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(n, [cell.strip() for cell in row]) for n, row in enumerate(csv.reader(file), 1)]
    except OSError as error:
        raise UsageError(f"cannot read the list {path}: {(error.strerror or str(error)).lower()}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a CSV list: {error}") from error
    rows = [(n, row) for n, row in rows if any(row)]
    order, rows = _header(rows)
    found: list[ListedInstance] = []
    wrong: list[str] = []
    for number, row in rows:
        try:
            row = _whole(row)
            found.append(_instance([row[i] if i < len(row) else "" for i in order], path.parent))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise UsageError(f"{path}: {'; '.join(wrong)}")
    if not found:
        raise UsageError(f"{path}: the list is empty")
    return found


def _header(rows: list[tuple[int, list[str]]]) -> tuple[list[int], list[tuple[int, list[str]]]]:
    """Where the three columns stand, and the rows without the header."""
    names = [cell.lower() for cell in rows[0][1]] if rows else []
    if "onnx" in names and "vnnlib" in names:
        return [names.index(c) if c in names else len(names) for c in COLUMNS], rows[1:]
    return [0, 1, 2], rows


def _whole(row: list[str]) -> list[str]:
    """The cells, those of a list that was written without quotes put together again."""
    first = next((i for i, cell in enumerate(row) if cell.startswith("[")), len(row))
    last = next((i for i in range(first, len(row)) if row[i].endswith("]")), None)
    return row if last is None else [*row[:first], ",".join(row[first : last + 1]), *row[last + 1 :]]


def _instance(row: list[str], folder: Path) -> ListedInstance:
    model, spec, limit = row
    if not model or not spec:
        raise ValueError("needs a model and a specification")
    try:
        seconds = parse_seconds(limit) if limit else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not 0 < seconds < math.inf:
        raise ValueError(f"timeout {limit[:80]!r} is not a positive number of seconds")
    several = tuple((name, _file(folder, path)) for name, path in networks(model))
    own = several[0][1] if several else _file(folder, model)
    return ListedInstance(model, spec, seconds, own, _file(folder, spec), several)


def _file(folder: Path, name: str) -> Path:
    """The path of this name, or its gzipped neighbour when only that exists.

    Raises ValueError where no file can have this name.
    """
    path = folder / name
    if "\0" in name or not path.name:
        raise ValueError(f"{name[:80]!r} is no name of a file")
    packed = path.with_name(path.name + ".gz")
    try:
        return packed if packed.exists() and not path.exists() else path
    except OSError as error:
        raise ValueError(f"'{name[:80]}': {(error.strerror or str(error)).lower()}") from error
