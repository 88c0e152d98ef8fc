"""What pages tell of how fast they were: kept as histograms, of nobody, and no more than an address may send."""

import httpx2
import pytest

from tests.integration.api.conftest import Running

VITALS = "/api/v1/vitals"


def test_reports_are_histograms_of_nobody(api: Running, client: httpx2.Client) -> None:
    before = {name: api.counted("web_vitals_seconds_bucket", f'le="2.5",vital="{name}"') for name in ("lcp", "live")}
    shift = api.counted("web_vitals_cls_bucket", 'le="0.1"')
    answer = client.post(VITALS, json={"lcp": 2_400, "live": 9_000, "cls": 0.05})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    assert api.counted("web_vitals_seconds_bucket", 'le="2.5",vital="lcp"') == before["lcp"] + 1
    assert api.counted("web_vitals_seconds_bucket", 'le="2.5",vital="live"') == before["live"]
    assert api.counted("web_vitals_cls_bucket", 'le="0.1"') == shift + 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"lcp": 1e999}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"lcp": 1}', "text/plain", 415),
        (b" " * 600, "application/json", 413),
    ],
)
def test_what_is_no_report_is_refused(client: httpx2.Client, body: bytes, kind: str, status: int) -> None:
    answer = client.post(VITALS, content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["statusCode"]) == (status, status)


def test_an_address_has_thirty_reports_a_minute(api: Running) -> None:
    """They take nothing from what it may ask the API."""
    transport = httpx2.HTTPTransport(local_address="127.78.0.1")
    with httpx2.Client(
        base_url=api.url, timeout=20, transport=transport, headers={"x-forwarded-for": "192.0.2.1"}
    ) as client:
        answers = [client.post(VITALS, json={"lcp": 1} if n % 2 else {"lcp": "x"}) for n in range(31)]
        assert [answer.status_code for answer in answers] == [400, 204] * 15 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        asked = client.post("/api/graphql", json={"query": "{ muscles { id } }"})
        assert asked.headers["ratelimit-remaining"] == "59"
