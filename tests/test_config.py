"""Settings: checked when made, every offender named."""

from __future__ import annotations

import dataclasses

import pytest

from genbab.amounts import default_memory, parse_memory, parse_seconds
from genbab.config import Config
from genbab.errors import UsageError


def test_every_field_has_a_rule_and_a_default_that_obeys_it() -> None:
    Config()
    for f in dataclasses.fields(Config):
        assert set(f.metadata) == {"check", "accepted", "parse", "about"}, f.name


def test_all_offenders_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Config(timeout=-1, device="tpu", seed=True, batch=0)
    for name in ("timeout = -1", "device = 'tpu'", "seed = True", "batch = 0"):
        assert name in str(caught.value)


@pytest.mark.parametrize("timeout", [0, float("nan"), float("inf"), "60", True])
def test_timeouts_that_make_no_sense(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Config(timeout=timeout)


def test_with_changes_one_and_refuses_unknown_names() -> None:
    assert Config(seed=3).with_(timeout=2.0) == Config(seed=3, timeout=2.0)
    with pytest.raises(UsageError, match="did you mean seed"):
        Config().with_(sed=1)


def test_from_text() -> None:
    made = Config.from_text({"timeout": "2m", "memory": "1GiB", "batch": "auto", "search_dtype": "float64"})
    assert made == Config(timeout=120.0, memory=1 << 30, search_dtype="float64")
    with pytest.raises(UsageError, match="--root-steps 1.5.*--threads 0"):
        Config.from_text({"root_steps": "1.5", "threads": "0"})
    with pytest.raises(UsageError, match="--threads 99999999.*1 to 1024"):
        Config.from_text({"threads": "99999999"})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 10**9),
        ("4gib", 4 << 30),
        ("1.5G", 1_500_000_000),
        ("512 MiB", 512 << 20),
        ("700", 700),
        ("2kB", 2000),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4XB", "-4GB", "4GBs", "4iB", "1e9", "inf"])
def test_memory_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60.0), ("300.0", 300.0), ("1e2", 100.0), ("500ms", 0.5), ("2m", 120.0), ("none", None)],
)
def test_seconds(text: str, seconds: float | None) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "5 parsecs"])
def test_seconds_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_seconds(text)


def test_the_default_memory_is_a_sensible_share() -> None:
    assert 64 << 20 <= default_memory() <= 4 << 30
