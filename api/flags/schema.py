"""Flags in GraphQL."""

from typing import Any

from api.flags.service import Flag, Flags
from api.graphql.context import Info, context_of, service_of
from api.graphql.schema import feature


def _flags(_: Any, info: Info) -> list[Flag]:
    viewer = context_of(info).viewer
    return service_of(info, Flags).all(viewer.user if viewer else None)


FEATURE = feature(__file__, {"Query": {"flags": _flags}})
