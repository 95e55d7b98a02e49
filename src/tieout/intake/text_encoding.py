"""Which encoding a text is in, decided on bounded evidence, and a UTF-8 copy of texts in another."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20
MAX_EVIDENCE_BYTES = 64 << 10

_HIGH = re.compile(rb"[\x80-\xff]")
_THIN_EVIDENCE = 8
"""Fewer bytes above ASCII than this tell nothing of a language; Western European is then the best guess."""

_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp850", "cp437", "koi8_r",
    "mac_roman", "iso8859_2", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
_PREFERRED = ("cp1252", "cp1250", "cp850", "cp1251", "cp1254", "cp1257")
_BESIDE_FIGURES = re.compile(
    rb"[\x80-\xff](?=[ ]?[-+]?\d[\d.,]*[.,]\d\d(?!\d))|(?<=[.,]\d\d)[ ]?[\x80-\xff]|(?<=\d)[\x80-\xff](?=\d{3}(?!\d))"
)
"""What stands before or after an amount, or parts its thousands."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

Progress = Callable[[int, int], None]
"""Called now and then with the bytes done and the bytes in all."""


@dataclass(frozen=True)
class Undecodable:
    """A text is not what it was taken for: the offset of the first byte that does not fit."""

    offset: int


def chunks_of(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `start`, 1 MiB at a time, and no more than it had when it was opened.

    A file that something keeps appending to would otherwise never end.
    """
    with path.open("rb", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size - start
        file.seek(start)
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def is_encoding(name: str) -> bool:
    """Say whether Python knows an encoding of text by that name; some of its codecs are none, such as rot13."""
    try:
        b"x".decode(name)
    except UnicodeDecodeError:
        return True
    except (LookupError, ValueError):
        return False
    return True


def by_mark(head: bytes) -> tuple[str, int]:
    """Return encoding and length of the byte order mark, or UTF-16 without one by its NULs, or ('', 0)."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    pairs = len(sample) // 2
    if pairs >= 4 and odd >= 0.4 * pairs and even <= 0.02 * pairs:
        return "utf-16-le", 0
    if pairs >= 4 and even >= 0.4 * pairs and odd <= 0.02 * pairs:
        return "utf-16-be", 0
    return "", 0


class Utf8Evidence:
    """Watches the chunks of a file in order: is it UTF-8, and if not, the lines that tell what else.

    ASCII passes at the speed of memory; only chunks with other bytes are decoded.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_within_character = False
        self._invalid = 0
        self._valid = 0
        self._samples: list[bytes] = []
        self._sampled = 0

    @property
    def is_valid(self) -> bool:
        return self._invalid == 0

    @property
    def is_mostly_valid(self) -> bool:
        """Whether characters of several bytes that are right outnumber the wrong bytes: UTF-8 with damage."""
        return self._valid > self._invalid

    @property
    def sample(self) -> bytes:
        return b"\n".join(self._samples)

    def watch(self, chunk: bytes, *, is_last: bool = False) -> None:
        """Take the next chunk. Once evidence against UTF-8 is ample, the rest is not looked at."""
        if (chunk.isascii() and not self._is_within_character) or self._sampled >= MAX_EVIDENCE_BYTES:
            return
        try:
            text = self._decoder.decode(chunk, final=is_last)
        except UnicodeDecodeError:
            self._decoder.reset()
            self._is_within_character = False
            self._keep(chunk)
            return
        self._is_within_character = bool(self._decoder.getstate()[0])
        self._valid += len(chunk) - len(text)

    def _keep(self, chunk: bytes) -> None:
        text = chunk.decode("utf-8", "tieout.count")
        invalid = max(1, text.count(_BAD))
        self._invalid += invalid
        self._valid += sum(1 for character in text if character > "\x7f") - invalid
        for line in chunk.splitlines():
            if self._sampled >= MAX_EVIDENCE_BYTES:
                break
            if not line.isascii():
                self._samples.append(line[:1000])
                self._sampled += len(line[:1000])


_BAD = "\ufdd0"


def _count_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _BAD, error.end


codecs.register_error("tieout.count", _count_undecodable)


def guess_legacy(evidence: bytes) -> str:
    """Return the encoding of text that is not UTF-8; `evidence` are lines of it with bytes above ASCII.

    What stands beside amounts tells signs of currency and thousands apart from letters, and is no word of a language.
    Python's names. Never fails: Latin-1 reads every byte.
    """
    from charset_normalizer import from_bytes  # noqa: PLC0415 - takes 60 ms to import, and few files need it

    candidates = _reading_signs(evidence)
    if len(candidates) < len(_CANDIDATES):
        evidence = _BESIDE_FIGURES.sub(b"", evidence)
    fits_western = "cp1252" in candidates and _decodes(evidence, "cp1252")
    if fits_western and len(_HIGH.findall(evidence)) < _THIN_EVIDENCE:
        return "cp1252"
    best = from_bytes(evidence, cp_isolation=candidates, threshold=1.0).best()
    if best is None:
        return "cp1252" if fits_western else "latin-1"
    same = {codecs.lookup(name).name for name in (best.encoding, *best.could_be_from_charset)}
    for name in _PREFERRED:
        if codecs.lookup(name).name in same:
            return name
    return best.encoding


def _reading_signs(evidence: bytes) -> list[str]:
    """Return the encodings that read the most of what stands beside amounts as signs; all where none does."""
    beside = Counter(found.strip() for found in _BESIDE_FIGURES.findall(evidence))
    signs = {
        encoding: sum(times for byte, times in beside.items() if _is_sign(byte.decode(encoding, "replace")))
        for encoding in _CANDIDATES
    }
    most = max(signs.values())
    return [encoding for encoding in _CANDIDATES if signs[encoding] == most]


def _is_sign(character: str) -> bool:
    return character == "\u2019" or unicodedata.category(character) in ("Sc", "Zs")


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def transcode(path: Path, encoding: str, copy: Path, *, on_progress: Progress | None = None) -> Undecodable | None:
    """Write the text of `path` as UTF-8 to `copy`, line ends and all; None when every byte was text.

    At the first byte that is none the copy is removed and the place returned.
    """
    total = path.stat().st_size
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    try:
        with copy.open("wb") as target:
            for chunk in chunks_of(path):
                text = decoder.decode(chunk)
                target.write(text.removeprefix("\ufeff").encode() if done == 0 else text.encode())
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, total)
            target.write(decoder.decode(b"", final=True).encode())
    except UnicodeDecodeError as error:
        copy.unlink(missing_ok=True)
        return Undecodable(done + error.start)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return None
