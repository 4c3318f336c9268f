"""Who is looking, and what they may see. What does not resolve sees nothing.

The way of signing in is chosen by $UPTAKE_DASHBOARD_MODE, and there is no default:

- `demo`   everybody at this machine is one viewer who may see every district. Only on a loopback address.
- `proxy`  a signing-in proxy names the person in a header and proves itself with a shared secret.
- `login`  Streamlit's own OpenID Connect login (`[auth]` in secrets.toml) names the person.

For the last two, the people and what they may see are in the YAML file named by $UPTAKE_VIEWERS:

    viewers:
      - email: principal@example.org
        role: principal
        districts: [riverbend]
        schools: [school-key]       # or: all
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Role = Literal["leader", "principal", "finance", "auditor", "engineer"]
Page = Literal["home", "adoption", "equity", "impact", "value", "quality"]
Everything = Literal["all"]

PAGES_OF_ROLE: dict[Role, frozenset[Page]] = {
    "leader": frozenset({"home", "adoption", "equity", "impact", "value", "quality"}),
    "principal": frozenset({"home", "adoption", "equity", "impact", "quality"}),
    "finance": frozenset({"home", "adoption", "value", "quality"}),
    "auditor": frozenset({"home", "adoption", "equity", "impact", "value", "quality"}),
    "engineer": frozenset({"quality"}),
}

PROXY_EMAIL_HEADER = "X-Forwarded-Email"
PROXY_PROOF_HEADER = "X-Uptake-Proxy-Secret"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NotAllowed(Exception):
    """The viewer may not see this; the message says why in plain words."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    email: Annotated[str, Field(min_length=3)]
    role: Role
    districts: tuple[str, ...] | Everything
    schools: tuple[str, ...] | Everything


class _Register(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    viewers: tuple[_Entry, ...]


@dataclass(frozen=True)
class Viewer:
    """A person and their scope. `schools` holds school keys; "all" means every school of the districts."""

    name: str
    role: Role
    districts: tuple[str, ...] | Everything
    schools: tuple[str, ...] | Everything

    def may_see_district(self, district_id: str) -> bool:
        return self.districts == "all" or district_id in self.districts

    def may_open(self, page: Page) -> bool:
        return page in PAGES_OF_ROLE[self.role]

    @property
    def sees_every_school(self) -> bool:
        return self.schools == "all"

    @property
    def school_keys(self) -> list[str]:
        return [] if self.schools == "all" else list(self.schools)


def resolve(
    environment: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    login_email: str | None,
    address: str | None,
) -> Viewer:
    """The viewer of this request.

    headers: of the request, names in any case. login_email: verified address from Streamlit's login, if any.
    address: the address that the server listens on. Raises NotAllowed whenever anything is missing or does not match.
    """
    mode = environment.get("UPTAKE_DASHBOARD_MODE", "")
    if mode == "demo":
        if address not in LOOPBACK:
            raise NotAllowed(
                "Demo mode has no sign-in, so it only works on this machine. Start the dashboard with "
                "--server.address 127.0.0.1, or set UPTAKE_DASHBOARD_MODE to proxy or login."
            )
        role = environment.get("UPTAKE_VIEWER_ROLE", "leader")
        if role not in PAGES_OF_ROLE:
            raise NotAllowed(f"UPTAKE_VIEWER_ROLE is {role!r}; it must be one of: {', '.join(PAGES_OF_ROLE)}.")
        return Viewer("Demo visitor", role, districts="all", schools="all")
    if mode == "proxy":
        email = _email_from_proxy(environment, headers)
    elif mode == "login":
        email = login_email
    else:
        raise NotAllowed("Nobody may look yet: UPTAKE_DASHBOARD_MODE must be set to demo, proxy or login.")
    if not email:
        raise NotAllowed("You are not signed in.")
    return _registered(environment, email.strip().lower())


def _email_from_proxy(environment: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """Without the proxy's secret, anybody who reaches the port could name themselves anyone."""
    secret = environment.get("UPTAKE_PROXY_SECRET", "")
    if not secret and (file := environment.get("UPTAKE_PROXY_SECRET_FILE")):
        secret = _read(Path(file)).strip()
    if not secret:
        raise NotAllowed("Proxy sign-in needs a shared secret: set UPTAKE_PROXY_SECRET or UPTAKE_PROXY_SECRET_FILE.")
    lower = {name.lower(): value for name, value in headers.items()}
    shown = lower.get(PROXY_PROOF_HEADER.lower(), "")
    if not hmac.compare_digest(shown.encode(), secret.encode()):
        raise NotAllowed("You are not signed in: this request did not come through the sign-in page.")
    return lower.get(PROXY_EMAIL_HEADER.lower())


def _registered(environment: Mapping[str, str], email: str) -> Viewer:
    file = environment.get("UPTAKE_VIEWERS")
    if not file:
        raise NotAllowed("No list of viewers: UPTAKE_VIEWERS must name the file that says who may see what.")
    try:
        content: Any = yaml.safe_load(_read(Path(file)))
        register = _Register.model_validate(content)
    except (yaml.YAMLError, ValidationError) as error:
        raise NotAllowed(
            "The list of viewers cannot be read, so nobody may look. An administrator must mend it."
        ) from error
    found = [entry for entry in register.viewers if entry.email.strip().lower() == email]
    if len(found) != 1:
        raise NotAllowed("You are signed in, but nobody has said what you may see. Ask your administrator to add you.")
    entry = found[0]
    return Viewer(email, entry.role, entry.districts, entry.schools)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotAllowed(f"The file {path.name} cannot be read, so nobody may look.") from error
