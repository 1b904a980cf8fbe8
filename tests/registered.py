"""Functions that a test registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from genbab.nonlinear.composed.custom import CUSTOM
from genbab.nonlinear.facts import registry


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What a test registers is gone afterwards."""
    tables: tuple[dict[Any, Any], ...] = (
        registry.REGISTRY,
        registry.OPERATORS,
        registry.DEFINITIONS,
        registry.KERNELS,
        registry._EXAMPLES,
        CUSTOM,
    )
    kept = [dict(table) for table in tables]
    yield
    for table, before in zip(tables, kept, strict=True):
        table.clear()
        table.update(before)
