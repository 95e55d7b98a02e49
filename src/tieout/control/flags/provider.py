"""Our flags as a provider of OpenFeature; imported where a flag is asked for, for the SDK takes time to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from tieout.control.flags.registry import UnknownFlag

if TYPE_CHECKING:
    from tieout.control.flags.reading import Flags


class StateProvider(AbstractProvider):
    """Resolves a flag for the tenant that the targeting key names; without one, for all."""

    def __init__(self, flags: Flags) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        return Metadata(name="tieout")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: ARG002, FBT001 - the SDK's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Return the value of a boolean flag."""
        return self._resolve(flag_key, "boolean", evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,  # noqa: ARG002
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the value of a flag that is a text."""
        return self._resolve(flag_key, "text", evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,  # noqa: ARG002
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Return the value of a flag that is a whole number."""
        return self._resolve(flag_key, "integer", evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,  # noqa: ARG002
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Return the value of a flag that is a number."""
        return self._resolve(flag_key, "number", evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Any,  # noqa: ARG002
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        """Raise a mismatch of types: no flag is an object."""
        return self._resolve(flag_key, "object", evaluation_context)

    def _resolve(self, key: str, kind: str, context: EvaluationContext | None) -> FlagResolutionDetails[Any]:
        tenant = (context.targeting_key if context else None) or ""
        try:
            found = self._flags.resolved(key, tenant)
        except UnknownFlag as error:
            raise FlagNotFoundError(str(error)) from None
        if found.flag.kind != kind:
            raise TypeMismatchError(f"The flag {key} is {found.flag.kind}, not {kind}.")
        return FlagResolutionDetails(
            found.value, reason=Reason(found.reason), variant=found.variant, flag_metadata={"origin": found.origin}
        )
