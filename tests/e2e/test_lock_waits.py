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
