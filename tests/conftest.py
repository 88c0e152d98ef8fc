"""Fixtures that start stores. A test of pure rules needs none of them."""

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest

from config.process import allow_open_files
from tests.support import forks
from tests.support.processes import Fleet
from tests.support.stores import Cluster, Database, TestStores, environment, forget_the_dead, in_memory

_RUN: Final = "MUSCLEMAP_TEST_RUN"  # the folder of what all processes of a run share


def pytest_configure(config: pytest.Config) -> None:
    """Some tests hold more sockets than a shell's default allows, and a busy machine makes no example wrong."""
    allow_open_files()
    hypothesis.settings.register_profile(
        "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("patient")
    if not hasattr(config, "workerinput"):  # the run's first process, whose environment the others inherit
        os.environ[_RUN] = tempfile.mkdtemp(prefix=f"musclemap-run-{os.getpid()}-", dir=in_memory())
        Path(os.environ[_RUN]).chmod(0o711)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: nobody looks through it for garbage, neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A long run, and a test that measures memory, has its processes as an operator has them."""
    forks.used = not any(mark.name in ("chaos", "memory") for mark in item.iter_markers())


def pytest_unconfigure(config: pytest.Config) -> None:
    """What all processes of a run share goes with its first one."""
    forks.close()
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(_RUN), ignore_errors=True)
        forget_the_dead()


@pytest.fixture(scope="session")
def stores_folder() -> Iterator[Path]:
    """A folder whose files the account of the stores can reach, also when the tests run as root.

    Not one of pytest's: each run closes the folder that all runs share to everybody else, also while others use it.
    """
    with tempfile.TemporaryDirectory(
        prefix=f"musclemap-tests-{os.getpid()}-", dir=in_memory(), ignore_cleanup_errors=True
    ) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="session")
def cluster_to_copy() -> Cluster:
    """What each PostgreSQL of the run begins as."""
    return Cluster(Path(os.environ[_RUN]) / "cluster-to-copy")


@pytest.fixture(scope="session")
def stores(stores_folder: Path, cluster_to_copy: Cluster) -> Iterator[TestStores]:
    """One PostgreSQL and one Valkey for the run, migrated. Leave them running and the shared database clean:
    a test that writes takes `database`, one that stops a store takes `own_stores`."""
    running = TestStores(stores_folder / "shared", cluster_to_copy)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def database(stores: TestStores) -> Iterator[Database]:
    """A migrated database of the test's own, dropped after it."""
    made = stores.make_database()
    yield made
    stores.drop_database(made)


@pytest.fixture
def database_url(database: Database) -> str:
    """The address of the test's own migrated database for the application's role."""
    return database.url


@pytest.fixture
def redis_url(stores: TestStores) -> str:
    """The address of the run's Valkey, emptied."""
    address = stores.valkey
    with socket.create_connection(("127.0.0.1", address.port), timeout=5) as connection:
        password = address.url.split("@")[0].rpartition(":")[2]
        connection.sendall(f"AUTH {password}\r\nFLUSHALL\r\nSCRIPT FLUSH\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 3 and (more := connection.recv(1024)):
            answer += more
    assert answer == b"+OK\r\n" * 3, answer
    return address.url


@pytest.fixture
def own_stores(tmp_path: Path, stores_folder: Path, cluster_to_copy: Cluster) -> Iterator[TestStores]:
    """A durable PostgreSQL and a Valkey of the test's own, to stop, kill and start again as it likes."""
    running = TestStores(stores_folder / f"own-{tmp_path.name}", cluster_to_copy, durable=True)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
async def fleet(database: Database, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """rt, api and worker, ready, over a database of the test's own and an emptied Valkey."""
    env = environment(**database.urls, REDIS_URL=redis_url)
    async with Fleet(env, tmp_path) as running:
        yield running
