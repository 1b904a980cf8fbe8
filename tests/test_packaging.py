"""The package is what pyproject.toml says, and its modules import only what their floor allows."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import genbab
from tests.house.source import PARTS, ROOT, Import, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAPPED = PARTS[1:]  # top-level folders installed inside genbab

FLOORS: list[list[str]] = PROJECT["tool"]["genbab"]["floors"]
FLOOR = {part: floor for floor, parts in enumerate(FLOORS, 1) for part in parts}

# Libraries that only some places may import; a place is a module name or the start of one.
ONLY_IN = {
    "google": ("reader", "check.model.reading"),
    "jinja2": ("reporting.page",),
    "markupsafe": ("reporting.page",),
    "matplotlib": ("plot",),
    "PIL": ("cli.tools.samples",),
    "numba": ("kernels.cpu",),
    "onnx": ("reader", "attack.replay", "check.model.reading"),
    "onnxruntime": ("reader.onnx.runtime",),
    "onnxscript": ("reader",),
    "platformdirs": ("nonlinear.composed.cache",),
    "ray": ("cluster",),
    "rich": ("cli",),
    "triton": ("kernels.gpu",),
    "vnnlib": ("specs.vnnlib2.reader",),
}
NO_TORCH = (
    "__main__",
    "config",
    "errors",
    "result",
    "specs",
    "trace",
    "version",
)  # light: `genbab --version`, reading a property
LEAF_LIBRARIES = {
    "kernels": {"numba", "numpy", "torch", "triton"},
    "lut": {"numpy", "torch"},
    "specs": {"numpy", "vnnlib"},
}


def within(i: Import, places: tuple[str, ...]) -> bool:
    """Whether the importing module is one of these, or in one of these; "" is anywhere."""
    return any(not place or f"{inner(i.module)}.".startswith(f"{place}.") for place in places)


FILES = sources(*PARTS)


@cache
def imports() -> tuple[Import, ...]:
    """All of them; read when a test first asks, not when tests are collected."""
    return tuple(i for source in FILES for i in source.imports)


@cache
def external() -> tuple[Import, ...]:
    """Those of libraries."""
    own = {*sys.stdlib_module_names, "genbab", "__future__"}
    return tuple(i for i in imports() if i.target.split(".")[0] not in own)


def inner(name: str) -> str:
    """A module's name without the `genbab.` in front; "" is genbab itself."""
    return name.removeprefix("genbab").removeprefix(".")


def listed(wrong: list[Import]) -> str:
    return "\n" + "\n".join(map(str, wrong))


def test_package_list_is_the_folders_on_disk() -> None:
    folders = {path.parent for path in ROOT.joinpath("genbab").rglob("__init__.py")}
    folders |= {path.parent for name in MAPPED for path in ROOT.joinpath(name).rglob("__init__.py")}
    names = {".".join(path.relative_to(ROOT).parts) for path in folders}
    found = {name if name.split(".")[0] == "genbab" else f"genbab.{name}" for name in names}
    assert sorted(found) == PROJECT["tool"]["setuptools"]["packages"], "the list is sorted and complete"


def test_every_folder_with_sources_is_a_package() -> None:
    assert not {s.place for s in FILES if not s.path.with_name("__init__.py").exists()}


@pytest.mark.parametrize("name", MAPPED)
def test_mapped_folder_is_linked_and_guarded(name: str) -> None:
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"genbab.{name}"] == name
    link = ROOT / "genbab" / name
    assert link.resolve() == ROOT / name
    if link.is_symlink():  # where links do not survive (Windows), the mapping carries the package
        assert link.readlink() == Path("..") / name
    alone = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert alone.returncode == 1
    assert f"genbab.{name}" in alone.stderr.splitlines()[-1], "the guard names the right import"
    assert importlib.import_module(f"genbab.{name}").__name__ == f"genbab.{name}"


def test_every_module_has_a_floor() -> None:
    parts = {inner(source.module).split(".")[0] for source in FILES} - {""}
    assert parts == set(FLOOR), "pyproject.toml, [tool.genbab]: floors of all parts, and of no others"
    assert len(FLOOR) == sum(map(len, FLOORS)), "a part stands on two floors"


def test_imports_go_down_only() -> None:
    wrong = []
    for i in imports():
        package, *rest = i.target.split(".")
        here = inner(i.module).split(".")[0]
        if package == "genbab" and here and rest and rest[0] in FLOOR and rest[0] != here:
            wrong += [i] if FLOOR[rest[0]] >= FLOOR[here] else []
    assert not wrong, listed(wrong)


def test_tables_use_nonlinear_in_their_generator_only() -> None:
    wrong = [
        i
        for i in imports()
        if within(i, ("lut",))
        and inner(i.module) != "lut.generate"
        and i.target.startswith("genbab.nonlinear")
    ]
    assert not wrong, listed(wrong)


def test_special_libraries_stay_in_their_place() -> None:
    wrong = [i for i in external() if not within(i, ONLY_IN.get(i.target.split(".")[0], ("",)))]
    assert not wrong, listed(wrong)


def test_light_modules_import_no_torch() -> None:
    wrong = [i for i in external() if i.target.split(".")[0] == "torch" and within(i, NO_TORCH)]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize("leaf", sorted(LEAF_LIBRARIES))
def test_leaf_folder_imports_only_its_libraries(leaf: str) -> None:
    mine = [i for i in external() if within(i, (leaf,))]
    wrong = [i for i in mine if i.target.split(".")[0] not in LEAF_LIBRARIES[leaf]]
    assert not wrong, listed(wrong)


def test_imported_libraries_are_the_declared_ones() -> None:
    declared = {re.split(r"[<>=!~ \[;]", line)[0] for line in PROJECT["project"]["dependencies"]}
    optional = {"matplotlib", "numba", "triton"}  # drawings, backends of kernels: where they are installed
    optional |= {"jinja2", "markupsafe", "pillow", "ray", "vnnlib"}  # reports, images, clusters, VNN-LIB 2
    named = {"google": "protobuf", "PIL": "pillow"}  # imported by another name than installed
    used = {named.get(name, name) for name in (i.target.split(".")[0] for i in external())}
    assert used - optional <= declared
    assert declared <= used, "a dependency that nothing imports"


def test_public_names_are_sorted_and_resolve() -> None:
    assert genbab.__all__ == sorted(genbab.__all__)
    assert set(genbab.__all__) <= set(dir(genbab))
    for name in genbab.__all__:
        assert getattr(genbab, name) is not None


def test_public_names_are_classes_and_functions_not_modules() -> None:
    for name in set(genbab.__all__) - {"__version__"}:
        assert callable(getattr(genbab, name)), f"genbab.{name} is hidden by a module of that name"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        getattr(genbab, "verfy")  # noqa: B009 - the point is the missing attribute


HEAVY = "{'torch', 'onnx', 'onnxruntime'}"
VERSION = "import runpy; sys.argv = ['genbab', '--version']; runpy.run_module('genbab', run_name='__main__')"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        (
            "import genbab; genbab.__version__",
            "{'numpy', 'torch', 'onnx', 'onnxruntime', 'rich'}",
        ),
        ("import genbab; genbab.Config, genbab.Result, genbab.Spec, genbab.GenbabError", HEAVY),
        (VERSION, HEAVY),
    ],
    ids=["import", "light names", "--version"],
)
def test_nothing_heavy_is_imported(code: str, heavy: str) -> None:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit as end:\n    assert not end.code\n"
    script += f"loaded = {heavy} & set(sys.modules)\nassert not loaded, loaded\n"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "--version" not in code or genbab.__version__ in run.stdout
