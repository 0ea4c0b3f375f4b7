# SPDX-License-Identifier: PostgreSQL
"""partitions purge: old rows go in small transactions, held ones stay, and the ledger knows."""
import hashlib
import json
import re

import pytest

from support.runner import EXIT
from support.servers import Standby, quoted, wait_until

HOSTILE = 'po"s; DROP\nTABLE x; --'


@pytest.fixture
def run(dbops_for, every_server):
    return dbops_for(every_server)


@pytest.fixture
def positions(server_db):
    """3,000 rows softly deleted long ago, 1,000 yesterday, 1,000 not at all."""
    server_db.sql("""CREATE TABLE positions (id bigint PRIMARY KEY, deleted_at timestamptz, who text);
        INSERT INTO positions SELECT g, CASE WHEN g <= 3000 THEN now() - interval '200 days' WHEN g <= 4000 THEN now() - interval '1 day' END,
            'who ' || g % 10 FROM generate_series(1, 5000) g; ANALYZE positions""")
    return server_db


def purge(run, database, *words, table="positions", **kwargs):
    return run("partitions", "purge", "-d", database, table, "--column", "deleted_at", "--older-than", "90 days", "--format=json", *words, **kwargs)


def ledger(run):
    path = run.folder / "home/.local/state/dbops/ledger.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("indexed", [True, False], ids=["index", "pages"])
def test_purge(run, positions, indexed):
    if indexed:
        positions.sql("CREATE INDEX ON positions (deleted_at)")
    done = purge(run, positions, "--batch", "250", "--yes").json
    assert (done["table"], done["rows"], done["remaining"]) == ("public.positions", 3000, False)
    assert done["batches"] >= 10, "all in a few large transactions"
    assert positions.sql("SELECT min(id), count(*) FROM positions") == [(3001, 2000)]
    assert purge(run, positions, "--yes").json["rows"] == 0
    lines = ledger(run)
    assert [(e["phase"], e["action"], e["table"], e["rows"]) for e in lines[:2]] == [
        ("intent", "purge", "public.positions", None), ("done", "purge", "public.positions", 3000)]
    assert lines[1]["database"] == positions.name and lines[1]["role"] == "postgres" and "deleted_at" in lines[1]["condition"]


def test_ledger_is_a_chain(run, positions):
    purge(run, positions, "--yes"), purge(run, positions, "--yes")
    text = (run.folder / "home/.local/state/dbops/ledger.ndjson").read_text().splitlines()
    previous = [json.loads(line)["previous"] for line in text]
    assert previous == [None] + [hashlib.sha256(line.encode()).hexdigest() for line in text[:-1]] and len(text) == 4


def test_nothing_without_a_ledger(run, positions):
    """A ledger that cannot be written, or was cut off: nothing is deleted."""
    (run.folder / "ledger").mkdir()
    purge(run, positions, "--yes", "--ledger", run.folder / "ledger", expect=range(64, 79))
    (run.folder / "cut").write_text('{"at": "2026')
    assert "ledger" in purge(run, positions, "--yes", "--ledger", run.folder / "cut", expect=EXIT["damaged"]).stderr
    assert positions.value("SELECT count(*) FROM positions") == 5000


def test_plan_and_digest(run, positions):
    plan = run("partitions", "purge", "-d", positions, "positions", "--column", "deleted_at", "--older-than", "90 days", "--dry-run").stdout
    assert "DELETES 3,000 rows" in plan
    digest = re.search(r"digest ([0-9a-f]{64})", plan)[1]
    assert "a confirmation is needed" in purge(run, positions, expect=EXIT["config"]).stderr
    assert "not the one" in purge(run, positions, "--apply", digest[::-1], expect=EXIT["config"]).stderr
    assert "not the one" in run("partitions", "purge", "-d", positions, "positions", "--column", "deleted_at", "--older-than", "91 days",
                                "--apply", digest, expect=EXIT["config"]).stderr
    assert positions.value("SELECT count(*) FROM positions") == 5000
    assert purge(run, positions, "--apply", digest).json["rows"] == 3000


def test_locked_rows_are_passed_over(run, positions):
    with positions.connect() as holder:
        holder.execute("BEGIN"), holder.execute("SELECT * FROM positions WHERE id = 7 FOR UPDATE")
        result = purge(run, positions, "--yes", expect=EXIT["warning"])
        assert result.json["rows"] == 2999 and result.json["remaining"] and "somebody has locked" in result.stderr


def test_locked_table(run, positions):
    """Given up in time, and told what was done so far."""
    with positions.connect() as holder:
        holder.execute("BEGIN"), holder.execute("LOCK TABLE positions IN EXCLUSIVE MODE")
        busy = purge(run, positions, "--yes", "--lock-timeout", "100ms", "--max-wait", "300ms", expect=EXIT["busy"])
        assert "purging 'public.positions'" in busy.stderr
    assert ledger(run)[-1]["phase"] == "stopped" and ledger(run)[-1]["rows"] == 0


def test_lock_is_tried_again(run, positions):
    """A lock that is not to be had in --lock-timeout is asked for again, and the purge goes on when its holder is done."""
    waiting = "SELECT a.query_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.relation = 'positions'::regclass"
    with positions.connect() as holder:
        holder.execute("BEGIN"), holder.execute("LOCK TABLE positions IN EXCLUSIVE MODE")
        process = run.start("partitions", "purge", "-d", positions, "positions", "--column", "deleted_at", "--older-than", "90 days",
                            "--format=json", "--yes", "--lock-timeout", "100ms")
        asked = set()
        wait_until(lambda: asked.update(positions.sql(waiting)) or len(asked) > 1 or process.poll() is not None, "dbops to ask twice")
        holder.execute("ROLLBACK")
    result = run.finish(process, expect=0).json
    assert result["rows"] == 3000 and result["lock_waits"] >= 1


def test_row_that_changes_in_between(run, positions):
    """Somebody takes a row back from deletion while dbops waits for nobody: it stays."""
    with positions.connect() as user:
        user.execute("BEGIN"), user.execute("UPDATE positions SET deleted_at = NULL WHERE id = 7")
        purge(run, positions, "--yes", expect=EXIT["warning"])
        user.execute("COMMIT")
    assert positions.sql("SELECT id FROM positions WHERE id <= 3000") == [(7,)]


def test_table_of_the_same_name(run, positions):
    """A table that takes the name while dbops waits for its lock is not the one that was looked at."""
    with positions.connect() as user:
        user.execute("BEGIN"), user.execute("LOCK TABLE positions IN SHARE MODE")
        process = run.start("partitions", "purge", "-d", positions, "positions", "--column", "deleted_at", "--older-than", "90 days", "--lock-timeout", "20s", "--yes")
        wait_until(lambda: positions.value("SELECT count(*) FROM pg_locks WHERE relation = 'positions'::regclass AND NOT granted") or process.poll() is not None,
            "the purge to wait for its lock")
        user.execute("ALTER TABLE positions RENAME TO before; CREATE TABLE positions AS SELECT * FROM before"), user.execute("COMMIT")
    run.finish(process, expect=EXIT["warning"])
    assert positions.sql("SELECT (SELECT count(*) FROM positions), (SELECT count(*) FROM before)") == [(5000, 5000)]


HOLDS = """holds:
  lawsuit:
    table: public.pos*
    rows: "who = 'who 3'"
    reason: case 42
  over:
    table: public.positions
    reason: was long ago
    until: 2020-01-31
"""


def test_holds(run, positions):
    (run.folder / "dbops.yaml").write_text(HOLDS)
    purge(run, positions, "--yes")
    assert positions.sql("SELECT count(*), min(who), max(who) FROM positions WHERE id <= 3000") == [(300, "who 3", "who 3")]
    (run.folder / "dbops.yaml").write_text(HOLDS.replace("2020-01-31", "2099-12-31"))
    held = purge(run, positions, "--yes", expect=EXIT["refused"])
    assert "was long ago" in held.stderr and "until 2099-12-31" in held.stderr
    for text, words in (("holds: {a: {reason: x}}", "no 'table'"), ("holds: {a: {table: x, reason: y, until: soon}}", "not a date"),
                        ("holds: {a: {tabel: x}}", "Did you mean 'table'")):
        (run.folder / "dbops.yaml").write_text(text)
        assert words in purge(run, positions, "--yes", expect=EXIT["config"]).stderr


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_foreign_keys_of_others(run, positions, action):
    positions.sql(f"""CREATE TABLE child (id int PRIMARY KEY, position bigint REFERENCES positions ON DELETE {action});
        INSERT INTO child VALUES (1, 7), (2, 4500)""")
    assert f"public.child (ON DELETE {action})" in purge(run, positions, "--yes", expect=EXIT["refused"]).stderr
    assert positions.value("SELECT count(*) FROM positions") == 5000 and positions.value("SELECT count(*) FROM child WHERE position = 7") == 1
    purge(run, positions, "--yes", "--allow-cascade")
    assert positions.value("SELECT count(*) FROM child WHERE position = 7") == 0


def test_foreign_key_that_forbids(run, positions):
    positions.sql("CREATE TABLE child (position bigint REFERENCES positions); INSERT INTO child VALUES (7)")
    assert "child" in purge(run, positions, "--yes", expect=EXIT["refused"]).stderr
    assert positions.value("SELECT count(*) FROM positions WHERE id = 7") == 1


@pytest.fixture
def replicated(own_cluster):
    """A primary with a million bytes to purge, and its standby."""
    primary = own_cluster()
    primary.sql("CREATE TABLE positions AS SELECT g AS id, now() - interval '200 days' AS deleted_at, repeat('x', 500) AS v FROM generate_series(1, 4000) g")
    standby = Standby(primary)
    wait_until(lambda: primary.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn IS NOT NULL"), "the standby")
    yield primary, standby
    standby.stop()


def test_lagging_standby(replicated, dbops_for):
    """Replay is paused: dbops waits, gives up in time, and says what is done; when it goes on, so does dbops."""
    primary, standby = replicated
    run = dbops_for(primary)
    words = ("partitions", "purge", "-d", "postgres", "positions", "--column", "deleted_at", "--older-than", "90 days", "--yes", "--batch", "100",
             "--max-lag", "50kB", "--format=json")
    standby.sql("SELECT pg_wal_replay_pause()")
    busy = run(*words, "--max-wait", "500ms", expect=EXIT["busy"])
    assert "a standby is too far behind" in busy.stderr
    left = primary.sql("SELECT count(*) FROM positions")[0][0]
    assert 0 < left < 4000 and ledger(run)[-1]["phase"] == "stopped" and ledger(run)[-1]["rows"] == 4000 - left
    process = run.start(*words, "--max-wait", "60s")
    wait_until(lambda: primary.sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'dbops%' AND query LIKE '%pg_stat_replication%'"), "dbops to wait")
    standby.sql("SELECT pg_wal_replay_resume()")
    done = run.finish(process, expect=0).json
    assert done["rows"] == left and done["lag_waits"] > 0 and primary.sql("SELECT count(*) FROM positions") == [(0,)]


def test_standbys_that_cannot_be_seen(replicated, dbops_for):
    primary, _ = replicated
    primary.sql("CREATE ROLE simple LOGIN"), primary.sql("ALTER TABLE positions OWNER TO simple")
    words = ("partitions", "purge", "-d", "postgres", "positions", "--column", "deleted_at", "--older-than", "90 days", "--yes", "-U", "simple")
    assert "does not see how far" in dbops_for(primary)(*words, expect=EXIT["warning"]).stderr


def test_no_purge_on_a_standby(replicated, dbops_for):
    _, standby = replicated
    refused = dbops_for(standby)("partitions", "purge", "-d", "postgres", "positions", "--column", "deleted_at", "--older-than", "90 days", "--yes",
                                 expect=EXIT["refused"])
    assert "standby" in refused.stderr


def test_hostile_names_and_refusals(run, server_db):
    server_db.sql(f"""CREATE TABLE {quoted(HOSTILE)} ({quoted(HOSTILE)} date); INSERT INTO {quoted(HOSTILE)} VALUES ('2020-01-01'), (current_date);
        CREATE TABLE "p" (deleted_at timestamptz) PARTITION BY RANGE (deleted_at); CREATE TABLE odd (deleted_at text)""")
    done = run("partitions", "purge", "-d", server_db, quoted(HOSTILE), "--column", HOSTILE, "--before", "2025-01-01", "--format=json", "--yes").json
    assert done["rows"] == 1
    for table, words, code, expected in (
            ("p", ["--older-than", "1 day"], "refused", "It is partitioned"), ("odd", ["--older-than", "1 day"], "refused", "type text"),
            (quoted(HOSTILE), ["--older-than", "1 day"], "not_found", "no column"), ("odd", [], "usage", "--older-than or --before"),
            ("nothing", ["--older-than", "1 day"], "not_found", "no table")):
        assert expected in run("partitions", "purge", "-d", server_db, table, "--column", "deleted_at", *words, expect=EXIT[code]).stderr
    server_db.sql("CREATE TABLE t (deleted_at date)")
    for interval in ("-1 day", "soon", "0"):
        run("partitions", "purge", "-d", server_db, "t", "--column", "deleted_at", "--older-than", interval, "--yes", expect=EXIT["usage"])
