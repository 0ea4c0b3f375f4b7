# SPDX-License-Identifier: PostgreSQL
"""src/lib/pg against real servers: connection strings, errors, poolers, children, quoting."""
import pathlib
import signal
import socket
import subprocess

import pytest
from support.runner import BUILD, EXIT, SANITIZERS
from support.servers import Bouncer, free_port, wait_until

DRIVER = pathlib.Path(BUILD) / "tests/unit/pg_driver"
SECRET = "ge heim'\\x"
ENCODED = "ge%20heim%27%5Cx"


class Answer:
    def __init__(self, done):
        self.code, self.lines = done.returncode, done.stdout.splitlines()
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr

    def value(self, key):
        return next((line.split("=", 1)[1] for line in self.lines if line.startswith(key + "=")), None)

    @property
    def error(self):
        """(exit code, SQLSTATE, message, detail, hint)"""
        line = next(line for line in self.lines if line.startswith("error "))
        _, code, state, rest = line.split(" ", 3)
        return int(code), state, *rest.split("|")

    @property
    def env(self):
        return dict(line[4:].split("=", 1) for line in self.lines if line.startswith("env ") and "=" in line)


@pytest.fixture
def driver(work):
    def run(command, *arguments, env=None, input=None, timeout=60):
        return Answer(subprocess.run(
            [str(DRIVER), command, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(work), "LC_ALL": "C.UTF-8", **SANITIZERS, **(env or {})},
            **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL})))

    return run


@pytest.fixture(scope="module")
def locked(clusters):
    """A server with passwords, on TCP, with few connections."""
    from conftest import BINDIRS, MAJOR
    from support.servers import Cluster
    cluster = Cluster(BINDIRS[MAJOR], MAJOR, auth="scram-sha-256", tcp=True, options={"max_connections": "6", "superuser_reserved_connections": "2"})
    literal = SECRET.replace("'", "''")
    cluster.sql("SET standard_conforming_strings = on")
    cluster.sql(f"CREATE ROLE keeper LOGIN PASSWORD '{literal}'")
    cluster.sql("CREATE ROLE barred LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    yield cluster
    cluster.stop()


def url(cluster, user="keeper", password=ENCODED, database="postgres", query=""):
    return f"postgresql://{user}{':' + password if password else ''}@127.0.0.1:{cluster.port}/{database}{query}"


def test_url_with_foreign_parameters(driver, locked):
    got = driver("connect", url(locked, query="?pgbouncer=true&connection_limit=1&schema=public&application_name=mine"))
    assert got.code == 0, got.lines
    note = next(line for line in got.lines if "connect.dropped" in line)
    assert "pgbouncer, connection_limit, schema" in note and "public" not in note
    assert got.value("application_name") == "mine" and got.value("user") == "keeper"
    assert got.value("pooling") == "direct"
    assert got.value("server") == f"127.0.0.1:{locked.port}"


def test_options_win_over_the_string(driver, locked):
    got = driver("connect", "postgresql://nobody@192.0.2.1:1/postgres", "127.0.0.1", locked.port, "keeper", env={"PGPASSWORD": SECRET})
    assert got.code == 0 and got.value("user") == "keeper", got.lines


@pytest.mark.parametrize("how", ["conninfo", "environment", "passfile", "service"])
def test_every_way_to_give_a_password(driver, locked, work, how):
    quoted = SECRET.replace("\\", "\\\\").replace("'", "\\'")
    env, dbname = {"PGHOST": "127.0.0.1", "PGPORT": str(locked.port), "PGUSER": "keeper", "PGDATABASE": "postgres"}, ""
    if how == "conninfo":
        dbname = f"password='{quoted}'"
    elif how == "environment":
        env["PGPASSWORD"] = SECRET
    elif how == "passfile":
        passfile = work / ".pgpass"
        passfile.write_text("127.0.0.1:*:*:keeper:" + SECRET.replace("\\", "\\\\") + "\n")
        passfile.chmod(0o600)
    else:
        (work / "services").write_text(f"[mine]\nhost=127.0.0.1\nport={locked.port}\nuser=keeper\npassword={SECRET}\ndbname=postgres\n")
        env = {"PGSERVICEFILE": str(work / "services"), "PGSERVICE": "mine"}
    got = driver("query", dbname, "SELECT current_user || inet_server_port()", env=env)
    assert got.code == 0, got.lines
    # the clone and the child reach the same server as the same user, without asking again
    assert got.value("clone") == got.value("child") == f"keeper{locked.port}"


def test_child_gets_secrets_by_environment_only(driver, locked):
    got = driver("connect", url(locked, query="?keepalives_idle=7"))
    assert got.env["PGPASSWORD"] == SECRET and got.env["PGHOST"] == "127.0.0.1" and got.env["PGHOSTADDR"] == "127.0.0.1"
    assert got.env["PGAPPNAME"] == "pg_driver" and got.env["PGDATABASE"] == "postgres"
    assert got.value("child_conninfo").replace("dbname='postgres'", "").strip() == "keepalives_idle='7'"
    assert "env PGSERVICE" in got.lines


def test_child_ignores_the_callers_environment(driver, locked):
    hostile = {"PGHOSTADDR": "192.0.2.1", "PGHOST": "nowhere.invalid", "PGPORT": "1", "PGUSER": "other", "PGDATABASE": "other", "PGPASSWORD": "wrong"}
    dsn = f"host=127.0.0.1 hostaddr=127.0.0.1 port={locked.port} user=keeper dbname=postgres password='{SECRET}'".replace("\\x", "\\\\x").replace("m'\\", "m\\'\\")
    got = driver("query", dsn, "SELECT current_user || inet_server_port()", env=hostile)
    assert got.code == 0 and got.value("child") == f"keeper{locked.port}", got.lines


REFUSALS = [
    ("wrong password", dict(password="wrong"), "permission", "28P01", ".pgpass"),
    ("no password", dict(password=""), "permission", "28P01", "PGPASSWORD"),
    ("no role", dict(user="nobody_here"), "permission", "28P01", ".pgpass"),
    ("no database", dict(database="nowhere"), "not_found", "3D000", "psql -l"),
    ("role's limit", dict(user="barred", password="x"), "busy", "53300", "max_connections"),
]


@pytest.mark.parametrize("what,parts,code,state,hint", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_refused_connections(driver, locked, what, parts, code, state, hint):
    got = driver("connect", url(locked, **parts))
    assert got.error[:2] == (EXIT[code], state), got.lines
    assert hint in got.error[4]
    assert "LOCATION" not in str(got.lines) and ENCODED not in str(got.lines) and SECRET not in str(got.lines)
    assert state not in got.error[2]


def test_all_slots_taken(driver, locked):
    import psycopg
    held = []
    try:
        with pytest.raises(psycopg.OperationalError):
            for _ in range(10):
                held.append(psycopg.connect(url(locked)))
        got = driver("connect", url(locked))
        assert got.error[:2] == (EXIT["busy"], "53300"), got.lines
    finally:
        for connection in held:
            connection.close()


def test_nobody_listens(driver):
    got = driver("connect", f"postgresql://u:{ENCODED}@127.0.0.1:{free_port()}/db")
    assert got.error[0] == EXIT["unavailable"] and "Connection refused" in got.error[2]
    assert got.error[4].startswith("Check host and port")
    got = driver("connect", "host=/nowhere dbname=x")
    assert got.error[0] == EXIT["unavailable"]
    got = driver("connect", "host=no-such-host.invalid dbname=x")
    assert got.error[0] == EXIT["unavailable"]


def test_supabases_direct_host(driver):
    """It has an IPv6 address only (this one has none at all), and the cure is another host."""
    got = driver("connect", "host=db.no-such-project-of-dbops.supabase.co dbname=postgres connect_timeout=5")
    assert got.error[0] == EXIT["unavailable"] and "session pooler" in got.error[4], got.lines


def test_a_silent_host_is_given_up_and_the_next_one_tried(driver, locked):
    """A listener that never answers; libpq's own way to the next host still works."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        port = silent.getsockname()[1]
        got = driver("connect", f"host=127.0.0.1 port={port} dbname=x connect_timeout=2")
        assert got.error[0] == EXIT["unavailable"], got.lines
        got = driver("query", f"host=127.0.0.1,127.0.0.1 port={port},{locked.port} user=keeper dbname=postgres connect_timeout=2",
                     "SELECT inet_server_port()", env={"PGPASSWORD": SECRET})
        # the clone and the child do not wait for the silent one again: they are pinned to the other
        assert got.code == 0 and got.value("clone") == got.value("child") == str(locked.port), got.lines


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_pooler_is_recognised(driver, cluster, mode):
    bouncer = Bouncer(cluster, mode)
    try:
        got = driver("connect", f"host=127.0.0.1 port={bouncer.port} user=postgres dbname=postgres")
        assert got.value("pooling") == mode, got.lines
        assert got.value("reason")
        assert got.value("version").startswith(str(cluster.major))
    finally:
        bouncer.stop()


RUNNING = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(600)' AND state = 'active' AND application_name = 'pg_driver'"


def start_sleeper(server):
    process = subprocess.Popen([str(DRIVER), "interrupt", server.conninfo()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={"PATH": "/usr/bin:/bin", **SANITIZERS})
    wait_until(lambda: server.sql(RUNNING), "the query to run")
    return process


def test_interrupt_from_another_thread(cluster):
    process = start_sleeper(cluster)
    process.stdin.close()
    answer = process.stdout.read()
    assert process.wait(30) == EXIT["interrupted"], answer
    wait_until(lambda: not cluster.sql(RUNNING), "the backend to stop")


def test_interrupt_when_the_server_takes_no_requests(own_cluster):
    """The cancel request is never answered, as on a network that is gone; the blocked reader still returns."""
    server = own_cluster()
    process = start_sleeper(server)
    server.process.send_signal(signal.SIGSTOP)
    try:
        process.stdin.close()
        assert process.wait(30) == EXIT["interrupted"]
    finally:
        server.process.send_signal(signal.SIGCONT)
        process.kill()


def test_threads_clone_one_connection(driver, cluster):
    assert driver("threads", cluster.conninfo()).value("good") == "8"


STATEMENTS = [
    ("SELECT * FROM no_such_table", "not_found", "42P01"),
    ("SELECT 1/0", "refused", "22012"),
    ("SET statement_timeout = 1; SELECT pg_sleep(60)", "refused", "57014"),
    ("SELECT pg_terminate_backend(pg_backend_pid())", "unavailable", "57P01"),
    ("SET ROLE pg_monitor; SELECT * FROM pg_authid", "permission", "42501"),
]


@pytest.mark.parametrize("sql,code,state", STATEMENTS, ids=[s[2] for s in STATEMENTS])
def test_refused_statements(driver, cluster, sql, code, state):
    got = driver("fail", cluster.conninfo(), sql)
    assert got.error[:2] == (EXIT[code], state), got.lines


@pytest.mark.parametrize("strings", ["on", "off"])
@pytest.mark.parametrize("text", ["plain", "it's \"q\"", "back\\slash", "\\'; SELECT 1 --", "new\nline\ttab", "ä€😀", "x" * 63, "\\", "E'\\\\"])
def test_quoting_survives_the_server(driver, cluster, text, strings):
    got = driver("quote", f"{cluster.conninfo()} options='-c standard_conforming_strings={strings}'", input=text)
    assert got.code == 0, got.lines
    assert bytes.fromhex(got.value("literal")).decode() == text
    assert bytes.fromhex(got.value("ident")).decode() == text


def test_unsafe_client_encoding_is_not_used(driver, cluster):
    """In SJIS the second byte of a character may be a backslash."""
    got = driver("quote", cluster.conninfo(), input="表\\'", env={"PGCLIENTENCODING": "SJIS"})
    assert got.code == 0 and bytes.fromhex(got.value("literal")).decode() == "表\\'", got.lines

