"""The one base of all errors that a person is meant to read."""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_DIFFERENCES = 10
EXIT_ERROR = 20


class TieoutError(Exception):
    """Base of every expected failure: what happened, to which object, and what to do next.

    Subclasses are declared beside the code that raises them and set `code`
    (stable, snake case), and where it differs `http_status` and `exit_code`.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    exit_code: ClassVar[int] = EXIT_ERROR

    def __init__(self, what: str, *, subject: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.subject = subject
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.remedy) if part)
