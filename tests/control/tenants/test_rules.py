import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.control.tenants.rules import (
    BadApplication,
    Business,
    Owner,
    Tenant,
    WrongTenantStatus,
    alias_stem,
    checked_business,
    checked_owner,
    checked_reason,
    free_alias,
    status_after,
)

GOOD = Business("Blue Door GmbH", "Blue Door", "office@blue.example", "+49 30 1234567", "DE", "Europe/Berlin")
AT = datetime(2026, 3, 1, tzinfo=UTC)
A_TENANT = Tenant("t", "T", "t", "active", "UTC", AT, AT)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("legal_name", " "),
        ("legal_name", "a\0b"),
        ("legal_name", "a\nb"),
        ("legal_name", "x" * 201),
        ("legal_name", "right to\u202eleft"),
        ("doing_business_as", ""),
        ("contact_email", "office"),
        ("contact_email", "a b@c.example"),
        ("contact_email", "x" * 250 + "@c.example"),
        ("contact_phone", "123456"),
        ("contact_phone", "1 2 3 4"),
        ("contact_phone", "call me now"),
        ("contact_phone", "+49 30 1234567 <script>"),
        ("contact_phone", "1" * 33),
        ("country", "D"),
        ("country", "12"),
        ("country", "x" * 101),
        ("country", "DE\n"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../etc/passwd"),
        ("time_zone", "localtime"),
        ("time_zone", "europe/berlin"),
        ("time_zone", ""),
    ],
)
def test_what_cannot_be_of_a_business_is_refused_by_the_name_of_its_field(field, text):
    if text == "DE\n":
        assert checked_business(replace(GOOD, country=text)).country == "DE"
        return
    with pytest.raises(BadApplication) as caught:
        checked_business(replace(GOOD, **{field: text}))
    first, *rest = {"time_zone": "timezone"}.get(field, field).split("_")
    assert caught.value.subject == first + "".join(word.title() for word in rest)


@pytest.mark.parametrize("phone", ["+1 (212) 555-0100", "0301234567", "+44 20 7946 0018 ext 12", "212.555.0100"])
@pytest.mark.parametrize("country", ["DE", "us", "Côte d’Ivoire", "Bosnia and Herzegovina"])
@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_businesses_of_the_whole_world_may_apply(phone, country, zone):
    found = checked_business(
        replace(GOOD, contact_phone=phone, country=country, time_zone=zone, legal_name="日本 寿司")
    )
    assert (found.contact_phone, found.time_zone) == (phone, zone)
    assert found.country == (country.upper() if len(country) == 2 else country)


def test_an_owner_is_known_by_an_e_mail_in_lower_case():
    assert checked_owner(Owner(" Mia ", "Stone", " Mia@Blue.Example ")) == Owner("Mia", "Stone", "mia@blue.example")


def test_a_reason_is_a_few_lines_or_none():
    assert checked_reason("  ") is None
    assert checked_reason(" two\nlines ") == "two\nlines"
    for bad in ("x" * 501, "a\0b"):
        with pytest.raises(BadApplication):
            checked_reason(bad)


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("Blue Door", "blue-door"),
        ("  Café Zoë & Söhne!! ", "cafe-zoe-sohne"),
        ("日本", "tenant"),
        ("---", "tenant"),
        ("x" * 40, "x" * 32),
        ("A" * 31 + " b", "a" * 31),
    ],
)
def test_an_alias_is_made_of_small_letters_digits_and_hyphens(name, alias):
    assert alias_stem(name) == alias


@given(name=st.text(max_size=60), others=st.integers(0, 30))
def test_an_alias_is_free_well_formed_and_no_longer_than_32(name, others):
    stem, taken = alias_stem(name), set()
    for _ in range(others + 1):
        alias = free_alias(stem, taken)
        assert alias not in taken
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", alias)
        taken.add(alias)


def test_aliases_count_from_two():
    assert free_alias("blue", {"blue"}) == "blue-2"
    assert free_alias("blue", {"blue", "blue-2"}) == "blue-3"
    assert free_alias("x" * 32, {"x" * 32}) == "x" * 30 + "-2"


@pytest.mark.parametrize(
    ("status", "verb", "after"),
    [
        ("active", "suspend", "suspended"),
        ("trial", "suspend", "suspended"),
        ("suspended", "suspend", None),
        ("closed", "suspend", None),
        ("suspended", "reactivate", "active"),
        ("active", "reactivate", None),
        ("closed", "reactivate", None),
        ("active", "close", "closed"),
        ("trial", "close", "closed"),
        ("suspended", "close", "closed"),
        ("closed", "close", None),
    ],
)
def test_a_tenant_goes_from_status_to_status_and_never_back_from_closed(status, verb, after):
    tenant = replace(A_TENANT, status=status)
    if after is None:
        with pytest.raises(WrongTenantStatus, match=status):
            status_after(tenant, verb)
    else:
        assert status_after(tenant, verb) == after
