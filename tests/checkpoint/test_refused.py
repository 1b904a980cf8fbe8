"""What no run is taken up from: other files, other claims, other versions, damaged or made-up checkpoints."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genbab
from genbab.checkpoint import FORMAT, read_checkpoint
from genbab.system.archive import read_archive, write_archive
from tests.checkpoint.questions import WAYS, Files, Killed, Killer

pytestmark = pytest.mark.usefixtures("always")


@pytest.fixture
def kept(files: Files, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The checkpoint of a search of this kind that was killed."""

    def written(way: str) -> Path:
        with Killer(0, 0.4).at_work(monkeypatch), pytest.raises(Killed):
            files.begin(way)
        return files.kept

    return written


@pytest.mark.parametrize("what", ("model", "spec"))
def test_changed_files(files: Files, kept: Callable[[str], Path], what: str) -> None:
    path = kept("inputs")
    changed: Path = getattr(files, what)
    before = changed.read_bytes()
    changed.write_bytes(before.replace(b"\n", b"\n ", 1) if what == "spec" else before + b"\x72\x00")
    with pytest.raises(genbab.UsageError, match=f"{changed.name} changed since"):
        genbab.resume(path)
    changed.unlink()
    with pytest.raises(genbab.UsageError, match="cannot read"):
        genbab.resume(path)
    changed.write_bytes(before)
    assert genbab.resume(path).verdict == "verified"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"arithmetic": "float32"}, "arithmetic"),
        ({"witness": "exact"}, "witness"),
        ({"elementary": "torch"}, "elementary"),
        ({"branching": "neuron"}, "--branching neuron"),
        ({"deterministic": True}, "always the same"),
        ({"portfolio": True, "workers": 2}, "searches that race"),
        ({"timeout": -1.0}, "timeout"),
        ({"colour": "red"}, "no such setting"),
    ],
)
def test_settings_that_change_what_is_claimed_or_open(
    kept: Callable[[str], Path], changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(genbab.UsageError, match=named):
        genbab.resume(kept("inputs"), **changes)


def test_retightening_otherwise(kept: Callable[[str], Path]) -> None:
    with pytest.raises(genbab.UsageError, match="--retighten frozen"):
        genbab.resume(kept("neurons"), retighten="frozen")


def test_an_earlier_checkpoint_is_not_lost(files: Files, kept: Callable[[str], Path]) -> None:
    before = kept("inputs").read_bytes()
    with pytest.raises(genbab.UsageError, match="genbab resume"):
        files.begin()
    assert files.kept.read_bytes() == before


def test_only_files_can_be_asked_about_again(files: Files) -> None:
    with pytest.raises(genbab.UsageError, match="give model and spec as paths"):
        genbab.verify(files.model.read_bytes(), files.spec, checkpoint=files.kept)
    with pytest.raises(TypeError, match="check_point"):
        genbab.verify(files.model, files.spec, check_point=files.kept)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("format", FORMAT + 1, "another version"),
        ("genbab", "9.9", "another version"),
        ("kind", "a study", "no checkpoint"),
        ("network", "0" * 64, "another network"),
        ("seconds", -1.0, "damaged"),
        ("settings", {"colour": 1}, "damaged"),
        ("asked", {}, "damaged"),
        ("history", [[1.0]], "damaged"),
    ],
)
def test_headers(kept: Callable[[str], Path], name: str, value: Any, named: str) -> None:
    path = kept("inputs")
    header, arrays = read_archive(path, "checkpoint")
    write_archive(path, {**header, name: value}, arrays)
    with pytest.raises(genbab.UsageError, match=named):
        genbab.resume(path)


def test_files_cut_short_or_foreign(kept: Callable[[str], Path]) -> None:
    path = kept("regions")
    whole, chance, refused = path.read_bytes(), random.Random(0), 0
    for contents in (b"", whole[:1000], whole[:-20], b"PK", b"verified\n"):
        path.write_bytes(contents)
        with pytest.raises(genbab.UsageError, match="damaged"):
            genbab.resume(path)
    for _ in range(10):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            assert genbab.resume(path).verdict == "verified"  # the time of an entry, say, which nobody reads
        except genbab.UsageError as error:
            assert "damaged" in str(error)
            refused += 1
    assert refused


JUNK: tuple[Any, ...] = (None, "x", -7, 10**9, 0.5, True, [], {}, [1, 2], {"tensor": 0}, {"number": "nan"})


def _leaves(tree: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in a tree."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(pairs):
        yield tree, key
        yield from _leaves(value)


@pytest.mark.parametrize("way", WAYS)
def test_made_up_contents_are_refused_or_searched(
    kept: Callable[[str], Path], way: str, tmp_path: Path
) -> None:
    """Never another error than one that says that the checkpoint is damaged."""
    path = kept(way)
    header, arrays = read_archive(path, "checkpoint")
    chance, refused = random.Random(1), 0
    for number in range(30):
        made, numbers = copy.deepcopy(header["run"]), list(arrays)
        if number % 2:
            container, key = chance.choice(list(_leaves(made)))
            container[key] = chance.choice(JUNK)
        else:
            place = chance.randrange(len(numbers))
            one = numbers[place]
            other = (
                one[:-1] if one.ndim and len(one) else one[None],
                one.astype(np.int32),
                one.reshape(-1)[:0],
            )
            numbers[place] = chance.choice(other)
        place_of = tmp_path / "made-up"
        write_archive(place_of, {**header, "run": made}, numbers)
        try:
            genbab.resume(place_of, timeout=0.3)
        except genbab.UsageError as error:
            assert "checkpoint" in str(error)
            refused += 1
    assert refused > 15


def test_a_box_that_is_missing(files: Files, kept: Callable[[str], Path]) -> None:
    files.ask(0.08, boxes=3)
    path = kept("neurons")
    header, arrays = read_archive(path, "checkpoint")
    fields = header["run"]["fields"]["open"]["fields"]
    assert len(fields["boxes"]) > 1
    del fields["boxes"][-1]
    write_archive(path, header, arrays)
    with pytest.raises(genbab.UsageError, match="its boxes"):
        genbab.resume(path)
    shutil.copy(path, path.with_suffix(".copy"))
    assert read_checkpoint(path.with_suffix(".copy")).asked.model == str(files.model)
