"""Draw docs/scale.csv (written by `python -m benchmarks.micro_batch --csv docs/scale.csv`) as docs/images/scale.svg.

Three small pictures over days of history; colours of Okabe and Ito, which differ for all kinds of colour vision.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
SOURCE, TARGET = DOCS / "scale.csv", DOCS / "images" / "scale.svg"
BLUE, VERMILION, GREEN, INK, FAINT = "#0072B2", "#D55E00", "#009E73", "#333333", "#D9D9D9"
WIDTH, HEIGHT, MARGIN, GAP = 400, 230, 48, 20
MIB = 2**20
Row = dict[str, float]


@dataclass(frozen=True)
class Line:
    name: str
    colour: str
    value: Callable[[Row], float]


@dataclass(frozen=True)
class Picture:
    """title says the unit of the lines' values."""

    title: str
    lines: Sequence[Line]


PICTURES = (
    Picture("A five-minute batch, seconds of CPU", (Line("batch", BLUE, lambda row: row["batch_cpu"]),)),
    Picture(
        "The lake, MiB for each million events",
        (Line("lake", BLUE, lambda row: row["lake_bytes"] / row["events"] * 1e6 / MIB),),
    ),
    Picture(
        "Held, MiB",
        (
            Line("lake", BLUE, lambda row: row["lake_bytes"] / MIB),
            Line("warehouse", VERMILION, lambda row: row["warehouse_bytes"] / MIB),
            Line("snapshot", GREEN, lambda row: row["snapshot_bytes"] / MIB),
        ),
    ),
)


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return [{name: float(value) for name, value in row.items()} for row in rows]


def draw(picture: Picture, rows: Sequence[Row]) -> str:
    """One picture at the origin: axes from zero, a mark at each measurement, each line named at its end."""
    longest = max(row["days"] for row in rows)
    highest = max(line.value(row) for line in picture.lines for row in rows) * 1.1
    inner_width, inner_height = WIDTH - 2 * MARGIN - 24, HEIGHT - 2 * MARGIN

    def x(days: float) -> float:
        return MARGIN + days / longest * inner_width

    def y(value: float) -> float:
        return HEIGHT - MARGIN - value / highest * inner_height

    parts = [text(MARGIN, 20, picture.title, weight="bold")]
    for share in (0.0, 0.5, 1.0):
        height = y(highest * share)
        parts.append(
            f'<line x1="{MARGIN}" x2="{x(longest):.1f}" y1="{height:.1f}" y2="{height:.1f}" stroke="{FAINT}"/>'
        )
        parts.append(text(MARGIN - 6, height + 4, f"{highest * share:.3g}", anchor="end"))
    for row in rows:
        parts.append(text(x(row["days"]), HEIGHT - MARGIN + 16, f"{row['days']:.0f}", anchor="middle"))
    parts.append(text(x(longest / 2), HEIGHT - MARGIN + 34, "days of history", anchor="middle"))
    for line in picture.lines:
        points = [(x(row["days"]), y(line.value(row))) for row in rows]
        path = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{line.colour}"/>' for across, up in points]
        parts.append(text(points[-1][0] + 6, points[-1][1] + 4, line.name, colour=line.colour))
    return "\n".join(parts)


def text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", colour: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def drawn(rows: Sequence[Row]) -> str:
    width = len(PICTURES) * (WIDTH + GAP) - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img">',
        "<title>What history costs, by days of history</title>",
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>',
    ]
    for number, picture in enumerate(PICTURES):
        parts += [f'<g transform="translate({number * (WIDTH + GAP)},0)">', draw(picture, rows), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    TARGET.write_text(drawn(read(SOURCE)), encoding="utf-8")


if __name__ == "__main__":
    main()
