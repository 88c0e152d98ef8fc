"""The README's deployment, line by line, on this machine beside whatever else runs on it.

    async with Walk(readme, folder) as walk:
        await walk.take(walk.blocks[0])

Bash runs each `sh` block as it stands, but that /etc, /var/lib and /opt/musclemap are folders of the test, ports are
free ones, and `systemctl`, `runuser`, `apt-get`, `make` and `git` are told here what they would do. What they start is
the real program with the file that the block has installed. What is not known here fails.
"""

import asyncio
import os
import re
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Final

from config.embedded import child
from config.embedded.account import home, own, unprivileged
from config.embedded.ports import HOST, free_port, is_free
from config.embedded.postgres import SUPERUSER, Passwords, PostgresServer
from tests.support.fronts import FRONTS, SITE, Front, front
from tests.support.processes import Service
from tests.support.programs import clients_of, needs
from tests.support.stores import ROOT, environment

BLOCK_S: Final = 180
START_S: Final = 20
POLL_S: Final = 0.02
ROLES: Final = ("api", "rt", "worker")
PORTS: Final = {"postgres": 5432, "pgbouncer": 6432, "redis": 6379, "api": 8000, "rt": 8001, "worker": 8002}
# What apt-get is asked for, and a program of each.
PACKAGES: Final = {
    "postgresql": "sh",
    "python3-pip": "sh",
    "make": "make",
    "pgbouncer": "pgbouncer",
    "redis-server": "redis-server",
    "nginx": "nginx",
    "caddy": "caddy",
    "curl": "curl",
    "openssl": "openssl",
}
# Each shim asks the walk, and does what it says.
SHIM: Final = """#!/bin/sh
ask=$(mktemp "{asks}/XXXXXX") && printf '%s\\n' "$(basename "$0") $*" >"$ask" && mv "$ask" "$ask.ask"
while [ ! -e "$ask.answer" ]; do sleep 0.02; done
. "$ask.answer"
"""
RUNUSER: Final = """#!/bin/sh
[ "$1 $2 $3" = "-u postgres --" ] || exit 64
shift 3
export PGHOST={host} PGPORT={port} PGUSER={user} PGPASSWORD={password}
exec "$@"
"""


def blocks(readme: str) -> list[str]:
    """The shell blocks of the part about deployment. Fails where it has a block of another kind."""
    part = re.split(r"^## ", readme.partition("\n## Deploying with real servers\n")[2], flags=re.MULTILINE)[0]
    fences = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", part, re.MULTILINE | re.DOTALL)
    assert len(fences) * 2 == part.count("```")
    assert {kind for _, kind, _ in fences} == {"sh"}, "the test does not walk blocks that are no shell"
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, _, text in fences]


class Walk:
    """See the module. `fronts` are the proxies that were started, by their names."""

    def __init__(self, readme: str, folder: Path, stores_folder: Path) -> None:
        account = self._account = unprivileged()
        self.blocks = blocks(readme)
        self.ports = {name: free_port() for name in PORTS}
        self.fronts: dict[str, Front] = {}
        self.services: dict[str, Service] = {}
        self._folder, self._root = folder, home(stores_folder / "walk", account)
        self._asks, self._bin = folder / "asks", folder / "bin"
        passwords = Passwords({SUPERUSER: secrets.token_hex(16)})
        self.postgres = PostgresServer(
            self._root / "postgres", port=self.ports["postgres"], passwords=passwords, account=account, durable=False
        )
        self._superuser_password = passwords[SUPERUSER]
        self._programs: dict[str, Popen[bytes]] = {}
        self._ends = ExitStack()

    async def __aenter__(self) -> "Walk":
        for place in ("etc/systemd/system", "etc/pgbouncer", "etc/nginx/conf.d", "etc/caddy", "var/lib"):
            (self._root / place).mkdir(parents=True)
        self._asks.mkdir()
        self._bin.mkdir()
        for name in ("systemctl", "apt-get", "make", "git"):
            self._shim(name, SHIM.format(asks=self._asks))
        login = {"host": HOST, "port": self.ports["postgres"], "user": SUPERUSER, "password": self._superuser_password}
        self._shim("runuser", RUNUSER.format(**login))
        (self._folder / ".curlrc").write_text("insecure\nnoproxy = *\n")
        await asyncio.to_thread(self.postgres.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        for service in self.services.values():
            service.clean_up()
        for process in self._programs.values():
            child.stop(process, ((signal.SIGINT, 3.0),))
        self._ends.close()
        self.postgres.stop()

    def _shim(self, name: str, text: str) -> None:
        (self._bin / name).write_text(text)
        (self._bin / name).chmod(0o755)

    # --- a block

    async def take(self, block: str) -> str:
        """Runs a block to its end; what it printed. Fails where a line of it fails."""
        text = self.placed(block).replace(f"https://{SITE}/health", self._site())
        env = {
            **environment(HOME=str(self._folder), CURL_HOME=str(self._folder)),
            "PATH": os.pathsep.join((str(self._bin), clients_of(), os.environ["PATH"])),
        }
        bash = ("bash", "-euo", "pipefail", "-c", text)
        process = await asyncio.create_subprocess_exec(
            *bash, cwd="/", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        talking = asyncio.ensure_future(process.communicate())
        try:
            async with asyncio.timeout(BLOCK_S):
                while not talking.done():
                    for ask in sorted(self._asks.glob("*.ask")):
                        words = shlex.split(ask.read_text("utf-8"))
                        ask.unlink()
                        answer = await self._answer(words[0], words[1:])
                        unfinished = ask.with_suffix(".unfinished")
                        unfinished.write_text(answer)
                        unfinished.rename(ask.with_suffix(".answer"))
                    await asyncio.wait([talking], timeout=POLL_S)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # with the shim that waits for an answer
            said = (await talking)[0].decode("utf-8", "replace")
        assert process.returncode == 0, f"{block}\n--- said:\n{said}"
        return said

    def placed(self, text: str) -> str:
        """The text with this walk's places and ports in it."""
        for name, port in PORTS.items():
            text = re.sub(rf"\b{port}\b", str(self.ports[name]), text)
        text = re.sub(r"(?<![\w.])/(etc|var/lib)/", rf"{self._root}/\1/", text)
        return text.replace("/opt/musclemap/.venv/bin/python", sys.executable).replace("/opt/musclemap", str(ROOT))

    def _site(self) -> str:
        """Each proxy in turn: a block names the one that there would be."""
        where = [f"--connect-to {SITE}:443:{HOST}:{one.port} https://{SITE}/health" for one in self.fronts.values()]
        return " ".join(where)

    async def _answer(self, program: str, words: list[str]) -> str:
        """What a shim is to do."""
        match program, words:
            case "apt-get", ["install", "-y", *packages]:
                for package in packages:
                    needs(PACKAGES[package])
            case "git", ["pull"]:
                pass
            case "make", ["runtime"]:
                pass  # the tests' own environment
            case "make", ["migrate"]:
                assert re.search(r"^migrate: runtime .*\n\t@exec \$\(VENV\)/python -m api\.migrate$", _makefile(), re.M)
                return f"exec {sys.executable} -m api.migrate\n"
            case "systemctl", ["daemon-reload"]:
                pass
            case "systemctl", ["start" | "restart" | "stop" as action, *units]:
                for unit in units:
                    await self._do(action, unit)
            case "systemctl", ["enable", "--now", *units]:
                for unit in units:
                    await self._do("start", unit)
            case _:
                raise AssertionError(f"the test does not know `{program} {' '.join(words)}`")
        return "exit 0\n"

    # --- what systemctl starts

    async def _do(self, action: str, unit: str) -> None:
        name = unit.removeprefix("musclemap-")
        if unit.endswith(".timer"):
            assert (self._root / "etc/systemd/system" / unit).is_file()
        elif name in ROLES:
            await self._role(action, name)
        elif unit == "musclemap-backup":
            await asyncio.to_thread(self._backup)
        elif unit in FRONTS:
            self._front(unit)
        elif unit in ("pgbouncer", "redis-server"):
            if action != "start" and unit in self._programs:
                child.stop(self._programs.pop(unit), ((signal.SIGINT, 3.0),))
            if action != "stop":
                (self._pgbouncer if unit == "pgbouncer" else self._redis)()
        else:
            raise AssertionError(f"the test does not know the unit {unit}")

    async def _role(self, action: str, role: str) -> None:
        if action != "start" and role in self.services:
            assert await self.services[role].stop() == 0
        if action == "stop":
            return
        ports = {f"{one.upper()}_PORT": str(self.ports[one]) for one in ROLES}  # all that is not in the unit
        env = {**child.CLEAN, **self._given(f"musclemap-{role}.service"), **ports}
        assert env.pop("ExecStart") == f"{sys.executable} -m {role}"
        self.services[role] = Service(role, env, self._folder)
        self.services[role].launch()
        await self.services[role].wait_ready()

    def _backup(self) -> None:
        env = {**child.CLEAN, **self._given("musclemap-backup.service")}
        env["PATH"] = clients_of() + os.pathsep + env["PATH"]
        command = [env.pop("ExecStart")]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=BLOCK_S, check=False)
        assert done.returncode == 0, done.stderr

    def _given(self, unit: str) -> Mapping[str, str]:
        """What systemd would give the process of an installed unit: settings and files; and its command."""
        text = self.placed((self._root / "etc/systemd/system" / unit).read_text("utf-8"))
        given = dict(re.findall(r"^(ExecStart)=(.*)$", text, re.MULTILINE))
        for may_lack, path in re.findall(r"^EnvironmentFile=(-?)(.*)$", text, re.MULTILINE):
            if not may_lack or Path(path).exists():
                given.update(re.findall(r"^(\w+)=(.*)$", Path(path).read_text("utf-8"), re.MULTILINE))
        handed = dict(re.findall(r"^LoadCredential=(\w+):(.*)$", text, re.MULTILINE))
        for path in handed.values():
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600, path
        state = self._root / "var" / "lib"
        for folder in re.findall(r"^StateDirectory=(.*)$", text, re.MULTILINE):
            (state / folder).mkdir(mode=0o700, exist_ok=True)
        for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE):
            name, _, value = line.partition("=")
            value = value.replace("%S", str(state))
            given[name] = handed[value.removeprefix("%d/")] if value.startswith("%d/") else value
        return given

    def _front(self, name: str) -> None:
        assert name not in self.fronts
        file = {"nginx": "etc/nginx/conf.d/musclemap.conf", "caddy": "etc/caddy/Caddyfile"}[name]
        text = (self._root / file).read_text("utf-8")
        made = front(name, self._folder, api_port=self.ports["api"], rt_port=self.ports["rt"], text=text)
        self.fronts[name] = self._ends.enter_context(made)

    def _redis(self) -> None:
        folder = self._root / "var/lib/redis"
        own(folder, self._account)
        command = [needs("redis-server"), "--port", str(self.ports["redis"]), "--bind", HOST, "--dir", str(folder)]
        self._start("redis-server", command, folder, self.ports["redis"])

    def _pgbouncer(self) -> None:
        folder = self._root / "etc/pgbouncer"
        installed = folder / "pgbouncer.ini"
        running = self._root / "run-pgbouncer"
        shutil.rmtree(running, ignore_errors=True)
        running.mkdir()
        shutil.copy(folder / "userlist.txt", running)
        text = self.placed(installed.read_text("utf-8"))
        (running / "pgbouncer.ini").write_text(text.replace(str(folder), str(running)))
        own(running, self._account)
        self._start("pgbouncer", [needs("pgbouncer"), str(running / "pgbouncer.ini")], running, self.ports["pgbouncer"])

    def _start(self, name: str, command: list[str], folder: Path, port: int) -> None:
        log = self._folder / f"{name}.log"
        process = child.start(command, folder=folder, account=self._account, log=log, at_our_death=signal.SIGTERM)
        self._programs[name] = process
        child.wait_until(lambda: not is_free(HOST, port), process, name=name, log=log, limit_s=START_S)


def _makefile() -> str:
    return (ROOT / "Makefile").read_text("utf-8")
