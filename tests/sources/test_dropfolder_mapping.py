"""Mapping files: what they become, and what is said when one is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dropped import VISITS, mapping, opened, write_mapping
from pydantic import ValidationError

from uptake.errors import ConfigError
from uptake.sources.dropfolder.mapping import (
    Column,
    Mapping,
    fingerprint,
    load_mapping,
    normalised,
    resolve_mappings,
    shipped_resources,
)


def test_shipped_resources_have_the_columns_that_the_warehouse_is_built_on() -> None:
    shipped = shipped_resources()
    columns = {place: resource.landed_schema.names for place, resource in shipped.items()}
    assert columns == columns | {
        ("registers", "contracts"): [
            *("contract_id", "tool", "vendor", "seats", "price", "currency", "price_basis", "starts_on", "ends_on"),
            *("renewal_on", "licensed_grades", "notice_days", "auto_renews", "_deleted"),
        ],
        ("registers", "cost_ingredients"): [
            *(
                "ingredient_id",
                "tool",
                "ingredient",
                "description",
                "unit",
                "quantity",
                "quantity_low",
                "quantity_high",
            ),
            *(
                "unit_price",
                "unit_price_low",
                "unit_price_high",
                "currency",
                "starts_on",
                "ends_on",
                "recurs",
                "_deleted",
            ),
        ],
        ("learnplatform", "engagement"): ["district_id", "time", "lp_id", "pct_access", "engagement_index"],
        ("learnplatform", "products"): [
            *("lp_id", "url", "product_name", "provider", "sectors", "primary_function", "_deleted"),
        ],
        ("learnplatform", "districts"): [
            *("district_id", "state", "locale", "pct_black_hispanic", "pct_free_reduced"),
            *("county_connections_ratio", "pp_total_raw", "_deleted"),
        ],
    }
    contracts = shipped["registers", "contracts"]
    assert contracts.schema.field("price").type == pa.decimal128(18, 2)
    ingredients = shipped["registers", "cost_ingredients"]
    assert ingredients.schema.field("quantity_low").type == pa.decimal128(18, 4)
    engagement = shipped["learnplatform", "engagement"]
    assert (engagement.kind, engagement.event_time, engagement.nullable_key) == ("event", "time", ("lp_id",))


STAGING = Path(__file__).parents[2] / "dbt_project" / "models" / "staging" / "registers"


@pytest.mark.parametrize("path", sorted(STAGING.glob("*.sql")), ids=lambda path: path.stem)
def test_what_is_staged_of_a_register_is_what_lands(path: Path) -> None:
    landed = shipped_resources()["registers", path.stem.removeprefix("stg_registers__")].landed_schema.names
    selected = path.read_text().partition("\nselect\n")[2].partition("\nfrom record")[0]
    assert [line.split()[0].rstrip(",") for line in selected.splitlines()] == landed[:-1]


def test_a_resource_says_what_its_mapping_says() -> None:
    made = mapping(
        person="who",
        columns=[
            {"header": "Id", "type": "integer", "required": True},
            {"header": "Who", "identifier": "email"},
            {"header": "First name", "vault": "given_name"},
            {"header": "Birth date", "type": "date", "drop": True},
            {"header": "Page", "url": True, "doc": "Where."},
        ],
    ).contract
    assert made.schema.names == ["id", "who", "first_name", "birth_date", "page"]
    assert made.landed_schema.names == ["id", "who", "page", "_deleted"]
    assert made.person == "who"
    assert [(entry.identifier, entry.vault, entry.drop, entry.url) for entry in made.fields] == [
        (None, None, False, False),
        ("email", None, False, False),
        (None, "given_name", False, False),
        (None, None, True, False),
        (None, None, False, True),
    ]


def test_a_configuration_does_not_wait_for_the_reader_of_workbooks() -> None:
    script = "import sys, uptake.sources.dropfolder.source; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "uptake.sources.dropfolder.readers" in found
    assert "openpyxl" not in found


def test_a_wrong_key_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "visits.yaml"
    path.write_text(
        "namespace: test\nresource: visits\nfiles: '*.csv'\nkey: [id]\ncolumns:\n"
        "  - {header: Id, required: true}\n  - header: When\n    type: datum\n    colour: red\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_mapping(path)
    assert str(caught.value).splitlines() == [
        "visits.yaml line 8: columns.1.type: unknown type 'datum'; "
        "known types: string, integer, number, boolean, date, timestamp, decimal(p,s)",
        "visits.yaml line 9: columns.1.colour: unknown key",
    ]


COLUMNS = VISITS["columns"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": ["nobody"]}, "'nobody' is used but is not a column"),
        ({"kind": "event"}, "an event needs it"),
        ({"kind": "event", "event_time": "who"}, "is not a date or a timestamp"),
        ({"columns": [{"header": "Id"}]}, "must be required"),
        ({"columns": [*COLUMNS, {"header": " MINUTES ", "name": "again"}]}, "stands in two columns"),
        ({"columns": [*COLUMNS, {"header": "Other", "name": "who"}]}, "two columns are named"),
        ({"columns": [*COLUMNS, {"header": "First", "vault": "given_name"}]}, "needs `person`"),
        ({"columns": [*COLUMNS, {"header": "A", "drop": True, "url": True}]}, "exclude each other"),
        ({"columns": [*COLUMNS, {"header": "A", "type": "integer", "identifier": "sis_user"}]}, "are of type string"),
        ({"columns": [*COLUMNS, {"header": "A", "type": "decimal(2,9)"}]}, "unknown type"),
        ({"columns": [*COLUMNS, {"header": "A", "type": "timestamp", "time_zone": "Central"}]}, "not an IANA zone"),
        ({"columns": [*COLUMNS, {"header": "A", "type": "date", "at_least": 0}]}, "at_least is for a number"),
        ({"file_name": r"(?P<day>\d+)"}, "captures"),
        ({"file_name": "("}, "not a regular expression"),
        ({"encoding": "utf-99"}, "unknown encoding"),
        ({"delimiter": "||"}, "one ASCII character"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        mapping(**change)


def test_mappings_are_named_by_path_by_name_or_by_namespace(tmp_path: Path) -> None:
    assert [found.resource for found in resolve_mappings(["registers/contracts"])] == ["contracts"]
    assert {found.resource for found in resolve_mappings(["learnplatform"])} == {"engagement", "products", "districts"}
    assert [found.resource for found in resolve_mappings([str(write_mapping(tmp_path))])] == ["visits"]
    with pytest.raises(ConfigError, match=r"no mapping 'register'.*registers/contracts"):
        resolve_mappings(["register"])
    with pytest.raises(ConfigError, match="different namespaces"):
        resolve_mappings(["registers", "learnplatform"])
    with pytest.raises(ConfigError, match="same resource"):
        resolve_mappings(["registers", "registers/contracts"])


def test_a_wrong_mapping_is_told_when_the_configuration_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no mapping 'nothing'"):
        opened(tmp_path, ["nothing"])


def test_times_need_a_zone_from_the_mapping_or_the_source(tmp_path: Path) -> None:
    path = write_mapping(tmp_path, columns=[*COLUMNS, {"header": "At", "type": "timestamp"}])
    with pytest.raises(ValidationError, match=r"times without a zone \(at\)"):
        opened(tmp_path, [path])
    assert "visits" in opened(tmp_path, [path], time_zone="America/Denver").resources


def test_headers_are_compared_without_their_looks() -> None:
    assert {normalised(title) for title in ("Contract ID", " contract_id", "CONTRACT-ID ", "\ufeffContract  ID")} == {
        "contract_id"
    }
    assert fingerprint(["A b", "C"]) == fingerprint(["a_B", "c"]) != fingerprint(["c", "a_b"])


def test_the_mapping_in_the_documentation_is_a_good_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "drop-folder.md").read_text(encoding="utf-8")
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "namespace:" in block]
    path = tmp_path / "visits.yaml"
    path.write_text(example)
    landed = load_mapping(path).contract.landed_schema.names
    assert landed == ["student", "page", "seen_at", "seconds", "day"]
    told = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"(\w+):", example))
    assert set(Mapping.model_fields) | set(Column.model_fields) <= told


def test_events_are_no_full_list() -> None:
    with pytest.raises(ValidationError, match="what happened does not vanish"):
        mapping(
            full_list=True,
            kind="event",
            event_time="at",
            columns=[*VISITS["columns"], {"header": "At", "type": "date"}],
        )
    assert mapping(full_list=True).contract.full_list
    assert not mapping().contract.full_list
