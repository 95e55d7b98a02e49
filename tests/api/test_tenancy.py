import pytest
from sqlalchemy import delete, exists, func, select, text, update

from tests.tenancy import TenantForgotten, judge
from tieout.store.tables import platform_flags, roles, tenant, user_roles, users


@pytest.mark.parametrize(
    "statement",
    [
        select(users).where(users.c.tenant == "a"),
        select(users).where(users.c.tenant.in_(["a"]), users.c.email == "x"),
        select(func.count()).select_from(users).where(users.c.tenant == "a"),
        update(users).where(users.c.tenant == "a").values(status="disabled"),
        delete(users).where((users.c.tenant == "a") & (users.c.user_id == "1")),
        select(roles)
        .join(user_roles, (user_roles.c.tenant == roles.c.tenant) & (user_roles.c.role_id == roles.c.role_id))
        .where(user_roles.c.tenant == "a"),
        select(users).where(
            users.c.tenant == "a", exists().where(user_roles.c.tenant == users.c.tenant, user_roles.c.user_id == "1")
        ),
        select(platform_flags),
        text("select * from users where tenant = :tenant"),
        text("select 1"),
    ],
    ids=str,
)
def test_a_statement_that_names_its_tenant_passes(statement):
    assert judge(statement)[1] == set()


@pytest.mark.parametrize(
    ("statement", "forgotten"),
    [
        (select(users), {"users"}),
        (select(users.c.email).where(users.c.user_id == "1"), {"users"}),
        (select(func.count()).select_from(users), {"users"}),
        (select(users).where(users.c.tenant.is_(None)), {"users"}),
        (select(users).where(users.c.tenant != "a"), {"users"}),
        (update(users).where(users.c.user_id == "1").values(status="disabled"), {"users"}),
        (delete(users), {"users"}),
        (
            select(roles).join(user_roles, user_roles.c.role_id == roles.c.role_id).where(user_roles.c.tenant == "a"),
            {"roles"},
        ),
        (select(users).join(tenant, tenant.c.tenant == users.c.tenant), {"users", "tenant"}),
        (select(users).where(users.c.tenant == "a", exists().where(user_roles.c.user_id == "1")), {"user_roles"}),
        (text("select * from users where user_id = :id"), {"users"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),  # in the same order everywhere
)
def test_a_statement_that_forgets_its_tenant_is_found(statement, forgotten):
    assert judge(statement)[1] == forgotten


def test_the_watch_stops_a_statement_of_the_product_and_none_of_a_test(platform):
    from tieout.control.flags import store as product

    with platform.of("a").reading() as connection:
        connection.execute(select(users))
        with pytest.raises(TenantForgotten, match="tenant_flags"):
            product.set_for_tenants(connection, "x")
    with platform.all_tenants.reading() as connection:
        product.set_for_tenants(connection, "x")
