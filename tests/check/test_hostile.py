"""Files that are damaged or made to harm end with one line and exit code 1 or 2."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbab.check.__main__ import main
from genbab.check.failures import Unusable
from genbab.check.model.reading import unpacked
from tests.check.files import SPLIT, network, npy, specification, written

LOW, HIGH = [0.0, 0.0], [1.0, 1.0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.onnx").write_bytes(network((2, 4, 1), "Relu", seed=1))
    (tmp_path / "s.vnnlib").write_text(specification(LOW, HIGH, 1, "(assert (<= Y_0 -1000.0))"))
    written(tmp_path, LOW, HIGH)
    return tmp_path


def said(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main([str(folder / name) for name in ("m.onnx", "s.vnnlib", "proof")] + list(options))
    out, err = capsys.readouterr()
    assert len((out + err).splitlines()) == 1 and (code == 2) == bool(err)
    return code, out + err


def replaced(folder: Path, name: str, data: bytes) -> None:
    """The proof with other bytes in one of its files."""
    with zipfile.ZipFile(folder / "proof") as file:
        old = {n: file.read(n) for n in file.namelist()}
    with zipfile.ZipFile(folder / "proof", "w", zipfile.ZIP_DEFLATED) as file:
        for n, content in {**old, name: data}.items():
            file.writestr(n, content)


def headed(shape: str, dtype: str = "'<f8'", data: bytes = b"") -> bytes:
    """An array's file with a header of our own."""
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def splits(*rows: tuple[int, int, int, float]) -> bytes:
    return npy(np.array(list(rows), dtype=SPLIT))


def header(**said_: Any) -> bytes:
    return json.dumps({"format": "genbab proof", "version": 1, **said_}).encode()


def test_the_case_itself_is_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(folder, capsys)[0] == 0


BOXES = "boxes/lower.npy"
SPLITS = "splits/000000.npy"
WRONG: dict[str, tuple[str, bytes]] = {
    "objects": (BOXES, npy(np.array([[None, 1]], dtype=object), pickle=True)),
    "float32": (BOXES, npy(np.zeros((1, 2), dtype=np.float32))),
    "integers": (BOXES, npy(np.zeros((1, 2), dtype=np.int64))),
    "shape": (BOXES, npy(np.zeros(2))),
    "not a number": (BOXES, npy(np.full((1, 2), np.nan))),
    "empty": (BOXES, b""),
    "huge": (BOXES, headed("(1000000000, 1000000000)")),
    "overflow": (BOXES, headed(f"({2**62}, {2**62}, 4)")),
    "negative": (BOXES, headed("(-1, -2)", data=bytes(16))),
    "code": (BOXES, headed("__import__('os').abort()")),
    "deep": (BOXES, headed("(" * 5000)),
    "void": (BOXES, headed("(1, 2)", "'|V8'", bytes(16))),
    "pickle in splits": (SPLITS, npy(np.array([{}], dtype=object), pickle=True)),
    "plain splits": (SPLITS, npy(np.zeros((3, 4)))),
    "later node": (SPLITS, splits((1, -1, 0, 0.5))),
    "negative node": (SPLITS, splits((-1, -1, 0, 0.5))),
    "itself": (SPLITS, splits((0, -1, 0, 0.5), (3, -1, 0, 0.2))),
    "twice": (SPLITS, splits((0, -1, 0, 0.5), (0, -1, 1, 0.5))),
    "no point": (SPLITS, splits((0, -1, 0, float("nan")))),
    "far point": (SPLITS, splits((0, -1, 0, float("inf")))),
    "no json": ("header.json", b"{"),
    "deep json": ("header.json", b"[" * 100_000),
    "list": ("header.json", b"[]"),
    "other format": ("header.json", b'{"format": "x", "version": 1}'),
    "other version": ("header.json", header(version=2)),
    "float arithmetic": ("header.json", header(arithmetic="float32")),
    "functions": ("header.json", header(functions=[3])),
    "three arguments": ("header.json", header(functions=[{"out": "y", "args": ["x"] * 3}])),
    "hints": ("header.json", header(hints={"node": 0})),
    "slopes": ("header.json", header(hints=[{"node": 0, "slopes": [{"out": 3}]}])),
    "no digests": ("header.json", header()),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_contents(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    replaced(folder, *WRONG[name])
    assert said(folder, capsys)[0] in (1, 2)


def test_every_truncation_of_a_proof_ends_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (folder / "proof").read_bytes()
    for size in range(0, len(whole), 7):
        (folder / "proof").write_bytes(whole[:size])
        assert said(folder, capsys)[0] == 2


def test_flipped_bytes_end_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name in ("proof", "m.onnx", "s.vnnlib"):
        whole = (folder / name).read_bytes()
        for _ in range(150):
            changed = bytearray(whole)
            changed[int(rng.integers(len(whole)))] = int(rng.integers(256))
            (folder / name).write_bytes(bytes(changed))
            if name != "proof":
                written(folder, LOW, HIGH)
            assert said(folder, capsys)[0] in (0, 1, 2)
        (folder / name).write_bytes(whole)


def test_bombs_are_not_unpacked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replaced(folder, BOXES, headed("(1, 20000000)", data=bytes(160_000_000)))
    code, text = said(folder, capsys, "--memory", "64")
    assert code == 2 and "bytes" in text
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(bytes(100_000_000))
    for name in ("m.onnx", "s.vnnlib"):
        old = (folder / name).read_bytes()
        (folder / name).write_bytes(packed.getvalue())
        written(folder, LOW, HIGH)
        code, text = said(folder, capsys, "--memory", "64")
        assert code == 2 and "gzip" in text
        (folder / name).write_bytes(old)


@pytest.mark.parametrize("way", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_only_stored_and_deflated_files_are_read(
    folder: Path, way: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(folder / "proof") as file:
        content = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(folder / "proof", "w", way) as file:
        for name, data in content.items():
            file.writestr(name, data)
    code, text = said(folder, capsys)
    assert code == 2 and "stored or deflated" in text


@pytest.mark.parametrize("mark", [b"PK\x01\x02", b"PK\x03\x04"])
def test_names_that_are_no_text_are_refused(
    folder: Path, mark: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names in the directory, or before the file itself, that are said to be UTF-8."""
    data = bytearray((folder / "proof").read_bytes())
    start = data.index(mark)
    flags, name = (8, 46) if mark[2] == 1 else (6, 30)
    data[start + flags + 1] |= 8
    data[start + name] = 0x9C
    (folder / "proof").write_bytes(bytes(data))
    code, text = said(folder, capsys)
    assert code == 2 and "cannot be checked" not in text


def test_splits_are_no_rows_of_a_box(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"0": {"rows": "rows.npy", "box": 0}}
    written(folder, LOW, HIGH, [], {"about": about}, {"rows.npy": np.zeros(2, dtype=SPLIT)})
    code, text = said(folder, capsys)
    assert code == 2 and "rows.npy of the proof is no array that is read" in text


def test_packed_files_of_several_parts_are_refused() -> None:
    """Others read all parts, one after the other: as protobuf messages they are merged."""
    with pytest.raises(Unusable, match="several parts"):
        unpacked(gzip.compress(b"one") + gzip.compress(b"two"), 1 << 20)


def test_packed_models_and_texts_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("m.onnx", "s.vnnlib"):
        (folder / name).write_bytes(gzip.compress((folder / name).read_bytes()))
    written(folder, LOW, HIGH)
    assert said(folder, capsys)[0] == 0


TEXTS = {
    "version 2": "(vnnlib-version <2.0>)",
    "open": "(assert (<= Y_0 1)",
    "closed": ")",
    "deep": "(" * 100_000,
    "product": "(assert (<= (* Y_0 Y_0) 1))",
    "division by 0": "(assert (<= (/ Y_0 0) 1))",
    "unknown": "(assert (<= Y_7 1))",
    "huge number": "(assert (<= Y_0 1e999999999))",
    "word": "(assert (<= Y_0 infinity))",
    "not": "(assert (not (<= Y_0 1)))",
    "command": "(frob)",
    "declared": "(declare-const Y_9 Real)",
    "many": "(assert (or (<= Y_0 1) (<= Y_0 2)))" * 30,
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_texts_that_cannot_be_used(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.vnnlib").write_text(specification(LOW, HIGH, 1, TEXTS[name]))
    written(folder, LOW, HIGH)
    assert said(folder, capsys)[0] == 2


def test_inputs_must_be_bounded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(assert (<= X_0 1))"
    (folder / "s.vnnlib").write_text(text + "(assert (>= X_0 0))(assert (<= Y_0 0))")
    written(folder, LOW, HIGH)
    code, said_ = said(folder, capsys)
    assert code == 2 and "X_1" in said_


def test_no_time_and_no_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(folder, capsys, "--limit-seconds", "0")
    assert code == 2 and "time" in text
    (folder / "m.onnx").unlink()
    assert said(folder, capsys)[0] == 2
