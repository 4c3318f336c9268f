"""The list as data: what its rows say of a host is what the package says."""

from __future__ import annotations

import duckdb
import pytest
from publicsuffixlist import PublicSuffixList

from uptake.warehouse import public_suffixes as module
from uptake.warehouse.public_suffixes import public_suffixes, write_public_suffixes


def test_the_rows_say_of_every_rule_what_the_package_says() -> None:
    known = PublicSuffixList()
    rules: dict[str, list[tuple[int, bool]]] = {}
    for row in public_suffixes().to_pylist():
        rules.setdefault(row["domain"], []).append((row["labels"], row["is_exception"]))

    def registered(host: str) -> str:
        """As dbt_project/macros/registered_domain.sql has it."""
        names = host.split(".")
        found = [rule for number in range(len(names)) for rule in rules.get(".".join(names[number:]), [])]
        labels = min((n for n, is_exception in found if is_exception), default=max((n for n, _ in found), default=1))
        return ".".join(names[-(labels + 1) :])

    hosts = [f"{before}{domain}" for domain in rules for before in ("", "b.a.")]
    expected = {host: known.privatesuffix(host) or host for host in hosts}
    assert len(hosts) > 20_000
    assert {host: registered(host) for host in hosts} == expected
    assert registered("learn.school.k12.ca.us") == "school.k12.ca.us" and registered("x.y.nowhere") == "y.nowhere"


def test_the_list_is_read_once_for_each_of_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = []

    def counted() -> object:
        readings.append(module.LIST_VERSION)
        return public_suffixes()

    monkeypatch.setattr(module, "public_suffixes", counted)
    with duckdb.connect() as connection:
        connection.execute("create schema config")
        write_public_suffixes(connection)
        write_public_suffixes(connection)
        assert len(readings) == 1
        monkeypatch.setattr(module, "LIST_VERSION", "a newer one")
        write_public_suffixes(connection)
        assert readings[1:] == ["a newer one"]
        held = connection.execute("select count(*) from config.public_suffix").fetchone()
    assert held == (public_suffixes().num_rows,)
