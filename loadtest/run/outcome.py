"""What a run says at its end: the counts, the promises and their table, whether it is void, and the exit code."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsEntry

from loadtest.run import void
from loadtest.run.counts import counted, in_words, worst
from loadtest.run.lag import WORST_MS
from loadtest.run.options import promises_of
from loadtest.run.promises import Verdict, judge, percentile_of, table

BROKEN: Final = 1  # as a failure is
VOID: Final = 3
EVENT: Final = "EVENT"  # the type of what is no request: how old an event was
_HEAD: Final = ("promise", "bound", "measured", "verdict")


def measure(environment: Environment, of: str, name: str) -> float | None:
    """One figure of the run; None where nothing of the kind was measured."""
    if name == "count":
        return float(counted[of])
    found = StatsEntry(environment.stats, of, "")
    for entry in environment.stats.entries.values():
        if entry.name == of or (not of and entry.method != EVENT):
            found.extend(entry)
    return _figure(found, name) if found.num_requests else None


def _figure(entry: StatsEntry, name: str) -> float:
    percentile = percentile_of(name)
    if percentile is not None:
        return float(entry.get_response_time_percentile(percentile) or 0)
    figures = {
        "mean_ms": entry.avg_response_time,
        "max_ms": entry.max_response_time,
        "requests": entry.num_requests,
        "per_second": entry.total_rps,
        "failures": entry.num_failures,
        "failure_share": entry.fail_ratio,
    }
    return float(figures[name] or 0)


def say_at_the_end(environment: Environment) -> None:
    """Judges when the run is over, prints below Locust's tables, and adds to its HTML report."""
    if isinstance(environment.runner, WorkerRunner):
        return
    promises = promises_of(environment)
    verdicts: list[Verdict] = []

    def judge_it(**_: object) -> None:
        if isinstance(environment.runner, MasterRunner):
            counted[void.LOST] = len(environment.runner.clients.missing)
        verdicts[:] = judge(promises, lambda of, name: measure(environment, of, name))
        if void.is_void(counted):
            environment.process_exit_code = VOID
        elif promises:
            environment.process_exit_code = 0 if all(verdict.kept for verdict in verdicts) else BROKEN

    def say(**_: object) -> None:
        print(f"Live connections: {in_words()}")
        print(void.in_words(counted, worst.get(WORST_MS, 0)))
        if verdicts:
            print(f"\n{table([verdict.row for verdict in verdicts], _HEAD)}")
        path = environment.parsed_options.html_file if environment.parsed_options else None
        if path and Path(path).exists():
            _add(Path(path), verdicts)

    environment.events.quitting.add_listener(judge_it)
    environment.events.quit.add_listener(say)


def _add(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Puts our part behind the page that Locust has written."""
    counts = [(what, f"{n:,}") for what, n in sorted(counted.items())]
    ours = f"<h2>Promises</h2>{_html(_HEAD, [verdict.row for verdict in verdicts])}" if verdicts else ""
    ours += f"<h2>Live connections</h2>{_html(('what', 'how often'), counts)}"
    generator = html.escape(void.in_words(counted, worst.get(WORST_MS, 0)))
    section = (
        '<section style="font-family: sans-serif; max-width: 60rem; margin: 2rem auto; background: Canvas;'
        f' color: CanvasText; padding: 1rem">{ours}<p>{generator}</p></section>'
    )
    text = path.read_text("utf-8")
    before, end, after = text.rpartition("</body>")
    path.write_text(f"{before}{section}{end}{after}" if end else text + section, "utf-8")


def _html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} align="left">{html.escape(cell)}</{tag}>' for cell in cells) + "</tr>"

    return f'<table cellpadding="6">{line(head, "th")}{"".join(line(row, "td") for row in rows)}</table>'
