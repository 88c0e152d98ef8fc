"""`python -m rt`: the gateway; `python -m rt top`: what the gateways do, in a terminal."""

import sys

from config.settings import load
from rt.operators.top import top
from rt.process.supervisor import Supervisor


def main() -> int:
    """Runs the supervisor with the environment's settings."""
    settings = load()
    if sys.argv[1:2] == ["top"]:
        settings.require("redis_url")
        return top(settings, sys.argv[2:])
    settings.require("redis_url", in_production=("allowed_origins",))
    return Supervisor(settings).run()


if __name__ == "__main__":
    sys.exit(main())
