from __future__ import annotations

from tieout.api.app import iter_routes, permission_of
from tieout.control.access.permissions import is_of_the_platform
from tieout.control.access.registry import PERMISSIONS


def asked(client):
    """Return the permission that each route asks for, by path; those that ask for none are left out."""
    by_path = {(route.path, permission_of(route)) for route in iter_routes(client.app)}
    return {(path, permission) for path, permission in by_path if permission and "." in permission}


def test_routes_ask_for_permissions_that_exist(client):
    assert ("/v1/rbac/roles", "rbac.roles.read") in asked(client)
    unknown = {(path, permission) for path, permission in asked(client) if permission not in PERMISSIONS}
    assert unknown == set(), "add them to tieout.control.access.registry"


def test_what_concerns_all_tenants_asks_for_a_permission_of_the_platform(client):
    for path, permission in asked(client):
        if path.startswith("/v1/superadmin"):
            assert is_of_the_platform(permission), path
