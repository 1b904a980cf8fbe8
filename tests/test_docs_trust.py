"""The sizes on docs/trust.md are those of the code, more or less, and add up."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
CELLS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line[:1] == "|"]
ROWS = [row for row in CELLS if len(row) == 4 and row[1].isdigit()]


def lines(path: Path) -> int:
    """Lines of a file, or of all files of a folder."""
    files = [path] if path.is_file() else list(path.rglob("*.py"))
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def test_sizes_are_right_and_add_up() -> None:
    *parts, whole = ROWS
    sizes = {name.strip("`"): int(count) for row in ROWS for name, count in (row[:2], row[2:]) if count}
    assert sum(int(row[1]) for row in parts) == int(whole[1]) == sizes.pop(whole[0])
    assert len(sizes) > 12
    for places, count in sizes.items():
        assert abs(sum(lines(ROOT / place) for place in places.split()) - count) < count / 4, places
