"""Palo Alto Networks' URL filtering logs: THREAT lines of subtype url, as CSV, with or without a syslog header.

Order of the fields by PAN-OS version:
https://docs.paloaltonetworks.com/pan-os/10-1/pan-os-admin/monitoring/use-syslog-for-monitoring/syslog-field-descriptions/url-filtering-log-fields
and .../pan-os/9-1/.../threat-log-fields. A version only ever adds fields behind the others. Times are the firewall's
own and do not say which zone that is. Categories that the profile does not log (`allow` without `alert`) are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.filterlog.columns import by_distinct, nothing, split, times, usual_width
from uptake.sources.filterlog.formats import LogFormat, held
from uptake.sources.filterlog.people import people
from uptake.sources.filterlog.proxy import WEB_REQUEST

_FIELDS_9_1 = """future_use|receive_time|serial|type|subtype|future_use|generated_time|source|destination|nat_source|
nat_destination|rule|source_user|destination_user|application|virtual_system|source_zone|destination_zone|
inbound_interface|outbound_interface|log_action|future_use|session_id|repeat_count|source_port|destination_port|
nat_source_port|nat_destination_port|flags|protocol|action|url|threat_id|category|severity|direction|sequence_number|
action_flags|source_location|destination_location|future_use|content_type|pcap_id|file_digest|cloud|url_index|
user_agent|file_type|x_forwarded_for|referer|sender|subject|recipient|report_id|device_group_1|device_group_2|
device_group_3|device_group_4|virtual_system_name|device_name|future_use|source_vm|destination_vm|http_method|
tunnel_id|monitor_tag|parent_session_id|parent_start_time|tunnel_type|threat_category|content_version|future_use|
sctp_association|payload_protocol|http_headers|url_categories|rule_uuid|http2_connection|dynamic_user_group"""
_ADDED_10_0 = """|xff_address|source_device_category|source_device_profile|source_device_model|source_device_vendor|
source_device_os|source_device_os_version|source_hostname|source_mac|destination_device_category|
destination_device_profile|destination_device_model|destination_device_vendor|destination_device_os|
destination_device_os_version|destination_hostname|destination_mac|container_id|pod_namespace|pod_name|
source_dynamic_list|destination_dynamic_list|host_id|device_serial|domain_dynamic_list|source_address_group|
destination_address_group|partial_hash|high_resolution_time|reason|justification|slice_service_type|
application_subcategory|application_category|application_technology|application_risk|application_characteristic|
application_container|application_saas|tunneled_application|application_sanctioned"""
_ANY_LOG = r"^[^,]*,[^,]*,[^,]*,[A-Z][A-Z0-9-]+,"  # future use, receive time, serial number, type
_TIME = ("%Y/%m/%d %H:%M:%S",)


def _fields(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "").split("|"))


# Documented fields of each PAN-OS version, by its first two numbers.
LAYOUTS: dict[str, tuple[str, ...]] = {"9.1": _fields(_FIELDS_9_1)} | dict.fromkeys(
    ("10.0", "10.1", "10.2", "11.0", "11.1"), _fields(_FIELDS_9_1 + _ADDED_10_0)
)
_READ = ("type", "subtype", "generated_time", "source_user", "action", "url", "category", "url_categories")


class PaloAlto(LogFormat):
    namespace = "logpush"
    resource = WEB_REQUEST
    globs = ("**/*.csv", "**/*.csv.gz", "**/*.log", "**/*.log.gz")
    skipped_note = "Lines of other logs than THREAT/url were passed over."

    def __init__(self, version: str, zone: str, user_domain: str | None) -> None:
        self._version = version
        self._known = LAYOUTS[version]
        self._zone = zone
        self._domain = user_domain
        self._width = len(self._known)

    def look(self, first: Sequence[str]) -> None:
        """The lines of other logs are as long as they like: what counts is how long those of this log are."""
        ours = [line for line in first if ",THREAT,url," in line]
        self._width = usual_width(ours) if ours else len(self._known)
        least = len(LAYOUTS["9.1"])
        if self._width < least:
            raise FileRefused(
                "unknown_layout",
                f"its URL lines have {self._width} fields, those of PAN-OS {self._version} at least {least}: "
                "forward the log in the default CSV format",
            )

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        is_other = pc.and_(
            pc.match_substring_regex(lines, _ANY_LOG), pc.invert(pc.match_substring(lines, ",THREAT,url,"))
        )
        ours = lines.filter(pc.invert(is_other))
        left_out = len(lines) - len(ours)
        trailing = range(len(self._known), self._width)
        found = split(ours, ",", self._width, [*(self._known.index(name) for name in _READ), *trailing])

        def field(name: str) -> pa.Array:
            return nothing(found.field(str(self._known.index(name))))

        moments, wrong = times(field("generated_time"), _TIME, self._zone)
        addresses, accounts = people(field("source_user"), self._domain)
        columns = {
            "time": moments,
            "user": addresses,
            "account": accounts,
            "url": field("url"),
            "action": field("action"),
            "categories": by_distinct(pc.coalesce(field("url_categories"), field("category")), _lists),
            **{f"field_{place + 1}": found.field(str(place)) for place in trailing},
        }
        is_request = pc.and_(pc.equal(field("type"), "THREAT"), pc.equal(field("subtype"), "url")).fill_null(False)
        batch, others = held(self.resource, ours, found, columns, {"not_timestamp": wrong}, key, is_request=is_request)
        return batch, left_out + others


def _lists(values: list[str | None]) -> pa.Array:
    """Categories as `a,b,low-risk`: the last one says how risky the site is."""
    return pa.array(
        [value and [part for part in value.split(",") if not part.endswith("-risk")] for value in values],
        pa.list_(pa.string()),
    )
