"""The simulated vendors' credentials: constants, worth nothing, accepted by the sandbox only."""

from __future__ import annotations

import json

ONEROSTER_CLIENT = ("riverbend-uptake", "simulated-roster-secret")
CANVAS_TOKEN = "1097~simulated-canvas-token"  # noqa: S105  a simulated constant
UMBRELLA_CLIENT = ("simulated-umbrella-key", "simulated-umbrella-secret")


def connection_environment() -> dict[str, str]:
    """AIRFLOW_CONN_<NAME> variables for the demo district's three connections."""
    logins = {
        "RIVERBEND_SIS": ONEROSTER_CLIENT,
        "RIVERBEND_LMS": ("", CANVAS_TOKEN),
        "RIVERBEND_FILTER": UMBRELLA_CLIENT,
    }
    return {
        f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "http", "login": login, "password": password})
        for name, (login, password) in logins.items()
    }
