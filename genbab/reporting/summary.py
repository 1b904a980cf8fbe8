"""The first screen of a report: counts, totals, and one line per model and question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genbab.reporting.facts import StudyInstance
from genbab.reporting.names import short
from genbab.reporting.scales import duration, number

ORDER = ("verified", "falsified", "misclassified", "unknown", "timeout", "error", "open")
MEANING = {
    "verified": "proved for every input of the set",
    "falsified": "refuted by an input that was replayed",
    "misclassified": "wrong without any change",
    "unknown": "neither was shown",
    "timeout": "the time was up",
    "error": "the run failed",
    "open": "not answered yet",
}


@dataclass(frozen=True)
class Share:
    """A verdict, how many have it, and its place on a bar of 100."""

    verdict: str
    count: int
    start: float
    width: float
    meaning: str


@dataclass(frozen=True)
class Group:
    """One model under one question: a name, what was asked, and cells for `SummaryTable.columns`."""

    model: str
    asked: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class SummaryTable:
    """Groups of one kind."""

    title: str
    note: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]


def verdicts(some: Sequence[StudyInstance]) -> tuple[Share, ...]:
    """The verdicts in their usual order."""
    counts, shares, start = Counter(one.verdict for one in some), [], 0.0
    for verdict in [*ORDER, *sorted(set(counts) - set(ORDER))]:
        if counts[verdict]:
            width = 100.0 * counts[verdict] / len(some)
            known = MEANING.get(verdict, "")
            shares.append(Share(verdict, counts[verdict], round(start, 3), round(width, 3), known))
            start += width
    return tuple(shares)


def tables(some: Sequence[StudyInstance]) -> tuple[SummaryTable, ...]:
    """One table per kind of question in the study."""
    makers = {
        "robustness": ("Certified accuracy", ROBUST_NOTE, ROBUST, _robust),
        "radius": ("Certified radius", RADIUS_NOTE, RADIUS, _radius),
        "range": ("Ranges of outputs", "", RANGE, _range),
        "instance": ("Models", "", INSTANCE, _instance),
    }
    found, names = [], short(one.model for one in some)
    for kind, (title, note, columns, maker) in makers.items():
        groups: dict[tuple[str, str], list[StudyInstance]] = {}
        for one in some:
            if one.kind == kind:
                groups.setdefault((one.model, _asked(one)), []).append(one)
        rows = tuple(Group(names[model], asked, maker(members)) for (model, asked), members in groups.items())
        if rows:
            found.append(SummaryTable(title, note, columns, rows))
    return tuple(found)


ROBUST_NOTE = (
    "Clean: right as it is. Attacked: not known to be wrong, as it is or after a change; the robust accuracy "
    "is at most this. Certified: right for every input within eps; it is at least this."
)
ROBUST = ("samples", "clean", "attacked", "certified", "unknown", "time")
RADIUS_NOTE = "Certified: no input nearer than this changes the class. Broken: one at this distance does."
RADIUS = ("samples", "clean", "median certified", "median broken", "time")
RANGE = ("ends", "enclosed", "open", "time")
INSTANCE = ("instances", "verified", "falsified", "not decided", "errors", "time")


def _asked(one: StudyInstance) -> str:
    details = one.details
    if one.kind == "robustness":
        return f"eps {number(details.get('eps'))}, norm {details.get('norm')}"
    if one.kind == "radius":
        return f"up to {number(details.get('eps'))}, norm {details.get('norm')}"
    return ""


def _robust(some: Sequence[StudyInstance]) -> tuple[str, ...]:
    counts = Counter(one.verdict for one in some)
    wrong, broken, proved = counts["misclassified"], counts["falsified"], counts["verified"]
    rest = len(some) - wrong - broken - proved
    known = len(some) - wrong - counts["open"] - counts["error"]
    shares = (_share(n, some) for n in (known, len(some) - wrong - broken, proved, rest))
    return str(len(some)), *shares, _time(some)


def _radius(some: Sequence[StudyInstance]) -> tuple[str, ...]:
    right = [one for one in some if one.value("certified") is not None]
    certified = sorted(one.value("certified") or 0.0 for one in right)
    broken = sorted(b for one in right if (b := one.value("broken")) is not None)
    middles = (number(v[len(v) // 2]) if v else "" for v in (certified, broken))
    return str(len(some)), _share(len(right), some), *middles, _time(some)


def _range(some: Sequence[StudyInstance]) -> tuple[str, ...]:
    done = sum(one.verdict == "verified" for one in some)
    return str(len(some)), str(done), str(len(some) - done), _time(some)


def _instance(some: Sequence[StudyInstance]) -> tuple[str, ...]:
    counts = Counter(one.verdict for one in some)
    known = (counts["verified"], counts["falsified"])
    rest = len(some) - sum(known) - counts["error"]
    return tuple(map(str, (len(some), *known, rest, counts["error"]))) + (_time(some),)


def _share(count: int, some: Sequence[StudyInstance]) -> str:
    return f"{100 * count / len(some):.1f} %"


def _time(some: Sequence[StudyInstance]) -> str:
    return duration(sum(one.seconds or 0.0 for one in some))
