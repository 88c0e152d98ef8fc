"""Signing and verifying agree; keys are named by what they are."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from api.accounts.access import Authenticator
from api.accounts.rules import User
from api.accounts.tokens import Signer, load_signer, public_jwk
from config.errors import Unauthenticated
from config.settings import Settings
from rt.auth.tokens import Access, Keys, TokenExpired, verify_access
from tests.support.tokens import private_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADA = User(uuid4(), uuid4(), "ada@example.com", "Ada", ("user", "coach"), "premium", "followers", NOW)


def nobody(_: Access) -> bool:
    """Nobody was signed out."""
    return False


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def signer(settings: Settings) -> Signer:
    return load_signer(settings)


def test_the_gateway_reads_what_the_api_signs(signer: Signer) -> None:
    """Seen failing with `typ` JWT in the header."""
    session = uuid4()
    token = signer.access_token(ADA, session, NOW)
    keys = Keys.from_jwks(orjson.dumps(signer.key_set()))
    access = verify_access(token, keys, "musclemap", "musclemap", NOW.timestamp())
    assert (access.user, access.sid) == (str(ADA.id), str(session))
    assert (access.roles, access.tier, access.presence_audience) == (("user", "coach"), "premium", "followers")
    assert access.expires_at - access.issued_at == 900
    assert access.account_created_at == int(NOW.timestamp())
    with pytest.raises(TokenExpired):
        verify_access(token, keys, "musclemap", "musclemap", NOW.timestamp() + 900)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": signer.kid, "typ": "at+jwt"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["email"] == "ada@example.com"
    assert UUID(claims["jti"])


def test_a_key_is_named_by_its_thumbprint() -> None:
    """The example of RFC 7638 is RSA, so the rule is held against its own definition: members sorted, no blanks."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    jwk = public_jwk(key)
    assert {"kty", "crv", "x", "y", "kid", "alg", "use"} == set(jwk)
    assert jwk == public_jwk(key)
    assert len(jwk["kid"]) == 43
    assert "d" not in jwk


def test_a_key_may_stand_on_one_line() -> None:
    """With `\\n` for the ends of its lines. Seen failing with "not an unencrypted private key in PEM form"."""
    pem = private_key()
    kids = {
        load_signer(Settings(jwt_private_key=SecretStr(given))).kid
        for given in (pem, pem.replace("\n", "\\n"), pem.strip().replace("\n", "\r\n"), pem.replace("\n", "\\r\\n"))
    }
    assert len(kids) == 1


def test_the_development_key_is_made_once_and_kept_to_its_owner(settings: Settings) -> None:
    """Seen failing with a rename instead of the link: the second start made another key."""
    first = load_signer(settings)
    assert load_signer(settings).kid == first.kid
    path = settings.data_dir / "jwt-private.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in settings.data_dir.iterdir()] == ["jwt-private.pem"]


@pytest.mark.parametrize("curve", [ec.SECP384R1(), None])
def test_a_key_of_another_kind_ends_the_process_with_one_line(curve: ec.EllipticCurve | None) -> None:
    pem = "no key"
    if curve is not None:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = ec.generate_private_key(curve).private_bytes(encoding, form, serialization.NoEncryption()).decode()
    with pytest.raises(SystemExit, match="bad setting JWT_PRIVATE_KEY"):
        load_signer(Settings(jwt_private_key=pem))


def test_a_replaced_key_still_verifies(settings: Settings, signer: Signer, tmp_path: Path) -> None:
    """Key rotation by `kid`: JWT_PUBLIC_KEYS adds the old key to the published set."""
    old = orjson.dumps(signer.key_set()).decode()
    rotated = Settings(data_dir=tmp_path / "new", jwt_public_keys=old)
    new = load_signer(rotated)
    assert [key["kid"] for key in new.key_set()["keys"]] == [new.kid, signer.kid]
    authenticate = Authenticator(new, rotated, nobody, clock=NOW.timestamp)
    assert authenticate(f"Bearer {signer.access_token(ADA, uuid4(), NOW)}") is not None


def test_a_token_is_remembered_and_forgotten_at_its_end(settings: Settings, signer: Signer) -> None:
    """Seen failing with the expiry left unchecked for remembered tokens."""
    now = NOW.timestamp()
    authenticate = Authenticator(signer, settings, nobody, clock=lambda: now)
    header = f"Bearer {signer.access_token(ADA, uuid4(), NOW)}"
    first = authenticate(header)
    assert authenticate(header) is first
    now += 900
    with pytest.raises(Unauthenticated, match="expired"):
        authenticate(header)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c", f"Bearer {'x' * 10_000}"])
def test_a_bad_header_never_makes_anybody_anonymous(settings: Settings, signer: Signer, header: str) -> None:
    with pytest.raises(Unauthenticated):
        Authenticator(signer, settings, nobody)(header)
    assert Authenticator(signer, settings, nobody)(None) is None
