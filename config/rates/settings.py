"""The settings of the rate limits; config/settings.py is the class that has them all."""

from pydantic import Field
from pydantic_settings import BaseSettings


class RateSettings(BaseSettings):
    """Each of them is a whole number, at least 1."""

    limit_anonymous: int = Field(
        60, ge=1, description="Requests a minute of one address (IPv6: one /64) by who is not signed in"
    )
    limit_signed_in: int = Field(1_000, ge=1, description="Requests a minute of a user")
    limit_premium: int = Field(5_000, ge=1, description="Requests a minute of a premium user")
    limit_mutations: int = Field(100, ge=1, description="Mutations a minute of a user")
    limit_mutations_premium: int = Field(500, ge=1, description="Mutations a minute of a premium user")
    limit_sign_in_address: int = Field(10, ge=1, description="Sign-ins a minute of one address")
    limit_sign_in_account: int = Field(5, ge=1, description="Sign-ins a minute of one account that fail")
    limit_sign_up: int = Field(5, ge=1, description="Sign-ups an hour of one address")
