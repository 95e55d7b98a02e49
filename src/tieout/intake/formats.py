"""What a received file is, decided by its content first and by its name where the content leaves a doubt."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path

from tieout.core.errors import TieoutError
from tieout.intake.text_encoding import by_mark

SAMPLE_BYTES = 64 << 10

FORMATS = ("csv", "tsv", "xlsx", "ods", "xls", "json", "ndjson", "parquet", "ofx", "mt940", "camt", "bai2")
"""All that `detect` can answer."""

_REMEDY = f"Give a file in one of these formats: {', '.join(FORMATS)}."


class FileNotReadable(TieoutError):
    """The path leads to nothing that can be read: missing, a directory, a device, no permission."""

    code = "file_not_readable"


class FileIsEmpty(TieoutError):
    """The file holds no bytes, or nothing but white space."""

    code = "file_is_empty"


class UnknownFileFormat(TieoutError):
    """The file is of a kind that no reader takes."""

    code = "unknown_file_format"
    http_status = 415


class FileIsDamaged(TieoutError):
    """The file is of a known format but cannot be read as such."""

    code = "file_is_damaged"
    http_status = 422


class FileIsEncrypted(TieoutError):
    """The file is protected by a password or a key."""

    code = "file_is_encrypted"
    http_status = 422


class NoTableFound(TieoutError):
    """The file can be read but holds no rows of records."""

    code = "no_table_found"
    http_status = 422


_EXTENSIONS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xls",
    ".ods": "ods",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ofx": "ofx",
    ".qfx": "ofx",
    ".mt940": "mt940",
    ".mt942": "mt940",
    ".940": "mt940",
    ".sta": "mt940",
    ".swi": "mt940",
    ".camt": "camt",
    ".c52": "camt",
    ".c53": "camt",
    ".c54": "camt",
    ".bai": "bai2",
    ".bai2": "bai2",
}
_DECIDED_BY_CONTENT = ("xlsx", "ods", "xls", "parquet")
"""Formats whose every file shows its kind in its first bytes, so that a name alone proves nothing."""

_FOREIGN = (
    (b"%PDF-", "a PDF document", "Ask for the same data as CSV or XLSX."),
    (b"\x1f\x8b", "compressed by gzip", "Unpack it and give the file inside."),
    (b"BZh", "compressed by bzip2", "Unpack it and give the file inside."),
    (b"\xfd7zXZ\0", "compressed by xz", "Unpack it and give the file inside."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it and give the file inside."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and give the file inside."),
    (b"Rar!", "a RAR archive", "Unpack it and give the file inside."),
    (b"SQLite format 3\0", "an SQLite database", "Export the table to CSV or Parquet."),
    (b"ARROW1", "an Arrow file", "Write it as Parquet."),
    (b"ORC", "an ORC file", "Write it as Parquet."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet."),
    (b"\x89PNG", "a picture", _REMEDY),
    (b"\xff\xd8\xff", "a picture", _REMEDY),
    (b"GIF8", "a picture", _REMEDY),
    (b"{\\rtf", "a rich text document", _REMEDY),
)
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_CAMT = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05[234]\.|<(?:\w+:)?BkToCstmr(?:AcctRpt|Stmt|DbtCdtNtfctn)\b")
_OFX = re.compile(r"(?i)OFXHEADER\s*[:=]|<OFX>")
_BAI2 = re.compile(r"\s*01,[^,\n]*,[^,\n]*,\d{6},\d{0,4},[^/]*/\s*(?:\d\d,|\Z)")
_MT940_TAG = re.compile(r"(?m)^:(20|21|25P?|28C?|60[FM]|61|62[FM]|64|65|86|34F|13D?|90[CD]):")
_SWIFT_BLOCK = re.compile(r"\s*\{1:[FAL]\d\d[A-Z0-9]{8,}")
_JSON_LIST = re.compile(r"\[\s*(?:[\[{\]\"]|-?\d|true|false|null|\Z)")
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]*)")


def detect(path: Path, name: str = "") -> str:
    """Return the format of a file, one of FORMATS; `name` is the name it was received under.

    Text that is nothing else is csv. Raises FileNotReadable, FileIsEmpty or UnknownFileFormat.
    """
    name = name or path.name
    head = _head(path, name)
    by_name = _EXTENSIONS.get(Path(name.lower()).suffix, "")
    found = _of_binary(path, name, head)
    if found:
        return found
    if by_name in _DECIDED_BY_CONTENT:
        by_name = ""
    text = _as_text(head)
    if not text.strip():
        raise FileIsEmpty(f"{name} holds nothing but white space.", subject=name, remedy="Export it again.")
    return _of_text(text, name, by_name)


def size_of(path: Path, name: str) -> int:
    """Return the size of a regular file in bytes. Raises FileNotReadable."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotReadable(f"There is no file {name}.", subject=name, remedy="Check the path.") from None
    except OSError as error:
        raise FileNotReadable(f"{name} cannot be read: {error.strerror}.", subject=name) from error
    if stat.S_ISDIR(status.st_mode):
        raise FileNotReadable(f"{name} is a directory.", subject=name, remedy="Name one file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise FileNotReadable(f"{name} is not a regular file.", subject=name, remedy="Save it to a file first.")
    return status.st_size


def _head(path: Path, name: str) -> bytes:
    if size_of(path, name) == 0:
        raise FileIsEmpty(f"{name} is empty (0 bytes).", subject=name, remedy="Export or download it again.")
    try:
        with path.open("rb") as file:
            return file.read(SAMPLE_BYTES)
    except OSError as error:
        raise FileNotReadable(
            f"{name} cannot be read: {error.strerror}.", subject=name, remedy="Check its permissions."
        ) from error


def _of_binary(path: Path, name: str, head: bytes) -> str:
    """Return the format of a file that is no text, or ''."""
    if head.startswith((b"PAR1", b"PARE")):
        return "parquet"
    if head.startswith(_COMPOUND_FILE):
        return "xls"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _of_zip(path, name)
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise UnknownFileFormat(f"{name} is {what}.", subject=name, remedy=remedy)
    if not by_mark(head)[0] and not _looks_like_text(head):
        raise UnknownFileFormat(f"{name} is binary, and of no kind known here.", subject=name, remedy=_REMEDY)
    return ""


def _of_zip(path: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100] if "mimetype" in names and _is_small(archive, "mimetype") else b""
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FileIsDamaged(
            f"{name} is a broken ZIP container ({error}).", subject=name, remedy="Download or save it again."
        ) from error
    if any(entry.startswith("xl/") for entry in names):
        return "xlsx"
    if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return "ods"
    raise UnknownFileFormat(f"{name} is a ZIP archive.", subject=name, remedy="Unpack it and give one file of it.")


def _is_small(archive: zipfile.ZipFile, entry: str) -> bool:
    return archive.getinfo(entry).file_size <= 1024


def _looks_like_text(head: bytes) -> bool:
    """Tell text, also with a stray NUL, from binary by the share of control characters."""
    tolerated = b"\t\n\f\r\x01\x1a\x1c\x1d\x1e\x1f"
    controls = sum(head.count(code) for code in (*range(32), 127) if code not in tolerated)
    return controls <= max(3, 0.05 * len(head)) and 2 * controls < len(head)


def _as_text(head: bytes) -> str:
    encoding, mark = by_mark(head)
    return head[mark:].decode(encoding or "utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _of_text(text: str, name: str, by_name: str) -> str:
    stripped = text.lstrip()
    if _OFX.search(text[:4096]) or (by_name == "ofx" and "<" in stripped[:1]):
        return "ofx"
    if stripped.startswith("<"):
        return _of_markup(text, name, by_name)
    if _BAI2.match(text):
        return "bai2"
    if _is_mt940(text):
        return "mt940"
    if stripped.startswith("{") or _JSON_LIST.match(stripped):
        found = _of_json(stripped, by_name)
        if found:
            return found
    if stripped.startswith("!Type:"):
        raise UnknownFileFormat(f"{name} is a QIF file.", subject=name, remedy="Export it as OFX, QFX or CSV instead.")
    if by_name == "camt":
        raise UnknownFileFormat(f"{name} is named as CAMT but holds no XML.", subject=name, remedy="Export it again.")
    return by_name or "csv"


def _of_markup(text: str, name: str, by_name: str) -> str:
    if _CAMT.search(text):
        return "camt"
    elements = [element for element in _ELEMENT.findall(text) if element.lower() != "xml"]
    root = elements[0] if elements else "?"
    if root.lower() in ("html", "table", "head", "body") or "<html" in text.lower():
        raise UnknownFileFormat(
            f"{name} is a web page, whatever its name says.",
            subject=name,
            remedy="Open it in a spreadsheet program and save it as XLSX or CSV.",
        )
    if "urn:schemas-microsoft-com:office:spreadsheet" in text:
        raise UnknownFileFormat(
            f"{name} is an XML spreadsheet of 2003.", subject=name, remedy="Open it and save it as XLSX or CSV."
        )
    if by_name == "camt" or root.rpartition(":")[2] == "Document" or "<!DOCTYPE" in text:
        return "camt"
    raise UnknownFileFormat(
        f"{name} is XML with the root <{root}>, which no reader takes.", subject=name, remedy=_REMEDY
    )


def _is_mt940(text: str) -> bool:
    tags = set(_MT940_TAG.findall(text))
    if len(tags) >= 2 and tags & {"20", "25", "25P", "60F", "60M", "61"}:
        return True
    return bool(_SWIFT_BLOCK.match(text)) or (len(tags) == 1 and text.lstrip().startswith(":"))


def _of_json(text: str, by_name: str) -> str:
    """Return json or ndjson; '' for text that merely begins with a bracket, as a header like [Date] does."""
    is_named_so = by_name in ("json", "ndjson")
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    following = lines[1] if len(lines) > 1 else ""
    if text.startswith("{"):
        is_closed = lines[0].endswith("}") or (by_name == "ndjson" and lines[0] != "{")
        if is_closed and (following.startswith("{") or by_name == "ndjson"):
            return "ndjson"
        return "json" if is_named_so or re.match(r"\{\s*(?:\"|\}|\Z)", text) else ""
    is_list_a_line = lines[0].endswith("]") and following and not following.startswith(("]", ",", "}"))
    return "" if is_list_a_line and not is_named_so else "json"
