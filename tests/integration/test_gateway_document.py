"""The protocol's document against a gateway of real processes: what it shows is asked, and what comes back is in it."""

import json
from pathlib import Path
from typing import Any

from rt.wire.channels import COMMUNITY, profile_channel
from rt.wire.inbound import TYPES
from tests.support.asyncapi import MESSAGES, OPERATIONS, Check, examples_of, judge, names_of, payload_schema, type_of
from tests.support.gateway import EPOCH, Gateway, Talk, gateway

USER = "0199a1c2-7d00-7000-8000-00000000abcd"
ASKED_OF_A_CLIENT = ("heartbeat", "subscribe", "unsubscribe", "viewport", "refresh", "ping")
FREE = {"event", "digest"}  # events of these tests are of no type of the product


async def test_each_question_that_is_shown_has_an_answer_that_is_documented(redis_url: str, tmp_path: Path) -> None:
    """Everything heard fits its schema, to the field, and the answer to each question is one of its operation's reply.

    Seen failing with `pong` for the reply to `heartbeat`, and with `resolution` left out of the schema of `tiles`.
    """
    heard: list[tuple[str | None, dict[str, Any]]] = []  # (the question, what came)
    async with gateway(redis_url, tmp_path) as gate:
        await gate.feeds.make(COMMUNITY)
        await gate.feeds.make(profile_channel(USER))
        tokens = {"connect": gate.mint.access(USER), "refresh": gate.mint.access(USER)}
        tokens["subscribe"] = gate.mint.channel(USER, f"profile:{USER}")
        for example in examples_of("connect"):
            async with gate.socket() as talk:
                await ask(talk, real(example, tokens, await ticket(gate)), heard)
        async with gate.client(USER) as talk, gate.feeds.answering():
            for kind in ASKED_OF_A_CLIENT:
                for example in examples_of(kind):
                    await ask(talk, real(example, tokens), heard)
                await ask(talk, {"type": kind, "channel": 5, "west": 5, "token": 5, "lat": 500}, heard)
            await talk.say("leave")
            assert await talk.closed() == 1000
    assert {kind for kind, _ in heard if kind} == TYPES - {"leave"}
    checks = []
    for question, message in heard:
        names = {name for name in MESSAGES if name not in TYPES and type_of(name) == message["type"]}
        if question is not None:
            assert names & names_of(OPERATIONS[question]["reply"]["messages"]), (question, message)
        checks += [Check(message["type"], payload_schema(name), message) for name in names - FREE]
    assert judge(checks, text=None).values == []
    assert {"welcome", "ack", "subscribed", "viewport", "refreshed", "pong", "error"} <= {m["type"] for _, m in heard}


def real(example: dict[str, Any], tokens: dict[str, str], resume: str | None = None) -> dict[str, Any]:
    """The example with a token, ticket and epoch that this gateway knows."""
    message = dict(example)
    if "token" in message:
        message["token"] = tokens[message["type"]]
    if "resume" in message:
        message["resume"] = resume
    if "since" in message:
        message["since"] = {"epoch": EPOCH, "offset": 0}
    return message


async def ticket(gate: Gateway) -> str:
    """What lets a user come back without a token."""
    async with gate.socket() as talk:
        resume: str = (await talk.ask("connect", token=gate.mint.access(USER)))["resume"]
        return resume


async def ask(talk: Talk, message: dict[str, Any], heard: list[tuple[str | None, dict[str, Any]]]) -> None:
    """Says it with an id and hears up to the answer."""
    await talk.socket.send(json.dumps(message | {"id": "q"}))
    while True:
        answer = await talk.hear()
        is_answer = answer.get("id") == "q"
        heard.append((message["type"] if is_answer else None, answer))
        if is_answer:
            return
