"""Free ports: no two that ask at once are given the same, and no connection that goes out takes one meanwhile."""

import subprocess
import sys

from config.embedded.ports import HOST, free_port, is_free
from tests.support.stores import ROOT

PROCESSES, EACH = 6, 100
ASK = f"""
import sys
from config.embedded.ports import free_port
print("ready", flush=True)
sys.stdin.readline()
print(*(free_port() for _ in range({EACH})), flush=True)
sys.stdin.readline()
"""


def test_processes_that_ask_at_once_never_get_the_same() -> None:
    """Nobody listens, as between the choice of a port and the start of its server. Seen failing with ports that the
    kernel chooses and nobody holds: 8 to 15 of these 600 were given twice."""
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    try:
        pipes = [(one.stdin, one.stdout) for one in asking if one.stdin and one.stdout]
        for _, said in pipes:
            assert said.readline() == b"ready\n"
        for told, _ in pipes:
            told.write(b"go\n")
            told.flush()
        ports = [int(word) for _, said in pipes for word in said.readline().split()]
        assert len(ports) == PROCESSES * EACH
        assert len(set(ports)) == len(ports)
        again = next(iter(ports))
        assert free_port(again) != again, "it is another's"
    finally:
        for one in asking:
            one.communicate()  # its input ends, and so it does
    assert free_port(again) == again, "a process that has ended holds nothing"
    assert free_port(again) == again, "it is ours"


def test_what_is_given_is_no_port_that_an_outgoing_connection_gets() -> None:
    """Seen failing with ports that the kernel chooses: those are the ones it gives to connections as well."""
    assert all(port < 32_768 and is_free(HOST, port) for port in (free_port() for _ in range(20)))
