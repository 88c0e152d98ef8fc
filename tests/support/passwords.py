"""Argon2 that costs next to nothing: what the product's costs, 0.2 s of CPU for each sign-up and sign-in, is the matter
of few tests."""

from typing import Final

from argon2 import PasswordHasher

from api.accounts import passwords

QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hurry() -> None:
    """For what this process hashes from now on; a hash that is there is verified at its own cost."""
    vars(passwords)["_hasher"] = QUICK
