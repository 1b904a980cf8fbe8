"""The report as one HTML text, which loads nothing from anywhere.

Every name is escaped, and a policy in the page keeps both so.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.errors import UsageError
from genbab.reporting import charts
from genbab.reporting.scales import number
from genbab.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

SHAPES = {
    "here": "M0 -6L5.5 4.5H-5.5Z",
    "there": "M-4.5 -4.5H4.5V4.5H-4.5Z",
    "neither": "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
    "conflict": "M-6 -6L6 6M6 -6L-6 6",
    "falsified": "M-4.5 -4.5H4.5V4.5H-4.5Z",
    "other": "M-4 -4H4V4H-4Z",
}
"""Marks that are no circles."""


def page(content: dict[str, Any]) -> str:
    """The HTML text; raises `UsageError` where jinja2 is missing."""
    environment = _environment()
    style, script = (_dense((TEMPLATES / name).read_text("utf-8")) for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    from markupsafe import Markup

    own = {"style": Markup(style), "script": Markup(script), "policy": policy, "version": __version__}
    return _dense(environment.get_template("report.html").render({**content, **own})) + "\n"


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UsageError('a report needs jinja2: pip install "genbab[report]"') from error
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"shapes": SHAPES, "frame": charts}
    made.filters["number"] = number
    return made


def _dense(text: str) -> str:
    """The text without empty lines."""
    return "\n".join(line for line in text.split("\n") if line.strip())


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
