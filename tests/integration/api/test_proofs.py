"""Proof of an address, over a real mail server: joining and a new password by links, and what strangers learn of it."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from config.limits import PROOFS_PER_ADDRESS_MAX
from tests.integration.api.conftest import Running
from tests.support.ledger import connection
from tests.support.mails import ARRIVES_S, Mailbox, link_in, mailbox
from tests.support.processes import Fleet
from tests.support.stores import TestStores
from tests.support.traces import in_tables

AUTH = "/api/v1/auth"
PASSWORD = "correct horse battery"
OTHER = "another horse battery"


@dataclass
class Mailing:
    """An API that mails, and the mailbox of everybody."""

    running: Running
    box: Mailbox

    def post(self, path: str, **body: str) -> httpx2.Response:
        headers = {"content-type": "application/json"}
        with httpx2.Client(base_url=self.running.url, timeout=30) as client:
            return client.post(f"{AUTH}/{path}", content=json.dumps(body), headers=headers)

    def register(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        return self.post("register", email=email, password=password, name="Ada")

    def signs_in(self, email: str, password: str = PASSWORD) -> bool:
        answer = self.post("login", email=email, password=password)
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    def joined(self) -> str:
        """The address of somebody who has proven it."""
        email = address()
        self.register(email)
        assert self.post("verify", token=self.token(email)).status_code == 204
        return email

    def token(self, email: str, count: int = 1) -> str:
        """Of the newest of so many mails."""
        return link_in(self.box.to(email, count)[-1])[2]

    def waits(self) -> bool:
        return bool(self.running.sql("SELECT FROM proofs WHERE send_at IS NOT NULL"))


@pytest.fixture(scope="module")
def mailing(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailing]:
    database = stores.make_database()
    folder = tmp_path_factory.mktemp("mailing")
    with mailbox(folder) as box:
        urls = {"DATABASE_URL": database.url, "DATABASE_OWNER_URL": database.owner_url}
        # A logical database of its own: the keys of this API are not those of the run's gateways.
        redis = stores.redis_url.removesuffix("/0") + "/6"
        env = {**stores.environment(), **urls, "REDIS_URL": redis}
        fleet = Fleet(env, folder, roles=("api",), settings=box.settings("https://muscles.example/"))
        try:
            fleet.api.launch()
            asyncio.run(fleet.api.wait_ready())
            yield Mailing(Running(fleet.api, database, fleet.env), box)
        finally:
            fleet.clean_up()
            stores.drop_database(database)


def address() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_an_account_opens_by_the_link_and_not_before(mailing: Mailing) -> None:
    email = address()
    answer = mailing.register(email)
    assert (answer.status_code, answer.json()) == (202, {})
    assert not mailing.signs_in(email)
    (mail,) = mailing.box.to(email)
    link, word, token = link_in(mail)
    assert link == f"https://muscles.example/#verify={token}"
    assert (word, mail["From"], mail["Auto-Submitted"]) == (
        "verify",
        "MuscleMap <no-reply@example.org>",
        "auto-generated",
    )
    assert mail["Message-ID"].endswith("@example.org>")
    assert "Ada" not in mail.as_string()  # no word of whoever asked
    assert not mailing.signs_in(email)
    answers = [mailing.post("verify", token=token) for _ in range(2)]
    assert [one.status_code for one in answers] == [204, 400]
    assert answers[1].json()["error"]["code"] == "BAD_INPUT"
    assert mailing.signs_in(email)
    mailing.running.service.logged("http_request", answers[1].headers["x-request-id"])
    log = mailing.running.service.log.read_text()
    assert token not in log
    assert email not in log


def test_a_taken_address_hears_of_it_by_mail_alone(mailing: Mailing) -> None:
    """Seen failing with a 409."""
    email = mailing.joined()
    answer = mailing.register(email, OTHER)
    assert (answer.status_code, answer.json()) == (202, {})
    mail = mailing.box.to(email, 2)[-1]
    assert "You have an account" in mail["Subject"]
    assert "#" not in mail.get_content()
    assert mailing.signs_in(email)
    assert not mailing.signs_in(email, OTHER)


def test_whoever_signs_up_with_an_address_of_somebody_else_holds_nothing(mailing: Mailing) -> None:
    """Each link opens what its own sign-up said, and the first one that is used wins. Seen failing with a sign-up that
    replaces the one before: its password would be another's."""
    email = address()
    mailing.register(email)
    own = mailing.token(email)
    mailing.register(email, OTHER)
    foreign = mailing.token(email, 2)
    assert mailing.post("verify", token=own).status_code == 204
    assert mailing.post("verify", token=foreign).status_code == 400
    assert mailing.signs_in(email)
    assert not mailing.signs_in(email, OTHER)


def test_a_new_password_ends_every_session(mailing: Mailing) -> None:
    """Seen failing with sessions left as they were, and with a link that was good twice."""
    email = mailing.joined()
    with httpx2.Client(base_url=mailing.running.url, timeout=30) as client:
        signed_in = client.post(f"{AUTH}/login", json={"email": email, "password": PASSWORD})
        headers = {"authorization": f"Bearer {signed_in.json()['accessToken']}"}
        answer = mailing.post("reset", email=email.upper())
        assert (answer.status_code, answer.json()) == (202, {})
        link, word, token = link_in(mailing.box.to(email, 2)[-1])
        assert (link, word) == (f"https://muscles.example/#reset={token}", "reset")
        assert mailing.post("verify", token=token).status_code == 400  # it is for something else
        assert mailing.post("reset/confirm", token=token, password="short").status_code == 400
        answers = [mailing.post("reset/confirm", token=token, password=OTHER) for _ in range(2)]
        assert [one.status_code for one in answers] == [204, 400]
        assert client.post(f"{AUTH}/refresh", headers={"content-type": "application/json"}).status_code == 401
        refused = client.post("/api/graphql", json={"query": "{ me { id } }"}, headers=headers)
        assert refused.status_code == 401
    assert mailing.signs_in(email, OTHER)
    assert not mailing.signs_in(email)
    reasons = mailing.running.sql(
        "SELECT revoked_reason FROM sessions JOIN users ON users.id = user_id WHERE email = $1 ORDER BY revoked_at",
        email,
    )
    assert reasons[0]["revoked_reason"] == "password"


def test_an_address_gets_few_mails_and_strangers_hear_the_same(mailing: Mailing) -> None:
    """Seen failing with a bound of 100 mails."""
    known, unknown = mailing.joined(), address()
    for _ in range(PROOFS_PER_ADDRESS_MAX + 1):
        for email in (known, unknown):
            answer = mailing.post("reset", email=email)
            assert (answer.status_code, answer.json()) == (202, {})
    assert mailing.post("reset", email="no address").status_code == 202
    last = mailing.joined()
    mailing.box.to(last)  # what was asked for before has left by now
    assert not mailing.waits()
    got = [mail["To"] for mail in mailing.box.mails]
    assert got.count(known) == PROOFS_PER_ADDRESS_MAX + 1  # the sign-up's own went with its proof
    assert got.count(unknown) == 0


def test_a_link_is_over_after_an_hour_and_its_token_is_nowhere(mailing: Mailing) -> None:
    """Seen failing with the token in place of its hash."""
    email = address()
    mailing.register(email)
    token = mailing.token(email)

    async def found() -> set[str]:
        async with connection(mailing.running.database.owner_url) as owner:
            return await in_tables(owner, token)

    assert asyncio.run(found()) == set()
    mailing.running.sql("UPDATE proofs SET expires_at = now() WHERE email = $1", email)
    assert mailing.post("verify", token=token).status_code == 400
    for wrong in ("", "x" * 43, "\x00", "ü", "\ud800"):
        assert mailing.post("verify", token=wrong).status_code == 400, repr(wrong)
    assert mailing.register("no address").status_code == 400
    assert mailing.register(address(), "short").status_code == 400


def test_a_mail_server_that_refuses_is_asked_again_and_no_more(mailing: Mailing) -> None:
    """Away for now: again later. Refused for good: never again. Seen failing without the time of the next try."""
    away, refused = address(), address()
    state = "SELECT send_at > now() AS later, tries FROM proofs WHERE email = $1"
    mailing.box.answer = "451 not now"
    try:
        mailing.register(away)
        _until(lambda: mailing.running.sql(state, away)[0]["tries"] == 1)
        assert mailing.running.sql(state, away)[0]["later"] is True
    finally:
        mailing.box.answer = "550 there is nobody of this name"
    try:
        mailing.register(refused)
        _until(lambda: mailing.running.sql(state, refused)[0]["later"] is None)
    finally:
        mailing.box.answer = "250 OK"
    mailing.running.sql("UPDATE proofs SET send_at = now() WHERE email = $1", away)
    assert mailing.post("verify", token=mailing.token(away)).status_code == 204
    assert mailing.running.service.logged("mail_not_sent")
    assert away not in mailing.running.service.log.read_text()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ARRIVES_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
