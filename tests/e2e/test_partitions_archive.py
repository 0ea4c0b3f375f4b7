# SPDX-License-Identifier: PostgreSQL
"""partitions archive: a proven copy, and no drop without one."""
import json
import threading

import pytest

from support.runner import EXIT, Dbops
from support.servers import quoted, wait_until

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
    assert "DROPS" in refused.stderr and exists(detached, "trades_2025_01") and not list((work / "cold").rglob("dbops.json"))
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
