"""What Locust's web page shows beside its own: a tab with the counts of the live connections."""

from typing import Any, Final

from locust.env import Environment

from loadtest.run.counts import counted, worst

_KEY: Final = "live"


def add_tab(environment: Environment) -> None:
    """Where there is a web page, it has the tab, and its figures come with Locust's own."""
    ui = environment.web_ui
    if ui is None or ui.app is None:
        return
    app = ui.app
    columns = [{"key": "name", "title": "What"}, {"key": "count", "title": "How often"}]
    ui.template_args |= {
        "extended_tabs": [{"title": "Live connections", "key": _KEY}],
        "extended_tables": [{"key": _KEY, "structure": columns}],
    }

    def with_counts(response: Any) -> Any:
        body = response.get_json(silent=True) if response.is_json else None
        if isinstance(body, dict) and "stats" in body:
            rows = [{"name": what, "safeName": what, "count": n} for what, n in sorted(counted.items())]
            rows += [{"name": what, "safeName": what, "count": round(value)} for what, value in sorted(worst.items())]
            response.set_data(app.json.dumps(body | {"extended_stats": [{"key": _KEY, "data": rows}]}))
        return response

    app.after_request(with_counts)
