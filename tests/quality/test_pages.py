from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from uptake.quality.pages import Run, make_local, write_run
from uptake.quality.suite import Result

AT = datetime(2026, 4, 14, 12, 30, tzinfo=UTC)


def result(
    check_id: str, *, is_success: bool, severity: str = "critical", checked_at: datetime = AT, run_name: str = "b"
) -> Result:
    return Result(
        check_id=check_id,
        area=check_id.split(".", maxsplit=1)[0],
        audience="leaders",
        table="mart_value",
        column=None,
        severity=severity,
        description=f"What {check_id} means <here>.",
        remedy="Mend the mart.",
        is_success=is_success,
        observed="2 rows: contract_key c1",
        unexpected_rows=2,
        query="SELECT 1 FROM {batch} WHERE a < b",
        batch="mart_value",
        checked_at=checked_at,
        run_name=run_name,
    )


def test_the_index_answers_first_and_shows_what_failed_before_what_passed(tmp_path: Path) -> None:
    run = Run("b", AT, 1, 1, 1)
    results = [
        result("marts.fine", is_success=True),
        result("landing.stale", is_success=False, severity="warning"),
        result("privacy.leak", is_success=False),
    ]
    write_run(tmp_path, "Maple & Oak", run, results, [run, Run("a", AT, 3, 0, 0)])
    page = (tmp_path / "index.html").read_text()
    assert "Do the numbers of Maple &amp; Oak hold?" in page
    assert "1 of 3 checks passed." in page
    assert (
        page.index("not published")
        < page.index("privacy.leak")
        < page.index("landing.stale")
        < page.index("marts.fine")
    )
    assert "means &lt;here&gt;" in page
    assert page.count("To mend it:") == 2
    assert 'href="runs/a.html"' in page
    assert 'href="../runs/a.html"' in (tmp_path / "runs" / "b.html").read_text()


def test_what_was_carried_over_says_when_it_was_found(tmp_path: Path) -> None:
    old = tmp_path / "validations" / "marts" / "leaders" / "mart_value" / "a" / "time" / "batch.html"
    old.parent.mkdir(parents=True)
    old.write_text("Great Expectations")
    run = Run("b", AT, 2, 0, 0)
    carried = result("marts.fine", is_success=True, checked_at=datetime(2026, 4, 13, 9, 5, tzinfo=UTC), run_name="a")
    write_run(tmp_path, "Maple", run, [carried, result("privacy.new", is_success=True)], [run])
    page = (tmp_path / "index.html").read_text()
    assert "2 of 2 checks passed. 1 of them were not asked again" in page
    assert page.count("Found 2026-04-13 09:05 UTC; nothing that this check reads has changed since.") == 1
    assert 'href="validations/marts/leaders/mart_value/a/time/batch.html"' in page


def test_pages_of_runs_that_are_no_longer_listed_go(tmp_path: Path) -> None:
    older, newer = Run("a", AT, 1, 0, 0), Run("b", AT, 1, 0, 0)
    write_run(tmp_path, "Maple", older, [result("marts.fine", is_success=True)], [older])
    write_run(tmp_path, "Maple", newer, [result("marts.fine", is_success=True)], [newer])
    assert [page.name for page in (tmp_path / "runs").iterdir()] == ["b.html"]


def test_a_page_asks_nothing_of_another_host(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<html><head><link rel="stylesheet" href="https://cdn.example/a.css"/>\n'
        '<script src="https://cdn.example/a.js" integrity="x"></script>'
        "<style>.a { background: url('https://cdn.example/a.png') }</style></head>"
        '<body><a href="../index.html"><img\n class="x"\n src="https://cdn.example/logo.png?d=1"/></a><p>kept</p>'
        '<img src="../static/own.png"><footer><a href="https://cdn.example/news">Subscribe</a></footer></body></html>'
    )
    make_local(page)
    text = page.read_text()
    assert "://" not in text
    assert "<p>kept</p>" in text
    assert '<a href="../index.html">' in text
    assert '<img src="../static/own.png">' in text
