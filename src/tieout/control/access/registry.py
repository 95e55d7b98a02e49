"""Every permission that exists, and the roles that a tenant begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tieout.control.access.permissions import EVERYTHING, SUPERADMIN, is_allowed
from tieout.core.errors import TieoutError

PERMISSIONS: dict[str, str] = {
    "audit.events.export": "export the audit trail",
    "audit.events.read": "read the audit trail",
    "audit.events.verify": "verify the chain of the audit trail",
    "identity.keys.create": "make API keys",
    "identity.keys.read": "list API keys",
    "identity.keys.revoke": "revoke API keys",
    "identity.keys.rotate": "replace API keys",
    "identity.users.create": "add users",
    "identity.users.disable": "disable and enable users",
    "identity.users.read": "list users",
    "identity.users.reset_password": "give users a new password",
    "inventory.adjustments.create": "adjust stock",
    "inventory.counts.complete": "complete stock counts",
    "inventory.counts.create": "record stock counts",
    "inventory.items.read": "see stock",
    "inventory.items.update": "change stock items",
    "loyalty.accounts.earn": "credit loyalty points",
    "loyalty.accounts.read": "see loyalty accounts",
    "loyalty.accounts.redeem": "redeem loyalty points",
    "menu.items.read": "see the menu",
    "menu.items.update": "change the menu",
    "module_registry.modules.read": "see the modules of the tenant",
    "ops.breakers.read": "see which integrations are left alone",
    "ops.jobs.cancel": "cancel jobs",
    "ops.jobs.read": "see jobs",
    "ops.jobs.retry": "try failed jobs again",
    "ops.outbox.read": "see which events are delivered, and the dead letters",
    "ops.outbox.retry": "deliver events again, or skip them",
    "orders_kds.orders.read": "see orders in the kitchen",
    "orders_kds.orders.update": "move orders through the kitchen",
    "pos.payments.read": "see payments",
    "pos.payments.refund": "refund payments",
    "pos.tickets.create": "ring up tickets",
    "pos.tickets.read": "see tickets",
    "proofs.entries.read": "read the sealed records themselves",
    "proofs.log.read": "see digests, checkpoints and proofs of the log",
    "rbac.roles.assign": "give roles to users and take them",
    "rbac.roles.create": "make roles",
    "rbac.roles.delete": "delete roles",
    "rbac.roles.read": "list roles",
    "recon.ads.read": "see overview, deltas, disputes and review queue of the ads book",
    "recon.backfills.create": "have windows of the ads book done anew",
    "recon.disputes.create": "open disputes with ad networks",
    "recon.disputes.update": "submit disputes, and record how they ended",
    "recon.files.create": "send files to be compared",
    "recon.review.decide": "accept and reject pairs of the review queue of the ads book",
    "recon.runs.create": "have files compared",
    "recon.runs.read": "see runs and their results",
    "recon.statements.create": "have statements of ad networks loaded",
    "reporting.reports.export": "export reports",
    "reporting.reports.read": "see reports",
    "superadmin.analytics.read": "see how modules are toggled",
    "superadmin.billing.read": "see the billing of all tenants",
    "superadmin.flags.read": "see the flags of the installation",
    "superadmin.flags.update": "set the flags of the installation",
    "superadmin.module_toggles.update": "toggle modules of an application",
    "superadmin.schedules.read": "see the schedules of the installation",
    "superadmin.schedules.run": "run a schedule now",
    "superadmin.tenants.read": "list tenants",
    "superadmin.tenants.toggle_modules": "toggle modules of a tenant",
    "superadmin.tenants.update": "suspend, reopen and close tenants",
    "support.tickets.create": "open support tickets",
    "support.tickets.read": "see support tickets",
    "support.tickets.respond": "answer support tickets",
    "tenant_registrations.approve": "approve applications of tenants",
    "tenant_registrations.read": "list applications of tenants",
    "tenant_registrations.reject": "reject applications of tenants",
    "webhooks.endpoints.create": "add endpoints that get events",
    "webhooks.endpoints.delete": "delete endpoints",
    "webhooks.endpoints.read": "list endpoints",
    "webhooks.endpoints.rotate": "replace the secret of an endpoint",
    "webhooks.endpoints.test": "send a test event to an endpoint",
    "webhooks.endpoints.update": "change endpoints",
}
"""`<module>.<feature>.<action>`, and what it lets one do. A route may ask for these alone."""

OWNER = "business_owner"
DEFAULT_ROLES: dict[str, tuple[str, ...]] = {
    OWNER: (EVERYTHING, "!superadmin.*"),
    "manager": (
        "audit.events.read",
        "identity.users.read",
        "inventory.*",
        "loyalty.*",
        "menu.*",
        "module_registry.modules.read",
        "orders_kds.*",
        "pos.*",
        "rbac.roles.read",
        "reporting.*",
        "support.tickets.create",
        "support.tickets.read",
    ),
    "cashier": (
        "loyalty.accounts.earn",
        "loyalty.accounts.read",
        "loyalty.accounts.redeem",
        "menu.items.read",
        "pos.payments.read",
        "pos.tickets.create",
        "pos.tickets.read",
    ),
    "kitchen": ("menu.items.read", "orders_kds.orders.read", "orders_kds.orders.update"),
    "inventory_manager": ("inventory.*", "menu.items.read", "reporting.reports.read"),
}
"""The roles that each tenant begins with."""

PLATFORM_ROLES: dict[str, tuple[str, ...]] = {SUPERADMIN: (EVERYTHING,)}
"""The roles of the platform's own administrators, whose tenant is `superadmin`."""

MAX_PATTERNS = 100
MAX_PATTERN_LENGTH = 128
_PATTERN = re.compile(r"!?(?:[a-z][a-z0-9_]*|\*)(?:\.(?:[a-z][a-z0-9_]*|\*)){0,4}")


class UnknownPermission(TieoutError):
    """A pattern matches no permission that exists; `subject` is the pattern."""

    code = "unknown_permission"


class TooManyPermissions(TieoutError):
    """A role, a key or the roles of a user have more patterns than a token can carry."""

    code = "too_many_permissions"


def check_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return `patterns` sorted and each once.

    Raises UnknownPermission where one stands for no permission that exists, and TooManyPermissions.
    """
    chosen = tuple(sorted(set(patterns)))
    for pattern in chosen:
        if not _stands_for_something(pattern):
            raise UnknownPermission(
                f"There is no permission {pattern[:MAX_PATTERN_LENGTH]!r}.",
                subject=pattern[:MAX_PATTERN_LENGTH],
                remedy="Use <module>.<feature>.<action>, a pattern such as pos.* or one taken away such as "
                "!superadmin.*; GET /v1/rbac/permissions lists them.",
            )
    if len(chosen) > MAX_PATTERNS:
        raise TooManyPermissions(
            f"{len(chosen)} patterns are more than {MAX_PATTERNS}.", remedy="Use patterns such as pos.*."
        )
    return chosen


def _stands_for_something(pattern: str) -> bool:
    if len(pattern) > MAX_PATTERN_LENGTH or not _PATTERN.fullmatch(pattern):
        return False
    return any(is_allowed((pattern.removeprefix("!"),), permission) for permission in PERMISSIONS)
