"""The glossary is about this code: what it names exists, and what everybody meets is explained."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict

from tests.house.glossary import RETIRED, TERMS
from tests.house.source import PARTS, Source, sources

FILES = sources(*PARTS)
MANY = 3  # parts of the package that import a class: from here on it is vocabulary


def top_level(source: Source) -> set[str]:
    """The module's own name, and what is defined or assigned in it."""
    names = {source.module.rpartition(".")[2]}
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def part(module: str) -> str:
    """The part of the package that a module belongs to: `branch` of genbab.branch.search."""
    return "".join(module.split(".")[1:2])


def vocabulary() -> set[str]:
    """Classes, errors apart, that at least three parts import from another."""
    classes = {d.name for source in FILES for d in source.definitions if isinstance(d.node, ast.ClassDef)}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for source in FILES:
        for i in source.imports:
            if (
                i.name in classes
                and i.source.startswith("genbab")
                and part(i.source) not in (part(i.module), "errors")
            ):
                users[i.name] |= {part(i.module)} - {""}
    return {name for name, parts in users.items() if len(parts) >= MANY}


def test_what_the_glossary_names_is_in_the_code() -> None:
    known = set().union(*map(top_level, FILES))
    assert not [(entry.words, name) for entry in TERMS for name in entry.code if name not in known]


def test_every_term_names_code_and_stands_in_its_place() -> None:
    assert len(TERMS) > 50 and all(entry.code for entry in TERMS)
    for _, section in itertools.groupby(TERMS, lambda entry: entry.section):
        words = [entry.words for entry in section]
        assert words == sorted(words)
    terms = [term for entry in TERMS for term in entry.words.split(", ")]
    assert len(terms) == len(set(terms)) and not RETIRED.intersection(terms)


def test_what_many_parts_import_is_explained() -> None:
    explained = {name for entry in TERMS for name in entry.code}
    assert vocabulary() - explained == set(), "docs/glossary.md lacks these"
    assert {"Network", "Spec", "Engine"} <= vocabulary(), "what must be seen is seen"
