"""Everything that a report says, as values for its templates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from genbab.reporting import charts
from genbab.reporting.facts import StudyInstance, real
from genbab.reporting.matching import Pair, conflicts, doubts, pairs
from genbab.reporting.names import short
from genbab.reporting.points import view
from genbab.reporting.scales import duration, number
from genbab.reporting.summary import tables, verdicts

PLACE = 12
"""The most numbers of a point that is told in one line."""

Pairs = Sequence[tuple[str, str]]


def content(
    some: Sequence[StudyInstance],
    others: Sequence[StudyInstance] | None,
    names: tuple[str, str],
    title: str,
    shape: tuple[int, ...] | None,
) -> dict[str, Any]:
    """What the templates show of a study, and of another one where others is not None."""
    matched, how = pairs(some, others) if others is not None else ([], "")
    return {
        "title": title,
        "lead": _lead(some),
        "names": names,
        "against": others is not None,
        "paired": bool(matched),
        "how": how,
        "conflicts": conflicts(matched),
        "doubts": doubts(some),
        "rejected": [one for one in some if one.check and one.check.outcome == "rejected"],
        "proofs": _proofs(some),
        "shares": verdicts(some),
        "tiles": _tiles(some),
        "tables": tables(some),
        "drawings": _drawings(some, others or [], matched, names, how),
        "several": _several(some),
        "columns": _columns(some, bool(matched), names[1]),
        "rows": _rows(some, matched),
        "pages": [_page(some, place, shape) for place in range(len(some))],
        "origins": _origins(some),
    }


def _proofs(some: Sequence[StudyInstance]) -> bool:
    return any(one.check for one in some)


def _several(some: Sequence[StudyInstance]) -> bool:
    return len({one.model for one in some}) > 1


def _lead(some: Sequence[StudyInstance]) -> str:
    models = list(dict.fromkeys(one.model for one in some))
    told = models[0] if len(models) == 1 else f"{len(models)} models"
    last = max((str(one.record["finished"]) for one in some if one.record["finished"]), default="")
    ended = f" · last answer {last[:16].replace('T', ' ')} UTC" if last else ""
    return f"{told}{ended}" if some else "an empty study"


def _tiles(some: Sequence[StudyInstance]) -> Pairs:
    solved = [one.seconds or 0.0 for one in some if one.solved]
    middle = duration(sorted(solved)[len(solved) // 2]) if solved else "–"
    total = duration(sum(one.seconds or 0.0 for one in some))
    decided = [("decided by the verifier", str(len(solved))), ("median time of these", middle)]
    yes_or_no = any(one.kind in ("instance", "robustness") for one in some)
    checks = [one.check.outcome for one in some if one.check]
    accepted = [("proofs accepted", f"{checks.count('accepted')} of {len(checks)}")] if checks else []
    return [("instances", str(len(some))), *(decided if yes_or_no else []), *accepted, ("time in all", total)]


def _drawings(
    some: Sequence[StudyInstance],
    others: Sequence[StudyInstance],
    matched: Sequence[Pair],
    names: tuple[str, str],
    how: str,
) -> list[tuple[str, str, charts.Chart]]:
    found = [
        (
            "Decided within a time",
            "Cactus plot: lower and further right is better.",
            charts.cactus(some, others, names),
        ),
        (
            f"Against {names[1]}",
            f"Above the line this one was faster; at the edges one side did not decide. {how.capitalize()}.",
            charts.scatter(matched, names),
        ),
        ("Radii", "The truth lies between the two marks of a sample.", charts.radii(some)),
    ]
    return [(name, note, drawn) for name, note, drawn in found if drawn is not None]


def _columns(some: Sequence[StudyInstance], paired: bool, other: str) -> Pairs:
    names = [
        ("#", "number"),
        *([("model", "")] if _several(some) else []),
        ("specification", ""),
        ("verdict", ""),
    ]
    names += [("seconds", "number"), ("bound", "number")]
    if any(one.kind == "radius" for one in some):
        names.append(("broken", "number"))
    if _counted(some):
        names.append(("domains", "number spare"))
    if _proofs(some):
        names.append(("proof", ""))
    return names + ([(f"in {other}", ""), ("its seconds", "number")] if paired else [])


def _rows(some: Sequence[StudyInstance], matched: Sequence[Pair]) -> list[dict[str, Any]]:
    other = {pair.here.number: pair.there for pair in matched}
    radii = any(one.kind == "radius" for one in some)
    rows, names = [], short(one.model for one in some)
    for one in some:
        told = [(_sortable(one.seconds), _seconds(one.seconds), "")]
        told.append((_sortable(one.bound), number(one.bound), ""))
        if radii:
            told.append((_sortable(one.value("broken")), number(one.value("broken")), ""))
        if _counted(some):
            told.append((_sortable(one.domains), "" if one.domains is None else f"{one.domains:,}", "spare"))
        there = other.get(one.number)
        seconds = None if there is None else there.seconds
        row = {"one": one, "model": names[one.model], "numbers": told, "other": there}
        row["proof"] = one.check.outcome if one.check else ""
        rows.append({**row, "seconds": _sortable(seconds), "time": _seconds(seconds)})
    return rows


def _counted(some: Sequence[StudyInstance]) -> bool:
    return any(one.domains is not None for one in some)


def _sortable(value: float | None) -> str:
    """The number as JavaScript reads it, "" for none."""
    if value is None:
        return ""
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, repr(value))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _page(some: Sequence[StudyInstance], place: int, shape: tuple[int, ...] | None) -> dict[str, Any]:
    one = some[place]
    gaps = [layer.gap or 0.0 for layer in one.layers]
    lost, widest = sum(gaps), max((layer.mean for layer in one.layers), default=0.0)
    explained = one.gap is not None and lost > 0
    shares = [g / lost for g in gaps] if explained else [layer.mean / (widest or 1.0) for layer in one.layers]
    layers = [(layer, g, round(100 * s, 2)) for layer, g, s in zip(one.layers, gaps, shares, strict=True)]
    longest = max((seconds for _, seconds in one.stages), default=0.0)
    return {
        "one": one,
        "before": some[place - 1].anchor if place else "",
        "after": some[place + 1].anchor if place + 1 < len(some) else "",
        "facts": _facts(one),
        "origin": _origin(one),
        "bound": charts.bound(one),
        "lost": explained,
        "loss": _loss(one, lost) if explained else LOOSE,
        "layers": layers,
        "stages": [(name, seconds, round(100 * seconds / longest, 2)) for name, seconds in one.stages],
        "point": view(one, shape),
    }


LOOSE = "How wide the arguments of each layer's functions were before branching, on the least refuted box."


def _loss(one: StudyInstance, lost: float) -> str:
    """The account of the gap in words."""
    assert one.gap is not None
    clause, bound, value = one.gap
    worst = max(one.layers, key=lambda layer: layer.gap or 0.0)
    share = 100 * (worst.gap or 0.0) / lost
    return (
        f"Before branching, one pass gave the margin {number(bound)} for clause {clause}. At the input where "
        f"the pass has its least value the network's own margin is {number(value)}. The "
        f"{number(value - bound)} between them was lost where the functions of these layers became lines, "
        f"{share:.0f} % of it in {worst.name}. Widths are those of the functions' arguments."
    )


def _facts(one: StudyInstance) -> Pairs:
    known: list[tuple[str, Any]] = [("model", one.model), ("specification", one.spec)]
    known += [
        (name, one.details.get(name)) for name in ("sample", "label", "eps", "norm", "bounds", "output")
    ]
    known += [(name, one.result.get(name)) for name in ("predicted", "certified", "broken", "attained")]
    seconds = None if one.seconds is None else f"{one.seconds:.2f} s"
    limit = real(one.record["timeout"])
    known += [("time", seconds), ("time limit", None if limit is None else f"{limit:g} s")]
    if one.kind not in ("radius", "range"):
        known += [("certified bound", None if one.bound is None else number(one.bound))]
    elif one.kind == "range":
        known += [("still open", None if one.bound is None else number(one.bound))]
        known += [("attained at", _place(one.result.get("at")))]
    known += [("proof", one.proof or None)]
    known += [("domains bounded", None if one.domains is None else f"{one.domains:,}")]
    memory = real(one.record["peak_memory"])
    known += [("peak memory", None if memory is None else f"{memory / 1e6:.0f} MB")]
    return [(name, _text(value)) for name, value in known if value is not None]


def _place(at: Any) -> str | None:
    """A point in words, where it has few numbers."""
    if not isinstance(at, list) or not 0 < len(at) <= PLACE:
        return None
    return ", ".join(number(real(v)) for v in at)


def _origin(one: StudyInstance) -> Pairs:
    record = one.record
    names = ("settings", "model_hash", "spec_hash", "attempts", "exit_code", "finished")
    known = [(name.replace("_", " "), record[name]) for name in names]
    versions: Mapping[str, Any] = record["provenance"] or {}
    return [
        (name, _text(value)) for name, value in (*known, *versions.items()) if value not in (None, "", {})
    ]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _origins(some: Sequence[StudyInstance]) -> list[str]:
    """Which versions on which machines gave the answers."""
    counts: Counter[str] = Counter()
    for one in some:
        known: Mapping[str, Any] = one.record["provenance"] or {}
        if known:
            versions = ", ".join(f"{n} {known[n]}" for n in ("genbab", "torch", "onnxruntime") if n in known)
            counts[f"{versions}; {known.get('processor', '?')}, {known.get('cores', '?')} cores"] += 1
    return [f"{count} answers by {words}" for words, count in counts.most_common()]
