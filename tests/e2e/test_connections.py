# SPDX-License-Identifier: PostgreSQL
"""dbops connections against real servers: capacity and limits as the server itself enforces them, groups, what is stuck."""
import contextlib
import json
import os
import pathlib
import re
import socket
import threading

import jsonschema
import psycopg
import pytest

from support import servers
from support.runner import EXIT
from support.servers import quoted, wait_until

HOSTILE = 'Ro"l;e\nx'


@pytest.fixture(scope="module")
def full(request):
    """full(major): a server with few slots, of its own because tests fill it."""
    started = {}
    bindirs, embedded = servers.postgres_bindirs(), servers.embedded_bindirs()

    def get(major):
        if major not in started:
            options = {"max_connections": "20", "superuser_reserved_connections": "2", "max_wal_senders": "4",
                       "max_prepared_transactions": "5", "idle_in_transaction_session_timeout": "0"}
            if major >= 16:
                options["reserved_connections"] = "3"
            clients = bindirs.get(15) or next(iter(bindirs.values()))
            started[major] = servers.Cluster(bindirs.get(major) or embedded[major], major, options=options, clients=clients,
                                             initdb=("-E", "UTF8", "--no-locale"))
            started[major].sql("CREATE ROLE app LOGIN")
        return started[major]

    yield get
    for cluster in started.values():
        cluster.stop()


def connect(cluster, user="app", database="postgres", **kwargs):
    """A session, as soon as the slot of one that has just ended is free."""
    def attempt():
        with contextlib.suppress(psycopg.OperationalError):
            return psycopg.connect(cluster.conninfo(database, user), autocommit=True, **kwargs)
    return wait_until(attempt, "a free slot")


@contextlib.contextmanager
def sessions(cluster, count, user="app", database="postgres", **kwargs):
    """count open sessions."""
    with contextlib.ExitStack() as stack:
        opened = [connect(cluster, user, database, **kwargs) for _ in range(count)]
        for connection in opened:
            stack.callback(connection.close)
        yield opened


def settled(cluster):
    """Waits until no client session of an earlier test is left."""
    wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()")[0][0] == 0,
               "the server to be empty")


def rows_of(answer, kind):
    return {r["name"]: r for r in answer["connections"] if r["kind"] == kind}


def test_capacity_is_what_the_server_enforces(full, dbops_for, server_major):
    """An ordinary role is refused exactly when dbops says 100 %; a walsender takes no such slot."""
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    capacity = 20 - 2 - (3 if server_major >= 16 else 0)
    with sessions(cluster, capacity - 1), contextlib.ExitStack() as stack:
        walsender = stack.enter_context(psycopg.connect(cluster.conninfo("postgres", "postgres") + " replication=database", autocommit=True))
        assert walsender.info.transaction_status == 0
        root = dbops.json("connections", "--by", "role")["connections"][0]
        assert (root["kind"], root["sessions"], root["limit"], root["headroom"]) == ("server", capacity - 1, capacity, 1)
        with sessions(cluster, 1):
            root = dbops.json("connections")["connections"][0]
            assert (root["sessions"], root["used"], root["headroom"]) == (capacity, 100, 0)
            with pytest.raises(psycopg.OperationalError, match="reserved"):
                psycopg.connect(cluster.conninfo("postgres", "app"))
            result = dbops("connections", "--check", expect=EXIT["critical"])
            assert "connections.capacity" in result.stdout


def can_connect(cluster, user, database="postgres"):
    try:
        psycopg.connect(cluster.conninfo(database, user)).close()
        return True
    except psycopg.OperationalError as e:
        assert "too many connections" in str(e), e
        return False


def test_limits_of_roles_and_databases(full, dbops_for, server_major):
    """What counts towards a limit is what the server counts: no walsenders, and superusers are exempt."""
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    cluster.sql(f"CREATE ROLE {quoted(HOSTILE)} LOGIN REPLICATION CONNECTION LIMIT 2")
    cluster.sql("CREATE ROLE boss LOGIN SUPERUSER CONNECTION LIMIT 1")
    cluster.sql("CREATE DATABASE small CONNECTION LIMIT 4")
    try:
        with sessions(cluster, 1, HOSTILE, "small"), sessions(cluster, 2, "boss"), \
                psycopg.connect(cluster.conninfo("small", HOSTILE) + " replication=database", autocommit=True):
            answer = dbops.json("connections", "--by", "role")
            role, database = rows_of(answer, "role limit"), rows_of(answer, "database limit")
            assert set(role) == {HOSTILE}, "a superuser is exempt"
            assert role[HOSTILE]["limit"] == 2 and role[HOSTILE]["headroom"] == 1 and role[HOSTILE]["sessions"] == 1
            assert database["small"]["limit"] == 4 and database["small"]["sessions"] == 1
            wait_until(lambda: can_connect(cluster, HOSTILE), "a slot of the role")
            group = rows_of(answer, "role")[HOSTILE]
            assert group["bites"] == "role limit" and group["headroom"] == role[HOSTILE]["headroom"]
            boss = rows_of(answer, "role")["boss"]
            assert boss["bites"] == "server" and boss["limit"] is None and boss["headroom"] == 20 - 3
            kinds = [r["kind"] for r in answer["connections"]]
            assert kinds[:3] == ["server", "role limit", "database limit"], "tightest first"
            with sessions(cluster, 1, HOSTILE):
                assert not can_connect(cluster, HOSTILE)
                result = dbops("connections", "--check", expect=EXIT["critical"])
                assert "connections.limit" in result.stdout
    finally:
        settled(cluster)
        cluster.sql("DROP DATABASE small WITH (FORCE)")
        cluster.sql(f"DROP ROLE {quoted(HOSTILE)}")
        cluster.sql("DROP ROLE boss")


def test_groups(full, dbops_for, server_major):
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    with sessions(cluster, 2, application_name="web"), sessions(cluster, 1, application_name="W|\"rker") as workers, \
            sessions(cluster, 2, "postgres", application_name="web") as admins:
        workers[0].execute("BEGIN")
        workers[0].execute("SELECT 1")
        admins[0].execute("CREATE TABLE IF NOT EXISTS held ()")
        admins[0].execute("BEGIN")
        admins[0].execute("LOCK TABLE held")
        waiter = threading.Thread(target=lambda: admins[1].execute("SELECT * FROM held"))
        waiter.start()
        try:
            wait_until(lambda: rows_of(dbops.json("connections"), "state").get("active", {}).get("waiting") == 1, "the lock wait")
            state = rows_of(dbops.json("connections", "--by", "state"), "state")
            assert {k: v["sessions"] for k, v in state.items()} == {"idle": 2, "idle in transaction": 2, "active": 1}
            assert state["idle in transaction"]["longest_idle_in_transaction"] >= 0
            assert state["idle"]["oldest_transaction"] is None
            application = rows_of(dbops.json("connections", "--by=application"), "application")
            assert {k: v["sessions"] for k, v in application.items()} == {"web": 4, 'W|"rker': 1}
            assert application["web"]["waiting"] == 1 and application["web"]["idle_in_transaction"] == 1
            role = rows_of(dbops.json("connections", "--by=role"), "role")
            assert {k: v["sessions"] for k, v in role.items()} == {"app": 3, "postgres": 2}
            assert rows_of(dbops.json("connections", "--by=database"), "database")["postgres"]["sessions"] == 5
            assert rows_of(dbops.json("connections", "--by=client"), "client")[None]["sessions"] == 5
            listed = dbops.json("connections", "--by=session")["connections"]
            assert len(listed) == 5 and {r["state"] for r in listed} == {"idle", "idle in transaction", "active"}
            assert {r["wait"] for r in listed} >= {"Lock:relation"}
        finally:
            admins[0].execute("ROLLBACK")
            waiter.join()


def test_stuck_sessions_are_findings(full, dbops_for, server_major):
    """Idle in transaction, a long transaction, and every holder of an old xmin, each with the SQL that ends it."""
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    with sessions(cluster, 2) as (idle, busy):
        cluster.sql("SELECT pg_create_logical_replication_slot('left_behind', 'test_decoding')")  # waits for what holds an xid
        idle.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        idle.execute("SELECT 1")
        cluster.sql("CREATE TABLE IF NOT EXISTS churn (n int)")
        with cluster.connect() as c:
            c.execute("BEGIN")
            c.execute("INSERT INTO churn VALUES (1)")
            c.execute("PREPARE TRANSACTION 'it''s stuck'")
            for _ in range(20):
                c.execute("SELECT txid_current()")
        stop = threading.Event()
        runner = threading.Thread(target=lambda: busy.execute("SELECT pg_advisory_lock(1)"))
        holder = cluster.connect()
        holder.execute("SELECT pg_advisory_lock(1)")
        runner.start()
        try:
            wait_until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"), "the long transaction")
            result = dbops("connections", "--check", "--format=json", "--idle-warning=0s", "--idle-critical=0", "--transaction-warning=0",
                           "--transaction-critical=", "--xmin-warning=5", "--xmin-critical=", expect=EXIT["critical"])
            found = {(f["id"], f["object"]): f for f in result.json["findings"]}
            stuck = found["connections.idle_in_transaction", f"pid {idle.info.backend_pid}"]
            assert stuck["severity"] == "critical" and stuck["evidence"]["role"] == "app" and stuck["evidence"]["xmin_age"] >= 20
            assert found["connections.long_transaction", f"pid {busy.info.backend_pid}"]["severity"] == "warning"
            assert ("connections.long_transaction", f"pid {idle.info.backend_pid}") not in found
            assert found["connections.xmin", f"pid {idle.info.backend_pid}"]["fix"] == stuck["fix"]
            assert found["connections.xmin", "prepared transaction 'it''s stuck'"]["fix"] == "ROLLBACK PREPARED 'it''s stuck';"
            slot = found["connections.xmin", "replication slot 'left_behind'"]
            assert slot["fix"] == "SELECT pg_catalog.pg_drop_replication_slot('left_behind');"
            cluster.sql(found["connections.xmin", "prepared transaction 'it''s stuck'"]["fix"])
            cluster.sql(slot["fix"])
            assert cluster.sql(stuck["fix"].replace(f"pid = {idle.info.backend_pid}", "pid = 1")) == []
            assert cluster.sql(stuck["fix"]) == [(True,)]
            wait_until(lambda: not dbops.json("connections", "--idle-warning=0")["findings"], "the session to be gone")
        finally:
            stop.set()
            holder.close()
            runner.join()


def test_role_that_may_use_reserved_slots(full, dbops_for):
    major = max(servers.embedded_bindirs() | servers.postgres_bindirs())
    assert major >= 16
    cluster = full(major)
    settled(cluster)
    cluster.sql("CREATE ROLE reserve LOGIN IN ROLE pg_use_reserved_connections")
    try:
        with sessions(cluster, 1, "reserve"), sessions(cluster, 1):
            role = rows_of(dbops_for(cluster).json("connections", "--by=role"), "role")
            assert role["reserve"]["headroom"] == 18 - 2 and role["app"]["headroom"] == 15 - 2
    finally:
        settled(cluster)
        cluster.sql("DROP ROLE reserve")


def test_unprivileged_role_gets_an_upper_bound_and_unknown(full, dbops_for, server_major):
    cluster = full(server_major)
    settled(cluster)
    cluster.sql("CREATE ROLE lowly LOGIN")
    try:
        with sessions(cluster, 3), psycopg.connect(cluster.conninfo("postgres", "postgres") + " replication=database", autocommit=True):
            result = dbops_for(cluster)("connections", "-d", "postgres", "-U", "lowly", "--check", "--format=json", expect=EXIT["unknown"])
            answer = result.json
            assert answer["completeness"] == "partial" and answer["gaps"][0]["grant"] == 'GRANT pg_monitor TO "lowly";'
            assert answer["connections"][0]["sessions"] == 4 and answer["connections"][0]["unknown"] == 4
            assert set(rows_of(answer, "state")) == {"unknown"}, "a hidden session is not idle"
            cluster.sql(answer["gaps"][0]["grant"])
            answer = dbops_for(cluster).json("connections", "-d", "postgres", "-U", "lowly", "--check")
            assert answer["completeness"] == "full" and answer["connections"][0]["sessions"] == 3
    finally:
        settled(cluster)
        cluster.sql("DROP ROLE lowly")


def test_colours_of_use(full, dbops_for):
    """Green, yellow from 50, red above 75 per cent of 18 slots; the bounds can be moved."""
    cluster = full(15)
    settled(cluster)
    dbops = dbops_for(cluster)

    def colour(*words):
        line = dbops("connections", "--color=always", *words).stdout.splitlines()[1]
        return {"2": "green", "3": "yellow", "1": "red"}[re.search(r"\x1b\[(?:1;)?3(\d)m", line)[1]]

    with sessions(cluster, 8):
        assert colour() == "green"
        assert colour("--yellow=10", "--red=40") == "red"
        with sessions(cluster, 1):
            assert colour() == "yellow"
        with sessions(cluster, 6):
            assert colour() == "red"


def test_json_is_whole(full, dbops_for):
    answer = dbops_for(full(15)).json("connections")
    names = {m["name"] for m in answer["metrics"]}
    assert {"connections", "connections_used", "connections_capacity", "connections_oldest_transaction_seconds"} <= names
    assert json.dumps(answer)


@pytest.fixture
def pooled(cluster, dbops, db):
    """dbops, a database behind a PgBouncer that has two server connections at most, and the DSN of its console."""
    instance = servers.Bouncer(cluster, settings={"default_pool_size": 2, "max_client_conn": 10})
    yield dbops, db, instance, f"host=127.0.0.1 port={instance.port} user=postgres"
    instance.stop()


def through(instance, db, **kwargs):
    return psycopg.connect(host="127.0.0.1", port=instance.port, user="postgres", dbname=db.name, autocommit=True, prepare_threshold=None, **kwargs)


def test_pgbouncer_pools_waits_and_real_clients(pooled):
    """Two clients hold both server connections, a third waits; each server connection names the client that uses it."""
    dbops, db, instance, console = pooled
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(contextlib.closing(through(instance, db, application_name=f"holder {n}"))) for n in range(2)]
        for h in holders:
            h.execute("BEGIN")
            h.execute("SELECT 1")
        waiter = stack.enter_context(contextlib.closing(through(instance, db)))
        thread = threading.Thread(target=lambda: waiter.execute("SELECT 1"))
        thread.start()

        def pool():
            answer = dbops.json("connections", "-d", db.name, "--pgbouncer", console, "--pool-wait-warning=0", "--pool-wait-critical=")
            pools = rows_of(answer, "pool")
            return (answer, pools[f"{db.name}/postgres"]) if pools.get(f"{db.name}/postgres", {}).get("waiting") == 1 else None
        answer, row = wait_until(pool, "the client to wait")
        assert (row["sessions"], row["limit"], row["used"], row["active"], row["idle"]) == (2, 2, 100, 2, 0) and row["longest_wait"] >= 0
        root = next(r for r in answer["connections"] if r["kind"] == "pgbouncer")
        assert root["limit"] == 10 and root["sessions"] >= 4
        wait_until(lambda: "connections.pool_wait" in {f["id"] for f in pool()[0]["findings"]}, "the wait to be long enough")
        result = dbops("connections", "-d", db.name, "--pgbouncer", console, "--check", "--pool-wait-critical=0", "--format=nagios",
                       expect=EXIT["critical"])
        assert f"pool {db.name}/postgres: 1 client waits" in result.stdout and "'pool_wait'=" in result.stdout

        listed = dbops.json("connections", "-d", db.name, "--by=session", "--pgbouncer", console)["connections"]
        # which client a pooled backend works for, as the clients themselves see it
        ports = {h.execute("SELECT pg_backend_pid()").fetchone()[0]: h for h in holders}
        real = {r["pid"]: r["real_client"] for r in listed if r["pid"] in ports}
        assert len(real) == 2
        for pid, holder in ports.items():
            with socket.socket(fileno=os.dup(holder.pgconn.socket)) as s:
                assert real[pid] == "127.0.0.1:%d" % s.getsockname()[1]
        stuck = dbops.json("connections", "-d", db.name, "--pgbouncer", console, "--idle-warning=0")["findings"]
        assert any(f["evidence"]["real_client"] == real[pid] and real[pid] in f["message"] for f in stuck
                   if f["id"] == "connections.idle_in_transaction" for pid in real)
        for h in holders:
            h.execute("ROLLBACK")
        thread.join(30)


def test_pgbouncer_that_does_not_answer_is_unknown(dbops, db):
    console = f"host=127.0.0.1 port={servers.free_port()} password=geheim"
    plain = dbops("connections", "-d", db.name, "--pgbouncer", console)
    assert "partial" in plain.stdout and "PgBouncer" in plain.stdout and "geheim" not in plain.stdout + plain.stderr
    assert "UNKNOWN" in dbops("connections", "-d", db.name, "--pgbouncer", console, "--check", expect=EXIT["unknown"]).stdout


def test_rates(full, dbops_for, server_major, work):
    """Sessions established and killed between two samples; nothing of it before 14."""
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    sample = work / "sample.json"
    dbops("connections", "--save", sample)
    for _ in range(5):
        connect(cluster).close()
    victim = connect(cluster)
    pid = victim.info.backend_pid
    cluster.sql("SELECT pg_terminate_backend(%s)", pid)
    victim.close()

    def counted():
        answer = dbops.json("connections", "--since", sample, "--by=database")
        metrics = {m["name"]: m["value"] for m in answer["metrics"]}
        if server_major < 14:
            return answer, metrics
        return metrics.get("connections_killed_per_second", 0) > 0 and metrics["connections_established_per_second"] > 0 and (answer, metrics)
    with sessions(cluster, 1):
        answer, metrics = wait_until(counted, "the statistics to arrive")
        row = answer["connections"][0]
        if server_major < 14:
            assert row["established_per_second"] is None and "connections_established_per_second" not in metrics
        else:
            assert row["established_per_second"] > 0 and rows_of(answer, "database")["postgres"]["established_per_second"] > 0
            assert metrics["connections_sessions_total"] >= 6
        assert metrics["connections_full_in_seconds"] > 0, "one session more than before"


def test_time_limits_in_force(full, dbops_for, server_major):
    cluster = full(server_major)
    settled(cluster)
    cluster.sql(f"CREATE ROLE {quoted(HOSTILE)} LOGIN")
    cluster.sql(f"ALTER ROLE {quoted(HOSTILE)} SET statement_timeout = '15s'")
    cluster.sql("ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '1h'")
    cluster.sql(f"ALTER ROLE {quoted(HOSTILE)} IN DATABASE postgres SET idle_in_transaction_session_timeout = 0")
    try:
        with sessions(cluster, 1, HOSTILE) as (stuck,), sessions(cluster, 1) as (limited,):
            for s in (stuck, limited):
                s.execute("BEGIN")
            answer = dbops_for(cluster).json("connections", "--idle-warning=0")
            seconds = {(t["setting"], t["role"], t["database"]): t["seconds"] for t in answer["timeouts"]}
            assert seconds["statement_timeout", HOSTILE, None] == 15 and seconds["statement_timeout", None, None] == 0
            assert seconds["idle_in_transaction_session_timeout", None, "postgres"] == 3600
            assert seconds["idle_in_transaction_session_timeout", None, None] is None, "our own database hides it"
            assert ("transaction_timeout", None, None) in seconds if server_major >= 17 else ("transaction_timeout", None, None) not in seconds
            found = [f for f in answer["findings"] if f["id"] == "connections.no_timeout"]
            assert [f["severity"] for f in found] == ["info"] and HOSTILE.replace('"', '""') in found[0]["object"]
            cluster.sql(found[0]["fix"])
            assert cluster.sql("SELECT 1 FROM pg_db_role_setting WHERE 'idle_in_transaction_session_timeout=10min' = ANY (setconfig)")
            cluster.sql(found[0]["undo"])
    finally:
        settled(cluster)
        cluster.sql("ALTER DATABASE postgres RESET ALL")
        cluster.sql(f"DROP ROLE {quoted(HOSTILE)}")


# Formats

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs/schema/connections.json"
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def steady(text, cluster):
    """The output without what differs from run to run."""
    text = text.replace(str(cluster.base), "SERVER").replace(str(cluster.port), "PORT")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r'("server_version": )\d+', r"\1VERSION", text)
    text = re.sub(r"(pid[\" =:]+)\d+", r"\1PID", text)
    text = re.sub(r"(_total\S* )\d+|(_total\".*?\"value\": )\d+", lambda m: (m[1] or m[2]) + "N", text, flags=re.S)
    text = re.sub(r"\b\d+\.\d{2,}(e-?\d+)?", "SECONDS", text)
    return re.sub(r" +", " ", text)


def compare_golden(name, text):
    """The text is that of tests/e2e/golden/name; GOLDEN=write rewrites the file."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


ROW_FORMATS = [("txt", "table"), ("expanded", "expanded"), ("json", "json"), ("ndjson", "ndjson"), ("csv", "csv")]


@pytest.mark.parametrize("suffix,words", [("txt", []), ("json", ["--format=json"]), ("csv", ["--format=csv"]), ("prom", ["--format=prom"]),
                                          ("nagios", ["--format=nagios"])])
def test_golden(full, dbops_for, suffix, words):
    """Every format of the same four sessions, as tests/e2e/golden has them; GOLDEN=write rewrites the files."""
    cluster = full(15)
    settled(cluster)
    cluster.sql("CREATE ROLE limited LOGIN CONNECTION LIMIT 4")
    try:
        with sessions(cluster, 3, "limited", application_name="web") as opened, sessions(cluster, 1, "postgres"):
            opened[0].execute("BEGIN")
            text = dbops_for(cluster)("connections", "--by=role", "--idle-warning=0", "--idle-critical=", "--critical=", *words,
                                      expect=EXIT["warning"] if suffix == "nagios" else 0).stdout
    finally:
        settled(cluster)
        cluster.sql("DROP ROLE limited")
    text = steady(re.sub(r"\d+\.\d\d s\b|\b\d+ s\b", "SECONDS", text), cluster)
    compare_golden(f"connections.{suffix}", text)


@contextlib.contextmanager
def one_stuck_one_busy(cluster):
    """A session of a hostile role that is idle in its transaction, and one that runs a statement."""
    settled(cluster)
    cluster.sql(f"CREATE ROLE {quoted(HOSTILE)} LOGIN")
    try:
        with sessions(cluster, 1, HOSTILE, application_name='w|e"b') as (stuck,), sessions(cluster, 1, application_name="report") as (busy,):
            stuck.execute("BEGIN")

            def sleep():
                with contextlib.suppress(psycopg.Error):
                    busy.execute("SELECT pg_sleep(300)")
            runner = threading.Thread(target=sleep)
            runner.start()
            try:
                wait_until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "the statement to run")
                yield stuck, busy
            finally:
                busy.cancel()
                runner.join()
    finally:
        settled(cluster)
        cluster.sql(f"DROP ROLE {quoted(HOSTILE)}")


SESSION_WORDS = {
    "connections-session": ["connections", "--by=session"],
    "connections-terminate": ["connections", "terminate", "--idle-in-transaction", "--dry-run"],
    "connections-cancel": ["connections", "cancel", "--role=app", "--state=active", "--escalate=5s", "--dry-run"],
}


@pytest.mark.parametrize("name", SESSION_WORDS)
def test_golden_of_sessions(full, dbops_for, name):
    """Sessions one by one, and what would be cancelled or terminated, in every format."""
    cluster = full(15)
    with one_stuck_one_busy(cluster) as opened:
        for suffix, form in ROW_FORMATS:
            text = dbops_for(cluster)(*SESSION_WORDS[name], f"--format={form}").stdout
            for session in opened:
                text = re.sub(rf"\b{session.info.backend_pid}\b", "PID", text)
            text = re.sub(r"\d+\.\d+ s\b|\b\d+ m?s\b", "SECONDS", text)
            compare_golden(f"{name}.{suffix}", re.sub(r"^ +PID", "PID", steady(text, cluster), flags=re.M))


def schema_check(name):
    schema = json.loads((ROOT / f"docs/schema/{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


def test_json_of_signals_is_as_the_schema_says(full, dbops_for, server_major):
    """Planned, refused and done."""
    cancel, terminate = schema_check("connections-cancel"), schema_check("connections-terminate")
    cluster = full(server_major)
    dbops = dbops_for(cluster)
    with one_stuck_one_busy(cluster) as (stuck, busy):
        for words in ([], ["--force"]):
            answer = dbops("connections", "terminate", "--older-than=1ms", "--dry-run", "--format=json", *words).json
            terminate(answer)
            assert {s["pid"] for s in answer["sessions"]} >= {stuck.info.backend_pid, busy.info.backend_pid} and not answer["applied"]
        refused = dbops("connections", "cancel", "--idle-in-transaction", "--dry-run", "--format=json").json
        cancel(refused)
        assert [s["outcome"] for s in refused["sessions"]] == ["refused"]
        with pytest.raises(jsonschema.ValidationError):
            terminate(refused)
        cancelled = dbops("connections", "cancel", "--role=app", "--state=active", "--yes", "--format=json").json
        cancel(cancelled)
        assert [s["outcome"] for s in cancelled["sessions"]] == ["cancelled"] and cancelled["applied"]
        done = dbops("connections", "terminate", "--idle-in-transaction", "--yes", "--format=json").json
        terminate(done)
        assert [s["outcome"] for s in done["sessions"]] == ["terminated"] and done["applied"]


@pytest.mark.parametrize("suffix,form", ROW_FORMATS)
def test_golden_of_a_plan(dbops, suffix, form):
    """The pools of the documents, which fit until a deploy runs."""
    compare_golden(f"connections-plan.{suffix}",
                   dbops("connections", "plan", ROOT / "contrib/pools.yaml", f"--format={form}", expect=EXIT["critical"]).stdout)


def test_json_of_a_plan_is_as_the_schema_says(dbops, work):
    """Without PgBouncer, with it in both modes, with limits, and when nothing fits."""
    check = schema_check("connections-plan")
    some = "components: {a: {instances: 4, pool_size: 7, role: r, database: d, pgbouncer: true}, b: {instances: 2, pool_size: 3}}\n"
    seen = set()
    for text, code in ((some.replace(", pgbouncer: true", "") + "server: {max_connections: 100}\n", 0),
                       (some + "server: {max_connections: 100}\npgbouncer: {pool_mode: transaction, default_pool_size: 5, max_client_conn: 100}\n", 0),
                       (some + "server: {max_connections: 100}\npgbouncer: {pool_mode: session}\nlimits: {roles: {r: 10}, databases: {d: 10}}\n", 2),
                       ("server: {max_connections: 3}\ncomponents: {a: {instances: 40, pool_size: 7}}\n", 2)):
        (work / "plan.yaml").write_text(text)
        answer = dbops("connections", "plan", work / "plan.yaml", "--format=json", expect=code).json
        check(answer)
        seen |= {r["id"] for r in answer["inequalities"]}
    assert seen == {"server.steady", "server.deploy", "pgbouncer.clients", "pgbouncer.session", "limit.role", "limit.database"}
    with pytest.raises(jsonschema.ValidationError):
        check({**answer, "holds": None})


def test_json_is_as_the_schema_says(full, dbops_for, server_major, work):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).validate
    cluster = full(server_major)
    settled(cluster)
    dbops = dbops_for(cluster)
    cluster.sql("CREATE ROLE blind LOGIN")
    try:
        dbops("connections", "--save", work / "sample")
        with sessions(cluster, 2) as (stuck, _):
            stuck.execute("BEGIN")
            for words in ([], ["--by=session"], ["--by=client"], ["--by=database", "--since", work / "sample"], ["--idle-warning=0", "--warning=0"],
                          ["-d", "postgres", "-U", "blind", "--by=session"], ["-d", "postgres", "-U", "blind"]):
                check(dbops.json("connections", *words))
        with pytest.raises(jsonschema.ValidationError):
            check({**dbops.json("connections"), "connections": [{"pid": "1"}]})
    finally:
        settled(cluster)
        cluster.sql("DROP ROLE blind")


def test_json_of_pools_is_as_the_schema_says(pooled):
    dbops, db, instance, console = pooled
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate
    with contextlib.closing(through(instance, db)) as client:
        client.execute("BEGIN")
        for by in ("state", "session"):
            answer = dbops.json("connections", "-d", db.name, "--pgbouncer", console, "--by", by)
            check(answer)
            assert by == "state" or any(r["real_client"] for r in answer["connections"])
