"""`genbab study FILE`: what a study file holds, as a table, CSV, JSON lines or VNN-COMP's results."""

from __future__ import annotations

import argparse
from pathlib import Path

from genbab.cli.many.table import print_table
from genbab.cli.verify.output import apart
from genbab.errors import UsageError
from genbab.studies.records.export import to_csv, to_jsonl, to_vnncomp
from genbab.studies.records.store import Study
from genbab.system.files import write_atomically


def command(options: argparse.Namespace) -> int:
    """Write the files asked for, print the table; returns 0. Raises `UsageError`."""
    place = Path(options.study)
    if not place.is_file():
        raise UsageError(f"cannot read the study {place}: no such file")
    apart([name for name in (options.csv, options.jsonl, options.vnncomp) if name], [place])
    with Study(place) as study:
        records = study.records()
    category = place.resolve().parent.name
    wanted = [
        (options.csv, to_csv),
        (options.jsonl, to_jsonl),
        (options.vnncomp, lambda some: to_vnncomp(category, some)),
    ]
    for name, form in wanted:
        if name:
            write_atomically(Path(name), form(records))
    print_table(records, str(place))
    return 0
