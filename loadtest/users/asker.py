"""Programs that only ask the API."""

import random

from locust import between, task

from loadtest.users.person import Person

_PAGE = """
query Page($after: String) {
  communityFeed(first: 50, after: $after) {
    edges { cursor node { id type createdAt data highFives } } pageInfo { endCursor hasNextPage }
  }
}
"""
_BOARD = """
query Board($board: Board!) {
  leaderboard(board: $board, period: WEEK, first: 50) { edges { node { rank score me profile { name level } } } }
}
"""
_MAP = (
    "{ presenceMap(west: -180, south: -60, east: 180, north: 75, zoom: 2) { resolution online cells { cell count } } }"
)


class ApiUser(Person):
    """Reads what there is, page by page, signed in."""

    weight = 6
    wait_time = between(1, 3)

    def on_start(self) -> None:
        """With an account of the run: without one an address may ask 60 times a minute."""
        super().on_start()
        self.sign_in()

    @task(4)
    def read_pages(self) -> None:
        """Up to three pages of the feed."""
        after = None
        for _ in range(random.randint(1, 3)):
            page = self.graphql("communityFeed pages", _PAGE, {"after": after}).get("communityFeed")
            if not page or not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    @task(2)
    def search(self) -> None:
        """Exercises by a word."""
        query = "query Search($word: String) { exercises(search: $word) { id name muscles { activation } } }"
        self.graphql("exercises searched", query, {"word": random.choice(("press", "row", "squat", "curl"))})

    @task(2)
    def compare(self) -> None:
        """A leaderboard."""
        self.graphql("leaderboard", _BOARD, {"board": random.choice(("XP", "VOLUME", "STREAK"))})

    @task(1)
    def look_around(self) -> None:
        """Who is there, where, and what is trained."""
        self.graphql("presence", "{ presenceStats { online training } nowTraining(minutes: 5) { minute training } }")
        self.graphql("presenceMap", _MAP)
