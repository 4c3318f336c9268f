"""The list as data: what its rows say of a host is what the package says."""

from __future__ import annotations

from publicsuffixlist import PublicSuffixList

from uptake.warehouse.public_suffixes import public_suffixes


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
