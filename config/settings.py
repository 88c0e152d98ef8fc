"""Every setting that the environment can give, with its default: one class, read once at start.

The README's settings table and config/env.example are held against this class by a test.
"""

import os
import re
import socket
import sys
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from config.addresses import is_origin, networks, origin
from config.jwks import public_keys
from config.rates.settings import RateSettings
from config.secret_files import SecretFileError, SecretFiles
from config.smtp import mail_server

_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'+.^_`|~-]+")  # RFC 9110, 5.6.2, without *, which would mean any
Words = Annotated[tuple[str, ...], NoDecode]


class Settings(RateSettings):
    """Settings of one process. Unknown environment variables are ignored; a bad value ends the process.

    Each SecretStr may come from a file instead: config/secret_files.py.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 — pydantic passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, and files for secrets; an empty `NAME=` does not stand before a file."""
        return init_settings, SecretFiles(settings_cls), env_settings

    environment: Literal["development", "production"] = Field(
        "development", description="`production` demands keys, origins and a secure cookie, and has no introspection"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    data_dir: Path = Field(Path(".data"), description="Embedded stores and the development signing key live here")

    database_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL for the API's role; empty for `make run`: embedded"
    )
    worker_database_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL for the worker's role, which is not the API's; for worker, audits and `make migrate`",
    )
    database_owner_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL for the role that owns the tables: for `make migrate`, backup and restore alone",
    )
    database_replica_url: SecretStr = Field(
        SecretStr(""),
        description="A standby of DATABASE_URL's server for the API's role, for feeds, leaderboards and profiles;"
        " the same in all APIs",
    )
    database_pool_min: int = Field(2, ge=1, le=100, description="Connections that a process keeps open")
    database_pool_max: int = Field(20, ge=1, le=200, description="Connections that a process opens at most")
    database_statement_cache: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="Prepared statements per connection; empty: 256, and 0 where a pooler such as PgBouncer answers",
    )
    slow_statement_ms: int = Field(
        100, ge=1, le=30_000, description="A statement that takes longer is counted and logged with its plan"
    )
    postgres_bin: str = Field("", description="Folder of pg_dump, pg_restore and psql; empty: those on the PATH")
    backup_dir: Path = Field(Path("/var/backups/musclemap"), description="Where config/deploy/backup keeps its dumps")
    backup_days: int = Field(30, ge=1, le=3_650, description="Days that a dump is kept")
    redis_url: SecretStr = Field(SecretStr(""), description="Redis or Valkey; empty for `make run`: embedded")

    api_host: str = Field("127.0.0.1", description="Address that the API listens on")
    api_port: int = Field(8000, ge=1, le=65535, description="Port of the API and the demo page")
    api_processes: int = Field(
        1, ge=1, le=64, description="API processes on the port, each with connections to the stores of its own"
    )
    rt_host: str = Field("127.0.0.1", description="Address that the gateway listens on")
    rt_port: int = Field(8001, ge=1, le=65535, description="Port of the WebSocket gateway")
    rt_processes: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        le=256,
        description="Gateway processes on the port",
    )
    rt_drain_s: float = Field(20, ge=0, le=600, description="Seconds over which a stopping gateway sends clients away")
    rt_public_url: str = Field(
        "",
        description="WebSocket address that the demo page uses; empty: `/ws` behind TRUSTED_PROXIES,"
        " else this host, RT_PORT",
    )
    worker_host: str = Field("127.0.0.1", description="Address that the worker's /health, /ready, /metrics listen on")
    worker_port: int = Field(8002, ge=1, le=65535, description="Port of the worker's /health, /ready, /metrics")

    allowed_origins: Words = Field(
        (),
        description="Origins of browsers that may connect, comma-separated; in development also the API's own address",
    )
    admin_origins: Words = Field(
        (),
        description="Origins under which the admin page is at home, comma-separated; empty: only loopback, no proxy",
    )
    allowed_headers: Words = Field(
        (
            "apollo-require-preflight",
            "x-apollo-operation-name",
            "apollographql-client-name",
            "apollographql-client-version",
            "traceparent",
            "tracestate",
            "baggage",
            "sentry-trace",
        ),
        description="Headers that pages of ALLOWED_ORIGINS may send beside authorization, content-type, x-request-id",
    )
    trusted_proxies: Words = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For counts, comma-separated"
    )
    jwt_private_key: SecretStr = Field(
        SecretStr(""),
        description="EC P-256 key (PEM) that signs tokens; empty in development: made in DATA_DIR",
    )
    jwt_public_keys: str = Field(
        "", description="JWKS (JSON) that verifies tokens; empty: the set that the API keeps in Redis"
    )
    jwt_issuer: str = Field("musclemap", description="`iss` of every token")
    jwt_audience: str = Field("musclemap", description="`aud` of every token")
    access_token_s: int = Field(900, ge=30, le=86_400, description="Life of an access token, seconds")
    refresh_token_s: int = Field(604_800, ge=60, description="Life of a refresh token, seconds")
    cookie_secure: bool = Field(False, description="Refresh cookie only over HTTPS; must be true in production")

    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server, `smtps://user:password@host` or `smtp://user:password@host:587?starttls`; with it an"
        " e-mail address must be proven; empty: it need not, and in development links are logged",
    )
    mail_from: str = Field(
        "", description="Sender of mails, such as `MuscleMap <no-reply@example.org>`; SMTP_URL needs it"
    )
    public_url: str = Field(
        "", description="Address of the page in mails; empty: the first of ALLOWED_ORIGINS, else the API's own"
    )

    trial_days: int = Field(14, ge=0, le=3650, description="Unlimited use of a new account, days")
    welcome_credits: int = Field(100, ge=0, le=1_000_000, description="Credits that a new account is given")
    workout_cost: int = Field(25, ge=0, le=1_000_000, description="Credits that a workout costs after the trial")

    stripe_webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Signing secrets of the Stripe webhook, comma-separated while one replaces another; empty: none",
    )

    keep_community_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Days that the community's feed is kept, and its newest 1,000 events in any case",
    )
    keep_events_days: int = Field(
        90, ge=8, le=36_500, description="Days that recorded events are kept beside the feeds of their owners"
    )
    keep_sessions_days: int = Field(
        2, ge=2, le=36_500, description="Days that a session is kept after its end, with its refresh tokens"
    )

    otel_exporter_otlp_endpoint: str = Field(
        "", description="Base address of an OTLP/HTTP collector of traces; empty: nothing is traced"
    )
    otel_traces_sampler_arg: float = Field(0.01, ge=0, le=1, description="Share of requests that are traced")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="Address of a Sentry that hears of errors; empty: none")

    connections_max: int = Field(
        50_000, ge=1, description="Open sockets of one gateway process; fewer where it may open fewer files"
    )
    connections_per_user_max: int = Field(32, ge=1, description="Open sockets of one user in one gateway process")
    connections_per_address_max: int = Field(
        200,
        ge=1,
        description="Open connections of one address (IPv6: one /64) in one process, gateway or API;"
        " loopback is exempt, see below",
    )
    loopback_lenient: bool = Field(
        True, description="Loopback without TRUSTED_PROXIES and forwarding header is exempt from rate limits"
    )
    ticket_secret: SecretStr = Field(
        SecretStr(""), description="Key of resume tickets; empty: made once and kept in Redis"
    )
    rt_open_namespaces: Words = Field((), description="App namespaces whose channels anybody may join, comma-separated")

    feed_rate: Words = Field(
        ("community=20",),
        description="Frames a second of a channel, by `community`, `profile`, `user` or `app:{namespace}`; above it"
        " a digest says what was skipped; not named or 0: no bound",
    )

    presence_partitions: int = Field(16, ge=1, le=1024, description="Partitions of presence; one value for a cluster")
    map_k: Annotated[tuple[int, int, int], NoDecode] = Field(
        (5, 10, 20), description="Fewest people shown in a cell of resolution 0-3, 4-5, 6-7"
    )
    map_tick_s: Annotated[tuple[float, float, float], NoDecode] = Field(
        (1.0, 10.0, 60.0), description="Seconds between changes of resolution 0-3, 4-5, 6-7"
    )
    map_settled_s: int = Field(86_400, ge=0, description="Age from which an account counts in resolutions 4-7, seconds")
    map_secret: SecretStr = Field(
        SecretStr(""), description="Key that varies the map's thresholds; empty: made once and kept in Redis"
    )
    map_hidden: Words = Field(
        (),
        description="Places that the map never shows: H3 cells or circles `lat,lng,radius-km`, separated by semicolons",
    )

    @field_validator(
        "allowed_origins",
        "admin_origins",
        "allowed_headers",
        "trusted_proxies",
        "rt_open_namespaces",
        "feed_rate",
        mode="before",
    )
    @classmethod
    def _split_words(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("database_statement_cache", mode="before")
    @classmethod
    def _may_be_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("jwt_public_keys")
    @classmethod
    def _are_public(cls, value: str) -> str:
        if value:
            public_keys(value)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            mail_server(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _is_page(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("must be an address that begins with https:// or http://")
        return value.rstrip("/")

    @field_validator("map_hidden", mode="before")
    @classmethod
    def _split_places(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(";") if word.strip()) if isinstance(value, str) else value

    @field_validator("map_k", "map_tick_s", mode="before")
    @classmethod
    def _split_numbers(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        if self.database_pool_min > self.database_pool_max:
            raise ValueError("DATABASE_POOL_MIN is greater than DATABASE_POOL_MAX")
        if not all(is_origin(word) for word in self.allowed_origins):
            raise ValueError(
                "ALLOWED_ORIGINS must be origins as browsers send them: scheme://host or scheme://host:port, in lower"
                " case, without path and default port; no * and no null"
            )
        if not all(is_origin(word) for word in self.admin_origins):
            raise ValueError("ADMIN_ORIGINS must be origins as browsers send them: scheme://host or scheme://host:port")
        try:
            networks(self.trusted_proxies)
        except ValueError:
            raise ValueError("TRUSTED_PROXIES must be addresses or networks, such as 127.0.0.1,10.0.0.0/8") from None
        if not all(_TOKEN.fullmatch(name) for name in self.allowed_headers):
            raise ValueError("ALLOWED_HEADERS must be names of headers")
        if min(self.map_k) < 1 or min(self.map_tick_s) < 0.1:
            raise ValueError("MAP_K must be at least 1 each and MAP_TICK_S at least 0.1 each")
        if self.smtp_url.get_secret_value() and not _is_sender(self.mail_from):
            raise ValueError("MAIL_FROM must be an e-mail address where SMTP_URL is set")
        try:
            _ = self.hidden_places
        except ValueError:
            raise ValueError("MAP_HIDDEN must be H3 cells or circles lat,lng,radius-km (at most 1000 km)") from None
        try:
            usable = all(rate == 0 or 2 <= rate <= 1000 for rate in self.feed_rates.values())
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("FEED_RATE must be name=rate pairs with rates of 2 to 1000, or 0 for no bound")
        return self

    @property
    def feed_rates(self) -> dict[str, float]:
        """FEED_RATE as a mapping; raises ValueError where a rate is no number."""
        return {name: float(rate) for name, _, rate in (word.rpartition("=") for word in self.feed_rate)}

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """STRIPE_WEBHOOK_SECRET as the secrets that it lists."""
        given = self.stripe_webhook_secret.get_secret_value().split(",")
        return tuple(secret.strip() for secret in given if secret.strip())

    @property
    def hidden_places(self) -> tuple[str | tuple[float, float, float], ...]:
        """MAP_HIDDEN as H3 cells (hexadecimal) and circles (degrees, km); raises ValueError where one is neither."""
        return tuple(_place(word) for word in self.map_hidden)

    @property
    def origins(self) -> frozenset[str]:
        """Exact origins whose browsers may connect; in development the API's own address is one of them."""
        own = {origin("http", host, self.api_port) for host in {"localhost", "127.0.0.1", self.api_host}}
        return frozenset(self.allowed_origins) | (own if self.environment == "development" else set())

    @property
    def mails(self) -> bool:
        """Whether mails leave: by SMTP_URL, or in development into the log."""
        return bool(self.smtp_url.get_secret_value()) or self.environment == "development"

    @property
    def page_url(self) -> str:
        """Where the page is, for the links of mails, without / at its end: never what a request says."""
        return self.public_url or next(iter(self.allowed_origins), origin("http", self.api_host, self.api_port))

    @property
    def hosts(self) -> frozenset[str]:
        """Names under which this machine is asked for what not everybody may read: see config.addresses.names_us."""
        named = {urlsplit(origin).hostname or "" for origin in self.origins.union(self.admin_origins)}
        return frozenset({"localhost", socket.gethostname().lower(), *named})

    def require(self, *names: str, in_production: Sequence[str] = ()) -> None:
        """Ends the process with one clear line when a setting that this role needs is empty (or false)."""
        for name in names:
            if not self._given(name):
                sys.exit(
                    f'{name.upper()} is not set: give it in the environment; beside `make run`: `eval "$(make env)"`'
                )
        for name in in_production:
            if self.environment == "production" and not self._given(name):
                sys.exit(f"{name.upper()} is not set: ENVIRONMENT=production needs it")

    def _given(self, name: str) -> bool:
        value = getattr(self, name)
        return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _is_sender(word: str) -> bool:
    """Whether a mail can be from this (RFC 5322, 3.4: an address, or a name with one in angle brackets)."""
    try:
        return bool(Address(addr_spec=parseaddr(word)[1]).domain)
    except (MessageError, ValueError, IndexError):
        return False


def _place(word: str) -> str | tuple[float, float, float]:
    from h3.api import basic_str as h3  # here: it takes a tenth of a second, and most processes need none of it

    if h3.is_valid_cell(word):
        return word
    lat, lng, radius_km = map(float, word.split(","))
    if not (-90 <= lat <= 90 and -180 <= lng <= 180 and 0 < radius_km <= 1_000):  # NaN is none of these
        raise ValueError("no place")
    return lat, lng, radius_km


@lru_cache(maxsize=1)
def load() -> Settings:
    """The process's settings; a bad value ends the process with a line that names it and never its content."""
    try:
        return Settings()
    except SecretFileError as error:
        sys.exit(f"bad setting {error}")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "".join(f"{part}" for part in first["loc"][:1]).upper()
        sys.exit(f"bad setting {where}: {first['msg'].removeprefix('Value error, ')}".replace("setting :", "setting:"))
