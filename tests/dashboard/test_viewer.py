"""A viewer resolves to a scope; whatever is missing or does not match resolves to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from viewer import PAGES_OF_ROLE, NotAllowed, Viewer, resolve

REGISTER = """
viewers:
  - {email: Chief@example.org, role: leader, districts: all, schools: all}
  - {email: head@example.org, role: principal, districts: [testville], schools: [sch-1]}
  - {email: twice@example.org, role: leader, districts: all, schools: all}
  - {email: TWICE@example.org, role: finance, districts: all, schools: all}
"""


def ask(environment: dict[str, str], **request: Any) -> Viewer:
    return resolve(
        environment,
        headers=request.get("headers", {}),
        login_email=request.get("login_email"),
        address=request.get("address", "127.0.0.1"),
    )


@pytest.fixture
def register(tmp_path: Path) -> str:
    (tmp_path / "viewers.yaml").write_text(REGISTER)
    return str(tmp_path / "viewers.yaml")


@pytest.mark.parametrize("mode", [{}, {"UPTAKE_DASHBOARD_MODE": ""}, {"UPTAKE_DASHBOARD_MODE": "Demo"}])
def test_without_a_known_mode_nobody_may_look(mode: dict[str, str]) -> None:
    with pytest.raises(NotAllowed, match="UPTAKE_DASHBOARD_MODE"):
        ask(mode)


def test_demo_is_everybody_at_this_machine_and_nobody_elsewhere() -> None:
    demo = {"UPTAKE_DASHBOARD_MODE": "demo"}
    assert ask(demo).may_see_district("anything")
    assert ask(demo | {"UPTAKE_VIEWER_ROLE": "finance"}).role == "finance"
    for address in (None, "", "0.0.0.0", "10.0.0.5"):
        with pytest.raises(NotAllowed, match="this machine"):
            ask(demo, address=address)
    with pytest.raises(NotAllowed, match="one of"):
        ask(demo | {"UPTAKE_VIEWER_ROLE": "admin"})


def test_login_finds_the_person_in_the_register(register: str) -> None:
    login = {"UPTAKE_DASHBOARD_MODE": "login", "UPTAKE_VIEWERS": register}
    assert ask(login, login_email=" CHIEF@example.org").role == "leader"
    head = ask(login, login_email="head@example.org")
    assert head.may_see_district("testville") and not head.may_see_district("open_data")
    assert head.school_keys == ["sch-1"] and not head.sees_every_school
    assert head.may_open("equity") and not head.may_open("value")


@pytest.mark.parametrize("email", [None, "", "stranger@example.org", "twice@example.org"])
def test_login_of_nobody_or_of_two_entries_is_refused(register: str, email: str | None) -> None:
    with pytest.raises(NotAllowed):
        ask({"UPTAKE_DASHBOARD_MODE": "login", "UPTAKE_VIEWERS": register}, login_email=email)


def test_proxy_must_prove_itself(register: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    proxy = {"UPTAKE_DASHBOARD_MODE": "proxy", "UPTAKE_VIEWERS": register}
    email = {"x-forwarded-email": "chief@example.org"}
    proof = {"X-Uptake-Proxy-Secret": "s3cret"}
    with pytest.raises(NotAllowed, match="shared secret"):
        ask(proxy, headers=email | proof)
    for secret in ({"UPTAKE_PROXY_SECRET": "s3cret"}, {"UPTAKE_PROXY_SECRET_FILE": str(tmp_path / "secret")}):
        assert ask(proxy | secret, headers=email | proof).name == "chief@example.org"
        with pytest.raises(NotAllowed, match="did not come through"):
            ask(proxy | secret, headers=email)
        with pytest.raises(NotAllowed, match="did not come through"):
            ask(proxy | secret, headers=email | {"X-Uptake-Proxy-Secret": "guess"})
        with pytest.raises(NotAllowed, match="not signed in"):
            ask(proxy | secret, headers=proof)


@pytest.mark.parametrize("content", ["viewers: {", "viewers: 3", "viewers: [{email: a@b.c, role: boss}]", ""])
def test_a_broken_register_shuts_everybody_out(tmp_path: Path, content: str) -> None:
    file = tmp_path / "viewers.yaml"
    file.write_text(content)
    login = {"UPTAKE_DASHBOARD_MODE": "login", "UPTAKE_VIEWERS": str(file)}
    with pytest.raises(NotAllowed, match="nobody may look"):
        ask(login, login_email="chief@example.org")
    file.unlink()
    with pytest.raises(NotAllowed, match="nobody may look"):
        ask(login, login_email="chief@example.org")


def test_no_scope_is_nothing() -> None:
    nobody = Viewer("x", "leader", districts=(), schools=())
    assert not nobody.may_see_district("testville")
    assert not nobody.sees_every_school and nobody.school_keys == []
    assert PAGES_OF_ROLE["engineer"] == {"quality"}
