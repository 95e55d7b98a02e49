"""Rows without amounts: who someone is, told by names and what else describes them."""

from __future__ import annotations

from tests.books.compare.builders import infer_plan

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
    assert plan.ours.text == ("first_name",)
    assert set(plan.ours.units) == {"surname", "dob", "email"}
    assert plan.ours.date is None


def test_an_email_that_nearly_all_rows_share_identifies_a_person() -> None:
    assert infer_plan(people(40), people(39)).ours.key == ("email",)
