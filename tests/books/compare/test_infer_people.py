"""Rows without amounts: who someone is, told by names and what else describes them."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import pytest

from tests.books.compare.builders import get_decision, infer_plan

FIRST = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana"] * 4
LAST = [
    f"{name}{end}" for end in ("son", "er", "mann", "ley") for name in ("Brook", "Clay", "Dell", "Ford", "Glen")
] * 2
BORN = [f"19{50 + n}-0{1 + n % 9}-1{n % 10}" for n in range(40)]
EMAILS = [f"{f}.{s}{n}@example.org".lower() for n, (f, s) in enumerate(zip(FIRST, LAST, strict=True))]


def people(kept_emails: int) -> dict[str, list[str]]:
    """Return people of whom so many kept their email; where most did not, each has a slip elsewhere too."""
    emails = [mail if n < kept_emails else f"other{n}@example.net" for n, mail in enumerate(EMAILS)]
    is_other = kept_emails < len(EMAILS) / 2
    born = ["1931-05-05" if is_other and n % 3 == 0 else day for n, day in enumerate(BORN)]
    first = [name[:-1] if is_other and n % 3 == 1 else name for n, name in enumerate(FIRST)]
    last = [name[:4] if is_other and n % 3 == 2 else name for n, name in enumerate(LAST)]
    return {"first_name": first, "surname": last, "dob": born, "email": emails}


def test_names_and_what_describes_a_person_are_the_evidence_where_no_column_identifies() -> None:
    plan = infer_plan(people(40), people(15))
    assert plan.ours.key == ()
    assert plan.rules.scoring == "learned"
    assert plan.ours.text == ("first_name", "surname")
    assert set(plan.ours.units) == {"dob", "email"}
    assert plan.ours.date is None


def test_an_email_that_nearly_all_rows_share_identifies_a_person() -> None:
    assert infer_plan(people(40), people(39)).ours.key == ("email",)


STREETS = ["Acre", "Birch", "Cedar", "Dale", "Elm", "Fern", "Grove", "Heath", "Iris", "Jay", "Kiln", "Lark", "Moor"]
TOWNS = ["Ashby", "Bourne", "Corby", "Derby", "Ely", "Fleet", "Goole", "Hove", "Ilkley", "Jarrow", "Kirkby"]
ROWS = 220


def members(slip: Callable[[str, int], str]) -> dict[str, list[str]]:
    """Return members of a club, whose names and addresses are written down with slips."""
    found: dict[str, list[str]] = {
        "given_name": [],
        "family_name": [],
        "street": [],
        "town": [],
        "member_no": [],
        "dob": [],
    }
    for n in range(ROWS):
        found["given_name"].append(slip(f"{FIRST[n % 40]}{'aeiou'[n % 5]}{n % 7}", 5 * n))
        found["family_name"].append(slip(f"{LAST[n * 7 % 40]}{'bcdfg'[n % 5]}{n % 11}", 5 * n + 1))
        found["street"].append(slip(f"{STREETS[n % 13]} Road {n * 17 % 90}", 5 * n + 2))
        found["town"].append(slip(f"{TOWNS[n * 3 % 11]} {n % 9}", 5 * n + 3))
        found["member_no"].append(slip(str(4_000_000 + n * 7919), 5 * n + 4))
        # Every twentieth has the birthday of another.
        born = n - 1 if n % 20 == 1 else n
        found["dob"].append(f"19{10 + born % 90}{1 + born % 12:02}{1 + born % 28:02}")
    return found


def as_written(value: str, _place: int) -> str:
    return value


def one_slip_in(often: int) -> Callable[[str, int], str]:
    """Return a change of one in so many values: two of its signs change places, or, alike, one is doubled."""

    def slip(value: str, place: int) -> str:
        if crc32(str(place).encode()) % often or len(value) < 4:
            return value
        at = 1 + place % (len(value) - 2)
        swapped = value[:at] + value[at + 1] + value[at] + value[at + 2 :]
        return swapped if swapped != value else value[:at] + value[at] + value[at:]

    return slip


@pytest.mark.parametrize("name", ["dob", "since", "no"])
@pytest.mark.parametrize("slip", [as_written, one_slip_in(6)])
def test_days_that_repeat_identify_no_row_whatever_their_name(name: str, slip: Callable[[str, int], str]) -> None:
    ours, theirs = members(as_written), members(slip)
    for side in (ours, theirs):
        del side["member_no"]
        side[name] = side.pop("dob")
    assert infer_plan(ours, theirs).ours.key != (name,)


def test_what_is_written_with_slips_everywhere_is_matched_by_likeness() -> None:
    ours, theirs = members(as_written), members(one_slip_in(6))
    for side in (ours, theirs):
        del side["member_no"]
    plan = infer_plan(ours, theirs)
    assert plan.ours.key == ()
    assert plan.ours.units == ("street", "dob", "town")


def test_a_number_that_is_mistyped_like_all_else_is_evidence_and_not_the_key() -> None:
    plan = infer_plan(members(as_written), members(one_slip_in(6)))
    assert plan.ours.key == ()
    assert plan.ours.units[0] == "member_no"
    told = get_decision(plan, "key")
    assert "member_no identifies a row" in told.evidence
    assert told.option == "--on"


def test_days_beside_what_is_mistyped_have_a_window_too() -> None:
    joined = [f"2026-{1 + n % 6:02}-{1 + n % 27:02}" for n in range(ROWS)]
    later = [f"2026-{1 + n % 6:02}-{1 + (n + (n % 5 == 0)) % 27:02}" for n in range(ROWS)]
    ours = members(as_written) | {"joined": joined}
    ours["member_no"] = [f"M{number}" for number in ours["member_no"]]
    numbers = [f"X{number}" if n % 30 == 0 else number for n, number in enumerate(ours["member_no"])]
    theirs = members(one_slip_in(6)) | {"joined": later, "member_no": numbers}
    plan = infer_plan(ours, theirs)
    assert (plan.ours.key, plan.ours.date) == ((), "joined")
    assert plan.rules.window_days == 1
    assert "paired by a value that identifies most" in get_decision(plan, "window").evidence


def test_a_number_stays_the_key_where_all_else_is_the_same() -> None:
    theirs = members(as_written)
    theirs["member_no"] = [str(9_000_000 + n) if n % 10 == 0 else no for n, no in enumerate(theirs["member_no"])]
    assert infer_plan(members(as_written), theirs).ours.key == ("member_no",)


def test_a_number_stays_the_key_where_the_user_says_so() -> None:
    plan = infer_plan(members(as_written), members(one_slip_in(6)), on=("member_no",))
    assert plan.ours.key == ("member_no",)


def test_numbers_that_each_side_gives_its_rows_are_no_hint() -> None:
    ours, theirs = members(as_written), members(one_slip_in(6))
    ours["file_no"] = [f"left-{n * 37}" for n in range(ROWS)]
    theirs["file_no"] = [f"right-{n * 53}" for n in range(ROWS)]
    plan = infer_plan(ours, theirs)
    assert "member_no" in plan.ours.units
    assert "file_no" not in plan.ours.units


@pytest.mark.parametrize("written", ["{}-{}-{}", "{}{}{}"])
def test_days_of_birth_that_are_no_days_are_read_as_they_stand(written: str) -> None:
    """A slip of the pen in a day of birth must not put a person in quarantine."""
    ours, theirs = members(as_written), members(one_slip_in(6))
    for side in (ours, theirs):
        side["dob"] = [written.format(day[:4], day[4:6], day[6:]) for day in side["dob"]]
    theirs["dob"][7] = written.format("1953", "81", "01")
    plan = infer_plan(ours, theirs)
    assert "dob" in plan.ours.units
    assert {side.columns["dob"].kind for side in (plan.ours, plan.theirs)} == {"text"}
    assert {item.kind for item in plan.compared if item.name == "dob"} == {"text"}


def test_a_key_stays_where_there_are_no_texts_to_go_by() -> None:
    ours, theirs = members(as_written), members(one_slip_in(6))
    for side in (ours, theirs):
        side |= {f"code_{n}": side.pop(name) for n, name in enumerate(("given_name", "family_name", "street", "town"))}
    ours = {name: [value.replace(" ", "") for value in values] for name, values in ours.items()}
    theirs = {name: [value.replace(" ", "") for value in values] for name, values in theirs.items()}
    assert infer_plan(ours, theirs).ours.key


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year", [str(1990 + n % 3) for n in range(40)]),
        ("Baujahr", [f"{1990 + n % 3}.0" for n in range(40)]),
        ("age", [str(20 + n % 4) for n in range(40)]),
    ],
)
def test_a_year_or_an_age_is_no_money_but_tells_who_it_is(name: str, values: list[str]) -> None:
    plan = infer_plan(people(40) | {name: values}, people(15) | {name: values})
    assert (plan.ours.amount, plan.theirs.amount) == ((), ())
    assert name in plan.ours.units


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year total", [f"{900 + 37 * n}.50" for n in range(40)]),
        ("yearly amount", [str(1900 + 3 * n) for n in range(40)]),
        ("year", [str(25_000 + 117 * n) for n in range(40)]),
    ],
)
def test_what_is_called_a_year_and_holds_money_is_money(name: str, values: list[str]) -> None:
    side = {"customer": [f"{f} {s}" for f, s in zip(FIRST, LAST, strict=True)], name: values}
    plan = infer_plan(side, side | {"customer": [text.upper() for text in side["customer"]]})
    assert [term.column for term in plan.ours.amount] == [name]


def test_numbers_that_have_nothing_in_common_are_each_sides_own() -> None:
    # One person in three has another email and a slip elsewhere, so no column pairs rows beyond doubt.
    mine, other = [f"A/{n:03}" for n in range(40)], [f"{7000 + 3 * n}" for n in range(40)]
    plan = infer_plan(people(40) | {"id": mine}, people(15) | {"id": other})
    assert "id" not in (*plan.ours.units, *(item.name for item in plan.compared))
    assert get_decision(plan, "not compared").evidence == "hardly a value in common: each side has its own"
    same = infer_plan(people(40) | {"city": ["Ashby", "Ely"] * 20}, people(15) | {"city": ["Ashby", "Ely"] * 20})
    assert "city" in same.ours.units
