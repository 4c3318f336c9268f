"""Credentials by connection name, from Airflow connections or from the environment, never from uptake.yaml.

Both worlds read the same thing: an Airflow connection `riverbend_sis` is the environment variable
`AIRFLOW_CONN_RIVERBEND_SIS` holding JSON such as `{"conn_type": "http", "login": "id", "password": "secret"}`
(https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html). DAGs pass a resolver that asks
Airflow's own secrets backends instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uptake.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credential:
    """login is a client id or user name; password is a client secret or token. Neither shows in a repr."""

    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


CredentialResolver = Callable[[str], Credential]


def from_environment(connection: str) -> Credential:
    """Raises ConfigError when the variable is absent or is not a JSON object."""
    variable = f"AIRFLOW_CONN_{connection.upper()}"
    text = os.environ.get(variable)
    remedy = (
        f'add the Airflow connection {connection!r}, or export {variable}=\'{{"login": "...", "password": "..."}}\'.'
    )
    if not text:
        raise ConfigError(f"no credential for connection {connection!r}", remedy=remedy)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{variable} is not JSON", remedy=remedy) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{variable} is not a JSON object", remedy=remedy)
    extra = value.get("extra") or {}
    return Credential(
        login=value.get("login") or "",
        password=value.get("password") or "",
        extra=json.loads(extra) if isinstance(extra, str) else extra,
    )
