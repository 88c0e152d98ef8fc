"""The provider that OpenFeature asks: it answers from memory, so a flag costs no statement.

What it knows stays until it is told otherwise: a store that is away changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from api.flags.rules import DEFAULTS, UNSET, State, Why, decide

_REASONS: Final = {
    Why.NAMED: Reason.TARGETING_MATCH,
    Why.PERCENT: Reason.SPLIT,
    Why.SET: Reason.STATIC,
    Why.DEFAULT: Reason.DEFAULT,
}
Value = TypeVar("Value")


class Provider(AbstractProvider):
    """See the module. Every flag is a boolean; its targeting key is a user's id."""

    def __init__(self) -> None:
        super().__init__()
        self._states: Mapping[str, State] = {}

    def know(self, states: Mapping[str, State]) -> list[str]:
        """Takes over what flags are set to; the keys that have changed."""
        before, self._states = self._states, states
        changed = [key for key in DEFAULTS if before.get(key, UNSET) != states.get(key, UNSET)]
        if changed:
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=changed))
        return changed

    def get_metadata(self) -> Metadata:
        """Its name."""
        return Metadata("musclemap")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Whether it is on, and why; a flag that the code does not list is an error."""
        if flag_key not in DEFAULTS:
            return FlagResolutionDetails(default_value, ErrorCode.FLAG_NOT_FOUND, reason=Reason.ERROR)
        state = self._states.get(flag_key, UNSET)
        user = evaluation_context.targeting_key if evaluation_context else None
        on, why = decide(flag_key, default_value, state, user)
        return FlagResolutionDetails(
            on, reason=_REASONS[why], variant="on" if on else "off", flag_metadata={"version": state.version}
        )

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """No flag is one."""
        return _mismatch(default_value)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """No flag is one."""
        return _mismatch(default_value)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """No flag is one."""
        return _mismatch(default_value)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        """No flag is one."""
        return _mismatch(default_value)


def _mismatch(default: Value) -> FlagResolutionDetails[Value]:
    return FlagResolutionDetails(default, ErrorCode.TYPE_MISMATCH, reason=Reason.ERROR)
