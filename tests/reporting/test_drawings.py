"""Axes keep order and ends, pictures hold their numbers, studies are matched by what they ask."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genbab.reporting import charts, scales
from genbab.reporting.facts import instances
from genbab.reporting.matching import pairs
from genbab.reporting.pixels import change, layout, picture
from genbab.studies.records.store import Study

from .conftest import fill, sample

ENDS = (60.0, 540.0)
FINITE = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: v if abs(v) > 1e-12 else 0.0)


@settings(deadline=None, max_examples=150)
@given(st.lists(FINITE, min_size=1, max_size=20))
def test_axes_keep_order_and_hold_all(values: list[float]) -> None:
    positive = [abs(v) for v in values]
    made = [
        (scales.linear(values, ENDS), values),
        (scales.linear(values, ENDS, zero=True), [*values, 0.0]),
        (scales.signed(values, ENDS), [*values, 0.0]),
        (scales.logarithmic(positive, ENDS, 1e-3), positive),
        (scales.onward(max(positive), ENDS), positive),
    ]
    for axis, shown in made:
        places = [axis.at(v) for v in sorted(shown)]
        assert places == sorted(places)
        assert ENDS[0] - 0.01 <= places[0] and places[-1] <= ENDS[1] + 0.01
        at = [tick for tick, _ in axis.ticks]
        assert at == sorted(at) and ENDS[0] - 0.01 <= at[0] and at[-1] <= ENDS[1] + 0.01
        assert 1 <= len(at) <= 14


def test_numbers_are_short() -> None:
    assert scales.number(-0.000012345) == "−1.234e−5" and scales.number(float("-inf")) == "−∞"
    assert [scales.number(v) for v in (None, 0.0, 12.0, 1e9)] == ["", "0", "12", "1e9"]
    assert [scales.duration(s) for s in (0.123, 12.3, 600, 7200)] == ["0.12 s", "12 s", "10 min", "2 h"]


def pixels(url: str) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    with image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("shape", [(1, 5, 7), (5, 7, 1), (3, 5, 7), (5, 7, 3)])
def test_pictures_hold_their_numbers(shape: tuple[int, ...]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, shape)
    seen = pixels(picture((levels / 255).reshape(-1), shape, (0.0, 1.0)))
    first = shape[0] in (1, 3)
    wanted = levels.transpose(1, 2, 0) if first else levels
    assert np.array_equal(seen.reshape(5, 7, -1), wanted)


def test_changes_are_white_where_there_is_none() -> None:
    seen = pixels(change(np.array([0.0, 0.5, -0.5, 0.0] + [0.0] * 12), (1, 4, 4)))
    assert (seen[0, 0] == 255).all() and seen[0, 1, 0] > seen[0, 1, 2] and seen[0, 2, 0] < seen[0, 2, 2]


def test_what_is_a_picture() -> None:
    assert layout((1, 1, 28, 28), 784) == ((1, 28, 28), False)
    assert layout((1, 3, 32, 32), 3072) == ((3, 32, 32), False)
    assert layout((1, 32, 32, 3), 3072) == ((32, 32, 3), False)
    assert layout((1, 784), 784) == ((1, 28, 28), True) and layout((3072,), 3072) == ((3, 32, 32), True)
    for shape, size in (((1, 5), 5), ((1, 16), 16), ((2, 70), 140), ((1, 100, 7, 9), 6300), ((), 65)):
        assert layout(shape, size) is None


def test_studies_are_matched_by_what_they_ask(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    one = fill(folder / "a.db", [sample(k, "verified", 1.0 + k) for k in range(4)])
    same = fill(folder / "b.db", [sample(k, "verified", 2.0) for k in range(2, 6)])
    rival = fill(folder / "c.db", [sample(k, "falsified", 2.0, "rival.onnx") for k in range(3)])
    with Study(one) as a, Study(same) as b, Study(rival) as c:
        mine, theirs, others = instances(a), instances(b), instances(c)
    found, words = pairs(mine, theirs)
    assert [(p.here.spec, p.there.spec) for p in found] == [(f"sample {k}",) * 2 for k in (2, 3)]
    assert "contents" in words and all(p.outcome == "both" for p in found)
    found, words = pairs(mine, others)
    assert len(found) == 3 and "models differ" in words
    assert all(p.outcome == "both" for p in found), "different models may differ"
    drawn = charts.scatter(found, ("a", "c"))
    assert drawn is not None and len(drawn.marks) == 3
    assert pairs(mine, [])[0] == [] and charts.scatter([], ("a", "b")) is None


def test_cactus_counts_what_was_decided(studies: dict[str, object]) -> None:
    with Study(str(studies["main"])) as study:
        known = instances(study)
    drawn = charts.cactus(known, [], ("a", ""))
    assert drawn is not None
    solved = sum(one.verdict in ("verified", "falsified") for one in known)
    assert len(drawn.marks) == solved and f"({solved})" in drawn.curves[0].name
    heights = [mark.y for mark in drawn.marks]
    assert heights == sorted(heights, reverse=True), "later ones took longer"
