"""The rules that count: what breaks each one today, by place."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

from tests.house import counts
from tests.house.glossary import RETIRED
from tests.house.source import Source

FILE_LINES, FUNCTION_LINES, COMPLEXITY, FOLDER_FILES = 300, 50, 10, 14
OPEN_ENDED = {"genbab/nonlinear/functions"}  # one file per function, found by itself
Breaks = Mapping[str, int | list[str]]


class Counted(dict[str, int]):
    """How many things break a rule in each file."""


def long_files(files: list[Source]) -> Breaks:
    """Files of more than 300 lines: their lines."""
    lines = ((source.place, len(source.text.splitlines())) for source in files)
    return {place: count for place, count in lines if count > FILE_LINES}


def long_functions(files: list[Source]) -> Breaks:
    """Functions of more than 50 lines: their lines."""
    return _functions(files, counts.length, FUNCTION_LINES)


def complex_functions(files: list[Source]) -> Breaks:
    """Functions of a complexity above 10, whatever is waived: their complexity."""
    return _functions(files, counts.complexity, COMPLEXITY)


def _functions(files: list[Source], measure: Callable[[ast.FunctionDef], int], most: int) -> Breaks:
    found = ((f"{source.place}:{name}", measure(node)) for source in files for name, node in source.functions)
    return {place: count for place, count in found if count > most}


def crowded_folders(files: list[Source]) -> Breaks:
    """Folders of more than a dozen files (14 with `__init__`): how many."""
    folders = Counter(source.place.rpartition("/")[0] for source in files)
    return {name: n for name, n in folders.items() if n > FOLDER_FILES and name not in OPEN_ENDED}


def repeated_classes(files: list[Source]) -> Breaks:
    """Names that several classes of the package bear: the modules."""
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for source in files:
        for named in source.definitions:
            if isinstance(named.node, ast.ClassDef):
                modules[named.node.name].append(source.module)
    return {name: places for name, places in modules.items() if len(places) > 1}


def retired_words(files: list[Source]) -> Breaks:
    """Modules and classes called by a word that docs/glossary.md has retired: the words."""
    modules = (source.module for source in files)
    classes = (d.name for s in files for d in s.definitions if isinstance(d.node, ast.ClassDef))
    named = {name: re.findall(r"[A-Z]?[a-z]+", name.rpartition(".")[2]) for name in (*modules, *classes)}
    words = {name: sorted(RETIRED.intersection(map(str.lower, parts))) for name, parts in named.items()}
    return {name: retired for name, retired in words.items() if retired}


def broken_first_lines(files: list[Source]) -> Breaks:
    """Docstrings whose first line breaks off, private ones too: how many in each file."""
    return _counted(files, _broken)


def _broken(source: Source) -> Iterator[str]:
    for name, docstring, _ in source.docstrings:
        if docstring is not None and not counts.ends_in_period(docstring):
            yield name


def undocumented(files: list[Source]) -> Breaks:
    """Public modules, classes, functions and methods without a docstring: how many in each file."""
    return _counted(files, _undocumented)


def _undocumented(source: Source) -> Iterator[str]:
    for name, docstring, public in source.docstrings:
        if public and not docstring:
            yield name


def waived_arguments(files: list[Source]) -> Breaks:
    """Functions of more than six parameters by a waiver: how many in each file."""
    return _counted(files, lambda source: counts.ARGUMENTS_WAIVED.findall(source.text))


def import_circles(files: list[Source]) -> Breaks:
    """Modules that import each other in a circle, in functions and for types only too."""
    return {group[0]: group for group in counts.circles(files)}


def folder_circles(files: list[Source]) -> Breaks:
    """Folders whose modules import each other: neither can be read first."""
    return {group[0]: group for group in counts.folder_circles(files)}


def _counted(files: list[Source], find: Callable[[Source], Iterator[str] | list[str]]) -> Counted:
    numbers = ((source.place, len(list(find(source)))) for source in files)
    return Counted((place, count) for place, count in numbers if count)


RULES = (
    long_files,
    long_functions,
    complex_functions,
    crowded_folders,
    repeated_classes,
    retired_words,
    broken_first_lines,
    undocumented,
    waived_arguments,
    import_circles,
    folder_circles,
)
