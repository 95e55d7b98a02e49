"""Who a request comes from, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from tieout.control.access.permissions import is_allowed
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError


class NotSignedIn(TieoutError):
    """The request carries no valid token and no valid key."""

    code = "not_signed_in"
    http_status = 401


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

    def may(self, permission: str) -> bool:
        """Whether the caller has `permission`, `<module>.<feature>.<action>`."""
        return is_allowed(self.permissions, permission)

    def must(self, permission: str) -> None:
        """Raise NotAllowed unless the caller has `permission`."""
        if not self.may(permission):
            raise NotAllowed(
                f"This needs the permission {permission}, which {self.actor.name} does not have.",
                subject=permission,
                remedy="Ask an administrator of your tenant for a role that has it.",
            )
