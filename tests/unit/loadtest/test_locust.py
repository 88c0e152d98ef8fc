"""What we hang into Locust: counts of many workers, and its page. In a process of its own: Locust changes sockets."""

import subprocess
import sys
from typing import Final

from config.embedded.ports import free_port
from tests.support.stores import ROOT

RUN_S: Final = 60
PROGRAM: Final = """
import sys

from locust.argument_parser import parse_options
from locust.env import Environment

from loadtest.run.counts import add_up, at_worst, counted, worst
from loadtest.run.options import add_options
from loadtest.run.web import fit_page

add_options()
worker, master = Environment(), Environment(parsed_options=parse_options(["--i-own", "mine.example"]))
master.create_master_runner("127.0.0.1", int(sys.argv[1]))
worker.create_worker_runner("127.0.0.1", int(sys.argv[1]))
add_up(worker)
add_up(master)
reports = []
for events, late_ms in (3, 40.0), (4, 15.0):
    counted["events"] += events
    at_worst("late", late_ms)
    reports.append({})
    worker.events.report_to_master.fire(client_id="one", data=reports[-1])
assert not counted and not worst, "what is reported is told once"
for report in reports:
    master.events.worker_report.fire(client_id="one", data=report)
assert (dict(counted), worst) == ({"events": 7}, {"late": 40.0}), (counted, worst)

ui = master.create_web_ui("127.0.0.1", int(sys.argv[2]), delayed_start=True)
fit_page(master)
page = ui.app.test_client()
told = {row["name"]: row["count"] for row in page.get("/stats/requests").json["extended_stats"][0]["data"]}
assert told == {"events": 7, "late": 40}, told
assert b"Live connections" in page.get("/").data
refused = page.post("/swarm", data={"user_count": 1, "spawn_rate": 1, "host": "http://live.example"}).json
assert not refused["success"] and "--i-own live.example" in refused["message"], refused
assert master.host is None
told = page.post("/swarm", data={"user_count": "none", "host": "http://mine.example"}).json  # its own words
assert "user_count" in told["message"], told
master.events.test_start.fire(environment=master)
assert not counted and not worst, "a new run begins at nothing"
"""


def test_counts_of_all_workers_add_up_on_a_page_that_loads_no_strangers() -> None:
    """Seen failing with counts that a worker reports again, with the last of two worst values, and where the form of
    the page took any host."""
    command = [sys.executable, "-c", PROGRAM, str(free_port()), str(free_port())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr
