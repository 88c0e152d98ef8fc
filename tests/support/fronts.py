"""Debian's nginx and Caddy in front of the product, with the files of config/deploy as they are shipped.

    with front("nginx", folder, api_port=…, rt_port=…) as proxy:
        reader, writer = await proxy.open()

Ports, certificates and addresses of the processes are all that is put in: what each file names for that.
"""

import asyncio
import datetime
import os
import pwd
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.embedded import child
from config.embedded.ports import HOST, free_port
from tests.support.programs import needs
from tests.support.stores import ROOT

DEPLOY: Final = ROOT / "config" / "deploy"
FRONTS: Final = ("caddy", "nginx")
_FILES: Final = {"caddy": "Caddyfile", "nginx": "nginx.conf"}
SITE: Final = "musclemap.example"  # the name in nginx.conf
START_S: Final = 30.0
STOP: Final = ((signal.SIGTERM, 3.0),)


@dataclass(frozen=True, slots=True)
class Front:
    """A running proxy. It serves SITE by TLS on `port` and sends whoever comes to `plain_port` there."""

    name: str
    port: int
    plain_port: int
    log: Path

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new HTTP/1.1 connection by TLS, to write requests on as no library would."""
        return await asyncio.open_connection(HOST, self.port, ssl=trusting(), server_hostname=SITE)


@contextmanager
def front(name: str, folder: Path, *, api_port: int, rt_port: int, text: str = "") -> Iterator[Front]:
    """`name` (of FRONTS) before an API and a gateway on these ports of this machine; ends with the test. `text` stands
    in for the shipped file."""
    folder = folder / name
    folder.mkdir(parents=True)
    proxy = Front(name, free_port(), free_port(), folder / f"{name}.log")
    prepare = {"caddy": _caddy, "nginx": _nginx}[name]
    command, env = prepare(folder, proxy, text or shipped(name), api_port, rt_port)
    process = child.start(command, folder=folder, env=env, log=proxy.log, at_our_death=signal.SIGTERM)
    try:
        child.wait_until(lambda: _serves(proxy.port), process, name=name, log=proxy.log, limit_s=START_S)
        yield proxy
    finally:
        _end(process)


def shipped(name: str) -> str:
    """The file of this proxy (of FRONTS)."""
    return (DEPLOY / _FILES[name]).read_text("utf-8")


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with each of these replaced. Fails where the file does not have one of them any more."""
    for shipped, put in values.items():
        assert shipped in text, f"the shipped file has no {shipped!r}"
        text = text.replace(shipped, put)
    return text


def _caddy(
    folder: Path, proxy: Front, text: str, api_port: int, rt_port: int
) -> tuple[Sequence[str], Mapping[str, str]]:
    # The shipped file has no options of the whole server, so these can stand before it.
    options = (
        "{\n\tadmin off\n\tskip_install_trust\n\tlocal_certs\n"
        f"\tdefault_bind {HOST}\n\thttp_port {proxy.plain_port}\n\thttps_port {proxy.port}\n}}\n"
    )
    config = folder / "Caddyfile"
    config.write_text(f"{options}{text}")
    addresses = {
        "SITE_ADDRESS": SITE,
        "API_ADDRESS": f"{HOST}:{api_port}",
        "RT_ADDRESS": f"{HOST}:{rt_port}",
    }
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = [needs("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    return command, {**child.CLEAN, **homes, **addresses}


def _nginx(
    folder: Path, proxy: Front, text: str, api_port: int, rt_port: int
) -> tuple[Sequence[str], Mapping[str, str]]:
    certificate, key = make_certificate(folder)
    site = filled(
        text,
        {
            "server 127.0.0.1:8001;": f"server {HOST}:{rt_port};",
            "server 127.0.0.1:8000;": f"server {HOST}:{api_port};",
            "listen 80": f"listen {HOST}:{proxy.plain_port}",
            "listen 443": f"listen {HOST}:{proxy.port}",
            "listen [::]:80": f"listen [::1]:{proxy.plain_port}",
            "listen [::]:443": f"listen [::1]:{proxy.port}",
            "/etc/ssl/musclemap/fullchain.pem": str(certificate),
            "/etc/ssl/musclemap/privkey.pem": str(key),
        },
    )
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""  # the test's folder is closed to others
    config = folder / "nginx.conf"
    http = f"access_log {folder / 'access.log'}; {temporary} include {folder / 'site.conf'};"
    config.write_text(
        f"{user} pid {folder / 'pid'}; daemon off; worker_processes 1; error_log stderr notice;"
        f" events {{ worker_connections 1024; }} http {{ {http} }}"
    )
    return [needs("nginx"), "-p", str(folder), "-c", str(config), "-e", "stderr"], child.CLEAN


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of SITE that signs itself, and its key, as PEM files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SITE)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return certificate_file, key_file


@cache
def trusting() -> ssl.SSLContext:
    """TLS of a client that asks for no names: each proxy of a test has a certificate of its own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _serves(port: int) -> bool:
    """Whether it shakes hands by TLS: Caddy makes its certificate after it listens."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as plain:
            trusting().wrap_socket(plain, server_hostname=SITE).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    child.stop(process, STOP)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
