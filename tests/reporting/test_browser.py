"""A report in a real browser: opened, filtered, sorted, a link followed, nothing asked of the network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import genbab

from .conftest import EVIL

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

ROWS = "#instances tbody tr:not([hidden])"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture(scope="module")
def place(studies: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("pages") / "page.html"
    return genbab.report(studies["main"], out, against=studies["other"], title=EVIL).as_uri()


class Seen:
    """A page in the browser with what it complained about and asked for."""

    def __init__(self, browser: Any, place: str, **how: Any) -> None:
        self.context = browser.new_context(viewport={"width": how.pop("width", 1280), "height": 900}, **how)
        self.context.set_default_timeout(5000)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self.refuse)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(place)

    def refuse(self, dialog: Any) -> None:
        self.said.append(str(dialog.message))
        dialog.dismiss()

    def column(self, number: int) -> list[str]:
        """The texts of a column of the rows shown."""
        return [str(t) for t in self.page.locator(f"{ROWS} > :nth-child({number})").all_inner_texts()]


@pytest.fixture
def seen(browser: Any, place: str) -> Iterator[Seen]:
    one = Seen(browser, place)
    yield one
    one.context.close()
    assert one.said == [], "nothing is wrong with the page"
    assert {u.partition("#")[0] for u in one.asked if not u.startswith("data:")} == {place}


def test_filter_by_words_and_verdicts(seen: Seen) -> None:
    page = seen.page
    assert len(seen.column(1)) == 18
    page.get_by_label("Filter the instances by words").fill("SAMPLE 1")
    assert set(seen.column(3)) >= {"sample 1", "sample 10", "sample 11"}
    page.get_by_label("Filter the instances by words").fill("net.onnx sample 1")
    assert set(seen.column(3)) == {"sample 1", "sample 10", "sample 11"}
    page.get_by_label("Filter the instances by words").fill("")
    chips = page.get_by_role("group", name="Verdicts shown")
    chips.get_by_role("button", name="falsified").click()
    assert set(seen.column(4)) == {"falsified"}
    assert page.get_by_role("status").inner_text() == f"{len(seen.column(1))} of 18 shown"
    chips.get_by_role("button", name="timeout").click()
    assert set(seen.column(4)) == {"falsified", "timeout"}
    page.get_by_label("Filter the instances by words").fill("no such word")
    assert seen.column(1) == []


def test_sort_by_mouse_and_by_keyboard(seen: Seen) -> None:
    page = seen.page
    head = page.get_by_role("columnheader", name="seconds", exact=True)
    head.get_by_role("button").click()
    up = [float(t) for t in seen.column(5)]
    assert up == sorted(up) and head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert [float(t) for t in seen.column(5)] == sorted(up, reverse=True)
    assert page.locator("th[aria-sort]").count() == 1
    page.get_by_role("columnheader", name="bound", exact=True).get_by_role("button").click()
    bounds = seen.column(6)
    known = [float(t.replace("−", "-")) for t in bounds if t]
    assert known == sorted(known) and bounds[len(known) :] == [""] * (len(bounds) - len(known))
    page.get_by_role("columnheader", name="specification").get_by_role("button").click()
    assert seen.column(3).index("sample 2") < seen.column(3).index("sample 10")


def test_pages_open_and_lead_back(seen: Seen) -> None:
    page = seen.page
    link = page.locator("tr[data-verdict=falsified] a").first
    name = link.inner_text()
    link.click()
    assert page.get_by_role("heading", level=1).inner_text() == name and name in page.title()
    assert page.locator("article.page:visible").count() == 1 and not page.locator("#instances").is_visible()
    assert page.get_by_role("heading", name="Counterexample").is_visible()
    pictures = page.locator("article.page:visible .panels img")
    assert pictures.count() == 3
    assert all(pictures.nth(k).evaluate("e => e.complete && e.naturalWidth === 8") for k in range(3))
    page.get_by_role("link", name="Next").click()
    assert page.get_by_role("heading", level=1).inner_text() != name
    page.get_by_role("link", name="All instances").click()
    assert page.locator("#instances").is_visible() and page.locator("article.page:visible").count() == 0


def test_a_mark_of_a_drawing_leads_to_its_page(seen: Seen) -> None:
    seen.page.locator(".chart a").first.locator("circle, path").click()
    assert seen.page.locator("article.page:visible").count() == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_follows_the_theme(browser: Any, place: str, width: int, tmp_path: Path) -> None:
    grounds = set()
    for theme in ("light", "dark"):
        one = Seen(browser, place, width=width, color_scheme=theme)
        for hash_ in ("", "#i2"):
            one.page.goto(place + hash_)
            assert one.page.evaluate("document.documentElement.scrollWidth") <= width
        grounds.add(one.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        one.context.close()
    assert len(grounds) == 2


def test_without_scripts_and_on_paper(browser: Any, place: str) -> None:
    bare = Seen(browser, place, java_script_enabled=False)
    assert bare.page.locator("#instances").is_visible() and not bare.page.locator("#words").is_visible()
    bare.page.goto(place + "#i1")
    assert bare.page.locator("article.page:visible").count() == 1
    bare.context.close()
    paper = Seen(browser, place, color_scheme="dark")
    paper.page.emulate_media(media="print", color_scheme="dark")
    assert not paper.page.locator("#words").is_visible() and paper.page.locator("#instances").is_visible()
    assert paper.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper.context.close()
