"""The package is what pyproject.toml says, and its modules import only what their floor allows."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import genbab

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAPPED = ("kernels", "lut", "specs")  # top-level folders installed inside genbab

FLOOR = {
    **dict.fromkeys(("errors", "kernels", "version"), 1),
    **dict.fromkeys(("config", "nonlinear", "result", "specs", "system"), 2),
    **dict.fromkeys(("lut", "network", "trace"), 3),
    **dict.fromkeys(("bounds", "plot", "problem", "reader"), 4),
    **dict.fromkeys(("attack", "branch", "nap"), 5),
    "driver": 6,
    "api": 7,
    "studies": 8,
    "reporting": 9,
    "cli": 10,
    "__main__": 11,
}

# Libraries that only some places may import; a place is a module name or the start of one.
ONLY_IN = {
    "google": ("reader",),
    "jinja2": ("reporting.page",),
    "markupsafe": ("reporting.page",),
    "matplotlib": ("plot",),
    "PIL": ("cli.tools.samples",),
    "numba": ("kernels.cpu",),
    "onnx": ("reader", "attack.replay"),
    "onnxruntime": ("reader.onnx.runtime",),
    "onnxscript": ("reader",),
    "platformdirs": ("nonlinear.composed.cache",),
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
KNOWN_CIRCLES = {frozenset(("genbab.driver.run", "genbab.driver.vacuity"))}
LEAF_LIBRARIES = {
    "kernels": {"numba", "numpy", "torch", "triton"},
    "lut": {"numpy", "torch"},
    "specs": {"numpy", "vnnlib"},
}


class Import(NamedTuple):
    """One import: the importing module without the `genbab.` in front, its line, what it imports."""

    module: str
    line: int
    target: str

    def __str__(self) -> str:
        return f"genbab.{self.module}:{self.line} imports {self.target}"


def within(module: str, places: tuple[str, ...]) -> bool:
    """Whether `module` is one of `places` or lies inside one."""
    return any(module == place or module.startswith(place + ".") for place in places)


def sources() -> Iterator[tuple[str, Path]]:
    """Every source file of the package as (module name without `genbab.`, path); "" is genbab itself."""
    folders = [(ROOT / "genbab", "")] + [(ROOT / name, name) for name in MAPPED]
    for folder, prefix in folders:
        for path in sorted(folder.rglob("*.py")):
            parts = [prefix, *path.relative_to(folder).with_suffix("").parts]
            if path.relative_to(folder).parts[0] in MAPPED and not prefix:
                continue  # a link, listed as its own folder (newer Pythons follow links here)
            yield ".".join(part for part in parts if part and part != "__init__"), path


def imports() -> Iterator[Import]:
    """Every absolute import anywhere in the package, inside functions and TYPE_CHECKING too."""
    for module, path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (Import(module, node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: relative import"
                for name in node.names:  # `from genbab.reporting import charts` names a module
                    full = f"{node.module}.{name.name}"
                    yield Import(module, node.lineno, full if full in MODULES else str(node.module))


MODULES = {f"genbab.{module}".rstrip(".") for module, _ in sources()}
IMPORTS = tuple(imports())
EXTERNAL = tuple(
    i for i in IMPORTS if i.target.split(".")[0] not in {*sys.stdlib_module_names, "genbab", "__future__"}
)


def listed(wrong: list[Import]) -> str:
    return "\n" + "\n".join(map(str, wrong))


def test_package_list_is_the_folders_on_disk() -> None:
    folders = {path.parent for path in ROOT.joinpath("genbab").rglob("__init__.py")}
    folders |= {path.parent for name in MAPPED for path in ROOT.joinpath(name).rglob("__init__.py")}
    names = {".".join(path.relative_to(ROOT).parts) for path in folders}
    found = {name if name.split(".")[0] == "genbab" else f"genbab.{name}" for name in names}
    assert sorted(found) == PROJECT["tool"]["setuptools"]["packages"], "the list is sorted and complete"


def test_every_folder_with_sources_is_a_package() -> None:
    bare = {str(path.parent) for _, path in sources() if not path.with_name("__init__.py").exists()}
    assert not bare


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
    assert {module.split(".")[0] for module, _ in sources()} - {""} <= set(FLOOR)


def test_imports_go_down_only() -> None:
    wrong = []
    for i in IMPORTS:
        package, *rest = i.target.split(".")
        here = i.module.split(".")[0]
        if package != "genbab" or not here or not rest or rest[0] not in FLOOR or rest[0] == here:
            continue
        if FLOOR[rest[0]] >= FLOOR.get(here, 0):
            wrong.append(i)
    assert not wrong, listed(wrong)


def circles() -> set[frozenset[str]]:
    """The groups of modules that import each other, in functions and for type checkers, too."""
    after: dict[str, set[str]] = {}
    for i in IMPORTS:
        if i.target in MODULES:
            after.setdefault(f"genbab.{i.module}".rstrip("."), set()).add(i.target)

    def reached(start: str) -> set[str]:
        found, todo = set[str](), list(after.get(start, ()))
        while todo:
            if (module := todo.pop()) not in found:
                found.add(module)
                todo.extend(after.get(module, ()))
        return found

    reach = {module: reached(module) for module in MODULES}
    groups = {frozenset(n for n in reach[m] if m in reach[n]) for m in MODULES}
    return {group for group in groups if group}


def test_no_circles_between_modules() -> None:
    assert circles() == KNOWN_CIRCLES


def test_tables_use_nonlinear_in_their_generator_only() -> None:
    wrong = [
        i
        for i in IMPORTS
        if within(i.module, ("lut",))
        and i.module != "lut.generate"
        and i.target.startswith("genbab.nonlinear")
    ]
    assert not wrong, listed(wrong)


def test_special_libraries_stay_in_their_place() -> None:
    wrong = [i for i in EXTERNAL if not within(i.module, ONLY_IN.get(i.target.split(".")[0], (i.module,)))]
    assert not wrong, listed(wrong)


def test_light_modules_import_no_torch() -> None:
    wrong = [i for i in EXTERNAL if i.target.split(".")[0] == "torch" and within(i.module, NO_TORCH)]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize("leaf", sorted(LEAF_LIBRARIES))
def test_leaf_folder_imports_only_its_libraries(leaf: str) -> None:
    mine = [i for i in EXTERNAL if within(i.module, (leaf,))]
    wrong = [i for i in mine if i.target.split(".")[0] not in LEAF_LIBRARIES[leaf]]
    assert not wrong, listed(wrong)


def test_imported_libraries_are_the_declared_ones() -> None:
    declared = {re.split(r"[<>=!~ \[;]", line)[0] for line in PROJECT["project"]["dependencies"]}
    optional = {"matplotlib", "numba", "triton"}  # drawings, backends of kernels: where they are installed
    optional |= {"jinja2", "markupsafe", "pillow", "vnnlib"}  # reports, images, VNN-LIB 2
    named = {"google": "protobuf", "PIL": "pillow"}  # imported by another name than installed
    used = {named.get(name, name) for name in (i.target.split(".")[0] for i in EXTERNAL)}
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
