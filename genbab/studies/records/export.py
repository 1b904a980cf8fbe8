"""Studies as CSV, as JSON lines, and as VNN-COMP's results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from genbab.proof import CheckerVerdict
from genbab.result import plain

VNNCOMP = {"verified": "holds", "falsified": "violated"}
COLUMNS = (
    *(
        "kind",
        "model",
        "spec",
        "verdict",
        "seconds",
        "bound",
        "reason",
        "timeout",
        "peak_memory",
        "exit_code",
    ),
    *("finished", "attempts", "model_hash", "spec_hash", "settings", "details", "provenance"),
)

Record = Mapping[str, Any]


def to_csv(records: Iterable[Record]) -> str:
    """One row per instance with a header; settings, details and provenance are JSON texts.

    The last column says what `genbab-check` said of a proof.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "proof"])
    for record in records:
        cells = (plain(record[name]) for name in COLUMNS)
        proof = str(CheckerVerdict.of_record(record) or "")
        writer.writerow(
            [*(json.dumps(c, sort_keys=True) if isinstance(c, dict) else c for c in cells), proof]
        )
    return text.getvalue()


def to_jsonl(records: Iterable[Record]) -> str:
    """One JSON object per line with everything that is known, the result as `genbab verify --json` has it."""
    return "".join(json.dumps({"schema": 1, **plain(r)}, allow_nan=False) + "\n" for r in records)


def to_vnncomp(category: str, records: Iterable[Record]) -> str:
    """VNN-COMP's results: category, onnx, vnnlib, seconds of preparation, result, seconds; answers only."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for r in records:
        if r["verdict"] is not None:
            word = VNNCOMP.get(r["verdict"], r["verdict"])
            writer.writerow([category, r["model"], r["spec"], 0, word, r["seconds"]])
    return text.getvalue()
