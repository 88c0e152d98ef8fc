"""A key set is public, or the process does not start."""

import json
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.accounts.tokens import load_signer
from config.jwks import public_keys
from config.settings import Settings
from rt.auth.tokens import Keys
from tests.support import forks
from tests.support.stores import environment

KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(KEY, as_dict=True) | {"kid": "old"}
PUBLIC = {name: value for name, value in PRIVATE.items() if name != "d"}


def text(*keys: Any) -> str:
    return orjson.dumps({"keys": keys}).decode()


@pytest.mark.parametrize("role", ["rt", "api", "worker"])
def test_a_private_part_ends_the_start_with_one_line(role: str) -> None:
    """Seen failing: the API started, and /.well-known/jwks.json and Redis had `d`."""
    env = environment(JWT_PUBLIC_KEYS=text(PRIVATE), DATABASE_URL="x", REDIS_URL="x")
    ended = forks.run(role, env=env)
    assert ended.returncode == 1
    assert ended.stderr.startswith("bad setting JWT_PUBLIC_KEYS: key 1 has its private part (d)")
    assert ended.stderr.count("\n") == 1
    assert PRIVATE["d"] not in ended.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"keys": 5}',
        '{"keys": [5]}',
        text({**PUBLIC, "kid": None}),
        text(PUBLIC, PRIVATE),
        text({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}),
        text({"kty": "RSA", "n": "x", "e": "AQAB", "p": "y", "kid": "r"}),
    ],
)
def test_what_is_no_public_set_is_refused(wrong: str) -> None:
    """Seen failing: a KeyError at the start for a key without `kid`; the symmetric key was published."""
    with pytest.raises(ValidationError, match="jwt_public_keys"):
        Settings(jwt_public_keys=wrong)


def test_what_is_published_is_a_list_of_its_own(tmp_path: Any) -> None:
    """Seen failing with the keys published as they were given."""
    extra = {**PUBLIC, "x5c": ["certificate"], "note": "made by Ada"}
    rsa = {"kty": "RSA", "n": "x", "e": "AQAB", "kid": "r"}
    signer = load_signer(Settings(data_dir=tmp_path, jwt_public_keys=text(extra, rsa)))
    own, given_one = signer.key_set()["keys"]
    assert (own["kid"], given_one) == (signer.kid, PUBLIC)
    assert list(Keys.from_jwks(orjson.dumps(signer.key_set())).by_kid) == [signer.kid, "old"]


@given(st.text() | st.recursive(st.none() | st.text(), lambda x: st.dictionaries(st.text(), x)).map(json.dumps))
def test_any_text_is_a_set_or_a_value_error(anything: str) -> None:
    try:
        public_keys(anything)
    except ValueError as refused:
        assert len(str(refused)) < 200  # noqa: PT017 - either outcome is right


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=50),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=5,
)


@given(st.sampled_from(("kty", "crv", "x", "y", "kid", "alg", "use", "key_ops")), JSON)
def test_a_key_of_odd_types_is_left_out(name: str, value: Any) -> None:
    """By whoever reads the set from Redis: one key of odd types must not hide the others."""
    other = {**PUBLIC, "kid": "good"}
    assert "good" in Keys.from_jwks(json.dumps({"keys": [{**PUBLIC, name: value}, other]})).by_kid
