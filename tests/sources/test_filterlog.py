"""Log files of web filters: what each format becomes, what is refused, and that nothing in a file breaks its pull."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from dropped import NOW, drop
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from uptake import pipeline
from uptake.contracts import Batch
from uptake.project import Project
from uptake.sources.base import Home
from uptake.sources.filterlog import FilterLog, FilterLogSettings
from uptake.sources.filterlog.people import who
from uptake.sources.pushed.base import content_key

KEY = bytes(range(32))
DNS = (
    '"2026-02-03 15:00:00","Zoe Lind (zoe.lind@maple.example)","Zoe Lind (zoe.lind@maple.example),lab-7",'
    '"10.10.1.100","24.123.132.133","Allowed","1 (A)","NOERROR","mathgym.example.","Education,Science",'
    '"AD Users","AD Users,Anyconnect Roaming Client","","506165","","8234970"'
)
_PROXY: dict[int, str] = {
    0: "2026-02-03 15:00:00",
    1: "lab-7",
    2: "192.168.1.5",
    6: "BLOCKED",
    7: "https://mathgym.example/app/class?who=zoe",
    9: "Mozilla/5.0 (who knows)",
    15: "Games,Advertisements",
    21: "Roaming Computers",
    23: "lab-7,Maple Elementary",
    24: "Roaming Computers,Sites",
}
NATIVE = "1770130800.250   5012 10.1.2.3 TCP_MISS/200 4123 GET http://mathgym.example/a?q=1 zlind HIER_DIRECT/1.2.3.4 -"
TUNNEL = "1770130801.000 900000 10.1.2.3 TCP_TUNNEL/200 99 CONNECT app.mathgym.example:443 - HIER_DIRECT/1.2.3.4 -"
COMBINED = (
    '10.1.2.3 - zoe.lind%40maple.example [03/Feb/2026:09:00:00 -0600] "GET http://mathgym.example/a HTTP/1.1" 403 99 '
    '"http://ref.example/?q=\\"x" "Mozilla \\"5\\"" TCP_DENIED:HIER_NONE'
)


def proxy(**changes: str) -> str:
    fields = _PROXY | {int(name.removeprefix("f")): value for name, value in changes.items()}
    return ",".join(f'"{fields.get(place, "")}"' for place in range(49))


def panos(width: int = 79, **changes: str) -> str:
    fields = {
        0: "Feb  3 09:00:01 fw1 1",
        1: "2026/02/03 09:00:01",
        2: "0123456789",
        3: "THREAT",
        4: "url",
        6: "2026/02/03 09:00:00",
        7: "10.1.2.3",
        12: "maple\\zlind",
        14: "web-browsing",
        30: "alert",
        31: '"mathgym.example/app?who=zoe"',
        33: "educational-institutions",
        46: '"Mozilla/5.0 (X11, Linux)"',
        75: '"educational-institutions,low-risk"',
    } | {int(name.removeprefix("f")): value for name, value in changes.items()}
    return ",".join(fields.get(place, "") for place in range(width))


FORMATS: dict[str, dict[str, Any]] = {
    "umbrella-dns": {"schema_version": 10},
    "umbrella-proxy": {"schema_version": 13},
    "squid": {},
    "squid-combined": {},
    "squid-csv": {"columns": ["time", "client", "user", "method", "url", "action"], "time_zone": "America/Chicago"},
    "paloalto-url": {"schema_version": "9.1", "time_zone": "America/Chicago"},
    "cloudflare-gateway-http": {},
    "cloudflare-gateway-dns": {},
    "zscaler-web": {"time_zone": "America/Chicago"},
    "export": {
        "headers": {
            "time": ["Date"],
            "user": ["E-mail"],
            "url": ["URL", "Site"],
            "action": ["Status"],
            "category": ["Category"],
        },
        "time_formats": ["%m/%d/%Y %I:%M %p"],
        "time_zone": "America/Chicago",
    },
}


def opened(folder: Path, name: str, **options: Any) -> FilterLog:
    entry = {"name": "logs", "kind": "filterlog", "folder": folder / "drop", "format": name, "files": "**/*"}
    source = FilterLog(FilterLogSettings.model_validate(entry | FORMATS[name] | options), None)
    (folder / "notes").mkdir(exist_ok=True)
    source.settle(Home(folder / "notes", KEY))
    return source


def take(source: FilterLog) -> list[Batch]:
    (resource,) = source.resources.values()
    windows = source.windows(resource, since=None, until=NOW, full=False)
    return [batch for window in windows for batch in source.pull(resource, window)]


def read(folder: Path, name: str, *lines: str, **options: Any) -> Batch:
    """The one batch of a file of these lines, and that every line of it was counted."""
    drop(folder / "drop", "a.log.gz", "\n".join(lines) + "\n")
    batch, *notes = take(opened(folder, name, **options))
    left_out = sum(int(note.note.split(": ")[1].split()[0]) for note in notes if note.note)
    assert batch.pulled + left_out == len(lines)
    return batch


def row(batch: Batch) -> dict[str, Any]:
    (found,) = batch.table.to_pylist()
    assert len(found.pop("event_key")) == 32
    return found


def reasons(batch: Batch) -> list[str]:
    return sorted(reject.reason for reject in batch.rejects)


AT = datetime(2026, 2, 3, 15, 0, tzinfo=UTC)


# ---- Umbrella -------------------------------------------------------------------------------------------------------


def test_umbrella_dns(tmp_path: Path) -> None:
    assert row(read(tmp_path, "umbrella-dns", DNS)) == {
        "timestamp": AT,
        "user_label": "zoe.lind@maple.example",
        "device_label": "lab-7",
        "network_label": None,
        "identity_type": "user",
        "verdict": "allowed",
        "domain": "mathgym.example",
        "url": None,
        "type": "dns",
        "categories": ["Education", "Science"],
    }


def test_umbrella_proxy(tmp_path: Path) -> None:
    assert row(read(tmp_path, "umbrella-proxy", proxy())) == {
        "timestamp": AT,
        "user_label": None,
        "device_label": "lab-7",
        "network_label": "Maple Elementary",
        "identity_type": "device",
        "verdict": "blocked",
        "domain": None,
        "url": "https://mathgym.example/app/class?who=zoe",
        "type": "proxy",
        "categories": ["Games", "Advertisements"],
    }


def test_umbrella_names_that_are_no_address_are_forgotten(tmp_path: Path) -> None:
    line = DNS.replace("Zoe Lind (zoe.lind@maple.example)", "Lind, Zoe")
    found = row(read(tmp_path, "umbrella-dns", line))
    assert (found["user_label"], found["device_label"], found["identity_type"]) == (None, None, "user")


def test_fields_behind_the_known_ones_are_kept_raw_and_reported(tmp_path: Path) -> None:
    batch = read(tmp_path, "umbrella-dns", DNS + ',"new","zoe"', DNS + ',"","x"', schema_version=17)
    assert batch.unknown == {"field_17": ["new", None], "field_18": ["zoe", "x"]}
    assert batch.table.num_rows == 2


def test_a_file_of_another_version_is_refused_whole_and_says_which(tmp_path: Path) -> None:
    old = DNS.rsplit(",", 3)[0]
    drop(tmp_path / "drop", "a.log", old + "\n" + old + "\n")
    (batch,) = take(opened(tmp_path, "umbrella-dns"))
    assert reasons(batch) == ["unknown_layout"]
    assert batch.note and "have 13 fields, while dns logs of schema version 10 have at least 16" in batch.note
    assert take(opened(tmp_path, "umbrella-dns", schema_version=9))[0].table.num_rows == 2


def test_an_optional_header_is_passed_over(tmp_path: Path) -> None:
    header = ",".join(f'"{name}"' for name in ["Timestamp", *map(str, range(15))])
    assert read(tmp_path, "umbrella-dns", header, DNS).table.num_rows == 1


def test_a_broken_line_costs_itself(tmp_path: Path) -> None:
    lines = [
        DNS,
        DNS.replace('"AD Users"', '"AD Users'),  # an odd quotation mark
        DNS.replace("15:00:00", "15:61:00"),
        DNS.replace('"1 (A)",', ""),
        DNS.replace(',"","8234970"', ',x"y,"z'),  # an even number, of which the last opens a value
        DNS.replace("2026-02-03 15:00:00", ""),
        DNS.replace("15:00:00", "15:00:01"),
    ]
    batch = read(tmp_path, "umbrella-dns", *lines)
    assert [stamp.second for stamp in batch.table["timestamp"].to_pylist()] == [0, 1]
    assert reasons(batch) == ["missing_required", "not_timestamp", *["unclosed_quote"] * 2, "wrong_column_count"]
    assert {reject.raw for reject in batch.rejects} == set(lines[1:6])


def test_bytes_that_are_no_text_cost_their_line(tmp_path: Path) -> None:
    body = b"\n".join([DNS.encode(), DNS.encode().replace(b"Zoe Lind", b"Zo\xeb \xc3\xab\xc3\xab"), DNS.encode()[:]])
    drop(tmp_path / "drop", "a.log", body)
    (batch,) = take(opened(tmp_path, "umbrella-dns"))
    assert reasons(batch) == ["bad_encoding"] and batch.table.num_rows == 2


# ---- Squid ----------------------------------------------------------------------------------------------------------


def test_squid(tmp_path: Path) -> None:
    found = row(read(tmp_path, "squid", NATIVE, user_domain="maple.example"))
    assert found == {
        "time": AT.replace(microsecond=250_000),
        "user": "zlind@maple.example",
        "account": None,
        "url": "http://mathgym.example/a?q=1",
        "host": None,
        "action": "TCP_MISS/200",
        "categories": None,
    }


def test_a_tunnel_has_a_host_and_its_lifetime_lands_nowhere(tmp_path: Path) -> None:
    found = row(read(tmp_path, "squid", TUNNEL))
    assert (found["url"], found["host"], found["user"], found["account"]) == (None, "app.mathgym.example", None, None)
    assert "900000" not in str(found)


def test_an_account_without_its_domain_stays_an_account(tmp_path: Path) -> None:
    found = row(read(tmp_path, "squid", NATIVE))
    assert (found["user"], found["account"]) == (None, "zlind")


def test_squid_combined(tmp_path: Path) -> None:
    found = row(read(tmp_path, "squid-combined", COMBINED))
    assert (found["time"], found["user"], found["action"]) == (AT, "zoe.lind@maple.example", "TCP_DENIED/403")
    assert found["url"] == "http://mathgym.example/a"


def test_squid_headers_behind_the_line_are_kept_raw(tmp_path: Path) -> None:
    batch = read(tmp_path, "squid", NATIVE + " [Host: x] [Server: y]", NATIVE)
    assert batch.unknown == {"rest": ["[Host: x] [Server: y]", None]}


def test_lines_that_are_not_squids_are_quarantined(tmp_path: Path) -> None:
    batch = read(tmp_path, "squid", NATIVE, "hello", TUNNEL, NATIVE.replace("1770130800.250", "99999999999999.9"))
    assert reasons(batch) == ["unreadable", "unreadable"] and batch.table.num_rows == 2


def test_a_districts_own_squid_columns(tmp_path: Path) -> None:
    lines = [
        "1770130800.25,10.0.0.1,zlind,GET,https://mathgym.example/,TCP_MISS/200",
        "2026-02-03 09:00:00,10.0.0.1,-,CONNECT,app.mathgym.example:443,-",
        "03/Feb/2026:09:00:00 -0600,10.0.0.1,a b,GET,error:none,-",
        "soon,10.0.0.1,zlind,GET,https://mathgym.example/,TCP_MISS/200",
    ]
    batch = read(tmp_path, "squid-csv", *lines)
    rows = batch.table.to_pylist()
    assert [found["time"].replace(microsecond=0) for found in rows] == [AT] * 3
    assert [found["host"] for found in rows] == [None, "app.mathgym.example", None]
    assert [(found["user"], found["account"], found["url"]) for found in rows[1:]] == [(None, None, None)] * 2
    assert reasons(batch) == ["not_timestamp"]


# ---- Palo Alto ------------------------------------------------------------------------------------------------------


def test_palo_alto(tmp_path: Path) -> None:
    found = row(read(tmp_path, "paloalto-url", panos(), user_domain="maple.example"))
    assert found == {
        "time": AT,
        "user": "zlind@maple.example",
        "account": None,
        "url": "mathgym.example/app?who=zoe",
        "host": None,
        "action": "alert",
        "categories": ["educational-institutions"],
    }


def test_other_logs_in_the_file_are_left_out_and_counted(tmp_path: Path) -> None:
    others = [panos(f3="TRAFFIC", f4="end", width=60), panos(f4="spyware"), panos(f3="SYSTEM", width=20)]
    batch = read(tmp_path, "paloalto-url", others[0], panos(), *others[1:], "no log at all")
    assert batch.table.num_rows == 1
    assert reasons(batch) == ["wrong_column_count"]


@pytest.mark.parametrize("version", ["10.0", "10.1", "10.2", "11.0", "11.1"])
def test_a_newer_pan_os_has_more_fields(tmp_path: Path, version: str) -> None:
    batch = read(tmp_path, "paloalto-url", panos(width=121, f120="new"), schema_version=version)
    assert batch.table.num_rows == 1 and batch.unknown == {"field_121": ["new"]}


def test_a_local_time_that_the_clocks_skip_is_quarantined(tmp_path: Path) -> None:
    batch = read(tmp_path, "paloalto-url", panos(), panos(f6="2026/03/08 02:30:00"))
    assert reasons(batch) == ["not_timestamp"]


# ---- Cloudflare and Zscaler -----------------------------------------------------------------------------------------

CLOUDFLARE = {
    "Datetime": "2026-02-03T15:00:00Z",
    "Email": "zoe.lind@maple.example",
    "URL": "https://mathgym.example/?who=zoe",
    "Action": "allow",
    "UserAgent": "Mozilla",
    "SourceIP": "10.0.0.1",
}
ZSCALER = {"time": "Tue Feb 03 09:00:00 2026", "login": "zoe.lind@maple.example", "eurl": "mathgym.example/a%3Fq"}


def test_a_dropped_record_is_the_pushed_one(tmp_path: Path) -> None:
    batch = read(tmp_path, "cloudflare-gateway-http", json.dumps(CLOUDFLARE), "{not json")
    (found,) = batch.table.to_pylist()
    assert found["event_key"] == content_key(CLOUDFLARE, KEY)
    assert (found["Datetime"], found["Email"]) == (AT, "zoe.lind@maple.example")
    assert "Mozilla" not in str(found) and "10.0.0.1" not in str(found)
    assert reasons(batch) == ["unreadable"]


def test_zscaler(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "zscaler-web", json.dumps({"sourcetype": "z", "event": ZSCALER})).table.to_pylist()
    assert (found["time"], found["login"]) == (AT, "zoe.lind@maple.example")


def test_a_file_without_any_record_is_refused(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.log", "some text\n[1]\n")
    (batch,) = take(opened(tmp_path, "zscaler-web"))
    assert reasons(batch) == ["unreadable"] and batch.note


# ---- exports --------------------------------------------------------------------------------------------------------

REPORT = (
    "Activity report for Maple",
    "",
    "Date,Name,E-mail,IP,Site,Search,Status,Category",
    "02/03/2026 09:00 AM,Zoe Lind,zoe.lind@maple.example,10.1.2.3,https://mathgym.example/a?q=1,"
    '"how, why",Allowed,Games',
    '02/03/2026 09:01 AM,Zoe Lind,zoe.lind@maple.example,10.1.2.3,bad.example,,Blocked,"Games,Chat"',
    "soon,Zoe Lind,zoe.lind@maple.example,10.1.2.3,bad.example,,Blocked,Games",
)
TEMPLATES = sorted((Path(__file__).parents[2] / "examples" / "web-filters").glob("*.yaml"))


def test_an_export_is_read_by_its_titles_and_nothing_else_of_it(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.csv", "\n".join(REPORT) + "\n")
    batch, note = take(opened(tmp_path, "export"))
    assert note.note == "a.csv: 2 lines were left out. They are the header, and what stands above it."
    first, second = batch.table.to_pylist()
    assert (first["time"], first["user"], first["url"]) == (
        AT,
        "zoe.lind@maple.example",
        "https://mathgym.example/a?q=1",
    )
    assert (second["url"], second["action"], second["categories"]) == ("bad.example", "Blocked", ["Games", "Chat"])
    assert not [text for text in ("Zoe Lind", "how, why", "10.1.2.3") if text in str([first, second])]
    assert reasons(batch) == ["not_timestamp"] and batch.unknown == {}


def test_an_export_with_other_titles_is_refused_and_says_which_it_wants(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.csv", "When,Who\n1,2\n")
    (batch,) = take(opened(tmp_path, "export"))
    assert reasons(batch) == ["changed_header"]
    assert batch.note and "has the titles time: date; url: site or url" in batch.note


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_templates_of_filters_without_a_public_format(tmp_path: Path, path: Path) -> None:
    entry = yaml.safe_load(path.read_text()) | {"folder": tmp_path / "drop"}
    assert "TEMPLATE, to be confirmed on the first file" in path.read_text()
    titles = {name: known[0] for name, known in entry["headers"].items()}
    values = {"time": "02/03/2026 09:00:00 AM", "user": "zoe.lind@maple.example", "url": "mathgym.example/a"}
    line = ",".join(values.get(name, "Allowed") for name in titles)
    drop(tmp_path / "drop", "a.csv", f"{','.join(titles.values())}\n{line}\n")
    source = FilterLog(FilterLogSettings.model_validate(entry), None)
    source.settle(Home(tmp_path, KEY))
    assert row(take(source)[0])["time"] == AT


def test_there_is_a_template_for_each_of_them() -> None:
    assert [path.stem for path in TEMPLATES] == ["goguardian", "lightspeed", "netref", "securly"]


# ---- what holds for every format ------------------------------------------------------------------------------------


def test_the_same_line_is_the_same_event_and_another_one_is_not(tmp_path: Path) -> None:
    batch = read(tmp_path, "squid", NATIVE, NATIVE, NATIVE.replace("250", "251"))
    first, second, third = batch.table["event_key"].to_pylist()
    assert first == second != third
    assert first == hashlib.blake2b(NATIVE.encode(), digest_size=16, key=KEY).hexdigest()


def test_quarantined_lines_come_back(tmp_path: Path) -> None:
    source = opened(tmp_path, "umbrella-dns")
    (resource,) = source.resources.values()
    batch = source.reparse(resource, [DNS, "broken"])
    assert batch.table.num_rows == 1 and reasons(batch) == ["wrong_column_count"]
    assert reasons(source.reparse(resource, ["a,b"])) == ["unknown_layout"]


def test_a_cut_gzip_is_broken_after_an_hour(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.log.gz", gzip.compress((NATIVE + "\n").encode() * 9, mtime=0)[:-9], age=4000)
    (batch,) = take(opened(tmp_path, "squid"))
    assert reasons(batch) == ["truncated"]


def test_rows_carry_no_address_of_a_machine_and_no_browser(tmp_path: Path) -> None:
    for name, line in {
        "umbrella-dns": DNS,
        "umbrella-proxy": proxy(),
        "squid": NATIVE,
        "paloalto-url": panos(),
    }.items():
        told = str(row(read(tmp_path, name, line)))
        assert not [text for text in ("10.1", "192.168", "24.123", "Mozilla") if text in told], name


@pytest.mark.parametrize(
    ("text", "domain", "expected"),
    [
        ("zoe@maple.example", None, ("zoe@maple.example", None)),
        ("Zoe Lind (zoe@maple.example)", "x.example", ("zoe@maple.example", None)),
        ("zoe%40maple.example", None, ("zoe@maple.example", None)),
        ("MAPLE\\zlind", "maple.example", ("zlind@maple.example", None)),
        ("MAPLE\\zlind", None, (None, "zlind")),
        ("Zoe Lind", "maple.example", (None, None)),
        ("", "maple.example", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_who(text: str | None, domain: str | None, expected: tuple[str | None, str | None]) -> None:
    assert who(text, domain) == expected


_GOOD = [*REPORT[2:], DNS, proxy(), NATIVE, TUNNEL, COMBINED, panos(), json.dumps(CLOUDFLARE), json.dumps(ZSCALER)]
_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00\x1f\x1e\ufeff\ufffd"), min_size=1, max_size=60
)


@st.composite
def _lines(draw: st.DrawFn) -> list[str]:
    """Lines of any text, and good ones of any format with something put into them."""
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            lines.append(draw(_TEXT))
            continue
        good = draw(st.sampled_from(_GOOD))
        place = draw(st.integers(0, len(good)))
        lines.append(good[:place] + draw(st.sampled_from(['"', ",", "\\", "", "'", " ", "é"]) | _TEXT) + good[place:])
    return lines


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30, deadline=None)
@given(lines=_lines())
def test_every_line_is_a_row_a_reject_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, name: str, lines: Any
) -> None:
    folder = tmp_path_factory.mktemp("log")
    drop(folder / "drop", "a.log", "\n".join(lines) + "\n")
    batches = take(opened(folder, name))
    if any(
        reject.reason in ("unknown_layout", "unreadable", "changed_header") and not batch.table.num_rows and batch.note
        for batch in batches
        for reject in batch.rejects
    ):
        return  # refused as a whole
    left_out = sum(int(batch.note.split(": ")[1].split()[0]) for batch in batches if batch.note)
    assert sum(batch.pulled for batch in batches) + left_out == len(lines)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, deadline=None)
@given(content=st.binary(max_size=400), ending=st.sampled_from([".log", ".log.gz"]))
def test_no_bytes_break_a_pull(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("log")
    drop(folder / "drop", f"a{ending}", content)
    batches = take(opened(folder, name))
    assert all(batch.table.schema == batches[0].table.schema for batch in batches)
    assert all(reject.reason for batch in batches for reject in batch.rejects)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"format": "umbrella-dns"}, "the format umbrella-dns needs schema_version"),
        ({"format": "umbrella-dns", "schema_version": 18}, "schema_version 18 is unknown; known: 5 to 17"),
        ({"format": "paloalto-url", "schema_version": "8.1", "time_zone": "UTC"}, "schema_version 8.1 is unknown"),
        ({"format": "squid", "time_zone": "UTC"}, "time_zone: not for the format squid"),
        ({"format": "squid-csv", "columns": ["time", "user"]}, "columns names `time` and `url` at least"),
        ({"format": "squid-csv", "columns": ["time", "url", "url"]}, "columns names one twice"),
        ({"format": "export", "time_zone": "UTC", "headers": {"time": ["T"]}}, "headers names `time` and `url`"),
        ({"format": "zscaler-web", "time_zone": "Mars"}, "'Mars' is not an IANA zone"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FilterLogSettings.model_validate({"name": "logs", "kind": "filterlog", "folder": tmp_path} | entry)
    (problem,) = caught.value.errors()
    assert message in problem["msg"]


CONFIG = """
state_dir: state
districts:
  - id: maple
    name: Maple
    time_zone: America/Chicago
    calendar: {school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]}
    sources:
      - {name: dns, kind: filterlog, format: umbrella-dns, schema_version: 10, folder: dns}
      - {name: web, kind: filterlog, format: umbrella-proxy, schema_version: 13, folder: web}
      - {name: squid, kind: filterlog, format: squid, folder: squid}
"""


# Not too short: what is sealed is random bytes, and would hold them by chance.
PERSONAL = (b"zoe ", b"zoe.", b"lind", b"10.1.2.3", b"24.123", b"mozilla", b"who=", b"/class")


def test_nothing_personal_of_a_log_reaches_the_disk_in_clear(tmp_path: Path) -> None:
    drop(tmp_path / "dns", "a.csv.gz", "\n".join([DNS, DNS + ',"zoe extra"', DNS.replace("15:00", "25:00")]) + "\n")
    drop(tmp_path / "web", "a.csv.gz", proxy(f1="Zoe Lind (zoe.lind@maple.example)", f21="AD Users") + "\n")
    drop(tmp_path / "squid", "access.log", NATIVE + "\nbroken zlind 10.1.2.3\n")
    (tmp_path / "uptake.yaml").write_text(CONFIG)
    project = Project.load(tmp_path / "uptake.yaml")
    counts = {name: pipeline.pull(project, "maple", name).counts() for name in ("dns", "web", "squid")}
    assert {name: (of["pulled"], of["landed"], of["quarantined"]) for name, of in counts.items()} == {
        "dns": (3, 1, 2),
        "web": (1, 1, 0),
        "squid": (2, 1, 1),
    }
    files = [path for folder in (project.lake, project.quarantine) for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        content = path.read_bytes().lower()
        assert [text for text in PERSONAL if text in content] == [], path
    assert pipeline.pull(project, "maple", "dns").counts()["pulled"] == 0  # each file once
