"""`python -m rt`: the gateway."""

import sys

from config.settings import load
from rt.process.supervisor import Supervisor


def main() -> int:
    """Runs the supervisor with the environment's settings."""
    settings = load()
    settings.require("redis_url", in_production=("allowed_origins",))
    return Supervisor(settings).run()


if __name__ == "__main__":
    sys.exit(main())
