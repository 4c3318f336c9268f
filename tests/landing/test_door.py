"""The door: pseudonyms that are stable, keyed and one-way, and nothing personal behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from fake_source import CATALOGUE, PEOPLE, VISITS, people
from hypothesis import given
from hypothesis import strategies as st

from uptake.catalogue import Catalogue, load_catalogue
from uptake.contracts import Field, Resource
from uptake.landing.door import Door
from uptake.landing.vault import Keyring, Vault
from uptake.parsing import parse_records

IDENTIFIERS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    path = tmp_path_factory.mktemp("catalogue") / "tools.csv"
    path.write_text(CATALOGUE)
    return load_catalogue(path)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue) -> Iterator[tuple[Door, Door]]:
    """The doors of two districts."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    keys = [Keyring.open(folder) for folder in (first, second)]
    with Vault(first) as one, Vault(second) as other:
        yield Door("first", keys[0], one, catalogue), Door("second", keys[1], other, catalogue)


@given(identifier=IDENTIFIERS, kind=st.sampled_from(["sis_user", "email", "device"]))
def test_same_identifier_same_pseudonym_and_another_key_another_one(
    doors: tuple[Door, Door], identifier: str, kind: str
) -> None:
    here, elsewhere = doors
    pseudonym = here.pseudonym(kind, identifier)
    assert pseudonym is not None
    assert len(pseudonym) == 32 and set(pseudonym) <= set("0123456789abcdef")
    assert here.pseudonym(kind, f" {identifier}\t") == pseudonym
    assert elsewhere.pseudonym(kind, identifier) != pseudonym
    assert here.pseudonym("another_kind", identifier) != pseudonym


@given(identifier=IDENTIFIERS)
def test_a_pseudonym_is_no_bare_hash(doors: tuple[Door, Door], identifier: str) -> None:
    pseudonym = doors[0].pseudonym("email", identifier) or ""
    text = identifier.strip()
    for algorithm in ("md5", "sha1", "sha256", "blake2b"):
        for candidate in (identifier, text, text.lower(), f"email\x1f{text.lower()}", f"email{text.lower()}"):
            assert hashlib.new(algorithm, candidate.encode()).hexdigest()[:32] != pseudonym


def test_addresses_are_one_whatever_their_case_and_other_identifiers_are_not(doors: tuple[Door, Door]) -> None:
    door = doors[0]
    assert door.pseudonym("email", "Kid@X.example") == door.pseudonym("email", "kid@x.EXAMPLE")
    assert door.pseudonym("sis_user", "AB") != door.pseudonym("sis_user", "ab")


def test_absent_stays_absent(doors: tuple[Door, Door]) -> None:
    door = doors[0]
    rows = [{"id": "1", "email": None, "school": "a"}, {"id": "2", "email": "  ", "school": "a"}]
    admitted = door.admit(PEOPLE, parse_records(PEOPLE, rows).table)
    assert admitted.column("email").to_pylist() == [None, None]


def test_admitted_rows_keep_their_order_and_lose_what_is_personal(doors: tuple[Door, Door]) -> None:
    door = doors[0]
    rows = people(200) + people(3)
    admitted = door.admit(PEOPLE, parse_records(PEOPLE, rows).table)
    assert admitted.schema.names == ["id", "email", "school", "grade", "is_enabled", "changed_at"]
    assert admitted.column("id").to_pylist() == [door.pseudonym("sis_user", row["id"]) for row in rows]
    assert admitted.column("email").to_pylist() == [door.pseudonym("email", row["email"]) for row in rows]
    assert admitted.column("school").to_pylist() == [row["school"] for row in rows]


@given(tables=st.lists(st.lists(st.sampled_from(["a", "b ", "C", "d", "e", " ", None]), max_size=6), max_size=6))
def test_a_pseudonym_is_the_same_whatever_rows_came_before(
    doors: tuple[Door, Door], tables: list[list[str | None]]
) -> None:
    alone = doors[0]
    door = Door("first", alone.keyring, alone._vault, alone._catalogue)
    resource = Resource("r", (Field("id", identifier="sis_user"),), key=("id",))
    for values in tables:
        admitted = door.admit(resource, pa.table({"id": pa.array(values, pa.string())}))
        expected = [None if value is None else alone.pseudonym("sis_user", value) for value in values]
        assert admitted.column("id").to_pylist() == expected


def test_a_number_is_pseudonymised_as_its_digits(doors: tuple[Door, Door]) -> None:
    door = doors[0]
    resource = Resource("r", (Field("id", pa.int64(), identifier="canvas_user"),), key=("id",))
    admitted = door.admit(resource, pa.table({"id": [10_000_000_000_000_001, None]}))
    assert admitted.schema == resource.landed_schema.remove(1)
    assert admitted.column("id").to_pylist() == [door.pseudonym("canvas_user", "10000000000000001"), None]


def test_names_and_identifiers_are_in_the_vault_after_a_flush(tmp_path: Path, catalogue: Catalogue) -> None:
    keyring = Keyring.open(tmp_path)
    with Vault(tmp_path) as vault:
        door = Door("d", keyring, vault, catalogue)
        door.admit(PEOPLE, parse_records(PEOPLE, people(3)).table)
        door.flush()
    with Vault(tmp_path) as again:
        who = door.pseudonym("sis_user", "sis-1")
        assert who is not None
        assert again.identifier("sis_user", who) == "sis-1"
        assert again.attributes("sis_user", who) == {"full_name": "Given1 Family1"}
        assert again.identifier("email", door.pseudonym("email", "kid1@lakeside.k12.example") or "") is not None


def test_a_later_name_takes_the_place_of_an_earlier_one(tmp_path: Path, catalogue: Catalogue) -> None:
    keyring = Keyring.open(tmp_path)
    with Vault(tmp_path) as vault:
        door = Door("d", keyring, vault, catalogue)
        for name in ("Old", "New"):
            rows = [{"id": "1", "name": name, "school": "a"}]
            door.admit(PEOPLE, parse_records(PEOPLE, rows).table)
        door.flush()
        assert vault.attributes("sis_user", door.pseudonym("sis_user", "1") or "") == {"full_name": "New"}


@pytest.mark.parametrize(
    ("sent", "landed"),
    [
        ("https://docs.google.com/forms/d/e/1FAIpQ/viewform?usp=x#top", "docs.google.com/forms"),
        ("https://docs.google.com/forms/u/0/create", "docs.google.com/forms/u"),
        ("docs.google.com/forms", "docs.google.com/forms"),
        ("DOCS.Google.com/Forms/x", "docs.google.com/forms"),
        ("https://docs.google.com/formsx/d", "docs.google.com"),
        ("https://docs.google.com/d/forms", "docs.google.com"),
        ("https://docs.google.com", "docs.google.com"),
        ("https://kid:hush@www.example.org:8443/a?b#c", "www.example.org"),
        ("//cdn.example.org/kid.png", "cdn.example.org"),
        ("example.org.?q=kid@x.example", "example.org"),
        ("mailto:kid@lakeside.k12.example", "lakeside.k12.example"),
        ("how do I tell my parents", None),
        ("https://www.example.org\\evil", None),
        ("javascript:alert('kid')", None),
        ("localhost/kid", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_cut_to_what_the_catalogue_knows(
    doors: tuple[Door, Door], sent: str | None, landed: str | None
) -> None:
    table = pa.table({"id": ["1"], "email": ["a"], "url": [sent], "at": [None]}, schema=VISITS.schema)
    assert doors[0].admit(VISITS, table).column("url").to_pylist() == [landed]


@given(
    secret=st.text("abcdefghijklmnop0123456789-_%~", min_size=8),
    where=st.sampled_from(
        ["https://docs.google.com/{}/forms", "https://x.example/{}", "https://x.example/?q={}", "x.example#{}"]
    ),
)
def test_no_path_query_or_fragment_passes(doors: tuple[Door, Door], secret: str, where: str) -> None:
    table = pa.table({"id": ["1"], "email": ["a"], "url": [where.format(secret)], "at": [None]}, schema=VISITS.schema)
    assert doors[0].admit(VISITS, table).column("url").to_pylist() in (["docs.google.com"], ["x.example"])


def test_two_paths_to_one_host_do_not_need_a_known_prefix(tmp_path: Path) -> None:
    """A district without a catalogue: hosts only."""
    keyring = Keyring.open(tmp_path)
    with Vault(tmp_path) as vault:
        door = Door("d", keyring, vault, Catalogue())
        table = pa.table({"id": ["1"], "email": ["a"], "url": ["a.example/b/c"], "at": [None]}, schema=VISITS.schema)
        assert door.admit(VISITS, table).column("url").to_pylist() == ["a.example"]


@given(
    url=st.text("aB0.-_:/@?#% \n+~\\", max_size=12)
    | st.builds(
        "{}{}".format, st.sampled_from(["https://x.example", "//u:p@x.example:80", " x.example."]), st.text("a/?#@ \n")
    )
)
def test_an_address_is_the_same_whatever_letters_its_neighbours_have(doors: tuple[Door, Door], url: str) -> None:
    def landed(*urls: str) -> str | None:
        count = len(urls)
        columns = {"id": ["1"] * count, "email": ["a"] * count, "url": list(urls), "at": [None] * count}
        return doors[0].admit(VISITS, pa.table(columns, schema=VISITS.schema)).column("url")[0].as_py()

    assert landed(url) == landed(url, "https://schöne-schule.example/")


def test_one_value_is_landed_as_its_column_is(tmp_path: Path) -> None:
    """A row in quarantine is known by its key as a landed one is."""
    fields = (Field("id", identifier="sis_user", local_id=True), Field("parent", local_id=True), Field("name"))
    texts = {"id": ["17", " 18 ", None], "parent": ["3", "", None], "name": ["a", "b", None]}
    keyring = Keyring.open(tmp_path)
    with Vault(tmp_path) as vault:
        door = Door("d", keyring, vault, Catalogue())
        for qualifier in (None, "sis_b"):
            resource = Resource("people", fields, ("id",), qualifier=qualifier)
            landed = door.admit(resource, pa.table(texts, schema=resource.schema))
            for field in fields:
                values = [door.landed_value(resource, field, value) for value in texts[field.name]]
                assert values == landed.column(field.name).to_pylist(), (qualifier, field.name)
    assert values == ["a", "b", None]
