"""GraphQL over HTTP: which type and status an answer has, by what is accepted; and what the audit suite of npm says.

Held to the draft's wording with its watershed of 2025, in the form in which graphql-http 1.23 asks it: `Accept:
application/json` hears 200 for a document or variables that are refused, application/graphql-response+json 400.
"""

import json
import subprocess
from collections import Counter
from typing import Any, Final

import httpx2
import pytest

from tests.integration.api.conftest import Running
from tests.support.node import node_with_packages
from tests.support.stores import ROOT

GRAPHQL: Final = "/api/graphql"
AUDITS_S: Final = 60
NEW, OLD = "application/graphql-response+json", "application/json"
# Well-formed requests of which nothing is executed.
REFUSED: Final = (
    {"query": "{"},
    {"query": "{ nothing }"},
    {"query": "query A { __typename } query B { __typename }"},
    {"query": "query($s: Int!) { __typename }", "variables": {"s": "x"}},
    {"query": "{ " + "a " * 200 + "}"},
    {"query": "{ ...F } fragment F on Query { ...F }"},
)


def test_the_audit_suite_finds_nothing(api: Running) -> None:
    """No MUST and no SHOULD, and no MAY either: each is `ok`. Failed before: 22EB, 572B, FDE2, 7B9B and all of GET.
    Seen failing with 400 for application/json, and with an answer to */* that names the new type."""
    node, modules = node_with_packages()
    done = subprocess.run(
        [node, str(ROOT / "tests" / "npm" / "audit.mjs"), str(modules), f"{api.url}{GRAPHQL}"],
        capture_output=True,
        text=True,
        timeout=AUDITS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert not [one for one in told if one[2] != "ok"]
    assert Counter(name.split()[0] for _, name, _ in told) == {"MUST": 13, "SHOULD": 23, "MAY": 25}


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [(NEW, 400, NEW), (OLD, 200, OLD), ("*/*", 400, OLD), (f"{NEW}, {OLD};q=0.9", 400, NEW)],
)
def test_what_is_refused_has_the_status_of_its_type(
    client: httpx2.Client, body: dict[str, Any], accept: str, status: int, kind: str
) -> None:
    answer = client.post(GRAPHQL, json=body, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, f"{kind}; charset=utf-8")
    assert set(answer.json()) == {"errors"}
    assert answer.json()["errors"][0]["extensions"]["statusCode"] == 400


@pytest.mark.parametrize("accept", [NEW, OLD, "*/*"])
def test_what_is_no_request_has_its_own_status_whatever_is_accepted(client: httpx2.Client, accept: str) -> None:
    """Seen failing with the old type's 200 for unreadable JSON."""
    headers = {"accept": accept, "content-type": "application/json"}
    for content, status in ((b"{", 400), (b"[]", 400), (b'{"query": 5}', 400), (b" " * 300_000, 413)):
        answer = client.post(GRAPHQL, content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
            status,
            OLD if accept != NEW else NEW,
        )
    assert client.post(GRAPHQL, content=b"{}", headers={**headers, "authorization": "Bearer x"}).status_code == 401
    assert client.delete(GRAPHQL, headers=headers).status_code == 405


def test_errors_of_fields_are_200_for_every_type(client: httpx2.Client) -> None:
    for accept in (NEW, OLD, "*/*"):
        answer = client.post(GRAPHQL, json={"query": "{ me { id } }"}, headers={"accept": accept})
        assert (answer.status_code, answer.json()["data"]) == (200, None)
