"""Verify families of the zoo and write docs/zoo.md: `python examples/zoo/run.py [NAME...]`.

Each question is one `genbab verify` in a process of its own, 60 s, default settings. What is measured is kept
in `records/NAME.json`; the page is written from the records of all families.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab import __version__
from genbab.specs import read_vnnlib, write_vnnlib
from zoo.catalogue import chosen
from zoo.files import HOLDS, Files, at_radius
from zoo.page import PAGE, page

TIMEOUT = 60
LESS, MORE = (0.25,), (0.5, 0.8)  # parts of the attack's radius to try where HOLDS was not verified, or was


def command(*words: object) -> dict[str, Any]:
    """What a command of genbab says in JSON."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "said.json"
        told = [sys.executable, "-m", "genbab", *map(str, words), "--json", str(place)]
        done = subprocess.run(told, capture_output=True, text=True)
        if not place.exists():
            raise SystemExit(f"{' '.join(told)}: {done.stderr}")
        said: dict[str, Any] = json.loads(place.read_text())
    return said


def asked(files: Files, spec: Path) -> tuple[str, float]:
    """The verdict on one property, and its seconds."""
    said = command("verify", files.model, spec, "--timeout", TIMEOUT, "--quiet")
    return said["verdict"], round(said["seconds"], 2)


def tried(files: Files, part: float, folder: Path) -> tuple[str, float]:
    """The verdict on the property at this part of the radius that the attack broke, and its seconds."""
    kept, spec = files.kept(), read_vnnlib(files.spec("holds"))
    write_vnnlib(at_radius(spec, kept, part * kept["radius"]), folder / "part.vnnlib")
    return asked(files, folder / "part.vnnlib")


def measured(files: Files) -> dict[str, Any]:
    """Everything that the page shows of one family."""
    facts = command("inspect", files.model)
    holds, fails = (asked(files, files.spec(kind)) for kind in ("holds", "fails"))
    reached = HOLDS if holds[0] == "verified" else 0.0
    parts = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in MORE if reached else LESS:
            parts[f"{part:g}"] = tried(files, part, Path(folder))
            if parts[f"{part:g}"][0] != "verified":
                break
            reached = part
    functions = {name: entry["size"] for name, entry in facts["functions"].items()}
    known = {"functions": functions, "nodes": facts["nodes"], "holds": holds, "fails": fails}
    return {**known, "parts": parts, "reached": reached, "machine": machine()}


def machine() -> str:
    """What it was measured with."""
    names = [line.partition(":")[2].strip() for line in _cpu() if line.startswith("model name")]
    count = os.cpu_count() or 1
    busy = ", busy with other work" if os.getloadavg()[0] > 1.5 * count else ""
    return f"{count} cores of {(names or [platform.processor()])[0]}{busy}, genbab {__version__}"


def _cpu() -> list[str]:
    place = Path("/proc/cpuinfo")
    return place.read_text().splitlines() if place.exists() else []


def main() -> None:
    """Measure the families that are named, or all, and write the page."""
    for family in chosen(sys.argv[1:]):
        files = Files(family.name)
        files.keep({**files.kept(), "measured": (found := measured(files))})
        said = (" ".join(map(str, found[kind])) for kind in ("holds", "fails"))
        print(f"{family.name:24} {', '.join(said)}, reached {found['reached']:g}", flush=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
