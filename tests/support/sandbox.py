"""Runs a command under what a systemd unit lets it do, as far as that can be had without systemd.

    python -m tests.support.sandbox UNIT COMMAND …

No new privileges, no memory that is both written and run, and of the system's calls those of SystemCallFilter alone
(the others fail by the unit's error). Namespaces, accounts and files stay as they are. Ends with one line where this
kernel or libseccomp cannot.
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

PR_SET_NO_NEW_PRIVS: Final = 38
PR_SET_MDWE: Final = 65  # Linux 6.3
SCMP_ACT_ALLOW: Final = 0x7FFF0000
SCMP_ACT_ERRNO: Final = 0x00050000
ASK_S: Final = 30


def system_calls(unit: str) -> set[str]:
    """Names of those that the unit allows."""
    allowed: set[str] = set()
    for takes, words in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.MULTILINE):
        for word in words.split():
            named = _group(word) if word.startswith("@") else {word}
            allowed = allowed - named if takes else allowed | named
    return allowed


def _group(name: str) -> set[str]:
    """The calls of a group of systemd's, groups within it taken apart."""
    asked = ["systemd-analyze", "syscall-filter", "--no-pager", name]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=ASK_S, check=True).stdout
    words = [line.strip() for line in answer.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return {call for word in words for call in (_group(word) if word.startswith("@") else {word})}


def confine(unit: str) -> None:
    """Puts this process, and what it starts, under the unit's rules. Raises OSError."""
    allowed = system_calls(unit)
    libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if "MemoryDenyWriteExecute=true" in unit and libc.prctl(PR_SET_MDWE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_MDWE")
    rules = ctypes.c_void_p(seccomp.seccomp_init(SCMP_ACT_ERRNO | errno.EPERM))
    for name in sorted(allowed):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # below: not of this machine's kind
            seccomp.seccomp_rule_add(rules, SCMP_ACT_ALLOW, number, 0)
    if seccomp.seccomp_load(rules):
        raise OSError(errno.EPERM, "seccomp_load")


def main() -> None:
    """See the module."""
    try:
        confine(Path(sys.argv[1]).read_text("utf-8"))
    except OSError as error:
        sys.exit(f"no sandbox here: {error.strerror} ({error.filename or ''})")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
