"""Tieout reconciles two sets of records, explains every difference exactly and replays the result byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tieout.compose import compare

__all__ = ["__version__", "compare"]


def __getattr__(name: str) -> Any:
    """Load the heavy parts only where they are used: `tieout --help` answers at once."""
    if name == "compare":
        from tieout.compose import compare  # noqa: PLC0415 - lazy on purpose

        return compare
    raise AttributeError(f"module 'tieout' has no attribute {name!r}")
