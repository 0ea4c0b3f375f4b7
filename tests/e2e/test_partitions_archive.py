# SPDX-License-Identifier: PostgreSQL
"""partitions archive: a proven copy, and no drop without one."""
import csv
import gzip
import hashlib
import json
import re

import pytest

from support.runner import EXIT, Dbops
from support.servers import Standby, quoted, wait_until

csv.field_size_limit(1 << 30)
HOSTILE = 'Tr"; DROP\nTABLE x; --'
MONTH = "('2025-01-01 00:00:00+00') TO ('2025-02-01 00:00:00+00')"


def make_trades(database, rows=500):
    database.sql(f"""
        CREATE TABLE trades (id bigint NOT NULL, at timestamptz NOT NULL, note text, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
            PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE trades_2025_01 PARTITION OF trades FOR VALUES FROM {MONTH};
        CREATE TABLE trades_2025_02 PARTITION OF trades FOR VALUES FROM ('2025-02-01+00') TO ('2025-03-01+00');
        INSERT INTO trades (id, at, note) SELECT g, '2025-01-01 00:00+00'::timestamptz + g * interval '1 minute', 'note ' || g
            FROM generate_series(1, {rows}) g;
        INSERT INTO trades (id, at) VALUES (1, '2025-02-10')""")
    return database


def rows_of(database, table):
    return database.value(f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {table} t")


@pytest.fixture
def trades(db):
    return make_trades(db)


@pytest.fixture
def detached(trades):
    trades.sql("ALTER TABLE trades DETACH PARTITION trades_2025_01")
    return trades


@pytest.fixture
def major(clusters, any_major):
    return clusters(any_major)


@pytest.fixture(params=["folder", "s3"])
def place(request, work, bucket):
    return str(work / "cold") if request.param == "folder" else bucket.url + "/cold"


@pytest.fixture
def run(s3_dbops):
    """dbops with the S3 server's credentials."""
    return s3_dbops


def archive(run, database, table, to, *words, **kwargs):
    return run("partitions", "archive", "-d", database, table, "--to", to, "--format=json", *words, **kwargs)


def exists(database, table):
    return database.value("SELECT to_regclass(%s) IS NOT NULL", table)


def test_copy_of_an_attached_partition(program, work, major, s3_server, place):
    """Proven at both places and on each major; nothing in the database changes; what it was part of is recorded."""
    run = Dbops(program, work, {**major.env, **s3_server.env})
    database = make_trades(major.create_database())
    before = rows_of(database, "trades")
    done = archive(run, database, "trades_2025_01", place).json
    assert (done["table"], done["parent"], done["rows"], done["dropped"], done["proven"]) == ("public.trades_2025_01", "public.trades", 500, False, True)
    assert done["bounds"] == f"FROM {MONTH}" and done["url"].endswith(f"/{database.name}/{done['id']}")
    assert rows_of(database, "trades") == before
    listed = run.json("list", *(["--from", place] if place.startswith("s3") else ["--dir", place]))["backups"]
    assert [(b["id"], b["rows"], b["verified"]["ok"]) for b in listed] == [(done["id"], 500, True)]
    run("verify", done["url"])
    database.drop()


def test_stock_pg_restore_restores_it(run, cluster, detached, work, empty_db):
    done = archive(run, detached, "trades_2025_01", work / "cold").json
    cluster.tool("pg_restore", "-e", "-d", empty_db, work / "cold" / detached.name / done["id"])
    assert rows_of(empty_db, "trades_2025_01") == rows_of(detached, "trades_2025_01")
    record = json.loads((work / "cold" / detached.name / done["id"] / "dbops.partition.json").read_text())
    assert record["table"]["name"] == "trades_2025_01" and record["parent"] is None


def test_drop_of_a_detached_partition(run, detached, place):
    done = archive(run, detached, "trades_2025_01", place, "--drop", "--yes").json
    assert done["dropped"] and not exists(detached, "trades_2025_01") and exists(detached, "trades")
    run("verify", done["url"])


def test_no_drop_without_yes(run, detached, work):
    refused = archive(run, detached, "trades_2025_01", work / "cold", "--drop", expect=EXIT["config"])
    assert "drop public.trades_2025_01" in refused.stderr and exists(detached, "trades_2025_01") and not list((work / "cold").rglob("dbops.json"))
    run("partitions", "archive", "-d", detached, "trades_2025_01", "--to", work / "cold", "--drop", "--dry-run")
    assert exists(detached, "trades_2025_01") and not list((work / "cold").rglob("dbops.json"))


@pytest.mark.parametrize("write", ["INSERT INTO trades_2025_01 (id, at) VALUES (9999, '2025-01-09')", "DELETE FROM trades_2025_01 WHERE id = 7",
                                   "UPDATE trades_2025_01 SET note = 'other' WHERE id = 7", "TRUNCATE trades_2025_01",
                                   "ALTER TABLE trades_2025_01 ADD late int DEFAULT 5",
                                   "ALTER TABLE trades_2025_01 RENAME TO x; CREATE TABLE trades_2025_01 AS SELECT * FROM x",
                                   "ALTER TABLE trades ATTACH PARTITION trades_2025_01 FOR VALUES FROM " + MONTH],
                         ids=["insert", "delete", "update", "truncate", "column", "swap", "attach"])
def test_written_in_between(run, detached, place, write):
    """dbops waits for its lock when the row comes: the archive is whole, and the table stays."""
    lock = "LOCK TABLE trades_2025_01 IN ROW EXCLUSIVE MODE"
    with detached.connect() as writer:
        writer.execute("BEGIN")
        writer.execute(lock)
        process = run.start("partitions", "archive", "-d", detached, "trades_2025_01", "--to", place, "--drop", "--yes", "--lock-timeout", "20s")
        wait_until(lambda: detached.value("SELECT count(*) FROM pg_locks WHERE relation = 'trades_2025_01'::regclass AND NOT granted "
                                          "AND mode = 'ShareLock'") or process.poll() is not None, "dbops to wait for its lock")
        writer.execute(write)
        writer.execute("COMMIT")
    failed = run.finish(process, expect=EXIT["busy"])
    assert "not dropped" in failed.stderr and exists(detached, "trades_2025_01")


def test_table_in_use(run, detached, work):
    """A reader or a writer that stays: given up in time, nothing dropped, and no lock is left."""
    for mode in ("ROW EXCLUSIVE", "ACCESS SHARE"):
        with detached.connect() as holder:
            holder.execute("BEGIN")
            holder.execute(f"LOCK TABLE trades_2025_01 IN {mode} MODE")
            busy = archive(run, detached, "trades_2025_01", work / "cold", "--drop", "--yes", "--lock-timeout", "100ms", "--max-wait", "300ms",
                           expect=EXIT["busy"])
            assert "Somebody uses the table" in busy.stderr
    assert exists(detached, "trades_2025_01") and detached.value("SELECT count(*) FROM pg_locks WHERE relation = 'trades_2025_01'::regclass") == 0


@pytest.mark.parametrize("mode, verb", [("ROW EXCLUSIVE", "lock"), ("ACCESS SHARE", "drop")])
def test_lock_is_tried_again(run, detached, work, mode, verb):
    """A writer is in the way of the comparison, a reader of the drop: when they are done, it goes on."""
    with detached.connect() as holder:
        holder.execute("BEGIN")
        holder.execute(f"LOCK TABLE trades_2025_01 IN {mode} MODE")
        process = run.start("partitions", "archive", "-d", detached, "trades_2025_01", "--to", work / "cold", "--drop", "--yes",
                            "--lock-timeout", "100ms")
        while f"cannot {verb} 'public.trades_2025_01' yet" not in (line := process.stderr.readline()):
            assert line, "dbops ended without having waited"
        holder.execute("ROLLBACK")
    run.finish(process, expect=0)
    assert not exists(detached, "trades_2025_01")


def test_rows_this_role_cannot_see(run, cluster, detached, work):
    cluster.sql("DROP ROLE IF EXISTS half_blind"), cluster.sql("CREATE ROLE half_blind LOGIN")
    detached.sql("""ALTER TABLE trades_2025_01 OWNER TO half_blind; ALTER TABLE trades_2025_01 ENABLE ROW LEVEL SECURITY;
        ALTER TABLE trades_2025_01 FORCE ROW LEVEL SECURITY; CREATE POLICY few ON trades_2025_01 USING (id < 10)""")
    hidden = archive(run, detached, "trades_2025_01", work / "cold", "--drop", "--yes", "-U", "half_blind", expect=EXIT["permission"])
    assert "Row-level security" in hidden.stderr and exists(detached, "trades_2025_01") and not list((work / "cold").rglob("dbops.json"))


@pytest.mark.parametrize("fault", ["99 PUT .dat.gz 400:InvalidRequest", "99 PUT dbops.json 400:InvalidRequest", "99 PUT dbops.partition.json 400:InvalidRequest",
                                   "99 GET .dat.gz 400:InvalidRequest"], ids=["rows", "manifest", "record", "read-back"])
def test_half_finished_upload(run, detached, bucket, fault):
    bucket.server.fault(fault)
    archive(run, detached, "trades_2025_01", bucket.url, "--drop", "--yes", expect=range(64, 79))
    bucket.server.fault()
    assert exists(detached, "trades_2025_01") and rows_of(detached, "trades_2025_01")


def test_damaged_between_upload_and_proof(run, detached, bucket):
    """The store answers with other bytes than it was given: seen when read back, so no drop."""
    bucket.server.fault("99 GET .dat.gz flip")
    archive(run, detached, "trades_2025_01", bucket.url, "--drop", "--yes", expect=EXIT["damaged"])
    bucket.server.fault()
    assert exists(detached, "trades_2025_01")


def test_never_cascade(run, detached, work):
    detached.sql("CREATE VIEW v AS SELECT * FROM trades_2025_01")
    archive(run, detached, "trades_2025_01", work / "cold", "--drop", "--yes", expect=EXIT["refused"])
    assert exists(detached, "trades_2025_01") and exists(detached, "v")
    detached.sql("DROP VIEW v; CREATE TABLE heir () INHERITS (trades_2025_01)")
    failed = archive(run, detached, "trades_2025_01", work / "cold", "--drop", "--yes", expect=range(64, 79))
    assert "Use DROP" not in failed.stderr and "CASCADE" in failed.stderr and exists(detached, "heir")


@pytest.mark.parametrize("name", [HOSTILE, "x" * 63, "MixedCase", "a.b*?$"], ids=["hostile", "longest", "mixed", "pattern"])
def test_names(run, db, work, name):
    db.sql(f"CREATE SCHEMA {quoted(name)}; CREATE TABLE {quoted(name)}.{quoted(name)} AS SELECT g AS {quoted(name)} FROM generate_series(1, 5) g;"
           f"CREATE TABLE {quoted(name)}.other (x int); CREATE TABLE {quoted(name[:-1])} (x int)")
    done = archive(run, db, f"{quoted(name)}.{quoted(name)}", work / "cold", "--drop", "--yes").json
    assert done["dropped"] and done["rows"] == 5 and db.value("SELECT count(*) FROM pg_class WHERE relname = %s AND relkind = 'r'", name) == 0
    assert db.value(f"SELECT to_regclass('{quoted(name).replace(chr(39), chr(39) * 2)}.other') IS NOT NULL")


def test_branch_with_partitions_of_its_own(run, db, work):
    db.sql("""CREATE TABLE t (k int, r text) PARTITION BY LIST (k);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1) PARTITION BY LIST (r);
        CREATE TABLE t_1_eu PARTITION OF t_1 FOR VALUES IN ('eu'); CREATE TABLE t_1_us PARTITION OF t_1 FOR VALUES IN ('us');
        INSERT INTO t SELECT 1, CASE g % 2 WHEN 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 100) g; ALTER TABLE t DETACH PARTITION t_1""")
    done = archive(run, db, "t_1", work / "cold", "--drop", "--yes").json
    assert done["rows"] == 100 and not exists(db, "t_1") and not exists(db, "t_1_eu") and exists(db, "t")


def test_branch_without_partitions(run, db, work):
    """Nothing in it is nothing to compare, and no reason to fail for ever."""
    db.sql("""CREATE TABLE b (at date, k int) PARTITION BY RANGE (at);
        CREATE TABLE b_1 PARTITION OF b FOR VALUES FROM ('2025-01-01') TO ('2025-02-01') PARTITION BY LIST (k)""")
    assert archive(run, db, "b_1", work / "cold", "--drop", "--yes").json["dropped"]
    run("partitions", "restore", "-d", db, "b_1", "--from", work / "cold", "--attach", "--yes")
    assert db.value("SELECT relispartition FROM pg_class WHERE relname = 'b_1'")


def test_not_mistaken_for_a_backup(run, detached, work):
    """In a repository of backups: never 'latest', never pruned, no fresh backup for --max-age."""
    backup = run.json("backup", "-d", detached, "--dir", work / "cold")["id"]
    ids = [archive(run, detached, t, work / "cold").json["id"] for t in ("trades_2025_01", "trades_2025_02", "trades_2025_01")]
    assert run.json("verify", "latest", "--dir", work / "cold")["id"] == backup
    plan = run.json("prune", "--dir", work / "cold", "--keep-last", "1", "--yes")["backups"]
    assert {b["id"]: b["action"] for b in plan} == dict.fromkeys([backup, *ids], "keep")
    run("partitions", "archive", "-d", detached, "trades_2025_02", "--to", work / "alone")
    run("list", "--dir", work / "alone", "--max-age", "1h", expect=EXIT["critical"])


def test_refusals(run, detached, work):
    detached.sql("CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE f (x int) SERVER s")
    for name, code, words in (("f", "refused", "foreign table"), ("nothing", "not_found", "there is no table")):
        assert words in archive(run, detached, name, work / "cold", expect=EXIT[code]).stderr
    assert "--to PLACE" in run("partitions", "archive", "-d", detached, "trades_2025_01", expect=EXIT["usage"]).stderr



# ---- attached partitions

def attached(database, table="trades_2025_01"):
    return database.value("SELECT relispartition FROM pg_class WHERE oid = %s::regclass", table)


def ledger(run):
    path = run.folder / "home/.local/state/dbops/ledger.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_drop_of_an_attached_partition(program, work, major):
    """Detached concurrently, compared, dropped; the ledger has both lines, and the archive brings it back attached."""
    run = Dbops(program, work, major.env)
    database = make_trades(major.create_database())
    before = rows_of(database, "trades")
    done = archive(run, database, "trades_2025_01", work / "cold", "--drop", "--yes").json
    assert done["dropped"] and not exists(database, "trades_2025_01") and database.value("SELECT count(*) FROM trades") == 1
    first, last = ledger(run)
    assert (first["phase"], last["phase"]) == ("intent", "done")
    assert {k: last[k] for k in ("action", "table", "parent", "bounds", "rows", "archive", "manifest_sha256", "fingerprint")} == {
        "action": "drop", "table": "public.trades_2025_01", "parent": "public.trades", "bounds": f"FROM {MONTH}", "rows": 500,
        "archive": done["url"], "manifest_sha256": done["manifest_sha256"], "fingerprint": done["fingerprint"]}
    back = restore(run, database, "trades_2025_01", work / "cold", "--attach", "--yes").json
    assert back["attached"] and rows_of(database, "trades") == before and attached(database)
    assert bounds(database) == f"FOR VALUES FROM {MONTH}"
    assert database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert database.value("SELECT count(*) FROM pg_constraint WHERE conrelid = 'trades_2025_01'::regclass AND contype = 'c'") == 0
    database.drop()


def bounds(database):
    """The servers of the tests are in UTC."""
    return database.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'trades_2025_01'::regclass")


def test_written_through_the_parent_in_between(run, trades, work):
    """A row that commits while the partition is detached: nothing is dropped, and the partition is attached again with the row in it."""
    with trades.connect() as writer:
        writer.execute("BEGIN"), writer.execute("INSERT INTO trades (id, at) VALUES (9999, '2025-01-09')")
        process = run.start("partitions", "archive", "-d", trades, "trades_2025_01", "--to", work / "cold", "--drop", "--yes", "--lock-timeout", "20s")
        wait_until(lambda: trades.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%DETACH%%' AND application_name LIKE 'dbops%%' "
                                        "AND wait_event_type = 'Lock'") or process.poll() is not None, "the detach to wait")
        writer.execute("COMMIT")
    failed = run.finish(process, expect=EXIT["busy"])
    assert "not dropped" in failed.stderr and "attached again" in failed.stderr
    assert attached(trades) and trades.value("SELECT count(*) FROM trades") == 502
    assert [e["phase"] for e in ledger(run)] == ["intent", "kept"] and "501 rows, the archive 500" in failed.stderr


def test_failed_upload_leaves_it_attached(run, trades, bucket):
    bucket.server.fault("99 PUT .dat.gz 400:InvalidRequest")
    archive(run, trades, "trades_2025_01", bucket.url, "--drop", "--yes", expect=range(64, 79))
    bucket.server.fault()
    assert attached(trades) and ledger(run) == []


def test_plan_is_what_runs(run, cluster, trades, work):
    """--sql prints it, its digest agrees to it, and nothing happens without."""
    words = ("partitions", "archive", "-d", trades, "trades_2025_01", "--to", work / "cold", "--drop")
    script = run(*words, "--sql").stdout
    for statement in ('DETACH PARTITION "public"."trades_2025_01" CONCURRENTLY', 'LOCK TABLE "public"."trades_2025_01" IN SHARE MODE',
                      'COPY "public"."trades_2025_01" TO STDOUT', 'DROP TABLE "public"."trades_2025_01"'):
        assert statement in script
    assert attached(trades) and not list((work / "cold").rglob("dbops.json"))
    plan = run(*words, "--dry-run").stdout
    digest = re.search(r"[0-9a-f]{64}", plan)[0]
    run(*words, "--apply", digest[::-1], expect=EXIT["config"])
    run(*words, expect=EXIT["config"])
    assert attached(trades)
    run(*words, "--apply", digest)
    assert not exists(trades, "trades_2025_01")


def test_digest_is_of_table_and_place(run, trades, work):
    """Another destination, another format, another table of that name: another plan."""
    def digest(*words):
        return re.search(r"[0-9a-f]{64}", run("partitions", *words, "-d", trades, "trades_2025_01", "--dry-run").stdout)[0]
    plans = [("archive", "--drop", "--to", work / "cold"), ("archive", "--drop", "--to", work / "hot"),
             ("archive", "--drop", "--to", work / "cold", "--as", "csv.gz"), ("drop", "--without-archive")]
    (work / "cold").mkdir(), (work / "hot").mkdir()
    agreed = [digest(*words) for words in plans]
    assert len(set(agreed)) == 4 and agreed == [digest(*words) for words in plans]
    trades.sql(f"ALTER TABLE trades DETACH PARTITION trades_2025_01; ALTER TABLE trades_2025_01 RENAME TO x;"
               f"CREATE TABLE trades_2025_01 PARTITION OF trades FOR VALUES FROM {MONTH}")
    assert not set(agreed) & {digest(*words) for words in plans}


def test_locks_of_a_drop(run, trades, work):
    """DROP TABLE takes the triggers of foreign keys from the tables they refer to."""
    trades.sql("CREATE TABLE acc (id bigint PRIMARY KEY); ALTER TABLE trades_2025_02 ADD FOREIGN KEY (id) REFERENCES acc NOT VALID")
    script = run("partitions", "drop", "-d", trades, "trades_2025_02", "--without-archive", "--sql").stdout
    assert re.search(r"ACCESS EXCLUSIVE on public.acc\nDROP TABLE", script), script
    with trades.connect() as c:
        c.execute("BEGIN"), c.execute("ALTER TABLE trades DETACH PARTITION trades_2025_02"), c.execute("COMMIT")
        c.execute("BEGIN"), c.execute("DROP TABLE trades_2025_02")
        assert trades.value("SELECT mode FROM pg_locks WHERE relation = 'acc'::regclass") == "AccessExclusiveLock"
        c.execute("ROLLBACK")


@pytest.mark.parametrize("name", ["trades_2025_01", 'Tr"; x\nROLLBACK; --'])
def test_script_drops_nothing_without_a_comparison(run, cluster, trades, work, name):
    """psql compares nothing, and has no archive: it must not come to the DROP."""
    if name != "trades_2025_01":
        trades.sql(f"ALTER TABLE trades_2025_01 RENAME TO {quoted(name)}")
    script = run("partitions", "archive", "-d", trades, quoted(name), "--to", work / "cold", "--drop", "--sql").stdout
    (work / "plan.sql").write_text(script)
    cluster.run_script(work / "plan.sql", trades)
    assert not attached(trades, quoted(name))
    assert trades.value(f"SELECT count(*) FROM {quoted(name)}") == 500


def test_default_partition_needs_consent(run, trades, work):
    trades.sql("CREATE TABLE rest PARTITION OF trades DEFAULT")
    words = ("--drop", "--yes")
    assert "--allow-plain" in archive(run, trades, "trades_2025_01", work / "cold", *words, expect=EXIT["refused"]).stderr
    assert attached(trades) and not list((work / "cold").rglob("dbops.json"))
    assert archive(run, trades, "trades_2025_01", work / "cold", *words, "--allow-plain").json["dropped"]


def test_rows_that_others_refer_to(run, trades, work):
    """A foreign key to the partitioned table: refused by the detach, attached as before."""
    trades.sql("""CREATE TABLE child (id bigint, at timestamptz, FOREIGN KEY (id, at) REFERENCES trades);
        INSERT INTO child SELECT id, at FROM trades_2025_01 LIMIT 1""")
    archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes", expect=EXIT["refused"])
    assert attached(trades) and trades.value("SELECT count(*) FROM trades") == 501


HOLD = "holds: {lawsuit: {table: public.trades, rows: \"note = 'note 7'\", reason: case 42}}"


def test_hold(run, trades, work):
    """A hold on rows of the parent keeps the partition that has them, and no other; whatever the command."""
    (run.folder / "dbops.yaml").write_text(HOLD)
    held = archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes", expect=EXIT["refused"])
    assert "case 42" in held.stderr and attached(trades)
    run("partitions", "drop", "-d", trades, "trades_2025_01", "--without-archive", "--yes", expect=EXIT["refused"])
    assert archive(run, trades, "trades_2025_02", work / "cold", "--drop", "--yes").json["dropped"]
    archive(run, trades, "trades_2025_01", work / "cold")
    run("partitions", "detach", "-d", trades, "trades_2025_01", "--yes")
    held = run("partitions", "drop", "-d", trades, "trades_2025_01", "--archived-in", work / "cold", "--yes", expect=EXIT["refused"])
    assert "case 42" in held.stderr, "a detach is no way around a hold"
    (run.folder / "dbops.yaml").unlink()
    assert run.json("partitions", "drop", "-d", trades, "trades_2025_01", "--archived-in", work / "cold", "--yes")["dropped"]


@pytest.mark.parametrize("pattern", ["public.trades_2025_01", "trades", "public.Leaf", '"Leaf"', "*.Leaf", "trades_2025_0?"])
def test_hold_by_any_name(run, trades, pattern):
    """A sub-partition that is held keeps the branch it would go with; a pattern may lack the schema or the quotes."""
    trades.sql("""DROP TABLE trades_2025_01;
        CREATE TABLE trades_2025_01 PARTITION OF trades FOR VALUES FROM ('2025-01-01+00') TO ('2025-02-01+00') PARTITION BY LIST (id);
        CREATE TABLE "Leaf" PARTITION OF trades_2025_01 FOR VALUES IN (1)""")
    (run.folder / "dbops.yaml").write_text(json.dumps({"holds": {"lawsuit": {"table": pattern, "reason": "case 42"}}}))
    assert "case 42" in drop(run, trades, "trades_2025_01", "--without-archive", "--yes", expect=EXIT["refused"]).stderr
    if "rades" not in pattern:
        assert drop(run, trades, "trades_2025_02", "--without-archive", "--yes").json["dropped"], "a cousin's hold is none"


def test_no_drop_on_a_standby(own_cluster, dbops_for, work):
    primary = own_cluster()
    make_trades(primary.database("postgres"))
    standby = Standby(primary)
    run = dbops_for(standby)
    assert archive(run, "postgres", "trades_2025_01", work / "cold").json["rows"] == 500
    assert "standby" in archive(run, "postgres", "trades_2025_01", work / "cold", "--drop", "--yes", expect=EXIT["refused"]).stderr
    standby.stop()



def test_idle_session_is_kept(run, trades, work):
    """The session that holds the lock idles while others export and prove: no timeout of the server may end it."""
    trades.sql(f"ALTER DATABASE {quoted(trades.name)} SET idle_session_timeout = '300ms'")
    assert archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes").json["dropped"]
    assert restore(run, trades, "trades_2025_01", work / "cold", "--attach", "--yes").json["attached"]


def test_detached_by_dbops_comes_back_attached(run, trades, work):
    """What 'partitions detach' recorded goes into the archive, and serves the way back."""
    before = rows_of(trades, "trades")
    trades.sql("COMMENT ON TABLE trades_2025_01 IS 'mine'")
    run("partitions", "detach", "-d", trades, "trades_2025_01", "--yes")
    done = archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes").json
    assert (done["parent"], done["bounds"]) == ("public.trades", f"FROM {MONTH}") and ledger(run)[-1]["parent"] == "public.trades"
    assert restore(run, trades, "trades_2025_01", work / "cold", "--attach", "--yes").json["attached"]
    assert rows_of(trades, "trades") == before and trades.value("SELECT obj_description('trades_2025_01'::regclass)") == "mine"


def test_attach_without_a_place(run, trades, work):
    """Told before anything is restored: no parent, no record of one, or something else in its range."""
    trades.sql("CREATE TABLE plain AS SELECT 1 AS x")
    archive(run, trades, "plain", work / "cold", "--drop", "--yes")
    assert "does not say what it was" in restore(run, trades, "plain", work / "cold", "--attach", "--yes", expect=EXIT["refused"]).stderr
    archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes")
    trades.sql(f"CREATE TABLE other PARTITION OF trades FOR VALUES FROM {MONTH}")
    failed = restore(run, trades, "trades_2025_01", work / "cold", "--attach", "--yes", expect=range(64, 79))
    assert "restored and proven, but not attached" in failed.stderr and trades.value("SELECT count(*) FROM trades_2025_01") == 500
    trades.sql("DROP TABLE trades, trades_2025_01")
    assert "no table 'public.trades'" in restore(run, trades, "trades_2025_01", work / "cold", "--attach", "--yes", expect=EXIT["not_found"]).stderr
    assert not exists(trades, "trades_2025_01")



def test_stopped_after_the_detach(run, trades, work):
    """SIGTERM while the rows are compared: not dropped, and attached again before dbops ends."""
    trades.sql("INSERT INTO trades (id, at, note) SELECT g, '2025-01-20', repeat('x', 200) FROM generate_series(1000, 300000) g")
    process = run.start("partitions", "archive", "-d", trades, "trades_2025_01", "--to", work / "cold", "--drop", "--yes")
    wait_until(lambda: trades.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%%' AND state = 'active' AND application_name = "
                                    "'dbops partitions archive' AND pid IN (SELECT pid FROM pg_locks WHERE mode = 'ShareLock' AND granted "
                                    "AND relation = 'trades_2025_01'::regclass)") or process.poll() is not None, "the comparison", every=0.002)
    process.terminate()
    run.finish(process, expect=143)
    assert attached(trades) and [e["phase"] for e in ledger(run)] == ["intent", "kept"]


# ---- drop

def drop(run, database, table, *words, **kwargs):
    return run("partitions", "drop", "-d", database, table, "--format=json", *words, **kwargs)


def test_drop_by_an_earlier_archive(run, trades, place):
    """Only what is archived, whole, and unchanged since."""
    nothing = drop(run, trades, "trades_2025_01", "--archived-in", place if "s3:" in place else run.folder, "--yes", expect=EXIT["not_found"])
    assert "no archive" in nothing.stderr
    done = archive(run, trades, "trades_2025_01", place).json
    trades.sql("UPDATE trades SET note = 'other' WHERE id = 7")
    changed = drop(run, trades, "trades_2025_01", "--archived-in", place, "--yes", expect=EXIT["busy"])
    assert "were changed since" in changed.stderr and attached(trades)
    trades.sql("UPDATE trades SET note = 'note 7' WHERE id = 7")
    dropped = drop(run, trades, "trades_2025_01", "--archived-in", place, "--yes").json
    assert dropped["dropped"] and dropped["archive"] == done["url"] and not exists(trades, "trades_2025_01")
    assert ledger(run)[-1]["archive"] == done["url"]


def test_drop_reads_the_archive_again(run, trades, work):
    done = archive(run, trades, "trades_2025_01", work / "cold").json
    (data,) = (work / "cold" / trades.name / done["id"]).glob("*.dat.gz")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    drop(run, trades, "trades_2025_01", "--archived-in", work / "cold", "--yes", expect=EXIT["damaged"])
    assert attached(trades)


def test_archive_of_another_table(run, trades, work):
    """A table of the same name that came later is not what was archived."""
    archive(run, trades, "trades_2025_01", work / "cold")
    trades.sql("DROP TABLE trades_2025_01; CREATE TABLE trades_2025_01 (x int)")
    drop(run, trades, "trades_2025_01", "--archived-in", work / "cold", "--yes", expect=EXIT["damaged"])
    assert exists(trades, "trades_2025_01")


def test_drop_without_an_archive(run, trades):
    assert "--archived-in" in drop(run, trades, "trades_2025_01", "--yes", expect=EXIT["usage"]).stderr
    drop(run, trades, "trades_2025_01", "--without-archive", expect=EXIT["config"])
    assert attached(trades)
    assert drop(run, trades, "trades_2025_01", "--without-archive", "--yes").json == {
        "schema_version": 1, "table": "public.trades_2025_01", "archive": None, "manifest_sha256": None, "dropped": True}
    assert not exists(trades, "trades_2025_01") and [e["phase"] for e in ledger(run)] == ["intent", "done"]


@pytest.mark.parametrize("write, status", [
    ("ALTER TABLE trades_2025_01 RENAME TO x; CREATE TABLE trades_2025_01 AS SELECT * FROM x", "busy"),
    ("ALTER TABLE trades ATTACH PARTITION trades_2025_01 FOR VALUES FROM " + MONTH, "busy"),
    ("INSERT INTO trades_2025_01 (id, at, note) VALUES (9999, '2025-01-09', 'held')", "refused")], ids=["swap", "attach", "held"])
def test_drop_without_an_archive_of_what_changed(run, detached, write, status):
    """Not another table of that name, not a partition, not a row that is held: whatever came while dbops waited for its lock."""
    (run.folder / "dbops.yaml").write_text(HOLD.replace("note 7", "held").replace("public.trades,", "public.trades_2025_01,"))
    with detached.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("LOCK TABLE trades_2025_01 IN ROW EXCLUSIVE MODE")
        process = run.start("partitions", "drop", "-d", detached, "trades_2025_01", "--without-archive", "--yes", "--lock-timeout", "20s")
        wait_until(lambda: detached.value("SELECT count(*) FROM pg_locks WHERE relation = 'trades_2025_01'::regclass AND NOT granted "
                                          "AND mode = 'AccessExclusiveLock'") or process.poll() is not None, "dbops to wait for its lock")
        writer.execute(write)
        writer.execute("COMMIT")
    run.finish(process, expect=EXIT[status])
    assert detached.value("SELECT count(*) FROM trades_2025_01") >= 500 and [e["phase"] for e in ledger(run)] == ["intent", "kept"]


def test_nothing_without_a_ledger(run, trades, work):
    archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes", "--ledger", work, expect=range(64, 79))
    assert attached(trades)




def test_ledger_shows_and_checks(run, trades, work):
    """What was removed, in rows; a line that was changed, taken out or added shows."""
    assert run.json("partitions", "ledger") == {"schema_version": 1, "ledger": str(run.folder / "home/.local/state/dbops/ledger.ndjson"),
                                                "unbroken": True, "lines": []}
    done = archive(run, trades, "trades_2025_01", work / "cold", "--drop", "--yes").json
    drop(run, trades, "trades_2025_02", "--without-archive", "--yes")
    shown = run.json("partitions", "ledger")["lines"]
    assert [(e["phase"], e["action"], e["table"], e["rows"], e["archive"]) for e in shown] == [
        ("done", "drop", "public.trades_2025_01", 500, done["url"]), ("done", "drop", "public.trades_2025_02", None, None)]
    assert len(run.json("partitions", "ledger", "--all")["lines"]) == 4
    assert len(run.json("partitions", "ledger", "--of", "public.trades_2025_01")["lines"]) == 1
    assert len(run.json("partitions", "ledger", "--of", "public.trades")["lines"]) == 2
    path = run.folder / "home/.local/state/dbops/ledger.ndjson"
    lines = path.read_text().splitlines(keepends=True)
    for number, changed in ((3, [lines[0], lines[1].replace('"rows":500', '"rows":499'), *lines[2:]]), (2, [lines[0], *lines[2:]]),
                            (1, lines[1:]), (3, [*lines[:2], "what?\n", *lines[2:]])):
        path.write_text("".join(changed))
        assert f"Line {number} " in run("partitions", "ledger", expect=EXIT["damaged"]).stderr


# ---- CSV

def csv_files(place, database, folder):
    """(description, rows by Python's own reader) of the only export."""
    if isinstance(place, str) and place.startswith("s3:"):
        raise AssertionError("download first")
    (description,) = (folder / database.name / "csv").glob("*.json")
    data = description.with_suffix("").parent / json.loads(description.read_text())["file"]
    with gzip.open(data, "rt", encoding="utf-8", newline="") as lines:
        return json.loads(description.read_text()), hashlib.sha256(data.read_bytes()).hexdigest(), list(csv.reader(lines))


@pytest.fixture
def odd(db):
    """Values that CSV has to quote: newlines, quotes, NULL beside '', and what looks like an end of data."""
    db.sql(r"""CREATE TABLE odd (id int, "a,b" text, n numeric, g int GENERATED ALWAYS AS (id * 2) STORED);
        INSERT INTO odd VALUES (1, E'two\nlines "and" quotes', 1.50), (2, '', NULL), (3, NULL, 0), (4, E'\\.', 1), (5, E'\r\n', 2), (6, 'Größe', 3)""")
    return db


def test_csv(run, odd, place, bucket, work):
    """Python's csv and gzip read what the server has; the description says what it is."""
    done = archive(run, odd, "odd", place, "--as", "csv.gz").json
    folder = work / "cold"
    if place.startswith("s3:"):
        bucket.download(work / "down")
        folder = work / "down" / "cold"
    description, sha256, rows = csv_files(folder, odd, folder)
    assert rows[0] == ["id", "a,b", "n", "g"] and len(rows) == 7
    assert rows[1] == ["1", 'two\nlines "and" quotes', "1.50", "2"] and rows[5][1] == "\r\n" and rows[6][1] == "Größe"
    assert (description["rows"], description["sha256"], description["table"]) == (6, sha256, "public.odd")
    assert [c["type"] for c in description["columns"]] == ["integer", "text", "numeric", "integer"]
    assert done["rows"] == 6 and done["url"].endswith(".csv.gz") and exists(odd, "odd")
    assert run.json("list", *(["--from", place] if place.startswith("s3") else ["--dir", place]))["backups"] == []


def test_csv_with_drop(run, trades, work):
    done = archive(run, trades, "trades_2025_01", work / "cold", "--as", "csv.gz", "--drop", "--yes").json
    _, _, rows = csv_files(None, trades, work / "cold")
    assert done["dropped"] and not exists(trades, "trades_2025_01") and len(rows) == 501 and ledger(run)[-1]["archive"] == done["url"]


def test_csv_of_a_large_branch(run, db, work):
    """Many blocks, a partitioned table, rows of more than a block."""
    db.sql("""CREATE TABLE t (k int, v text) PARTITION BY LIST (k); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
        CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2);
        INSERT INTO t SELECT 1 + g % 2, repeat(md5(g::text) || E'\n', 50) FROM generate_series(1, 3000) g;
        INSERT INTO t SELECT 1, repeat('"', 3000000)""")
    done = archive(run, db, "t", work / "cold", "--as", "csv.gz", "--drop", "--yes").json
    _, _, rows = csv_files(None, db, work / "cold")
    assert done["rows"] == 3001 == len(rows) - 1 and max(len(r[1]) for r in rows) == 3000000


def test_csv_written_in_between(run, detached, work):
    with detached.connect() as writer:
        writer.execute("BEGIN"), writer.execute("UPDATE trades_2025_01 SET note = 'other' WHERE id = 7")
        process = run.start("partitions", "archive", "-d", detached, "trades_2025_01", "--to", work / "cold", "--as", "csv.gz", "--drop", "--yes",
                            "--lock-timeout", "20s")
        wait_until(lambda: detached.value("SELECT count(*) FROM pg_locks WHERE relation = 'trades_2025_01'::regclass AND NOT granted "
                                          "AND mode = 'ShareLock'") or process.poll() is not None, "dbops to wait for its lock")
        writer.execute("COMMIT")
    assert "were changed since" in run.finish(process, expect=EXIT["busy"]).stderr and exists(detached, "trades_2025_01")


@pytest.mark.parametrize("fault", ["99 GET .csv.gz flip", "99 PUT .csv.gz 400:InvalidRequest", "99 PUT .json 400:InvalidRequest"],
                         ids=["read-back", "rows", "description"])
def test_csv_that_is_not_whole(run, trades, bucket, fault):
    bucket.server.fault(fault)
    archive(run, trades, "trades_2025_01", bucket.url, "--as", "csv.gz", "--drop", "--yes", expect=range(64, 79))
    bucket.server.fault()
    assert attached(trades) and bucket.keys() == []


# ---- the way back

def restore(run, database, table, place, *words, **kwargs):
    return run("partitions", "restore", "-d", database, table, "--from", place, "--format=json", *words, **kwargs)


def test_there_and_back(run, detached, place):
    """Rows, indexes, generated column, privileges; found by name in any spelling and by id."""
    detached.sql("CREATE INDEX extra ON trades_2025_01 (note); GRANT SELECT ON trades_2025_01 TO PUBLIC")
    before = rows_of(detached, "trades_2025_01")
    indexes = "SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY pg_get_indexdef(indexrelid)) FROM pg_index WHERE indrelid = 'trades_2025_01'::regclass"
    definitions = detached.value(indexes)
    done = archive(run, detached, "trades_2025_01", place, "--drop", "--yes").json
    for name in ("trades_2025_01", "public.trades_2025_01", "Trades_2025_01", done["id"]):
        back = restore(run, detached, name, place, "--yes").json
        assert (back["id"], back["table"], back["rows"], back["proven"], back["attached"]) == (done["id"], "public.trades_2025_01", 500, True, False)
        assert rows_of(detached, "trades_2025_01") == before and detached.value(indexes) == definitions
        assert detached.value("SELECT has_table_privilege('public', 'trades_2025_01', 'SELECT')")
        detached.sql("DROP TABLE trades_2025_01")


def test_restore_of_an_attached_partition_is_beside(program, work, major):
    """The archive of an attached partition is brought back as a table of its own: it is attached to nothing, and its parent sees nothing of it."""
    run = Dbops(program, work, major.env)
    database = make_trades(major.create_database())
    before = rows_of(database, "trades_2025_01")
    archive(run, database, "trades_2025_01", work / "cold")
    assert "exists already" in restore(run, database, "trades_2025_01", work / "cold", "--yes", expect=EXIT["refused"]).stderr
    database.sql("DROP TABLE trades_2025_01")
    assert "there is no terminal" in restore(run, database, "trades_2025_01", work / "cold", expect=EXIT["config"]).stderr
    restore(run, database, "trades_2025_01", work / "cold", "--yes")
    assert rows_of(database, "trades_2025_01") == before and database.value("SELECT count(*) FROM trades") == 1
    assert not database.value("SELECT relispartition FROM pg_class WHERE relname = 'trades_2025_01'")
    database.drop()


def test_restore_of_a_branch(run, db, work):
    db.sql("""CREATE TABLE t (k int, r text, PRIMARY KEY (k, r)) PARTITION BY LIST (k);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1) PARTITION BY LIST (r);
        CREATE TABLE t_1_eu PARTITION OF t_1 FOR VALUES IN ('eu'); CREATE TABLE t_1_us PARTITION OF t_1 FOR VALUES IN ('us');
        INSERT INTO t VALUES (1, 'eu'), (1, 'us'); CREATE INDEX ON t (r)""")
    archive(run, db, "t_1", work / "cold")
    db.sql("DROP TABLE t_1")
    restore(run, db, "t_1", work / "cold", "--yes")
    assert db.sql("SELECT r FROM t_1 ORDER BY r") == [("eu",), ("us",)] and db.value("SELECT count(*) FROM t") == 0
    assert db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def test_restore_of_odd_bounds(run, db, work):
    """Bounds come from the record of the archive, whatever is in them."""
    db.sql("""CREATE TABLE l (k text) PARTITION BY LIST (k); CREATE TABLE l1 PARTITION OF l FOR VALUES IN (E'a\\n''"\\\\', NULL, E'\\\\n');
        INSERT INTO l VALUES (E'a\\n''"\\\\'), (NULL), (E'\\\\n')""")
    rows = rows_of(db, "l")
    bounds = db.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'l1'")
    archive(run, db, "l1", work / "cold", "--drop", "--yes")
    restore(run, db, "l1", work / "cold", "--attach", "--yes")
    assert rows_of(db, "l") == rows and db.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'l1'") == bounds


def test_restore_is_proven(run, detached, work):
    """A damaged archive does not come back as if it were whole."""
    done = archive(run, detached, "trades_2025_01", work / "cold", "--drop", "--yes").json
    (data,) = (work / "cold" / detached.name / done["id"]).glob("*.dat.gz")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    restore(run, detached, "trades_2025_01", work / "cold", "--yes", expect=EXIT["damaged"])


def test_restore_finds_nothing_else(run, detached, work):
    run("backup", "-d", detached, "--dir", work / "cold")
    backup = run.json("list", "--dir", work / "cold")["backups"][0]["id"]
    detached.sql("CREATE SCHEMA s; CREATE TABLE s.trades_2025_01 (x int)")
    for name in ("public.trades_2025_01", "s.trades_2025_01"):
        archive(run, detached, name, work / "cold", "--drop", "--yes")
    for name, code, words in (("trades_2025_02", "not_found", "there is no archive"), (backup, "not_found", "no archive of a partition"),
                              ("trades_2025_01", "usage", "several tables")):
        assert words in restore(run, detached, name, work / "cold", "--yes", expect=EXIT[code]).stderr
    detached.sql("DROP SCHEMA s")
    assert "no schema 's'" in restore(run, detached, "s.trades_2025_01", work / "cold", "--yes", expect=EXIT["not_found"]).stderr
