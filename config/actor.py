"""Who runs a command, for the row that it leaves."""

import os
import pwd


def actor() -> str:
    """The account's name, and behind sudo whose it is."""
    try:
        own = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        own = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{behind} as {own}"[:200] if behind else own
