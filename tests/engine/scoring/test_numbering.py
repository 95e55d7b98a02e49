"""Values are numbered as sorting numbers them, whether they lie close together or far apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.engine.scoring.numbering import numbered

NARROW = st.lists(st.integers(0, 50), max_size=60)
WIDE = st.lists(st.integers(-(2**62), 2**62), max_size=60)


@given(values=NARROW | WIDE)
def test_values_are_numbered_in_ascending_order(values: list[int]) -> None:
    order = sorted(set(values))
    assert numbered(np.array(values, np.int64)).tolist() == [order.index(one) for one in values]


@pytest.mark.parametrize("values", [[], [7], [3, 3], [-(2**63), 2**63 - 1]])
def test_edges(values: list[int]) -> None:
    order = sorted(set(values))
    assert numbered(np.array(values, np.int64)).tolist() == [order.index(one) for one in values]
