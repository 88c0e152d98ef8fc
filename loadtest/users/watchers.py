"""People without an account, on the page or on other people's pages that show its widgets."""

import os
import random

from locust import between, task

from loadtest.run.counts import counted
from loadtest.users.boxes import box_around
from loadtest.users.person import WELCOME_S, Person

_PAGE = "{ communityFeed(first: 20) { edges { cursor node { type createdAt data } } position { epoch offset } } }"
_PLACES = ((51.5, -0.1), (40.7, -74.0), (35.7, 139.7), (-23.5, -46.6), (28.6, 77.2), (6.5, 3.4), (52.5, 13.4))


class FeedClient(Person):
    """Keeps the community feed open: its newest page by GraphQL, and from there on live."""

    weight = 50
    wait_time = between(30, 90)

    def on_start(self) -> None:
        """The page is what is loaded again, too, where this one's place is too old."""
        super().on_start()
        live = self.come()
        live.subscribe("community", state=lambda _lost: self._page())
        live.start(WELCOME_S)

    @task
    def look_back(self) -> None:
        """Reads the newest page again."""
        self.graphql("communityFeed", _PAGE)

    def _page(self) -> dict[str, object]:
        """The newest page; as of which position it is. An OSError where there is none: it is asked again."""
        position = self.graphql("communityFeed", _PAGE).get("communityFeed", {}).get("position")
        if position is None:
            raise OSError("no page")
        return dict(position)


class MapWidget(Person):
    """Keeps the map open, and moves it now and then. With WIDGET_TOKEN set it stands on another page."""

    weight = 25
    wait_time = between(5, 20)

    def on_start(self) -> None:
        """Begins with the whole world."""
        super().on_start()
        token = os.environ.get("WIDGET_TOKEN")
        live = self.come(lambda _expired: token)
        live.on("map", lambda _map: counted.update(["map changes"]))
        live.on("online", lambda _online: counted.update(["counts of people online"]))
        live.set_viewport({"west": -180, "south": -60, "east": 180, "north": 75, "zoom": 2})
        live.start(WELCOME_S)

    @task
    def move(self) -> None:
        """To a city, at some zoom."""
        if self.live is not None:
            (lat, lng), zoom = random.choice(_PLACES), random.randint(3, 11)
            half = 180 / 2**zoom
            self.live.set_viewport({**box_around(lat, lng, half), "zoom": zoom})
