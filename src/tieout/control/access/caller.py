"""Who a request comes from, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tieout.control.access.permissions import EVERYTHING, SUPERADMIN, covers, is_allowed, is_of_the_platform
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError


class NotSignedIn(TieoutError):
    """The request carries no valid token and no valid key."""

    code = "not_signed_in"
    http_status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class NotAllowed(TieoutError):
    """The caller lacks the permission; `subject` is its name."""

    code = "not_allowed"
    http_status = 403


@dataclass(frozen=True)
class Caller:
    """Who a request comes from: one tenant's user, one tenant's key, or an administrator of the platform."""

    tenant: str
    actor: Actor
    permissions: tuple[str, ...]
    roles: tuple[str, ...] = ()

    def may(self, permission: str) -> bool:
        """Whether the caller has `permission`, `<module>.<feature>.<action>`.

        What concerns all tenants is for administrators of the platform alone, whatever a role of a tenant says: its
        owner has `*`.
        """
        if is_of_the_platform(permission) and self.tenant != SUPERADMIN:
            return False
        return is_allowed(self.permissions, permission)

    def must(self, permission: str) -> None:
        """Raise NotAllowed unless the caller has `permission`."""
        if not self.may(permission):
            raise NotAllowed(
                f"This needs the permission {permission}, which {self.actor.name} does not have.",
                subject=permission,
                remedy="Ask an administrator of your tenant for a role that has it.",
            )

    def must_cover(self, patterns: Iterable[str], whose: str) -> None:
        """Raise NotAllowed if `patterns` grant anything that the caller does not have; `whose` names them."""
        if not covers(self.permissions, patterns):
            raise NotAllowed(
                f"{whose} may do more than {self.actor.name}, who can neither give that nor change it.",
                subject=whose,
                remedy="Ask an administrator of your tenant who has those permissions.",
            )


def operator_of(tenant: str, account: Actor) -> Caller:
    """Return the caller for the command line: who has the state database at hand may do everything in any tenant."""
    return Caller(tenant, account, (EVERYTHING,))
