"""Numbers in the place of names, for arrays that are told apart by them. Callers import this where they use numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]

WIDE = 8
"""Values spread over more than so many times their number are sorted; a place for each would take more room."""


def numbered(values: npt.NDArray[np.integer]) -> Whole:
    """Return for each value its number from 0 among the different values, in ascending order."""
    if not len(values):
        return np.zeros(0, np.int64)
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest >= WIDE * len(values):
        return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)
    places = values.astype(np.int64) - lowest
    is_there = np.zeros(highest - lowest + 1, np.bool_)
    is_there[places] = True
    return np.asarray((np.cumsum(is_there) - 1)[places], np.int64)
