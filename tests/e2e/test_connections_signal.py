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

from support import servers
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


def test_wait_asks_about_these_sessions_only(target):
    """While it waits, dbops polls the pids that it signalled, and it is done as soon as the session is gone."""
    cluster, dbops, connect = target
    stubborn, outcome = connect(), []
    pid = stubborn.info.backend_pid
    body = "BEGIN LOOP BEGIN PERFORM pg_sleep(300); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END"
    thread = in_background(stubborn, f"DO $$ {body} $$", outcome)
    wait_active(cluster, stubborn)
    result = []
    waiter = threading.Thread(target=lambda: result.append(dbops("connections", "cancel", str(pid), "--yes", "--wait=1h", "--format=json")))
    waiter.start()
    try:
        query = wait_until(lambda: cluster.sql("SELECT query FROM pg_stat_activity WHERE application_name = 'dbops cancel' AND query LIKE %s",
                                               f"%a.pid IN ({pid})%"), "a poll")[0][0]
        assert "pg_roles" not in query
    finally:
        cluster.sql("SELECT pg_terminate_backend(%s)", pid)
        thread.join(30)
        waiter.join(30)
    assert [s["outcome"] for s in result[0].json["sessions"]] == ["cancelled"] and outcome != ["done"]


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


PLANS = {
    "one pool": (ROOT / "contrib/pools.yaml").read_text(),
    "a pool for each role and database": """
server: {max_connections: 40, superuser_reserved_connections: 3, other: 2}
deploy: one
components:
  web: {instances: 3, pool_size: 10, surge: 100%, role: web, database: shop}
  jobs: {instances: 2, pool_size: 8, role: jobs, database: shop}
  report: {instances: 1, pool_size: 6, role: web, database: archive}
""",
}


def printed_section(text):
    """The last pgbouncer.ini that the plan prints: everything through PgBouncer, pools as they are."""
    lines = [line[2:] for line in text.splitlines() if line.startswith("  ")]
    first = len(lines) - 1 - lines[::-1].index("[pgbouncer]")
    return "\n".join(lines[first:])


def clients_of(plan):
    """(role, database) of every connection that the components open while a deploy runs, each surging by 100 % of its instances."""
    surges = [c["instances"] * c["pool_size"] for c in plan["components"].values()]
    for c in plan["components"].values():
        own = c["instances"] * c["pool_size"]
        times = 2 if plan.get("deploy") != "one" or own == max(surges) else 1
        yield from [(c.get("role", "app"), c.get("database", "app"))] * (own * times)


def place_for(own_cluster, plan):
    """A server with the plan's limits, its roles and its databases."""
    limits = {k: str(v) for k, v in plan["server"].items() if k != "other"}
    cluster = own_cluster(options=limits)
    clients = list(clients_of(plan))
    for role in sorted({c[0] for c in clients}):
        cluster.sql(f"CREATE ROLE {quoted(role)} LOGIN")
    for database in sorted({c[1] for c in clients}):
        cluster.sql(f"CREATE DATABASE {quoted(database)}")
    return cluster, clients


@pytest.mark.parametrize("name", PLANS)
def test_advised_settings_are_accepted(name, dbops_for, own_cluster, work):
    """A real PgBouncer starts from the printed section, and every connection of a deploy works through it on a server with that
    max_connections, which refuses the same connections without it."""
    import concurrent.futures
    import yaml
    plan = yaml.safe_load(PLANS[name])
    (work / "plan.yaml").write_text(PLANS[name])
    cluster, clients = place_for(own_cluster, plan)
    dbops = dbops_for(cluster)
    answer = dbops("connections", "plan", work / "plan.yaml", "--format=json", expect=EXIT["critical"]).json
    deploy = next(r for r in answer["inequalities"] if r["id"] == "server.deploy")
    other = plan["server"].get("other", 0)
    assert deploy["left"] == len(clients) + other and not deploy["holds"]

    direct = []
    with contextlib.ExitStack() as stack:  # refuted: so it is
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots|too many clients"):
            for role, database in clients:
                direct.append(stack.enter_context(psycopg.connect(cluster.conninfo(database, role))))
    assert len(direct) == answer["capacity"]

    section = printed_section(dbops("connections", "plan", work / "plan.yaml", expect=EXIT["critical"]).stdout)
    advised = answer["settings_pgbouncer"]["pgbouncer"]
    assert {k: str(v) for k, v in advised.items()} == dict(line.split(" = ") for line in section.splitlines()[1:])
    pools = sorted(set(clients))
    size = advised["default_pool_size"] + advised["reserve_pool_size"]
    most = sum(min(size, clients.count(p)) for p in pools)
    assert most + other <= answer["capacity"]
    everybody, release = threading.Barrier(len(clients) + 1), threading.Event()

    def work_as(client):
        """All log in before anybody begins; those that have a server connection keep it until the test says so."""
        role, database = client
        with psycopg.connect(host="127.0.0.1", port=instance.port, user=role, dbname=database, autocommit=True, prepare_threshold=None) as c:
            everybody.wait(120)
            c.execute("BEGIN")
            row = c.execute("SELECT current_user, current_database()").fetchone()
            assert release.wait(120)
            c.execute("COMMIT")
            return row

    def held():
        return cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'idle in transaction'")[0][0]

    # the reserve opens after a wait, which is 5 s unless PgBouncer is told otherwise
    instance = servers.Bouncer(cluster, section=section, roles=sorted({c[0] for c in clients}), settings={"reserve_pool_timeout": 1})
    try:
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as threads:
            running = [threads.submit(work_as, c) for c in clients]
            try:
                everybody.wait(120)
                wait_until(lambda: held() == most, f"{most} sessions at the server", seconds=90, every=0.1)
                console = f"host=127.0.0.1 port={instance.port} user=postgres"
                seen = dbops.json("connections", "--pgbouncer", console)["connections"]
                by_name = {r["name"]: r for r in seen if r["kind"] == "pool"}
                for role, database in pools:
                    pool = by_name[f"{database}/{role}"]
                    wanted = clients.count((role, database))
                    assert (pool["sessions"], pool["limit"], pool["waiting"]) == (min(size, wanted), size, max(0, wanted - size))
                with contextlib.ExitStack() as people:  # for whom the plan leaves room
                    for _ in range(other):
                        person = people.enter_context(psycopg.connect(cluster.conninfo(*reversed(pools[0]))))
                        assert person.execute("SELECT 1").fetchone()
            finally:
                release.set()
            assert [r.result(60) for r in running] == clients
    finally:
        instance.stop()


def test_smaller_pools_are_proved_by_the_next_plan(dbops, work):
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
