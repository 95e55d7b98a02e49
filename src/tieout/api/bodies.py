"""The texts that requests are made of, each with its bounds. No control character: PostgreSQL keeps no NUL."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""One line of text, such as a name."""

Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,36}$")]
PathId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,36}$")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many to leave out first.")]


class Body(BaseModel):
    """A body of a request: fields as they are spelt in JSON, and no others."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


def told(instant: datetime | None) -> str | None:
    """Return an instant as the API writes it: ISO 8601 in UTC."""
    return None if instant is None else instant.isoformat()
