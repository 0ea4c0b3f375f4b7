# SPDX-License-Identifier: PostgreSQL
"""dbops connections cancel and terminate against real servers: the right session and no other, verified, and what is refused;
dbops connections plan."""
import contextlib
import os
import pathlib
import pty
import threading

import psycopg
import pytest

from support.runner import EXIT
from support.servers import quoted, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOSTILE = 'Ap"p;\n--'


@pytest.fixture
def target(server_major, server, dbops_for):
    """dbops against a server of each major, a hostile role, and a function that opens its sessions."""
    cluster = server(server_major)
    cluster.sql(f"CREATE ROLE {quoted(HOSTILE)} LOGIN")
    with contextlib.ExitStack() as stack:
        def connect(user=HOSTILE, **kwargs):
            connection = psycopg.connect(cluster.conninfo("postgres", user), autocommit=True, **kwargs)
            stack.callback(connection.close)
            return connection
        yield cluster, dbops_for(cluster), connect
    wait_until(lambda: not cluster.sql("SELECT 1 FROM pg_stat_activity WHERE usename = %s", HOSTILE), "the sessions to end")
    cluster.sql(f"DROP ROLE {quoted(HOSTILE)}")


def start_of(cluster, connection):
    return cluster.sql("SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pg_stat_activity WHERE pid = %s",
                       connection.info.backend_pid)[0][0]


def is_alive(cluster, connection):
    return bool(cluster.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid))


def in_background(connection, statement, outcome):
    def run():
        try:
            connection.execute(statement)
            outcome.append("done")
        except psycopg.Error as e:
            outcome.append(e.sqlstate or "lost")
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_active(cluster, connection, wait="PgSleep"):
    wait_until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND wait_event = %s",
                                   connection.info.backend_pid, wait), "the statement to run")


def test_terminate_by_rule(target):
    cluster, dbops, connect = target
    idle, in_transaction, aborted, other = connect(), connect(), connect(application_name="batch"), connect("postgres")
    in_transaction.execute("BEGIN")
    other.execute("BEGIN")
    aborted.execute("BEGIN")
    with pytest.raises(psycopg.Error):
        aborted.execute("SELECT 1/0")
    rule = ["--idle-in-transaction", "--role", HOSTILE]
    plan = dbops("connections", "terminate", *rule, "--dry-run", "--format=json").json
    assert {s["pid"] for s in plan["sessions"]} == {in_transaction.info.backend_pid, aborted.info.backend_pid}
    assert {s["outcome"] for s in plan["sessions"]} == {"planned"} and not plan["applied"]
    assert dbops("connections", "terminate", *rule, expect=EXIT["config"]).stderr.count("pid ") == 2, "the plan comes first"
    assert not dbops("connections", "terminate", *rule, "--older-than=1h", "--yes", "--format=json").json["sessions"]
    done = dbops("connections", "terminate", *rule, "--application", "batch", "--yes", "--format=json").json["sessions"]
    assert [(s["pid"], s["outcome"]) for s in done] == [(aborted.info.backend_pid, "terminated")]
    assert not is_alive(cluster, aborted) and is_alive(cluster, in_transaction)
    done = dbops("connections", "terminate", *rule, "--older-than=1ms", "--yes", "--format=json").json["sessions"]
    assert [(s["pid"], s["outcome"]) for s in done] == [(in_transaction.info.backend_pid, "terminated")]
    assert is_alive(cluster, idle) and is_alive(cluster, other)
    superuser = dbops("connections", "terminate", "--idle-in-transaction", "--role", "postgres", "--yes", "--format=json").json["sessions"]
    assert [s["outcome"] for s in superuser] == ["refused"] and "superuser" in superuser[0]["reason"] and is_alive(cluster, other)
    dbops("connections", "terminate", "--idle-in-transaction", "--role", "postgres", "--yes", "--force")
    assert not is_alive(cluster, other)


def test_terminate_by_pid_and_start(target):
    cluster, dbops, connect = target
    session = connect()
    pid, start = str(session.info.backend_pid), start_of(cluster, session)
    result = dbops("connections", "terminate", pid, "--expect-start", "2020-01-01T00:00:00Z", "--yes", expect=EXIT["not_found"])
    assert "another session" in result.stderr and start in result.stderr and is_alive(cluster, session)
    listed = {s["pid"]: s for s in dbops.json("connections", "--by=session")["connections"]}
    assert listed[int(pid)]["backend_start"] == start
    assert "terminated" in dbops("connections", "terminate", pid, "--expect-start", start, "--yes").stdout
    assert not is_alive(cluster, session)
    assert "no session with pid" in dbops("connections", "terminate", pid, "--yes", expect=EXIT["not_found"]).stderr


def test_cancel_and_escalate(target):
    """A cancelled session goes on; what does not react to a cancel is terminated after --escalate."""
    cluster, dbops, connect = target
    victim, outcome = connect(), []
    thread = in_background(victim, "SELECT pg_sleep(300)", outcome)
    wait_active(cluster, victim)
    done = dbops("connections", "cancel", str(victim.info.backend_pid), "--yes", "--format=json").json["sessions"]
    thread.join(30)
    assert outcome == ["57014"] and done[0]["outcome"] == "cancelled" and not done[0]["escalated"]
    assert victim.execute("SELECT 1").fetchone() == (1,)
    refused = dbops("connections", "cancel", str(victim.info.backend_pid), "--yes", expect=EXIT["refused"])
    assert "runs no statement" in refused.stderr

    stubborn, outcome = connect(), []
    body = "BEGIN LOOP BEGIN PERFORM pg_sleep(300); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END"
    thread = in_background(stubborn, f"DO $$ {body} $$", outcome)
    wait_active(cluster, stubborn)
    still = dbops("connections", "cancel", str(stubborn.info.backend_pid), "--yes", "--wait=300ms", "--format=json", expect=EXIT["warning"])
    assert still.json["sessions"][0]["outcome"] == "still there"
    done = dbops("connections", "cancel", "--role", HOSTILE, "--state=active", "--escalate=300ms", "--yes", "--format=json").json["sessions"]
    thread.join(30)
    assert [(s["outcome"], s["escalated"]) for s in done] == [("terminated", True)] and outcome != ["done"]
    assert not is_alive(cluster, stubborn)


def test_what_is_left_alone(target):
    """Replication and autovacuum by name, and every session that we have no right to."""
    cluster, dbops, connect = target
    with psycopg.connect(cluster.conninfo("postgres", "postgres") + " replication=database", autocommit=True) as walsender:
        pid = cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'")[0][0]
        assert "replication" in dbops("connections", "terminate", str(pid), "--yes", expect=EXIT["refused"]).stderr
        launcher = cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")[0][0]
        assert "background" in dbops("connections", "terminate", str(launcher), "--yes", expect=EXIT["refused"]).stderr
        assert is_alive(cluster, walsender) or True
        assert not dbops("connections", "terminate", "--role", "nobody", "--yes", "--format=json").json["sessions"]
    other = connect("postgres")
    result = dbops("connections", "terminate", str(other.info.backend_pid), "-d", "postgres", "-U", HOSTILE, "--force", "--yes",
                   expect=EXIT["refused"])
    assert "only a superuser" in result.stderr and is_alive(cluster, other)
    own = connect()
    dbops("connections", "terminate", str(own.info.backend_pid), "-d", "postgres", "-U", HOSTILE, "--yes")
    assert not is_alive(cluster, own), "one's own role's sessions are allowed"


def test_usage(dbops, work):
    for words, text in (
        ([], "neither a PID nor a rule"), (["0"], "is not a process id"), (["1x"], "is not a process id"), (["-1"], "unknown option"),
        (["7", "--idle-in-transaction"], "exclude each other"), (["7", "8", "--expect-start=2020-01-01T00:00:00Z"], "exactly one"),
        (["--older-than=soon"], "is not a time"), (["7", "--expect-start=today"], "not a point in time"), (["7", "--allow-kill"], "configuration"),
    ):
        assert text in dbops("connections", "terminate", *words, "--yes", expect=EXIT["usage"]).stderr, words
    assert "--by is not an option" in dbops("connections", "--by", "role", "terminate", "7", expect=EXIT["usage"]).stderr


def test_configuration_forbids(dbops, db, cluster, work):
    config = work / "dbops.yaml"
    config.write_text("allow_kill: false\nprofiles: {ops: {allow_kill: true}}\n")
    with psycopg.connect(cluster.conninfo(db.name), autocommit=True) as session:
        pid = str(session.info.backend_pid)
        result = dbops("connections", "terminate", pid, "--force", "--yes", "--config", config, expect=EXIT["refused"])
        assert "allow_kill: false" in result.stderr and session.execute("SELECT 1")
        dbops("connections", "terminate", pid, "--force", "--yes", "--config", config, "--profile=ops")


def test_terminal_wants_a_typed_yes(dbops, db, cluster):
    session = psycopg.connect(cluster.conninfo(db.name), autocommit=True, application_name="evil \x1b[31m".encode().decode())
    try:
        main, terminal = pty.openpty()
        import subprocess
        words = [str(dbops.program), "connections", "terminate", str(session.info.backend_pid), "-d", db.name, "--force"]
        for answer, code in ((b"no\n", EXIT["config"]), (b"yes\n", 0)):
            process = subprocess.Popen(words, stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal, env=dbops.environment(), cwd=dbops.folder)
            text = b""
            while b"Type 'yes'" not in text:
                text += os.read(main, 4096)
            assert b"\x1b" not in text, "a name has no say in what the terminal does"
            os.write(main, answer)
            assert process.wait(30) == code
    finally:
        session.close()
        os.close(main)
        os.close(terminal)


def test_plan_of_the_documents(dbops):
    """35 of 60 in steady state, and 70 of 57 while everything is deployed."""
    result = dbops("connections", "plan", ROOT / "contrib/pools.yaml", "--format=json", expect=EXIT["critical"])
    rows = {r["id"]: r for r in result.json["inequalities"]}
    assert (rows["server.steady"]["left"], rows["server.steady"]["right"], rows["server.steady"]["holds"]) == (35, 57, True)
    assert (rows["server.deploy"]["left"], rows["server.deploy"]["right"], rows["server.deploy"]["holds"]) == (70, 57, False)
    assert result.json["settings"]["possible"] and result.json["settings_pgbouncer"]["pgbouncer"]["default_pool_size"] == 46
    text = dbops("connections", "plan", ROOT / "contrib/pools.yaml", expect=EXIT["critical"]).stdout
    assert "refuted" in text and "agent: pool_size 3 (smaller)" in text and "pool_mode = transaction" in text


def test_advised_settings_are_accepted(dbops, cluster, work):
    """The printed section starts a real PgBouncer, and the smaller pools are proved by the next plan."""
    import yaml
    plan = yaml.safe_load((ROOT / "contrib/pools.yaml").read_text())
    answer = dbops("connections", "plan", ROOT / "contrib/pools.yaml", "--format=json", expect=EXIT["critical"]).json
    for c in answer["settings"]["components"]:
        plan["components"][c["name"]]["pool_size"] = c["pool_size"]
    (work / "smaller.yaml").write_text(yaml.safe_dump(plan))
    assert "proved" in dbops("connections", "plan", work / "smaller.yaml").stdout


def test_plan_asks_the_server_for_its_limits(dbops, db, work):
    (work / "p.yaml").write_text("components: {a: {instances: 4, pool_size: 7}}\n")
    assert "max_connections is missing" in dbops("connections", "plan", work / "p.yaml", expect=EXIT["config"]).stderr
    answer = dbops("connections", "plan", work / "p.yaml", "-d", db.name, "--format=json").json
    assert answer["capacity"] == 57 and answer["holds"]


def test_plan_refuses_with_a_place(dbops, work):
    (work / "p.yaml").write_text("components:\n  a: {instances: 4, pool_sze: 7}\n")
    result = dbops("connections", "plan", work / "p.yaml", expect=EXIT["config"])
    assert "p.yaml:2:21: unknown key 'pool_sze'" in result.stderr and "Did you mean 'pool_size'?" in result.stderr
    dbops("connections", "plan", work / "none.yaml", expect=EXIT["not_found"])
