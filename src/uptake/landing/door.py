"""The door: from what a vendor sent to what may lie in the lake.

Identifiers become keyed pseudonyms, personal fields go to the vault, URLs lose everything that the tool catalogue
does not know. Work is done on distinct values only; columns are rebuilt by index.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from uptake.catalogue import Catalogue
from uptake.contracts import Field, Resource
from uptake.landing.vault import Keyring, Vault
from uptake.parsing import one_array

# Scheme, user and port are matched and forgotten; kept are `host` and the first segments of the path. What does not
# look like an address (a search term, a script) matches nothing and becomes null.
_URL = (
    r"^\s*(?:[A-Za-z][A-Za-z0-9+.\-]*://|//)?(?:[^/?#@\s]*@)?(?P<host>[{letters}_\-]+(?:\.[{letters}_\-]+)+)\.?(?::[0-9]*)?"
    r"(?P<path>(?:/[^/?#\s]*){{0,{depth}}})(?:[/?#].*)?\s*$"
)
# As much of a text as _URL can keep something of, found by RE2 in one pass: pages of one site then are one text, and
# the slow look is at each text once.
_HEAD = r"^(?P<head>[^/?#]*(?:/[^/?#]*){{0,{slashes}}})"
# The same as _URL for text that is ASCII, at a quarter of the time.
_LETTERS, _ASCII_LETTERS = r"\p{L}\p{N}", "A-Za-z0-9"


class Door:
    """One pull's way in. Keeps the pseudonyms it has made, so that a person costs one HMAC for each pull."""

    def __init__(self, district: str, keyring: Keyring, vault: Vault, catalogue: Catalogue) -> None:
        self.district = district
        self.keyring = keyring
        self._vault = vault
        self._catalogue = catalogue
        self._made: dict[str, dict[str, str | None]] = {}
        self._recent: dict[str, tuple[pa.Array, pa.Array]] = {}  # by kind: identifiers and their pseudonyms

    def pseudonym(self, kind: str, identifier: str) -> str | None:
        """HMAC-SHA256 under the district's key over kind and normalised identifier, cut to 128 bits, in hex.

        E-mail addresses are trimmed and lower-cased, other identifiers trimmed; a blank is no identifier.
        """
        return self._digests(kind, [identifier])[0]

    def landed_value(self, resource: Resource, field: Field, value: Any) -> Any:
        """One value of a key, a reference or an identifier as `admit` would land it."""
        if value is None:
            return None
        if field.local_id and resource.qualifier and str(value).strip():
            value = f"{resource.qualifier}:{str(value).strip()}"
        return self.pseudonym(field.identifier, str(value)) if field.identifier else value

    def admit(self, resource: Resource, table: pa.Table) -> pa.Table:
        """`table` in `resource.schema` -> the same rows in `resource.landed_schema`, without `_deleted`."""
        columns: dict[str, pa.ChunkedArray] = {}
        for field in resource.fields:
            if not field.is_landed:
                continue
            column = table.column(field.name)
            if field.local_id and resource.qualifier:
                column = _qualified(column, field.local_id, resource.qualifier)
            if field.identifier:
                column = self._pseudonyms(field.identifier, column)
            elif field.url:
                column = self._addresses(column)
            columns[field.name] = column
        if resource.person:
            self._keep_attributes(resource, table, columns[resource.person])
        schema = landed_columns(resource)
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def flush(self) -> None:
        """Write the gathered identities; to be called before the window that holds their pseudonyms counts."""
        self._vault.flush()

    def _pseudonyms(self, kind: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """The next rows are mostly of people whom the last ones told of: those are found without becoming Python's."""
        text = one_array(column.cast(pa.string()))
        nobody = pa.array([], pa.string())
        known, pseudonyms = self._recent.get(kind, (nobody, nobody))
        places = pc.index_in(text, known)
        if places.null_count > text.null_count:
            new = pc.unique(text.filter(pc.and_(places.is_null(), text.is_valid())))
            made = pa.array(self._make(kind, self._made.setdefault(kind, {}), new.to_pylist()), pa.string())
            known, pseudonyms = pa.concat_arrays([known, new]), pa.concat_arrays([pseudonyms, made])
            places = pc.index_in(text, known)
            # No more than pays: each table costs a look at all of them.
            self._recent[kind] = (known, pseudonyms) if len(known) <= 2 * len(text) else (new, made)
        return pa.chunked_array([pseudonyms.take(places)])

    def _make(self, kind: str, made: dict[str, str | None], values: list[str]) -> list[str | None]:
        new = [value for value in values if value not in made]
        if new:
            digests = self._digests(kind, new)
            made.update(zip(new, digests, strict=True))
            self._vault.add_identities([(kind, d, value) for d, value in zip(digests, new, strict=True) if d])
        return [made[value] for value in values]

    def _digests(self, kind: str, identifiers: list[str]) -> list[str | None]:
        key, prefix, digest = self.keyring.pseudonym, f"{kind}\x1f".encode(), hmac.digest
        texts = [identifier.strip() for identifier in identifiers]
        if kind == "email":
            texts = [text.lower() for text in texts]
        return [digest(key, prefix + text.encode(), "sha256")[:16].hex() if text else None for text in texts]

    def _keep_attributes(self, resource: Resource, table: pa.Table, person: pa.ChunkedArray) -> None:
        kind = _field(resource, resource.person).identifier
        assert kind is not None, f"{resource.name}.person is not an identifier"
        people = person.to_pylist()
        for field in resource.fields:
            if field.vault is not None:
                name, values = field.vault, table.column(field.name).cast(pa.string()).to_pylist()
                self._vault.add_attributes(
                    [(kind, who, name, value) for who, value in zip(people, values, strict=True) if who and value]
                )

    def _addresses(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        text = column.cast(pa.string())
        head = pc.struct_field(pc.extract_regex(text, _HEAD.format(slashes=2 + self._catalogue.depth)), "head")
        # A text of several lines is no address, wherever it breaks.
        return _by_distinct(pc.if_else(pc.match_substring(text, "\n"), text, head), self._addresses_of)

    def _addresses_of(self, values: list[str]) -> list[str | None]:
        text = pa.array(values, pa.string())
        letters = _LETTERS if pc.any(pc.invert(pc.string_is_ascii(text))).as_py() else _ASCII_LETTERS
        parts = pc.extract_regex(text, _URL.format(letters=letters, depth=self._catalogue.depth))
        found = pc.binary_join_element_wise(
            pc.utf8_lower(pc.struct_field(parts, "host")), pc.struct_field(parts, "path"), ""
        )
        made = {value: self.address(value) for value in pc.unique(found).to_pylist() if value is not None}
        return [made.get(value) for value in found.to_pylist()]

    def address(self, head: str) -> str:
        """`host/first/segments` -> `host`, or `host/prefix` for the longest prefix that the catalogue knows for it."""
        host, _, path = head.partition("/")
        host = host.rstrip(".").lower()
        known = self._catalogue.prefixes.get(host) or self._catalogue.prefixes.get(host.removeprefix("www."), ())
        path = f"{path.lower()}/"
        prefix = next((prefix for prefix in known if path.startswith(f"{prefix.lower()}/")), None)
        return f"{host}/{prefix}" if prefix else host


def landed_columns(resource: Resource) -> pa.Schema:
    """`resource.landed_schema` without `_deleted`, which landing adds."""
    schema = resource.landed_schema
    return pa.schema([field for field in schema if field.name != "_deleted"])


def _field(resource: Resource, name: str | None) -> Field:
    return next(field for field in resource.fields if field.name == name)


def _qualified(column: pa.ChunkedArray, local_id: bool | str, qualifier: str) -> pa.ChunkedArray:
    """Ids with the qualifier before them; blank and null stay as they are."""
    return pa.chunked_array([_qualified_array(chunk, local_id, qualifier) for chunk in column.chunks], column.type)


def _qualified_array(array: pa.Array, local_id: bool | str, qualifier: str) -> pa.Array:
    if pa.types.is_list(array.type):
        whole = array.take(pa.array(range(len(array)), pa.int64()))  # a slice's offsets do not begin at 0
        values = _qualified_array(whole.values, local_id, qualifier)
        return pa.ListArray.from_arrays(whole.offsets, values, array.type, mask=whole.is_null())
    if pa.types.is_struct(array.type):
        parts = [
            _qualified_array(part, True, qualifier) if entry.name == local_id else part
            for entry, part in zip(array.type, array.flatten(), strict=True)
        ]
        return pa.StructArray.from_arrays(parts, fields=list(array.type), mask=array.is_null())
    text = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(text, ""), text, pc.binary_join_element_wise(f"{qualifier}:", text, ""))


def _by_distinct(column: pa.ChunkedArray, change: Callable[[list[str]], Sequence[str | None]]) -> pa.ChunkedArray:
    """Apply `change` (a list of distinct strings -> a list as long) to a column; null stays null."""
    encoded = one_array(column.cast(pa.string())).dictionary_encode()
    changed = change(encoded.dictionary.to_pylist())
    return pa.chunked_array([pa.array(changed, pa.string()).take(encoded.indices)], pa.string())
