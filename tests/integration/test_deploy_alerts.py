"""What config/deploy has for Prometheus, by Prometheus itself: alerts speak when they should, of figures that exist."""

import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import yaml

from api.web import handbook
from config import metrics
from config.embedded import child
from config.embedded.ports import HOST, free_port
from tests.support.fronts import DEPLOY, filled
from tests.support.gateway import until
from tests.support.people import Person
from tests.support.processes import Fleet
from tests.support.programs import needs
from tests.support.relay import eventually

REPLAYS = Path(__file__).with_name("alerts.yml")
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"] for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
RUNBOOK = "https://musclemap.example/docs/runbook"
QUERIES = sorted(
    (target["expr"], target["legendFormat"])
    for panel in orjson.loads((DEPLOY / "grafana-dashboard.json").read_bytes())["panels"]
    for target in panel.get("targets", ())
)
# What happens to nobody in a test of a minute.
RARE = {
    "rate_limited_total": metrics.RATE_LIMITED,
    "pg_slow_statements_total": metrics.SLOW_STATEMENTS,
    "pg_transaction_retries_total": metrics.PG_TRANSACTION_RETRIES,
}
JOBS = {"api": "musclemap-api", "rt": "musclemap-rt", "worker": "musclemap-worker"}
ASK_S = 60
START_S = 30


@pytest.mark.parametrize(
    "asked", [["check", "rules", DEPLOY / "prometheus-rules.yml"], ["check", "config", DEPLOY / "prometheus.yml"]]
)
def test_promtool_takes_the_files(asked: list[str]) -> None:
    """Seen failing with a bracket left out of an expression, and with another name for the file of the rules."""
    promtool(*asked)


def test_each_alert_speaks_once_and_keeps_silent_while_nothing_is_wrong() -> None:
    """Over series that promtool replays. Seen failing with `> 5000` for `> 500` of the loop's gap, with `>= 0` for
    `> 0` of the gaps, and, each by its own line below, with an alert whose replay or whose figure was left out."""
    promtool("test", "rules", REPLAYS)
    healthy, *others = yaml.safe_load(REPLAYS.read_text("utf-8"))["tests"]
    silent = {case["alertname"] for case in healthy["alert_rule_test"] if not case.get("exp_alerts")}
    spoken = {case["alertname"] for test in others for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert silent == ALERTS, "the first test of alerts.yml names each alert"
    assert spoken == ALERTS, "each alert has a test of alerts.yml in which it speaks"
    told = {one for series in healthy["input_series"] for one in figures(series["series"])}
    assert unknown(told) == [], "the first test of alerts.yml has each figure"


async def test_alerts_ask_for_figures_that_their_role_tells(fleet: Fleet) -> None:
    """An alert over a figure that nobody tells never speaks. Seen failing with `relay_lag` for `relay_lag_seconds`, and
    while the gateway told nothing of its memory."""
    async with httpx2.AsyncClient(trust_env=False, timeout=ASK_S) as client:
        await client.get(fleet.api.http("/health"))

        async def look() -> set[tuple[str, str]]:
            told: set[tuple[str, str]] = set()
            for role, service in fleet.services.items():
                text = (await client.get(service.http("/metrics"))).text
                assert "\nredis_connected 1.0\n" in text, role
                told |= {(name, JOBS[role]) for name in re.findall(r"^([a-z_]+)(?:\{| )", text, re.MULTILINE)}
                told.add(("up", JOBS[role]))  # Prometheus' own
            return told

        await eventually(look, lambda told: unknown(told) == [])  # some are told at a first look or tick


@pytest.fixture
async def prometheus(fleet: Fleet, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A Prometheus with the files as shipped but for the ports, in a hurry."""
    port = free_port()
    places = {f":{shipped}]": f":{fleet.services[role].port}]" for role, shipped in (("api", 8000), ("rt", 8001))}
    places |= {":8002]": f":{fleet.worker.port}]", "_interval: 15s": "_interval: 1s"}
    folder = tmp_path / "prometheus"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(filled((DEPLOY / "prometheus.yml").read_text("utf-8"), places))
    (folder / "prometheus-rules.yml").write_text((DEPLOY / "prometheus-rules.yml").read_text("utf-8"))
    log = folder / "log"
    command = [needs("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    process = child.start(
        [*command, f"--web.listen-address={HOST}:{port}"], folder=folder, log=log, at_our_death=signal.SIGKILL
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False, timeout=ASK_S) as client:
            yield client
    finally:
        child.stop(process, ((signal.SIGTERM, 3.0),))


def test_each_alert_leads_to_its_part_of_the_runbook() -> None:
    """As the page has it, and no part is of an alert that is gone. Seen failing with an alert whose link named another,
    and with a part that was left out."""
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES if "alert" in rule}
    assert links == {alert: f"{RUNBOOK}#{alert.lower()}" for alert in ALERTS}
    page = handbook._page((handbook.FOLDER / "runbook.md").read_text("utf-8"))
    parts = dict(re.findall(r'<h2 id="([a-z-]+)">(\w+)</h2>(?=\n<p>)', page))
    assert parts == {alert.lower(): alert for alert in ALERTS}


async def test_prometheus_hears_all_three_roles_and_each_panel_shows_something(
    prometheus: httpx2.AsyncClient, fleet: Fleet
) -> None:
    """By the files as shipped; it has evaluated each rule, and answers each query of the dashboard with series that
    have what the legend names. Seen failing with a target by a name that is none of the machine's: down, with the 400
    of whoever is asked under a foreign name; with `rt_closed_late_total`, and with `by (path)` for `by (route)`."""
    await some_traffic(fleet)
    last: dict[str, Any] = {}

    async def all_up() -> bool:
        try:
            targets = (await prometheus.get("/api/v1/targets")).json()["data"]["activeTargets"]
            rules = (await prometheus.get("/api/v1/rules")).json()["data"]["groups"]
        except (httpx2.TransportError, ValueError):
            return False  # it is starting
        last["targets"] = {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}
        last["rules"] = {rule["name"]: rule["health"] for group in rules for rule in group["rules"]}
        up = last["targets"] == dict.fromkeys(JOBS.values(), ("up", ""))
        return bool(up and last["rules"] == dict.fromkeys(ALERTS | RECORDED, "ok"))

    try:
        await until(all_up, START_S)
    except TimeoutError:
        pytest.fail(str(last))
    silent = QUERIES

    async def all_shown() -> bool:
        nonlocal silent
        silent = [asked for asked in silent if not await shown(prometheus, *asked)]
        return not silent

    try:
        await until(all_shown, START_S)
    except TimeoutError:
        pytest.fail(f"panels without series: {silent}")


async def some_traffic(fleet: Fleet) -> None:
    """What panels show a rate of has happened, and happens again once Prometheus looks."""
    async with httpx2.AsyncClient(trust_env=False, timeout=ASK_S) as client:
        person = await Person(fleet.api.http("").rstrip("/"), client).sign_up()
        for _ in range(2):
            await person.graphql("{ muscles { name } }")
        answer = await client.post(fleet.api.http("/api/graphql"), json={"query": "query Nobody { me { id } }"})
        assert answer.json()["errors"]


async def shown(prometheus: httpx2.AsyncClient, query: str, legend: str) -> bool:
    """Whether there is a series, with each label of the legend. Of what is rare the labels are as they are declared."""
    asked = query.replace("$__rate_interval", "1m")
    answer = (await prometheus.get("/api/v1/query", params={"query": asked})).json()
    assert answer["status"] == "success", (query, answer)
    labels = set(re.findall(r"{{(\w+)}}", legend))
    rare = [family for name, family in RARE.items() if name in query]
    for family in rare:
        family.labels(**dict.fromkeys(labels, "none"))  # refuses other names
    series = [one["metric"].keys() for one in answer["data"]["result"]]
    return bool(rare or series) and all(labels <= names for names in series)


def promtool(*asked: str | Path) -> None:
    """Fails with what it says when it is not content."""
    command = [needs("promtool"), *map(str, asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def unknown(told: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the rules ask for beyond these figures, each with its job."""
    asked = {one for rule in RULES for one in figures(rule["expr"]) if one[0] not in RECORDED}
    return [
        (name, job) for name, job in asked if not any(name == other and re.fullmatch(job, of) for other, of in told)
    ]


def figures(expression: str) -> Iterator[tuple[str, str]]:
    """The series that an expression names, each with the pattern of the jobs that it asks for."""
    plain = re.sub(r"\b(?:by|on|without|ignoring) ?\([\w, ]*\)|\[\w+\]", " ", expression)
    for name, labels in re.findall(r"(?<![\w\"{=~.])([a-z_][a-z0-9_:]*)\b(?!\s*\()(\{[^}]*\})?", plain):
        job = re.search(r'job=~?"([^"]*)"', labels)
        if name not in {"or", "and", "unless"}:
            yield name, job.group(1) if job else ".*"
