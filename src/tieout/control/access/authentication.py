"""From the header of a request to its caller."""

from __future__ import annotations

from tieout.control.access.caller import Caller, NotSignedIn
from tieout.control.platform import Platform
from tieout.core.actor import Actor


def authenticate(platform: Platform, authorization: str | None, where: Actor) -> Caller:  # noqa: ARG001
    """Return who the header `Authorization` names; `where` is the request's address and id.

    Raises NotSignedIn.
    """
    raise NotSignedIn("Sign in first: the request has no valid token.")
