# SPDX-License-Identifier: PostgreSQL
"""No complete backup with rows missing, no restore that is smaller than asked, no live database that is lost for a backup which
cannot replace it: whatever happens to sessions, tables and files while dbops works."""
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import threading
import time

import pytest

from conftest import BINDIRS, MAJOR
from support.archive import backup, files_below, flip_bit, manifest, table_file
from support.compare import assert_equal, large_objects_of, rows_of, schema_of
from support.runner import EXIT
from support.servers import wait_until

FAILURE = range(64, 79)
NO_LUCK = "echo 'pg_dumpall: error: no luck today' >&2; exit 1"


# ---- what several tests need

def complete(dbops, *options):
    return [b["id"] for b in dbops.json("list", *(options or ("--dir", dbops.folder / "backups")))["backups"] if b["complete"]]


def assert_no_backup(dbops):
    """Neither listed nor lying there, in whatever state."""
    assert complete(dbops) == []
    assert not list((dbops.folder / "backups").rglob("*.partial")), "a half backup was left behind"
    assert [f for f in files_below(dbops.folder / "backups") if ".lock" not in f] == []


def copying(database):
    """True while dbops reads the table that is big enough to be seen."""
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
                          "AND query LIKE '%%COPY%%\"big\"%%' AND application_name LIKE 'dbops%%'") > 0


def stop(process):
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "dbops to be stopped")


def stop_while_copying(process, database):
    """dbops is stopped, and the server cannot get rid of the rest of the rows."""
    wait_until(lambda: copying(database) or process.poll() is not None, "dbops to read rows")
    stop(process)
    assert copying(database), "the table is too small: it was read before dbops could be stopped"


@pytest.fixture
def start(dbops, s3_server_or_none):
    """start("backup", ...): a running dbops, which ends with the test."""
    begun = []

    def begin(*arguments, **kwargs):
        begun.append(dbops.start(*arguments, **kwargs))
        return begun[-1]

    yield begin
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def s3_server_or_none(request):
    """Tests with a bucket start dbops with its credentials."""
    if "bucket" in request.fixturenames:
        request.getfixturevalue("dbops").env.update(request.getfixturevalue("s3_server").env)


@pytest.fixture
def wide(db):
    """A table of 60 MB that is read first, and small ones after it."""
    db.sql("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 60000) i")
    db.sql("CREATE TABLE small AS SELECT i FROM generate_series(1, 500) i")
    db.sql("CREATE TABLE other AS SELECT i FROM generate_series(1, 400) i")
    return db


def programs(folder, name, script):
    """A bin folder in which one program is a script; $REAL is the real one."""
    real = pathlib.Path(BINDIRS[MAJOR])
    folder.mkdir()
    for program in real.iterdir():
        if program.name != name:
            (folder / program.name).symlink_to(program)
    (folder / name).write_text(f"#!/bin/sh\nREAL={real}/{name}\ncase $1 in --version) exec $REAL --version;; esac\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


class Gate:
    """pg_dumpall that waits to be let through. While it waits every row is stored, and the manifest is not."""

    def __init__(self, folder):
        self.fifo = folder / "gate"
        os.mkfifo(self.fifo)
        self.bindir = programs(folder / "gated", "pg_dumpall", f"read line < {self.fifo}; exec $REAL \"$@\"")

    def open(self):
        def try_it():
            with contextlib.suppress(OSError):  # nobody waits yet
                fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
                os.write(fd, b"go\n")
                os.close(fd)
                return True

        wait_until(try_it, "pg_dumpall to wait at the gate")


@pytest.fixture
def gate(work):
    return Gate(work)


# ---- the leader's session is lost

def end_the_leader(database):
    """Ends the idle session that holds the snapshot and the locks, and nothing else of dbops: the one with the series' advisory lock."""
    mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dbops backup'"
    ended = database.sql(f"SELECT pid, pg_terminate_backend(pid) {mine} AND state = 'idle in transaction' "
                         "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
    assert len(ended) == 1 and ended[0][1] is True, ended
    wait_until(lambda: not database.value(f"SELECT count(*) {mine} AND pid = {ended[0][0]}"), "the leader's session to end")


@pytest.mark.parametrize("change", [None, "TRUNCATE small", "DROP TABLE small", "DELETE FROM small"])
def test_the_leader_is_terminated_while_rows_are_read(dbops, wide, start, change):
    """From then on nothing keeps others from truncating what is still to be read: no such backup may be called complete."""
    process = start("backup", "-d", wide, "--dir", "backups", "-j1")
    stop_while_copying(process, wide)
    end_the_leader(wide)
    if change:
        wide.sql(f"SET lock_timeout = '10s'; {change}")
    process.send_signal(signal.SIGCONT)
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "locks" in result.stderr and "lost" in result.stderr
    assert_no_backup(dbops)


def test_the_leader_is_terminated_under_several_workers(dbops, wide, start):
    """Some of them may be between two tables just then, or about to open the snapshot that is gone."""
    process = start("backup", "-d", wide, "--dir", "backups", "-j3", "--no-split")
    stop_while_copying(process, wide)
    end_the_leader(wide)
    process.send_signal(signal.SIGCONT)
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "locks" in result.stderr and "lost" in result.stderr
    assert_no_backup(dbops)


def test_all_sessions_are_terminated(dbops, wide, start):
    """A failover, a restart: workers may connect again, but the snapshot is gone. That is a lost connection, not a refusal."""
    process = start("backup", "-d", wide, "--dir", "backups", "-j1")
    stop_while_copying(process, wide)
    mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dbops backup'"
    wide.sql(f"SELECT pg_terminate_backend(pid) {mine}")
    wait_until(lambda: not wide.value(f"SELECT count(*) {mine}"), "the sessions to end")
    process.send_signal(signal.SIGCONT)
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "lost" in result.stderr
    assert_no_backup(dbops)


# ---- tables change between the snapshot and the lock

def waits_for(database, oid):
    return database.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s", oid) > 0


def backup_that_waits(dbops, start, database, table, other, options, end):
    """A backup that begins while `other` holds the table, and goes on after `end`; its JSON report and folder."""
    oid = database.value("SELECT %s::regclass::oid::bigint", table)
    process = start("backup", "-d", database, "--dir", "backups", "--format=json", "--lock-timeout", "1min", *options)
    wait_until(lambda: waits_for(database, oid) or process.poll() is not None, "dbops to wait for the lock")
    assert process.poll() is None, "dbops did not wait"
    end(other)
    report = dbops.finish(process, expect=0).json
    return report, pathlib.Path(report["path"])


def counts(folder):
    return {t["name"]: t["rows"] for t in manifest(folder)["tables"]}


@pytest.fixture
def three(db):
    """t with 1000 rows, u with 300, z empty before both."""
    db.sql("CREATE TABLE z (a integer)")
    db.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
    db.sql("CREATE TABLE u AS SELECT i FROM generate_series(1, 300) i")
    return db


FILTERS = pytest.mark.parametrize("options", [[], ["--table", "t"]], ids=["all", "filtered"])


@FILTERS
def test_tables_swap_their_names(dbops, three, start, empty_db, options):
    """The usual way to rewrite a table by hand. What the snapshot calls t is not what is locked and read as t."""
    with three.connect() as other:
        other.autocommit = False
        other.execute("CREATE TABLE t_new AS SELECT i FROM t UNION ALL SELECT 1001; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t")
        report, folder = backup_that_waits(dbops, start, three, "t", other, options, lambda c: c.commit())
    assert counts(folder) == ({"t": 1001} if options else {"t": 1001, "t_old": 1000, "u": 300, "z": 0})
    dbops("restore", "latest", "--dir", "backups", "--to-db", empty_db, "--yes")
    assert empty_db.sql("SELECT count(*), max(i) FROM t") == [(1001, 1001)]


@FILTERS
def test_a_swap_that_is_rolled_back(dbops, three, start, options):
    with three.connect() as other:
        other.autocommit = False
        other.execute("CREATE TABLE t_new AS SELECT i FROM t UNION ALL SELECT 1001; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t")
        report, folder = backup_that_waits(dbops, start, three, "t", other, options, lambda c: c.rollback())
    assert counts(folder) == ({"t": 1000} if options else {"t": 1000, "u": 300, "z": 0})


def test_a_schema_takes_the_name_of_another(dbops, three, start, empty_db):
    """No table is locked by that; another table keeps dbops waiting meanwhile. The snapshot sees no row of the new a.t."""
    three.sql("CREATE SCHEMA a; CREATE TABLE a.t AS SELECT i FROM generate_series(1, 70) i")
    with three.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE z IN ACCESS EXCLUSIVE MODE; CREATE SCHEMA x; CREATE TABLE x.t AS SELECT i FROM generate_series(1, 80) i; "
                      "ALTER SCHEMA a RENAME TO b; ALTER SCHEMA x RENAME TO a")
        backup_that_waits(dbops, start, three, "z", other, [], lambda c: c.commit())
    dbops("restore", "latest", "--dir", "backups", "--to-db", empty_db, "--yes")
    assert rows_of(empty_db) == rows_of(three)
    assert empty_db.sql("SELECT (SELECT count(*) FROM a.t), (SELECT count(*) FROM b.t)") == [(80, 70)]


@FILTERS
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_truncate_and_refill(dbops, three, start, options, end):
    """The table before or after, never in between, and its neighbour of the same moment."""
    with three.connect() as other:
        other.autocommit = False
        other.execute("DELETE FROM u WHERE i > 290; TRUNCATE t; INSERT INTO t SELECT i FROM generate_series(1, 10) i")
        report, folder = backup_that_waits(dbops, start, three, "t", other, options, lambda c: getattr(c, end)())
    found = counts(folder)
    assert found["t"] == (10 if end == "commit" else 1000)
    if not options:
        assert (found["t"], found["u"]) == {"commit": (10, 290), "rollback": (1000, 300)}[end]
    dbops("verify", "latest", "--dir", "backups")


@pytest.mark.parametrize("change", ["ALTER TABLE t ALTER i TYPE bigint", "CREATE INDEX t_i ON t (i); CLUSTER t USING t_i", "DROP TABLE t"],
                         ids=["rewritten", "clustered", "dropped"])
def test_a_table_is_rewritten(dbops, three, start, empty_db, change):
    with three.connect() as other:
        other.autocommit = False
        other.execute(change)
        backup_that_waits(dbops, start, three, "t", other, [], lambda c: c.commit())
    dbops("restore", "latest", "--dir", "backups", "--to-db", empty_db, "--yes")
    assert rows_of(empty_db) == rows_of(three)
    assert schema_of(empty_db) == schema_of(three)


# ---- files of the running backup vanish

VICTIMS = ["toc.dat", "dbops.blocks", "*.dat.gz", "blob_*.dat.gz", "blobs*.toc"]


@pytest.mark.parametrize("victim", [*VICTIMS, "*"])
def test_local_files_vanish(dbops, shop, start, gate, victim):
    """A cleaner of old files, a hand in the folder: every row was read, and still this is no backup."""
    process = start("backup", "-d", shop, "--dir", "backups", "--pg-bindir", gate.bindir)
    wait_until(lambda: list(dbops.folder.glob("backups/*/*.partial/dbops.blocks")) or process.poll() is not None, "the data to be stored")
    (folder,) = dbops.folder.glob("backups/*/*.partial")
    victims = list(folder.glob(victim))
    for path in victims:
        path.unlink()
    gate.open()
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "vanished" in result.stderr and (victim == "*" or any(path.name in result.stderr for path in victims))
    assert_no_backup(dbops)


def test_the_table_of_contents_vanishes_while_rows_are_read(dbops, wide, start):
    process = start("backup", "-d", wide, "--dir", "backups", "-j1")
    stop_while_copying(process, wide)
    (toc,) = dbops.folder.glob("backups/*/*.partial/toc.dat")
    toc.unlink()
    process.send_signal(signal.SIGCONT)
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "toc.dat" in result.stderr
    assert_no_backup(dbops)


def test_a_data_file_is_cut_short(dbops, shop, start, gate):
    process = start("backup", "-d", shop, "--dir", "backups", "--pg-bindir", gate.bindir)
    wait_until(lambda: list(dbops.folder.glob("backups/*/*.partial/dbops.blocks")) or process.poll() is not None, "the data to be stored")
    victim = max(dbops.folder.glob("backups/*/*.partial/*.dat.gz"), key=lambda p: p.stat().st_size)
    os.truncate(victim, victim.stat().st_size - 1)
    gate.open()
    assert victim.name in dbops.finish(process, expect=EXIT["unavailable"]).stderr
    assert_no_backup(dbops)


def upload_at_the_gate(start, database, bucket, gate):
    process = start("backup", "-d", database, "--upload", bucket.url, "--no-local", "--pg-bindir", gate.bindir)
    wait_until(lambda: any(k.endswith("/dbops.blocks") for k in bucket.keys()) or process.poll() is not None, "the data to be stored")
    return process


@pytest.mark.parametrize("victim", ["toc.dat", "dbops.blocks", ".dat.gz"])
def test_objects_vanish(dbops, shop, start, gate, bucket, victim):
    process = upload_at_the_gate(start, shop, bucket, gate)
    key = next(k for k in bucket.keys() if k.endswith(victim))
    bucket.delete(key)
    gate.open()
    result = dbops.finish(process, expect=EXIT["unavailable"])
    assert "vanished" in result.stderr and key.rsplit("/", 1)[1] in result.stderr
    assert bucket.keys() == [] and bucket.uploads() == []


def test_a_prune_with_too_short_a_lease(dbops, shop, start, gate, bucket):
    """It takes the running upload for dead: then there is no backup, and nobody is told that there is one."""
    process = upload_at_the_gate(start, shop, bucket, gate)
    short = ["prune", "--from", bucket.url, "--keep-last", "1", "--lease", "1ms"]
    wait_until(lambda: [b["action"] for b in dbops.json(*short)["backups"]] == ["sweep"], "the objects' times, rounded up, to pass")
    dbops(*short, "--yes")
    assert not any(k.endswith("/toc.dat") for k in bucket.keys()), "prune was to sweep it"
    gate.open()
    dbops.finish(process, expect=EXIT["unavailable"])
    assert complete(dbops, "--from", bucket.url) == [] and bucket.keys() == []


def test_a_young_upload_keeps_its_older_neighbours(dbops, wide, start, bucket, s3_server):
    """One table takes longer than the lease. Its upload is no object yet, and the objects beside it are older than the lease."""
    wide.sql("UPDATE big SET v = (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 20) k)")  # compresses less
    s3_server.fault("1 POST uploads stall 8", "1 PUT partNumber stall 2")
    process = start("backup", "-d", wide, "--upload", bucket.url, "--no-local", "-j1", "--part-size", "5MiB")
    wait_until(lambda: bucket.uploads() or process.poll() is not None, "an upload to begin")
    stop(process)
    (begun,) = (u["Initiated"] for u in bucket.s3.list_multipart_uploads(Bucket=bucket.name)["Uploads"])
    (toc,) = (o["LastModified"] for o in bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"] if o["Key"].endswith("/toc.dat"))
    assert begun - toc > datetime.timedelta(seconds=6), "the fault was to keep them apart"
    age = datetime.datetime.now(datetime.timezone.utc) - begun
    lease = int((age.total_seconds() + 4) * 1000)
    plan = dbops.json("prune", "--from", bucket.url, "--keep-last", "1", "--lease", f"{lease}ms", "--yes")
    assert [b["action"] for b in plan["backups"]] == ["skip"], plan
    process.send_signal(signal.SIGCONT)
    dbops.finish(process, expect=0)
    dbops("verify", "latest", "--from", bucket.url)


# ---- restore --clean and the live database

def remove(path):
    path.unlink()
    return path


def flip(path):
    flip_bit(path)
    return path


def cut(path):
    os.truncate(path, 30)
    return path


DAMAGES = [
    ("a bit of a data file", lambda c, f: flip(table_file(c, f, "public", "events"))),
    ("a data file gone", lambda c, f: remove(table_file(c, f, "public", "events"))),
    ("a data file cut short", lambda c, f: cut(table_file(c, f, "public", "orders"))),
    ("dbops.blocks gone", lambda c, f: remove(f / "dbops.blocks")),
    ("a bit of dbops.blocks", lambda c, f: flip(f / "dbops.blocks")),
    ("a bit of a large object", lambda c, f: flip(f / "blob_4711.dat.gz")),
    ("a bit of toc.dat", lambda c, f: flip(f / "toc.dat")),
]


def state_of(database):
    return rows_of(database), large_objects_of(database), schema_of(database)


@pytest.mark.parametrize("damage", [d[1] for d in DAMAGES], ids=[d[0].replace(" ", "-") for d in DAMAGES])
@pytest.mark.parametrize("options", [[], ["--table", "customers"]], ids=["whole", "one-table"])
def test_clean_with_a_damaged_backup(dbops, cluster, shop, damage, options):
    """The live rows are the only good copy: nothing is dropped for a backup that cannot replace them."""
    _, folder = backup(dbops, shop)
    shop.sql("INSERT INTO customers (name) VALUES ('after the backup')")
    damaged = damage(cluster, folder)
    before = state_of(shop)
    result = dbops("restore", "latest", "-d", shop, "--clean", "--if-exists", "--yes", *options, expect=EXIT["damaged"])
    assert state_of(shop) == before
    assert damaged.name in result.stderr


@pytest.mark.parametrize("view", ["CREATE VIEW later AS SELECT * FROM orders", "CREATE MATERIALIZED VIEW later AS SELECT count(*) FROM events",
                                  "CREATE TABLE later (c integer REFERENCES customers)"], ids=["view", "matview", "foreign-key"])
def test_clean_that_is_refused(dbops, shop, view):
    """Something made after the backup depends on what is to be dropped: all stays as it was, not only what is refused."""
    backup(dbops, shop)
    shop.sql(view)
    shop.sql("INSERT INTO customers (name) VALUES ('after the backup')")
    before = state_of(shop)
    result = dbops("restore", "latest", "-d", shop, "--clean", "--if-exists", "--yes", expect=FAILURE)
    assert state_of(shop) == before
    assert "later" in result.stderr and "nothing was dropped" in result.stderr.lower()


def test_clean_of_a_good_backup_replaces(dbops, shop, empty_db):
    """The counterpart: it is not refused for nothing."""
    backup(dbops, shop)
    dbops("restore", "latest", "--to-db", empty_db, "--yes")
    shop.sql("DELETE FROM orders; DELETE FROM events")
    shop.sql("SELECT lo_unlink(4711)")
    dbops("restore", "latest", "-d", shop, "--clean", "--if-exists", "--yes")
    assert_equal(shop, empty_db)


# ---- restore --table brings all that was asked for

@pytest.fixture
def family(db):
    """Tables that cannot stand alone, each in its own way."""
    db.sql("""CREATE SCHEMA parts;
        CREATE TABLE root (k integer, at date NOT NULL, v text) PARTITION BY RANGE (at);
        CREATE TABLE root_24 PARTITION OF root FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE parts.elsewhere PARTITION OF root FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE root_26 PARTITION OF root FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (k);
        CREATE TABLE root_26_even PARTITION OF root_26 FOR VALUES IN (0, 2, 4, 6, 8);
        CREATE TABLE root_26_rest PARTITION OF root_26 DEFAULT;
        CREATE TABLE root_rest PARTITION OF root DEFAULT;
        CREATE INDEX root_at ON root (at);
        INSERT INTO root SELECT i % 10, date '2023-06-01' + i % 1500, md5(i::text) FROM generate_series(1, 6000) i;
        CREATE TABLE parent (a integer); INSERT INTO parent VALUES (1);
        CREATE TABLE child (b integer) INHERITS (parent); INSERT INTO child VALUES (2, 3);
        CREATE TABLE plain AS SELECT i AS a FROM generate_series(1, 20) i;
        CREATE VIEW seen AS SELECT * FROM plain;
        CREATE TABLE customers (id integer PRIMARY KEY); INSERT INTO customers VALUES (1), (2);
        CREATE TABLE orders (id integer PRIMARY KEY, customer integer REFERENCES customers); INSERT INTO orders VALUES (7, 1), (8, 2);
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.stamped := true; RETURN NEW; END';
        CREATE TABLE busy (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigserial, mood mood NOT NULL DEFAULT 'ok', stamped boolean);
        CREATE TRIGGER stamp BEFORE INSERT ON busy FOR EACH ROW EXECUTE FUNCTION stamp();
        INSERT INTO busy (mood) SELECT 'happy' FROM generate_series(1, 40)""")
    return db


def relations(database):
    return {r[0] for r in database.sql("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') "
                                       "AND relnamespace::regnamespace::text !~ '^pg_|^information_schema'")}


def test_a_partitioned_table_brings_its_partitions(dbops, family, empty_db):
    backup(dbops, family)
    dbops("restore", "latest", "--to-db", empty_db, "--table", "root", "--yes")
    query = "SELECT tableoid::regclass::text, count(*), sum(hashtext(v)) FROM root GROUP BY 1 ORDER BY 1"
    assert empty_db.sql(query) == family.sql(query) and len(family.sql(query)) == 5
    assert relations(empty_db) == {"root", "root_24", "parts.elsewhere", "root_26", "root_26_even", "root_26_rest", "root_rest"}
    assert empty_db.value("SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ 'root|elsewhere'") == 7


def test_a_partition_alone(dbops, family, empty_db):
    """A partition needs no parent: it comes with its own rows, or is refused by name; it is never an empty success."""
    backup(dbops, family)
    result = dbops("restore", "latest", "--to-db", empty_db, "--table", "root_24", "--yes", expect=(0, EXIT["warning"], EXIT["usage"]))
    if result.code == EXIT["usage"]:
        assert "root" in result.stderr and relations(empty_db) == set()
    else:
        assert empty_db.value("SELECT count(*) FROM root_24") == family.value("SELECT count(*) FROM root_24") > 0


@pytest.mark.parametrize("table,needs", [("child", "parent"), ("seen", "plain")])
def test_what_cannot_stand_alone_is_refused(dbops, family, empty_db, table, needs):
    backup(dbops, family)
    result = dbops("restore", "latest", "--to-db", empty_db, "--table", table, "--yes", expect=EXIT["usage"])
    assert table in result.stderr and f'"{needs}"' in result.stderr
    assert relations(empty_db) == set()
    dbops("restore", "latest", "--to-db", empty_db, "--table", table, "--table", needs, "--yes")
    assert relations(empty_db) == {table, needs}
    assert empty_db.sql(f"SELECT * FROM {table} ORDER BY 1") == family.sql(f"SELECT * FROM {table} ORDER BY 1") != []


def test_a_lost_foreign_key_is_a_warning(dbops, family, empty_db):
    backup(dbops, family)
    result = dbops("restore", "latest", "--to-db", empty_db, "--table", "orders", "--yes", expect=EXIT["warning"])
    assert "left out" in result.stderr + result.stdout
    assert empty_db.sql("SELECT id, customer FROM orders ORDER BY 1") == [(7, 1), (8, 2)]
    plan = dbops("restore", "latest", "--to-db", empty_db, "--table", "orders", "--into-nonempty", "--dry-run")
    assert "left out" in plan.stderr + plan.stdout


def test_nothing_is_left_out_of_both(dbops, family, empty_db):
    """The counterpart: with both tables the key comes, too, and there is nothing to warn of."""
    backup(dbops, family)
    result = dbops("restore", "latest", "--to-db", empty_db, "--table", "orders", "--table", "customers", "--yes")
    assert "left out" not in result.stderr + result.stdout
    assert empty_db.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == 1


def test_a_table_brings_what_it_needs(dbops, family, empty_db):
    """Its identity and serial go on counting, its type is known, its trigger fires."""
    backup(dbops, family)
    dbops("restore", "latest", "--to-db", empty_db, "--table", "busy", "--yes")
    assert relations(empty_db) == {"busy"}
    assert rows_of(empty_db)["public.busy"] == rows_of(family)["public.busy"]
    assert empty_db.sql("INSERT INTO busy (mood) VALUES ('sad') RETURNING id, n, mood::text, stamped") == [(41, 41, "sad", True)]


# ---- a table that a worker may not lock, and large objects after it

def test_large_objects_after_a_refused_table(dbops, cluster, wide, start):
    """Somebody queues for ACCESS EXCLUSIVE behind the leader, so the worker's NOWAIT fails and aborts its transaction. The leader
    reads the table, and the worker still reads the large objects."""
    for i in range(1, 6):
        wide.sql(f"SELECT lo_from_bytea({5000 + i}, decode(repeat(md5('{i}'), 3000), 'hex'))")
    objects = large_objects_of(wide)
    mark = cluster.log.stat().st_size
    process = start("backup", "-d", wide, "--dir", "backups", "-j1", "--format=json")
    stop_while_copying(process, wide)

    def ddl(table):
        with wide.connect() as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    changers = [threading.Thread(target=ddl, args=[table]) for table in ("small", "other")]  # also whichever comes last
    for changer in changers:
        changer.start()
    try:
        wait_until(lambda: wide.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IN ('small'::regclass, 'other'::regclass)") == 2,
                   "the DDL to queue")
    finally:
        process.send_signal(signal.SIGCONT)
    report = dbops.finish(process, expect=0).json
    for changer in changers:
        changer.join(30)
        assert not changer.is_alive()
    log = cluster.log.read_bytes()[mark:].decode(errors="replace")
    assert all(f'could not obtain lock on relation "public.{t}"' in log for t in ("small", "other")), "no worker was refused: this proves nothing"
    assert counts(report["path"]) == {"big": 60000, "small": 500, "other": 400}
    dbops("verify", "latest", "--dir", "backups", "--restore")
    assert large_objects_of(wide) == objects and len(manifest(report["path"])["large_objects"]) == 5


# ---- proofs that fail are on record

def test_a_failed_test_restore_is_recorded(dbops, db):
    """A check that reads another table: every byte is as written, and it does not restore."""
    db.sql("CREATE TABLE cfg (x integer); INSERT INTO cfg VALUES (1)")
    db.sql("CREATE FUNCTION ok() RETURNS boolean LANGUAGE sql AS 'SELECT count(*) > 0 FROM cfg'")
    db.sql("CREATE TABLE t (x integer CHECK (ok())); INSERT INTO t VALUES (1)")
    backup(dbops, db)
    dbops("verify", "latest")
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"]["ok"] is True
    result = dbops("verify", "latest", "--restore", expect=EXIT["damaged"])
    assert "restore" in result.stderr + result.stdout and "cfg" in result.stderr + result.stdout
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"]["ok"] is False and entry["verified"]["depth"] == "restore"


# ---- which one is "latest"

def test_latest_of_two_databases(dbops, cluster, shop, db, empty_db, new_db):
    db.sql("CREATE TABLE only_here AS SELECT 5 AS a")
    first, _ = backup(dbops, shop)
    second, _ = backup(dbops, db)
    for command in (["verify", "latest"], ["show", "latest"], ["restore", "latest", "--to-db", empty_db, "--yes"]):
        result = dbops(*command, expect=EXIT["usage"])
        assert f'"{shop.name}"' in result.stderr and f'"{db.name}"' in result.stderr and "--database" in result.stderr
    assert relations(empty_db) == set()
    for database, report in ((shop, first), (db, second)):
        assert dbops.json("verify", "latest", "--database", database)["id"] == report["id"]
        assert report["id"] in dbops("show", "latest", "--database", database).stdout
    dbops("restore", "latest", "--database", db, "--to-db", empty_db, "--yes")
    assert relations(empty_db) == {"only_here"}
    dbops("restore", "latest", "--database", shop, "--to-db", new_db, "--create", "--yes")
    assert_equal(shop, new_db)
    result = dbops("verify", "latest", "--database", "no such database", expect=EXIT["not_found"])
    assert "latest" in result.stderr or "no such database" in result.stderr


@pytest.mark.parametrize("damage", [lambda text: text[:len(text) // 2], lambda text: "", lambda text: "{}"], ids=["half", "empty", "nothing-in-it"])
def test_a_damaged_newest_backup_is_not_passed_over(dbops, db, damage, empty_db):
    """Whoever asks for the latest must not be handed yesterday's without a word."""
    db.sql("CREATE TABLE t AS SELECT 1 AS a")
    older, _ = backup(dbops, db)
    second = int(time.time())
    wait_until(lambda: int(time.time()) > second, "the clock's next second")  # ids have whole seconds
    newest, folder = backup(dbops, db)
    (folder / "dbops.json").write_text(damage((folder / "dbops.json").read_text()))
    for command in (["verify", "latest"], ["show", "latest"], ["restore", "latest", "--to-db", empty_db, "--yes"]):
        result = dbops(*command, expect=EXIT["damaged"])
        assert newest["id"] in result.stderr
    assert relations(empty_db) == set()
    dbops("verify", older["id"])


# ---- manifest and table of contents

@pytest.mark.parametrize("table", ["customers", "events", "Old Orders"])
def test_a_table_is_missing_from_the_manifest(dbops, shop, empty_db, table):
    """Nobody would load or look at its rows: it would be restored empty."""
    _, folder = backup(dbops, shop)
    document = manifest(folder)
    left = [t for t in document["tables"] if t["name"] != table]
    assert len(left) == len(document["tables"]) - 1
    document["rows"] -= next(t["rows"] for t in document["tables"] if t["name"] == table)
    document["tables"] = left
    (folder / "dbops.json").write_text(json.dumps(document))
    for command in (["verify", "latest"], ["restore", "latest", "--to-db", empty_db, "--yes"], ["restore", "latest", "-d", shop, "--clean", "--if-exists", "--yes"]):
        before = state_of(shop)
        result = dbops(*command, expect=EXIT["damaged"])
        said = result.stdout + result.stderr
        assert "contradict" in said or "toc.dat only" in said
        assert state_of(shop) == before
    assert relations(empty_db) == set()


# ---- roles and tablespaces

def test_pg_dumpall_fails(dbops, shop, work):
    """Not being allowed to read passwords is one thing; every other failure is a failure."""
    result = dbops("backup", "-d", shop, "--dir", "backups", "--pg-bindir", programs(work / "bin", "pg_dumpall", NO_LUCK), expect=FAILURE)
    assert "pg_dumpall" in result.stderr and "no luck today" in result.stderr and "--no-globals" in result.stderr
    assert_no_backup(dbops)


def test_pg_dumpall_fails_without_passwords_only(dbops, shop, work):
    """A first failure that is no denial must not be answered by leaving the passwords out."""
    script = f'case "$*" in *--no-role-passwords*) exec $REAL "$@";; esac\n{NO_LUCK}'
    dbops("backup", "-d", shop, "--dir", "backups", "--pg-bindir", programs(work / "bin", "pg_dumpall", script), expect=FAILURE)
    assert_no_backup(dbops)


def test_passwords_that_may_not_be_read(dbops, shop, work):
    script = """case "$*" in *--no-role-passwords*) exec $REAL "$@";; esac
echo 'pg_dumpall: error: query failed: ERROR:  permission denied for table pg_authid' >&2; exit 1"""
    report, folder = backup(dbops, shop, "--pg-bindir", programs(work / "bin", "pg_dumpall", script), expect=EXIT["warning"])
    document = manifest(folder)
    assert any("password" in w for w in document["warnings"])
    assert "password" in json.dumps(document["exclusions"] if "exclusions" in document else document)
    assert "CREATE ROLE" in (folder / "globals.sql").read_text()
    dbops("verify", "latest")


def test_pg_dumpall_finds_no_free_connection_at_first(dbops, shop, work):
    """The workers had the last ones; afterwards they are free."""
    script = f"""if mkdir {work}/once 2>/dev/null; then
    echo 'pg_dumpall: error: connection to server failed: FATAL:  sorry, too many clients already' >&2; exit 1
fi
exec $REAL "$@" """
    report, folder = backup(dbops, shop, "--pg-bindir", programs(work / "bin", "pg_dumpall", script))
    assert (work / "once").exists() and "CREATE ROLE" in (folder / "globals.sql").read_text()


# ---- prune goes on

@pytest.fixture
def four(dbops, db):
    """Four backups; the ids that --keep-last 1 removes, in the order of the plan, and the one that stays."""
    db.sql("CREATE TABLE t AS SELECT 1 AS a")
    for _ in range(4):
        backup(dbops, db)
    plan = dbops.json("prune", "--keep-last", "1")["backups"]
    victims = [b["id"] for b in plan if b["action"] == "delete"]
    assert len(victims) == 3
    return victims, next(b["id"] for b in plan if b["action"] == "keep")


def test_prune_goes_on_after_a_folder_that_cannot_go(dbops, db, four):
    """The manifest of the first victim is a mount point, which not even root can unlink."""
    victims, kept = four
    stuck = dbops.folder / "backups" / db.name / victims[0] / "dbops.json"
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    pinned = [*namespace, "sh", "-ec", f"mount --bind '{stuck}' '{stuck}'; exec \"$@\"", "sh"]
    result = dbops("prune", "--keep-last", "1", "--yes", "--format=json", prefix=pinned, expect=FAILURE)
    assert victims[0] in result.stderr
    assert {b["id"]: b["done"] for b in result.json["backups"] if b["action"] == "delete"} == {victims[0]: False, victims[1]: True, victims[2]: True}
    assert sorted(complete(dbops)) == sorted([victims[0], kept])
    dbops("verify", victims[0])
    dbops("prune", "--keep-last", "1", "--yes")
    assert complete(dbops) == [kept]


def test_prune_goes_on_after_an_object_that_cannot_go(dbops, db, four, start, bucket, s3_server):
    victims, kept = four
    folder = dbops.folder / "backups"
    for name in files_below(folder):
        bucket.put(name, (folder / name).read_bytes())
    shutil.rmtree(folder)
    s3_server.fault(f"100000 DELETE {victims[0]} 403:AccessDenied")
    result = dbops("prune", "--from", bucket.url, "--keep-last", "1", "--yes", expect=EXIT["permission"])
    assert victims[0] in result.stderr
    s3_server.fault()
    assert sorted(complete(dbops, "--from", bucket.url)) == sorted([victims[0], kept])
    assert {k.split("/")[1] for k in bucket.keys()} == {victims[0], kept}
    dbops("prune", "--from", bucket.url, "--keep-last", "1", "--yes")
    assert {k.split("/")[1] for k in bucket.keys()} == {kept}
