"""What Locust's web page has beside its own: a tab with the counts of the live connections, and no word for a host that
nobody said to own."""

from typing import Any, Final

from flask import jsonify, request
from locust.env import Environment

from loadtest.run.counts import counted, worst
from loadtest.run.options import owned
from loadtest.run.targets import NotYours, allowed

_KEY: Final = "live"
_START: Final = "/swarm"


def fit_page(environment: Environment) -> None:
    """Where there is a web page, it has the tab, whose figures come with Locust's own, and starts no other run than a
    command line would."""
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

    def refuse_others() -> Any:
        if not request.path.endswith(_START) or "host" not in request.form:
            return None
        try:
            allowed(request.form["host"], owned(environment))
        except NotYours as error:
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return None

    app.before_request(refuse_others)
    app.after_request(with_counts)
