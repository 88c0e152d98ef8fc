"""The people of `make load`, by name, on the product that `make run` has started, or on one's own (`--i-own HOST`).

`make load ARGS="Athlete FeedClient"` takes only these two; `--mix`, `--check`, `--html` and the others are in the docs
(api/web/docs/load.md).
"""

from loadtest.run.start import set_up
from loadtest.users.asker import ApiUser
from loadtest.users.athlete import Athlete
from loadtest.users.hard import ReconnectStorm, SlowReader
from loadtest.users.subscriber import GraphqlSubscriber
from loadtest.users.watchers import FeedClient, MapWidget

__all__ = ["ApiUser", "Athlete", "FeedClient", "GraphqlSubscriber", "MapWidget", "ReconnectStorm", "SlowReader"]

set_up()
