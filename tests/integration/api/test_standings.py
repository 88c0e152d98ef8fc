"""Leaderboards and rivals over GraphQL."""

from tests.integration.api.conftest import Account, Running

BOARD = """
query Board($after: String) {
  leaderboard(board: XP, period: ALL_TIME, first: 5, after: $after) {
    edges { cursor node { rank score me profile { id name level xp } } }
    pageInfo { endCursor hasNextPage } me { rank me profile { id } } refreshedAt
  }
}
"""
ADD = "mutation Add($id: ID!) { addRival(userId: $id) { profile { id name } myScore theirScore since } }"
REMOVE = "mutation Remove($id: ID!) { removeRival(userId: $id) }"
RIVALS = "{ rivals { profile { id name level xp } myScore theirScore since } }"


def code(answer: dict[str, list[dict[str, dict[str, str]]]]) -> str:
    return answer["errors"][0]["extensions"]["code"]


def test_anybody_reads_a_leaderboard(api: Running) -> None:
    """Whoever is nobody is not in it."""
    with api.client() as client:
        body = client.post("/api/graphql", json={"query": BOARD}).json()
        assert body["data"]["leaderboard"]["me"] is None
        assert body["data"]["leaderboard"]["pageInfo"]["hasNextPage"] is False
        wrong = client.post("/api/graphql", json={"query": BOARD, "variables": {"after": "x"}}).json()
        assert code(wrong) == "BAD_INPUT"
    answer = api.account().graphql(BOARD)
    assert answer == {"data": body["data"]}


def test_rivals_are_added_listed_and_removed(api: Running) -> None:
    me, other = api.account(), api.account()
    added = me.graphql(ADD, id=other.id)["data"]["addRival"]
    assert (added["profile"], added["myScore"], added["theirScore"]) == ({"id": other.id, "name": "Ada"}, 0, 0)
    (listed,) = me.graphql(RIVALS)["data"]["rivals"]
    assert listed["since"] == added["since"]
    assert listed["profile"] == {"id": other.id, "name": "Ada", "level": 1, "xp": 0}
    assert me.graphql(REMOVE, id=other.id)["data"]["removeRival"] is True
    assert me.graphql(RIVALS)["data"]["rivals"] == []
    for nobody in ("x", other.id[:-1] + "z", "00000000-0000-7000-8000-000000000009"):
        assert code(me.graphql(ADD, id=nobody)) == "NOT_FOUND"


def test_rivals_are_for_whoever_is_signed_in(api: Running) -> None:
    other: Account = api.account()
    with api.client() as client:
        for query, variables in ((RIVALS, {}), (ADD, {"id": other.id}), (REMOVE, {"id": other.id})):
            body = client.post("/api/graphql", json={"query": query, "variables": variables}).json()
            assert code(body) == "UNAUTHENTICATED"
