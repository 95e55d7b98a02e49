from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tieout.core.ids import new_id

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(
    st.integers(0, 10**12),
    st.integers(1, 10**6),
    st.binary(min_size=10, max_size=10),
    st.binary(min_size=10, max_size=10),
)
def test_an_id_made_later_sorts_later_whatever_the_chance(start_ms, gap_ms, first, second):
    before = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=start_ms)
    after = before + timedelta(milliseconds=gap_ms)
    assert new_id(before, lambda _: first) < new_id(after, lambda _: second)


def test_an_id_is_a_uuid_of_version_7():
    made = UUID(new_id(AT))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(AT.timestamp() * 1000)


def test_ids_of_one_instant_differ():
    assert len({new_id(AT) for _ in range(1000)}) == 1000


@given(st.integers(0, 10**16))
def test_an_id_holds_the_very_millisecond_of_its_making(microseconds):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert UUID(new_id(at, lambda _: b"\0" * 10)).int >> 80 == microseconds // 1000
