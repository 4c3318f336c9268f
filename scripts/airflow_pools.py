"""Print the Airflow pools of uptake.yaml as JSON for `airflow pools import FILE`: one writer slot for each district."""

from __future__ import annotations

import json

from uptake.project import Project

pools = {
    f"warehouse_{district.id}": {
        "slots": 1,
        "description": f"the one writer of {district.name}",
        "include_deferred": True,
    }
    for district in Project.load().config.districts
}
print(json.dumps(pools, indent=2))
