# SPDX-License-Identifier: PostgreSQL
"""`dbops locks`: who waits for whom, on every server, where the tools of the field see nobody or the wrong one."""
import json
import re

import psycopg
import pytest

from support.runner import EXIT
from support.servers import quoted, wait_until
from support.sessions import Sessions


@pytest.fixture(scope="module")
def lock_server():
    """Prepared transactions and a late deadlock detector need settings: clusters of our own, one a major, started when asked for."""
    from conftest import BINDIRS, EMBEDDED, MAJOR
    from support import servers
    started = {}

    def get(major):
        if major not in started:
            bindir = BINDIRS.get(major) or EMBEDDED[major]
            kwargs = {} if major in BINDIRS else {"clients": BINDIRS[MAJOR], "initdb": ("-E", "UTF8", "--no-locale")}
            started[major] = servers.Cluster(bindir, major, options={"max_prepared_transactions": "10", "deadlock_timeout": "60s"}, **kwargs)
        return started[major]

    yield get
    for cluster in started.values():
        cluster.stop()


@pytest.fixture
def place(lock_server, server_major):
    database = lock_server(server_major).create_database()
    database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)")
    database.sql("INSERT INTO t SELECT g, 0 FROM generate_series(1, 5) g")
    yield database
    for gid, in database.sql("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        database.sql(f"ROLLBACK PREPARED {literal(gid)}")
    database.drop()


@pytest.fixture
def sessions(place):
    opened = Sessions(place)
    yield opened
    opened.close()


@pytest.fixture
def locks(dbops_for, place):
    """locks(...) -> {pid: row} of `dbops locks` in the test's database."""
    def run(*words, **kwargs):
        answer = dbops_for(place.cluster).json("locks", "-d", place.name, *words, **kwargs)
        run.answer = answer
        return {row["pid"]: row for row in answer["locks"]}
    return run


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def kinds(row):
    return {b["pid"] if b["gid"] is None else b["gid"]: b["kind"] for b in row["blocked_by"]}


def test_nobody_waits(locks, place):
    assert locks() == {}
    assert locks.answer["status"] == "ok" and locks.answer["completeness"] == "full"


def test_queued_ddl_is_a_soft_block(locks, sessions, place):
    """A reader in an open transaction, an ALTER TABLE behind it, and a reader behind that: the peers see none of it."""
    old = sessions.open().run("SELECT * FROM t")
    alter = sessions.open().wait("ALTER TABLE t ADD x int")
    reader = sessions.open().wait("SELECT * FROM t")
    rows = locks()
    assert set(rows) == {old.pid, alter.pid, reader.pid}
    assert kinds(rows[alter.pid]) == {old.pid: "hard"}
    assert kinds(rows[reader.pid]) == {alter.pid: "soft"}
    assert rows[old.pid]["blocks"] == 2 and rows[old.pid]["state"] == "idle in transaction" and rows[old.pid]["mode"] is None
    assert rows[alter.pid]["mode"] == "ACCESS EXCLUSIVE" and rows[alter.pid]["object"] == "public.t"
    assert [r["pid"] for r in locks.answer["locks"]] == [old.pid, alter.pid, reader.pid]


def test_an_idle_session_with_an_advisory_lock_is_a_root(locks, sessions, place):
    holder = sessions.open(autocommit=True).run("SELECT pg_advisory_lock(-7)")
    waiter = sessions.open().wait("SELECT pg_advisory_lock(-7)")
    rows = locks()
    assert rows[holder.pid]["state"] == "idle" and rows[holder.pid]["blocks"] == 1
    assert rows[holder.pid]["action"] == "terminate"
    assert rows[waiter.pid]["object"] == "advisory lock -7"


def test_advisory_lock_of_two_integers(locks, sessions, place):
    sessions.open(autocommit=True).run("SELECT pg_advisory_lock(-1, 2)")
    waiter = sessions.open().wait("SELECT pg_advisory_lock(-1, 2)")
    assert locks()[waiter.pid]["object"] == "advisory lock (-1, 2)"


GID = """it's "x"\\"""


def test_prepared_transactions_are_roots_with_their_cure(locks, sessions, place):
    """pg_blocking_pids() says 0; the answer is the gid and the exact ROLLBACK PREPARED."""
    preparer = sessions.open(autocommit=True)
    preparer.run("BEGIN").run("UPDATE t SET v = 1 WHERE id = 1").run("PREPARE TRANSACTION 'other'")
    preparer.run("BEGIN").run("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE").run("PREPARE TRANSACTION " + literal(GID))
    waiter = sessions.open().wait("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
    row_waiter = sessions.open().wait("UPDATE t SET v = 2 WHERE id = 1")
    locks()
    rows = {r["session"]: r for r in locks.answer["locks"]}
    root = rows[f"prepared transaction '{GID}'"]
    assert root["pid"] is None and root["state"] == "prepared" and root["user"] == "postgres" and root["blocks"] == 1
    assert kinds(rows[str(waiter.pid)]) == {GID: "hard"}
    assert kinds(rows[str(row_waiter.pid)]) == {"other": "hard"}
    assert "row (0,1) of public.t" in rows[str(row_waiter.pid)]["object"]
    assert root["action"] == "rollback prepared"
    place.sql(root["sql"])
    wait_until(lambda: waiter.went_on, "the waiter to go on")
    assert row_waiter.is_waiting()


def test_prepared_transaction_after_a_restart(locks, sessions, place):
    """Then its locks carry another form of virtual transaction id."""
    place.sql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'survivor'")
    place.cluster.kill()
    place.cluster.start()
    sessions.open().wait("SELECT * FROM t")
    locks()
    assert locks.answer["locks"][0]["sql"] == "ROLLBACK PREPARED 'survivor';"


def test_several_blockers_each_session_once(locks, sessions, place):
    """Four updates of one row: the last waits for two sessions and is still one row."""
    r = [sessions.open().run("UPDATE t SET v = 1 WHERE id = 1")]
    for _ in range(3):
        r.append(sessions.open().wait("UPDATE t SET v = 2 WHERE id = 1"))
    rows = locks()
    assert len(locks.answer["locks"]) == 4 == len(rows)
    assert kinds(rows[r[1].pid]) == {r[0].pid: "hard"}
    assert kinds(rows[r[2].pid]) == {r[1].pid: "hard"}
    assert kinds(rows[r[3].pid]) == {r[1].pid: "hard", r[2].pid: "soft"}
    assert rows[r[3].pid]["also_blocked_by"] == str(r[2].pid)
    assert rows[r[0].pid]["blocks"] == 3
    assert rows[r[1].pid]["object"].endswith("(row (0,1) of public.t)")


def test_share_holders_are_all_blockers(locks, sessions, place):
    holders = [sessions.open().run("LOCK TABLE t IN SHARE MODE") for _ in range(3)]
    bystander = sessions.open().run("SELECT * FROM t")
    waiter = sessions.open().wait("INSERT INTO t VALUES (9, 9)")
    rows = locks()
    assert kinds(rows[waiter.pid]) == {h.pid: "hard" for h in holders}
    assert bystander.pid not in rows


def test_an_oid_of_another_database_is_not_named_here(dbops_for, lock_server, server_major, sessions, place):
    """The same OID may be another table's here: database and OID, never a name."""
    other = place.cluster.create_database()
    other_sessions = Sessions(other)
    try:
        other.sql("CREATE TABLE theirs ()")
        oid = other.value("SELECT 'theirs'::regclass::oid::int")
        other_sessions.open().run("SELECT * FROM theirs")
        waiter = other_sessions.open().wait("DROP TABLE theirs")
        rows = {r["pid"]: r for r in dbops_for(place.cluster).json("locks", "-d", place.name)["locks"]}
        assert rows[waiter.pid]["object"] == f"{other.name}: relation {oid}" and rows[waiter.pid]["database"] == other.name
    finally:
        other_sessions.close()
        other.drop()


def test_a_deadlock_is_one_group(locks, sessions, place):
    """A cycle exists until deadlock_timeout; each member is drawn once."""
    a, b = sessions.open(), sessions.open()
    a.run("UPDATE t SET v = 1 WHERE id = 1")
    b.run("UPDATE t SET v = 1 WHERE id = 2")
    a.wait("UPDATE t SET v = 2 WHERE id = 2")
    b.wait("UPDATE t SET v = 2 WHERE id = 1")
    rows = locks()
    assert set(rows) == {a.pid, b.pid} and len(locks.answer["locks"]) == 2
    assert rows[a.pid]["deadlock"] == rows[b.pid]["deadlock"] == 1
    assert any(f["id"] == "locks.deadlock" for f in locks.answer["findings"])


def test_hostile_names(locks, sessions, place):
    schema, table = 'S"; drop', "Line\nfeed " + "x" * 53
    place.sql(f"CREATE SCHEMA {quoted(schema)}")
    place.sql(f"CREATE TABLE {quoted(schema)}.{quoted(table)} ()")
    sessions.open(application_name='a"p\'p').run(f"SELECT * FROM {quoted(schema)}.{quoted(table)}")
    waiter = sessions.open().wait(f"DROP TABLE {quoted(schema)}.{quoted(table)}")
    assert locks()[waiter.pid]["object"] == f"{quoted(schema)}.{quoted(table)}"


def test_the_wait_begins_when_the_wait_began(locks, sessions, place):
    """Not when the statement did: the statement ran for a while before it came to the lock."""
    sessions.open().run("LOCK TABLE t")
    waiter = sessions.open().wait("DO $$ BEGIN PERFORM pg_sleep(0.7); PERFORM * FROM t; END $$")
    row = locks()[waiter.pid]
    start = place.value("SELECT extract(epoch FROM clock_timestamp() - query_start) FROM pg_stat_activity WHERE pid = %s", waiter.pid)
    if place.cluster.major >= 14:
        assert row["wait"] < float(start) - 0.6 and row["wait_is_bound"] is False
    else:
        assert row["wait_is_bound"] is True


def test_an_unprivileged_role_still_sees_pids_and_waits(dbops_for, locks, sessions, place):
    """pg_locks is visible to all; states and queries are not, and the answer says so."""
    place.sql("DROP ROLE IF EXISTS lowly")
    place.sql("CREATE ROLE lowly LOGIN")
    try:
        holder = sessions.open().run("LOCK TABLE t")
        waiter = sessions.open().wait("SELECT * FROM t")
        rows = locks("-U", "lowly")
        assert kinds(rows[waiter.pid]) == {holder.pid: "hard"}
        if place.cluster.major >= 14:
            assert rows[waiter.pid]["wait"] >= 0
        assert rows[holder.pid]["user"] == "postgres" and rows[holder.pid]["started"] is None
        assert locks.answer["completeness"] == "partial" and locks.answer["gaps"][0]["grant"] == 'GRANT pg_monitor TO "lowly";'
    finally:
        place.sql("DROP ROLE lowly")


# --- whom to end -------------------------------------------------------------------------------------------------


def waiting(place):
    return {pid for pid, in place.sql("SELECT pid FROM pg_locks WHERE NOT granted AND pg_blocking_pids(pid) <> '{}'")}


def test_a_cancelled_alter_frees_its_queue_and_not_more(locks, sessions, place):
    """The cheap way: the ALTER TABLE goes, everybody behind it goes on, the old transaction stays."""
    old = sessions.open().run("SELECT * FROM t")
    alter = sessions.open().wait("ALTER TABLE t ADD x int")
    readers = [sessions.open().wait("SELECT * FROM t") for _ in range(3)]
    rows = locks("--release-plan")
    assert list(rows) == [alter.pid, old.pid]
    assert (rows[alter.pid]["action"], rows[alter.pid]["in_plan"], rows[alter.pid]["frees_now"]) == ("cancel", True, 3)
    assert (rows[old.pid]["action"], rows[old.pid]["in_plan"]) == ("terminate", False)
    assert (rows[old.pid]["frees_now"], rows[old.pid]["frees_in_turn"]) == (1, 4)
    assert place.sql(rows[alter.pid]["sql"]) == [(True,)]
    wait_until(lambda: all(r.went_on for r in readers), "the readers to go on")
    wait_until(lambda: alter.is_done, "the ALTER TABLE to hear of it")
    assert isinstance(alter.error, psycopg.errors.QueryCanceled)
    old.run("SELECT * FROM t")


def test_what_a_terminated_root_frees_at_once_and_in_turn(locks, sessions, place):
    root = sessions.open().run("UPDATE t SET v = 1 WHERE id = 1")
    updates = [sessions.open().wait("UPDATE t SET v = 2 WHERE id = 1") for _ in range(3)]
    rows = locks("--release-plan")
    assert (rows[root.pid]["frees_now"], rows[root.pid]["frees_in_turn"], rows[root.pid]["in_plan"]) == (1, 3, True)
    assert not any(rows[u.pid]["in_plan"] for u in updates if u.pid in rows)
    place.sql(rows[root.pid]["sql"])
    wait_until(lambda: updates[0].went_on, "the first update to go on")
    wait_until(lambda: waiting(place) == {u.pid for u in updates[1:]}, "the others to wait on")
    for done, following in zip(updates, updates[1:]):
        done.thread.join(30)
        done.connection.rollback()
        wait_until(lambda: following.went_on, "the next one to go on")


def test_the_plan_frees_everybody(locks, sessions, place):
    """Several knots at once, untied by the plan's statements and nothing else."""
    place.sql("CREATE TABLE u (id int)")
    sessions.open().run("SELECT * FROM t")
    sessions.open().wait("ALTER TABLE t ADD x int")
    sessions.open(autocommit=True).run("SELECT pg_advisory_lock(1)")
    [sessions.open().run("LOCK TABLE u IN SHARE MODE") for _ in range(2)]
    place.sql("BEGIN; SELECT pg_advisory_xact_lock(2); PREPARE TRANSACTION 'half'")
    others = [sessions.open().wait(s) for s in (
        "SELECT * FROM t", "INSERT INTO t VALUES (8, 8)", "SELECT pg_advisory_lock(1)", "INSERT INTO u VALUES (1)", "INSERT INTO u VALUES (2)",
        "SELECT pg_advisory_lock(2)")]
    locks("--release-plan")
    plan = [r for r in locks.answer["locks"] if r["in_plan"]]
    assert sorted(r["action"] for r in plan) == ["cancel", "rollback prepared", "terminate", "terminate", "terminate"]
    for row in plan:
        place.sql(row["sql"])
    wait_until(lambda: all(o.went_on for o in others), "everybody to go on")


def test_the_statement_ends_that_session_and_no_later_one(locks, sessions, place):
    holder = sessions.open().run("LOCK TABLE t")
    sessions.open().wait("SELECT * FROM t")
    row = locks("--release-plan")[holder.pid]
    assert row["started"] in row["sql"]
    assert place.sql(row["sql"].replace(row["started"], "2001-01-01T00:00:00Z")) == []


# --- judging -----------------------------------------------------------------------------------------------------


def test_thresholds(dbops_for, locks, sessions, place):
    sessions.open().run("LOCK TABLE t")
    waiter = sessions.open().wait("SELECT * FROM t")
    run = dbops_for(place.cluster, PGDATABASE=place.name)
    wait_until(lambda: place.value("SELECT clock_timestamp() - query_start > '50ms' FROM pg_stat_activity WHERE pid = %s", waiter.pid), "50 ms")
    assert "pid" in run("locks", "--check", "--warning=10ms", "--critical=1h", expect=EXIT["warning"]).stdout
    run("locks", "--check", "--warning=10ms", "--critical=20ms", expect=EXIT["critical"])
    run("locks", "--check", "--warning=1h", "--critical=2h", expect=0)
    run("locks", "--check", "--warning=1h", "--critical=2h", "--blocked-warning=0", expect=EXIT["warning"])
    run("locks", "--check", "--warning=1h", "--critical=2h", "--blocked-critical=0", expect=EXIT["critical"])
    assert locks("--min-wait=1h") == {}
    line = run("locks", "--format=nagios", "--warning=1h", "--critical=2h", expect=0).stdout.splitlines()[0]
    assert re.match(r"DBOPS LOCKS OK - 1 session blocked by 1, the longest for .* \| 'longest_wait'=[\d.]+s;3600;7200; 'blocked'=1;", line)


def test_deadlocks_since_a_sample(dbops_for, sessions, place, work):
    """The counter alone says nothing; its difference does. Up to PostgreSQL 14 the server counts by datagrams, which may be
    lost, so a deadlock that does not show is made once more."""
    run = dbops_for(place.cluster, PGDATABASE=place.name)
    run("locks", "--save", work / "before.json")

    def deadlock():
        a, b = sessions.open(), sessions.open()
        a.run("SET deadlock_timeout = '10ms'").run("UPDATE t SET v = 1 WHERE id = 1")
        b.run("UPDATE t SET v = 1 WHERE id = 2").wait("UPDATE t SET v = 2 WHERE id = 1")
        with pytest.raises(psycopg.errors.DeadlockDetected):
            a.run("UPDATE t SET v = 2 WHERE id = 2")
        a.connection.rollback()
        b.close()

    def found():
        return any(f["id"] == "locks.deadlocks" and re.match("[123] deadlocks", f["message"])
                   for f in run.json("locks", "--since", work / "before.json")["findings"])

    for last in (False, False, True):
        deadlock()
        try:
            wait_until(found, "the statistics", seconds=10)
            break
        except AssertionError:
            if last:
                raise


# --- recordings --------------------------------------------------------------------------------------------------


def without(rows, *keys):
    return [{k: v for k, v in row.items() if k not in keys} for row in rows]


def test_a_replay_is_what_was_seen(dbops_for, sessions, place, work):
    run = dbops_for(place.cluster, PGDATABASE=place.name)
    sessions.open(application_name='"\n\x7f é').run("SELECT * FROM t")
    sessions.open().wait("ALTER TABLE t ADD x int")
    sessions.open().wait("SELECT * FROM t")
    place.sql("BEGIN; SELECT pg_advisory_xact_lock(2); PREPARE TRANSACTION 'half'")
    sessions.open().wait("SELECT pg_advisory_lock(2)")
    live = run.json("locks", "--record", work / "r.ndjson")
    offline = {"PGHOST": "/nowhere"}
    again = run.json("locks", "--replay", work / "r.ndjson", env=offline)
    assert again["locks"] == live["locks"] and len(live["locks"]) == 5
    for key in ("at", "server", "database", "server_version", "status", "findings"):
        assert again[key] == live[key], key
    assert (work / "r.ndjson").stat().st_mode & 0o777 == 0o600
    plan = run.json("locks", "--replay", work / "r.ndjson", "--release-plan", env=offline)["locks"]
    assert [r["session"] for r in plan if r["in_plan"]] == [r["session"] for r in run.json("locks", "--release-plan")["locks"] if r["in_plan"]]


def test_any_instant_of_a_flight_recording(dbops_for, sessions, place, work):
    run = dbops_for(place.cluster, PGDATABASE=place.name)
    path = work / "r.ndjson"
    process = run.start("locks", "--watch=500ms", "--record", path)
    first = json.loads(process.stdout.readline())
    sessions.open().run("LOCK TABLE t")
    waiter = sessions.open().wait("SELECT * FROM t")
    ticks = [first]
    while not ticks[-1]["locks"]:
        ticks.append(json.loads(process.stdout.readline()))
    waiter.close()
    while ticks[-1]["locks"]:
        ticks.append(json.loads(process.stdout.readline()))
    process.terminate()
    run.finish(process, expect=EXIT["terminated"])
    seen = [json.loads(line) for line in run("locks", "--replay", path, "--format=json").stdout.splitlines()]
    assert [t["at"] for t in seen][:len(ticks)] == [t["at"] for t in ticks]
    blocked = next(t for t in ticks if t["locks"])
    assert run.json("locks", "--replay", path, "--at", blocked["at"])["locks"] == blocked["locks"]
    n = [t["at"] for t in seen].index(blocked["at"])
    assert run.json("locks", "--replay", path, "--at", blocked["at"], "--step=-1")["at"] == seen[n - 1]["at"]
    assert run.json("locks", "--replay", path, "--step", n - len(seen) + 1)["at"] == blocked["at"]
    assert run.json("locks", "--replay", path, "--at=-0s")["at"] == seen[-1]["at"]
    run("locks", "--replay", path, "--at=2001-01-01T00:00:00Z", expect=EXIT["not_found"])
    run("locks", "--replay", path, "--step=1", expect=EXIT["not_found"])


def test_a_damaged_recording_is_read_as_far_as_it_is_whole(dbops, db, cluster, work):
    path = work / "r.ndjson"
    for _ in range(2):
        dbops("locks", "-d", db.name, "--record", path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"format":"dbops-locks-record"}\n\xff\x00\n' + lines[1][:-20])
    result = dbops("locks", "--replay", path, "--format=json")
    answer = result.json
    assert answer["completeness"] == "partial" and answer["at"] == json.loads(lines[0])["at"]
    assert [f"line {n} of" in result.stderr for n in (1, 2, 3, 4)] == [False, True, True, True]
    dbops("locks", "-d", db.name, "--record", path)
    assert len(dbops("locks", "--replay", path, "--format=json").stdout.splitlines()) == 2
    path.write_bytes(b"not a recording\n")
    dbops("locks", "--replay", path, expect=EXIT["damaged"])
    dbops("locks", "--replay", work / "none", expect=EXIT["not_found"])
    dbops("locks", "-d", db.name, "--record", work / "no" / "such", expect=(EXIT["cannot_write"], EXIT["not_found"]))


def test_options_that_do_not_go_together(dbops, work):
    for words in (["--replay=x", "--record=y"], ["--replay=x", "--watch=1s"], ["--at=-5min"], ["--step=1"], ["--replay=x", "--at=noon"]):
        dbops("locks", *words, expect=EXIT["usage"])


# --- ending them -------------------------------------------------------------------------------------------------


def test_cancel_and_terminate(dbops_for, locks, sessions, place):
    """What the release plan says, done by the commands it names."""
    run = dbops_for(place.cluster, PGDATABASE=place.name)
    old = sessions.open().run("SELECT * FROM t")
    alter = sessions.open().wait("ALTER TABLE t ADD x int")
    reader = sessions.open().wait("SELECT * FROM t")
    run("locks", "cancel", alter.pid, "--force", expect=EXIT["config"])
    run("locks", "cancel", alter.pid, "--yes", expect=EXIT["refused"])
    assert alter.is_waiting() and reader.is_waiting()
    started = locks("--release-plan")[alter.pid]["started"]
    run("locks", "cancel", alter.pid, "--expect-start", "2001-01-01T00:00:00Z", "--yes", expect=EXIT["not_found"])
    run("locks", "cancel", alter.pid, "--expect-start", started, "--yes", "--force")
    wait_until(lambda: reader.went_on, "the reader to go on")
    second = sessions.open().wait("LOCK TABLE t")
    reader.connection.rollback()
    run("locks", "terminate", old.pid, "--yes", "--force")
    wait_until(lambda: second.went_on, "the second one to go on")
    with pytest.raises(psycopg.OperationalError):
        old.run("SELECT 1")
