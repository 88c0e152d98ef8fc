"""OpenFeature asks our provider."""

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from api.flags.provider import Provider
from api.flags.rules import CHALLENGES, State


def client_of(provider: Provider) -> OpenFeatureClient:
    domain = f"test-{id(provider)}"
    api.set_provider_and_wait(provider, domain)
    return api.get_client(domain)


def test_it_answers_with_a_reason_and_the_version() -> None:
    provider = Provider()
    client = client_of(provider)
    assert client.get_boolean_details(CHALLENGES, True).reason == Reason.DEFAULT
    assert provider.know({CHALLENGES: State(False, 100.0, version=3)}) == [CHALLENGES]
    assert provider.know({CHALLENGES: State(False, 100.0, version=3)}) == []
    found = client.get_boolean_details(CHALLENGES, True)
    assert (found.value, found.reason, found.variant, found.flag_metadata) == (
        False,
        Reason.STATIC,
        "off",
        {"version": 3},
    )
    mine = client.get_boolean_details(CHALLENGES, False, EvaluationContext("somebody"))
    assert (mine.value, mine.reason) == (True, Reason.SPLIT)


def test_what_it_does_not_know_is_the_default_of_whoever_asks() -> None:
    client = client_of(Provider())
    found = client.get_boolean_details("no-flag", True)
    assert (found.value, found.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    assert client.get_string_details(CHALLENGES, "a").error_code == ErrorCode.TYPE_MISMATCH
    assert client.get_integer_value(CHALLENGES, 7) == 7
    assert client.get_float_value(CHALLENGES, 0.5) == 0.5
    assert client.get_object_value(CHALLENGES, {"a": 1}) == {"a": 1}
