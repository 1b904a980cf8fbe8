"""Tables as files: small, shipped, checked when they are read, made again where they are no good."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genbab.errors import UsageError
from genbab.lut import generate, store
from genbab.lut.build import TooSlow, build
from genbab.lut.facts import fingerprint
from genbab.lut.table import Table
from genbab.nonlinear import Nonlinearity, make
from genbab.nonlinear.composed.formula import function


@pytest.fixture(scope="module")
def table() -> Table:
    return build(make("softsign"), 60.0)


@pytest.fixture
def path(table: Table, tmp_path: Path) -> Path:
    store.save(table, tmp_path / "softsign.npz")
    return tmp_path / "softsign.npz"


def rewritten(path: Path, **changes: Any) -> None:
    """Change parts of the file, its hash kept right."""
    with np.load(path, allow_pickle=False) as archive:
        content = {name: archive[name] for name in archive.files if name != "hash"}
    content.update({name: np.array(value) for name, value in changes.items()})
    np.savez_compressed(path, hash=np.array(store._hash(content)), **content)


def same(a: Table, b: Table) -> bool:
    for field in dataclasses.fields(Table):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if not (torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y):
            return False
    return True


def test_a_table_is_read_as_it_was_written(table: Table, path: Path) -> None:
    read = store.load(path, make("softsign"))
    assert read is not None and same(read, table)
    for name in ("data", "rules"):
        assert getattr(read, name).dtype == getattr(table, name).dtype


def test_making_a_table_twice_gives_the_same_file(table: Table, path: Path, tmp_path: Path) -> None:
    again = build(make("softsign"), 60.0)
    assert same(table, again)
    store.save(again, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_file_is_as_good_as_none(path: Path) -> None:
    fn, whole = make("softsign"), path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:200] + b"\0" * 40 + whole[240:]):
        path.write_bytes(damaged)
        assert store.load(path, fn) is None
    assert store.load(path.with_name("missing.npz"), fn) is None
    path.write_bytes(whole)
    with np.load(path, allow_pickle=False) as archive:
        content = {name: archive[name] for name in archive.files}
    content["data"] = content["data"] + np.int16(1)
    np.savez_compressed(path, **content)
    assert store.load(path, fn) is None, "the content is not the one that was hashed"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"fingerprint": "0" * 64},
        {"step": 0.0},
        {"rules": np.full((1, 2, 3, 3), 0, np.uint8)},
        {"centres": [1.0, 0.0]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_does_not_fit_is_as_good_as_none(path: Path, changes: dict[str, Any]) -> None:
    rewritten(path, **changes)
    assert store.load(path, make("softsign")) is None


def test_rules_that_name_no_stop_are_not_read(path: Path, table: Table) -> None:
    rewritten(path, rules=np.full_like(table.rules.numpy(), 200))
    assert store.load(path, make("softsign")) is None


def test_a_pickle_is_not_opened(path: Path) -> None:
    np.savez_compressed(path, hash=np.array([{"a": 1}], dtype=object))
    assert store.load(path, make("softsign")) is None


def test_other_facts_or_other_values_make_the_table_void(path: Path) -> None:
    fn = make("softsign")
    moved = dataclasses.replace(fn, breaks=(0.5,))
    assert fingerprint(moved) != fingerprint(fn)
    assert store.load(path, moved) is None
    other = dataclasses.replace(fn, value=lambda x: 1.1 * fn.value(x))
    assert fingerprint(other) == fingerprint(fn)
    assert store.load(path, other) is None, "equal facts, another function"


def test_a_table_is_remembered_and_made_again_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fn, made = function("tanh(x) + 0.1*x"), []
    monkeypatch.setattr(generate, "folder", lambda: tmp_path)

    def counted(fn: Nonlinearity, limit: float) -> Table:
        made.append(fn)
        return build(fn, 60.0)

    monkeypatch.setattr(generate, "build", counted)

    def fresh() -> Table | None:
        generate.table_of.cache_clear()
        return generate.table_of(fn)

    first, second = fresh(), fresh()
    assert first is not None and second is not None and same(first, second) and len(made) == 1
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"?")
    third = fresh()
    assert third is not None and same(first, third) and len(made) == 2
    monkeypatch.setattr(generate, "folder", lambda: Path("/proc/nowhere"))
    assert fresh() is not None, "without a folder to write to it is made again"
    generate.table_of.cache_clear()


def test_what_takes_too_long_is_done_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(TooSlow):
        build(make("gelu"), 0.0)
    monkeypatch.setattr(generate, "folder", lambda: tmp_path)
    monkeypatch.setattr(generate, "LIMIT", 0.0)
    generate.table_of.cache_clear()
    assert generate.table_of(make("power", 7)) is None
    generate.table_of.cache_clear()


def test_shipped_tables_are_current_and_small() -> None:
    known, files = generate.library(), sorted(store.SHIPPED.glob("*.npz"))
    assert len(files) >= 20
    assert {file.stem for file in files} <= set(known)
    assert {"sigmoid", "tanh", "gelu", "sin", "exp", "silu", "softplus", "floor"} <= {f.stem for f in files}
    for file in files:
        assert store.load(file, known[file.stem]) is not None, f"{file.name}: run `genbab lut build`"
    assert sum(file.stat().st_size for file in files) < 2 * 1024 * 1024


def test_only_functions_of_the_library_are_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="power"):
        list(generate.make_shipped(["power"], tmp_path))
    ((name, found, path),) = generate.make_shipped(["sqrt"], tmp_path)
    assert name == "sqrt" and path == tmp_path / "sqrt.npz" and all(middle < 0.95 for _, middle in found)
    assert path.read_bytes() == (store.SHIPPED / "sqrt.npz").read_bytes()
