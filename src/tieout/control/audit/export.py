"""The audit trail as a file: CSV, NDJSON or Parquet, page by page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any, Literal

from tieout.control.audit import store
from tieout.control.audit.rules import AuditEvent
from tieout.control.audit.store import Filter
from tieout.core.formulas import neutralise
from tieout.core.redaction import redact_text
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State

ExportFormat = Literal["csv", "ndjson", "parquet"]
MEDIA_TYPES: dict[ExportFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
PAGE = 1000
COLUMNS = (
    *("tenant", "seq", "id", "created_at", "actor", "user_id", "module", "action", "entity_type", "entity_id", "delta"),
    *("ip_address", "user_agent", "request_id", "prev_hash", "hash"),
)
_REDACTED = ("actor", "entity_id", "delta", "user_agent")


def export(state: State, wanted: Filter, file_format: ExportFormat, *, is_redacted: bool = True) -> Iterator[bytes]:
    """Yield the file of the events that `wanted` names, in order of tenant and number.

    `is_redacted` takes addresses, tokens and card numbers out of texts, as in every export; without it the file has
    what the hashes were made of.
    """
    pages = ([_line(event, is_redacted=is_redacted) for event in page] for page in _pages(state, wanted))
    return _WRITERS[file_format](pages)


def as_json(event: AuditEvent) -> dict[str, Any]:
    """Return an event in the order of COLUMNS, with its time as text."""
    values = vars(event) | {"created_at": event.created_at.astimezone(UTC).isoformat(timespec="microseconds")}
    return {name: values[name] for name in COLUMNS}


def _pages(state: State, wanted: Filter) -> Iterator[list[AuditEvent]]:
    after = (wanted.tenant or "", 0)
    while True:
        # A transaction a page: a slow reader holds nothing open. Events are only added, so pages fit together.
        with state.of(wanted.tenant or EVERY_TENANT).reading() as connection:
            page = store.in_order(connection, wanted, after=after, limit=PAGE)
        if not page:
            return
        yield page
        after = (page[-1].tenant, page[-1].seq)


def _line(event: AuditEvent, *, is_redacted: bool) -> dict[str, Any]:
    line = as_json(event)
    return {name: _redacted(line[name]) for name in line} | _kept(line) if is_redacted else line


def _kept(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in line if name not in _REDACTED}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(name): _redacted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_redacted(one) for one in value]
    return value


def _as_csv(pages: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for page in pages:
        for line in page:
            flat = line | {"delta": _text_of(line["delta"])}
            writer.writerow([neutralise(value) if isinstance(value, str) else value for value in flat.values()])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _as_ndjson(pages: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    for page in pages:
        yield "".join(_text_of(line) + "\n" for line in page).encode()


def _as_parquet(pages: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {"seq": pa.int64(), "created_at": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS])
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for page in pages:
            columns = {name: [line[name] for line in page] for name in COLUMNS}
            columns["delta"] = [_text_of(delta) for delta in columns["delta"]]
            columns["created_at"] = pa.array(columns["created_at"]).cast(kinds["created_at"])
            writer.write_table(pa.table(columns, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that is read as it is written."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self._chunks.append(bytes(chunk))
        self._size += len(self._chunks[-1])
        return len(self._chunks[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def _text_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_WRITERS: dict[ExportFormat, Callable[[Iterable[list[dict[str, Any]]]], Iterator[bytes]]] = {
    "csv": _as_csv,
    "ndjson": _as_ndjson,
    "parquet": _as_parquet,
}
