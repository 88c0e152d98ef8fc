"""Asks every gateway process, and collects what they answer."""

import time
from typing import Final, NamedTuple, cast

from config.limits import INQUIRY_ANSWER_S
from config.redis import RedisClient
from rt.wire.inquiry import INQUIRY_CHANNEL, Answer, Inquiry, answers_key, decode_answer, encode

__all__ = ["Look", "ask"]

_WAIT_S_MIN: Final = 0.01  # Redis takes 0 for ever


class Look(NamedTuple):
    """What was answered, and how many processes were asked; `at` by the steady clock."""

    at: float
    asked: int
    answers: list[Answer]


async def ask(redis: RedisClient, inquiry: Inquiry) -> Look:
    """What all answer within INQUIRY_ANSWER_S. Raises RedisError, OSError or TimeoutError."""
    answers: list[Answer] = []
    asked = int(await redis.publish(INQUIRY_CHANNEL, encode(inquiry)))
    end = time.monotonic() + INQUIRY_ANSWER_S
    while len(answers) < asked and (left_s := end - time.monotonic()) > 0:
        told = await redis.blpop([answers_key(inquiry.id)], timeout=max(left_s, _WAIT_S_MIN))
        answer = decode_answer(cast("bytes", told[1])) if told else None
        if answer is not None:
            answers.append(answer)
    return Look(time.monotonic(), asked, answers)
