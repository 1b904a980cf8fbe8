"""`report`: a study as an HTML file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from genbab.errors import UsageError
from genbab.reporting.content import content
from genbab.reporting.facts import StudyInstance, instances
from genbab.reporting.page import page
from genbab.studies.records.store import Study
from genbab.system.files import write_atomically


def report(
    study: Study | str | Path,
    path: str | Path | None = None,
    *,
    against: Study | str | Path | None = None,
    title: str | None = None,
    shape: tuple[int, ...] | None = None,
) -> Path:
    """The file that was written: one HTML page that shows a study and loads nothing from anywhere.

    path: where to (default: beside the study, with the ending .html); against: another study to compare
    with; shape: of the inputs as pictures, (28, 28) or (3, 32, 32); () draws none, None goes by the models.
    Raises `UsageError` for a file that is no study, a place that cannot be written, or a missing jinja2.
    """
    for given in (study,) if against is None else (study, against):
        if not isinstance(given, Study | str | Path):
            raise UsageError(f"a report is of a study or of the path of one, not {type(given).__name__}")
    place = _place(study, path)
    for one in (study, against):
        own = one.path if isinstance(one, Study) else None if one is None else Path(one)
        if own is not None and own.resolve() == place.resolve():
            raise UsageError(f"cannot write the report over the study {own}; choose another file")
    if shape is not None and (len(shape) not in (0, 2, 3) or any(n < 1 for n in shape)):
        raise UsageError(
            f"shape = {shape!r}: must be (height, width), (channels, height, width), or () for none"
        )
    with ExitStack() as stack:
        some, name = _read(stack, study)
        others, other = (None, "") if against is None else _read(stack, against)
    names = (name, other) if name != other else (f"this {name}", f"the other {other}")
    text = page(content(some, others, names, title or name, shape))
    write_atomically(place, text)
    return place


def _read(stack: ExitStack, study: Study | str | Path) -> tuple[list[StudyInstance], str]:
    """The instances of a study, and what to call it."""
    if not isinstance(study, Study):
        place = Path(study)
        if not place.is_file():
            raise UsageError(f"cannot read the study {place}: no such file")
        study = stack.enter_context(Study(place))
    name = "study" if study.path is None else study.path.name.removesuffix(".db").removesuffix(".study")
    return instances(study), name


def _place(study: Study | str | Path, path: str | Path | None) -> Path:
    if path is not None:
        return Path(path)
    own = study.path if isinstance(study, Study) else Path(study)
    if own is None:
        raise UsageError("a study in memory has no place for its report: give path=")
    return own.with_suffix(".html")
