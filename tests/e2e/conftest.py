# SPDX-License-Identifier: PostgreSQL
"""Fixtures of the end-to-end tests: real servers, the built program, one database and one folder per test.

DBOPS_BUILD          build folder to test (default build-test: ASan + UBSan)
DBOPS_RELEASE_BUILD  optimised build for memory and size (default build-release)
DBOPS_TEST_MAJORS    "13 15 18": of the tests that run once a major, only these (default: all that are here)
"""
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support import servers  # noqa: E402
from support.runner import BUILD, RELEASE_BUILD, Dbops, binary  # noqa: E402

BINDIRS = servers.postgres_bindirs()
MAJOR = 15 if 15 in BINDIRS else min(BINDIRS, default=0)
EMBEDDED = servers.embedded_bindirs()
TEST_MAJORS = os.environ.get("DBOPS_TEST_MAJORS", "")
SQL = pathlib.Path(__file__).resolve().parent / "sql"


def wanted(majors):
    """Those that DBOPS_TEST_MAJORS names; all without it, and never none."""
    chosen = {int(m) for m in TEST_MAJORS.split()}
    return sorted(set(majors) & chosen) or sorted(majors)


def pytest_generate_tests(metafunc):
    """any_major: the system's PostgreSQL, and every further one that tests/support/pgsuite.sh has unpacked."""
    if "embedded_major" in metafunc.fixturenames:
        metafunc.parametrize("embedded_major", wanted(EMBEDDED), ids=lambda m: f"server{m}", scope="module")
    if "every_server" in metafunc.fixturenames:
        majors = [m for m in set(BINDIRS) | set(EMBEDDED) if m >= 14]
        metafunc.parametrize("every_server", wanted(majors), ids=lambda m: f"pg{m}", indirect=True, scope="session")
    if "server_major" in metafunc.fixturenames:
        metafunc.parametrize("server_major", wanted({MAJOR, *EMBEDDED}), ids=lambda m: f"server{m}")
    if "any_major" in metafunc.fixturenames:
        metafunc.parametrize("any_major", sorted(BINDIRS), ids=lambda m: f"pg{m}")


def pytest_terminal_summary(terminalreporter):
    counts = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped", "xfailed", "xpassed")}
    for what, majors, how in (
        ("PostgreSQL with pg_dump", BINDIRS, "tests/support/pgsuite.sh"), ("PostgreSQL servers alone", EMBEDDED, "tests/support/embedded/fetch.sh")):
        further = ", ".join(str(m) for m in wanted(majors) if what.endswith("alone") or m != MAJOR)
        terminalreporter.write_line(f"{what}, beside {MAJOR}: " + (f"{further} tested" if further else f"NONE HERE, NOT TESTED ({how} gets them)"))
    path = os.environ.get("DBOPS_TEST_COUNTS")
    if path:
        pathlib.Path(path).write_text(json.dumps(counts))


@pytest.fixture(scope="session", autouse=True)
def clean_environment():
    """Nothing of the developer's own set-up reaches a test."""
    for name in list(os.environ):
        if name.startswith(("PG", "AWS_", "DBOPS_")) and name not in ("DBOPS_BUILD", "DBOPS_RELEASE_BUILD", "DBOPS_TEST_COUNTS") or name == "DATABASE_URL":
            del os.environ[name]
    os.umask(0o022)


@pytest.fixture(scope="session")
def session_folder():
    folder = servers.private_folder("dbops-e2e-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def work(session_folder, request):
    """This test's own folder; everyone may search it, as the scratch server's user must."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:40]
    folder = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=session_folder))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def clusters():
    """Cached clusters by major: clusters(17)."""
    started = {}

    def get(major):
        if major not in started:
            started[major] = servers.Cluster(BINDIRS[major], major)
        return started[major]

    assert MAJOR, "no PostgreSQL server found; run contrib/install-deps.sh test"
    yield get
    for cluster in started.values():
        cluster.stop()


@pytest.fixture(scope="session")
def server(clusters):
    """server(major): a shared cluster of any major that is here, with or without client programs of its own. A test that asks for
    `server_major` runs once a major."""
    started = {}

    def get(major):
        if major in BINDIRS:
            return clusters(major)
        if major not in started:
            started[major] = servers.Cluster(EMBEDDED[major], major, clients=BINDIRS[MAJOR], initdb=("-E", "UTF8", "--no-locale"))
        return started[major]

    yield get
    for cluster in started.values():
        cluster.stop()


@pytest.fixture(scope="session")
def every_server(request, server):
    """A server of each supported major (14 and newer) that is here, with client programs or without: for tests that need SQL only."""
    return server(request.param)


@pytest.fixture
def server_db(every_server):
    """An empty database of that server."""
    database = every_server.create_database()
    yield database
    database.drop()


@pytest.fixture(scope="session")
def cluster(clusters):
    """The shared server of the system's PostgreSQL. Tests that touch settings, roles or the server's life use own_cluster."""
    return clusters(MAJOR)


@pytest.fixture
def own_cluster():
    """Factory of servers of one's own: own_cluster(options={...}, tcp=True)."""
    started = []

    def start(major=MAJOR, **kwargs):
        started.append(servers.Cluster(BINDIRS[major], major, **kwargs))
        return started[-1]

    yield start
    for cluster in started:
        cluster.stop()


@pytest.fixture
def db(cluster):
    """An empty database."""
    database = cluster.create_database()
    yield database
    database.drop()


@pytest.fixture
def empty_db(cluster):
    """A second empty database: a target."""
    database = cluster.create_database()
    yield database
    database.drop()


@pytest.fixture
def new_db(cluster):
    """The name of a database that does not exist yet; dropped afterwards."""
    cluster.number += 1
    database = cluster.database(f"new{cluster.number}")
    yield database
    database.drop()


@pytest.fixture(scope="session")
def templates(clusters):
    """templates(name, major): a database filled from sql/<name>.sql, made once, to be copied or read."""
    made = set()

    def get(name, major=MAJOR):
        cluster = clusters(major)
        if (name, major) not in made:
            database = cluster.create_database(name=f"template_{name}")
            cluster.run_script(SQL / f"{name}.sql", database.name)
            made.add((name, major))
        return cluster.database(f"template_{name}")

    return get


@pytest.fixture
def torture(templates):
    """The torture database. Read only: it is shared by all tests of the session."""
    return templates("torture")


@pytest.fixture
def shop(templates, cluster):
    """A small ordinary database (customers, orders, events, a large object) that the test may change."""
    database = cluster.create_database(template=templates("shop").name)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def program():
    return pathlib.Path(os.environ["DBOPS"]) if os.environ.get("DBOPS") else binary(BUILD)


@pytest.fixture(scope="session")
def release_program():
    return binary(RELEASE_BUILD)


@pytest.fixture
def dbops(program, work, cluster):
    """dbops(...) against the shared server, in this test's folder."""
    return Dbops(program, work, cluster.env)


@pytest.fixture
def dbops_for(program, work):
    """dbops_for(server) -> dbops against another server (or any object with .env)."""
    return lambda server, **env: Dbops(program, work, {**server.env, **env})


@pytest.fixture(scope="session")
def s3_server():
    server = servers.S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server):
    """An empty bucket; the server's faults are cleared before and after."""
    s3_server.fault()
    yield s3_server.create_bucket()
    s3_server.fault()


@pytest.fixture
def s3_dbops(program, work, cluster, s3_server):
    """dbops with credentials and endpoint of the S3 server in its environment."""
    return Dbops(program, work, {**cluster.env, **s3_server.env})


@pytest.fixture
def bouncer(cluster):
    instance = servers.Bouncer(cluster)
    yield instance
    instance.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the servers' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            log = getattr(value, "log", None)
            if isinstance(log, pathlib.Path) and log.exists():
                report.sections.append((f"server log {log}", log.read_text(errors="replace")[-3000:]))
