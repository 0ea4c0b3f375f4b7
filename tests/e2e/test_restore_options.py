# SPDX-License-Identifier: PostgreSQL
"""restore: what is restored, what is asked first, what is refused."""
import json
import re
import shutil

import pytest

from support.archive import backup, manifest
from support.compare import assert_equal, rows_of, schema_of
from support.runner import EXIT


@pytest.fixture
def taken(dbops, shop):
    return backup(dbops, shop)


def test_create(dbops, shop, taken, new_db):
    dbops("restore", "latest", "--to-db", new_db, "--create", "--yes")
    assert_equal(shop, new_db)


def test_a_database_that_does_not_exist(dbops, taken, new_db):
    """It is created, and the plan says so before anything happens."""
    plan = dbops("restore", "latest", "--to-db", new_db, "--dry-run")
    assert f'the new database "{new_db.name}"' in plan.stdout + plan.stderr
    assert not new_db.exists
    dbops("restore", "latest", "--to-db", new_db, "--yes")
    assert new_db.exists


def test_create_over_an_existing_database(dbops, taken, db):
    db.sql("CREATE TABLE precious AS SELECT 1 AS a")
    result = dbops("restore", "latest", "--to-db", db, "--create", "--yes", expect=range(64, 79))
    assert db.name in result.stderr
    assert db.value("SELECT count(*) FROM precious") == 1


def test_without_a_yes_nothing_happens(dbops, taken, empty_db, new_db):
    result = dbops("restore", "latest", "--to-db", empty_db, expect=EXIT["config"])
    assert "--yes" in result.stderr and empty_db.name in result.stderr
    assert empty_db.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
    dbops("restore", "latest", "--to-db", new_db, "--create", expect=EXIT["config"])
    assert not new_db.exists


def test_dry_run(dbops, taken, new_db):
    result = dbops("restore", "latest", "--to-db", new_db, "--create", "--dry-run")
    assert new_db.name in result.stdout + result.stderr
    assert not new_db.exists


def test_a_target_with_tables_is_refused(dbops, taken, empty_db):
    empty_db.sql("CREATE TABLE precious AS SELECT 1 AS a")
    result = dbops("restore", "latest", "--to-db", empty_db, "--yes", expect=range(64, 79))
    assert "not empty" in result.stderr.lower() or "precious" in result.stderr
    assert empty_db.value("SELECT count(*) FROM pg_class WHERE relname = 'events'") == 0


def test_clean(dbops, shop, taken, empty_db):
    """--clean --if-exists over an older state: what the archive has is replaced, the rest stays."""
    dbops("restore", "latest", "--to-db", empty_db, "--yes")
    empty_db.sql("DELETE FROM orders WHERE id % 2 = 0; ALTER TABLE customers ADD COLUMN junk text")
    dbops("restore", "latest", "--to-db", empty_db, "--clean", "--if-exists", "--yes")
    assert_equal(shop, empty_db)


def test_no_owner_no_privileges(dbops, cluster, shop, empty_db, new_db):
    cluster.sql("DO $$ BEGIN CREATE ROLE shopkeeper; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    shop.sql("ALTER TABLE orders OWNER TO shopkeeper")
    shop.sql("GRANT SELECT ON customers TO shopkeeper")
    backup(dbops, shop)
    dbops("restore", "latest", "--to-db", empty_db, "--no-owner", "--no-privileges", "--yes")
    assert empty_db.value("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'orders'") == "postgres"
    assert empty_db.value("SELECT relacl FROM pg_class WHERE relname = 'customers'") is None
    assert rows_of(shop) == rows_of(empty_db)
    dbops("restore", "latest", "--to-db", new_db, "--create", "--yes")
    assert new_db.value("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'orders'") == "shopkeeper"
    assert new_db.value("SELECT relacl::text FROM pg_class WHERE relname = 'customers'") is not None


def test_one_table(dbops, shop, taken, empty_db):
    dbops("restore", "latest", "--to-db", empty_db, "--table", "customers", "--yes")
    assert [r[0] for r in empty_db.sql("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")] == ["customers"]
    assert rows_of(empty_db)["public.customers"] == rows_of(shop)["public.customers"]


def test_one_schema(dbops, shop, taken, empty_db):
    dbops("restore", "latest", "--to-db", empty_db, "--schema", "archive", "--yes")
    assert rows_of(empty_db) == {'archive."Old Orders"': rows_of(shop)['archive."Old Orders"']}


def test_schema_then_data(dbops, shop, taken, empty_db):
    dbops("restore", "latest", "--to-db", empty_db, "--schema-only", "--yes")
    assert schema_of(shop) == schema_of(empty_db)
    assert empty_db.value("SELECT count(*) FROM customers") == 0
    empty_db.sql("ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey")
    dbops("restore", "latest", "--to-db", empty_db, "--data-only", "--yes")
    assert rows_of(shop) == rows_of(empty_db)


def test_list(dbops, taken):
    text = dbops("restore", "latest", "--list").stdout
    assert "TABLE DATA public events" in text or "events" in text


def test_rows_are_checked_afterwards(dbops, taken, empty_db):
    """A manifest that promises another row count than is stored cannot be restored in peace."""
    _, folder = taken
    document = manifest(folder)
    entry = next(t for t in document["tables"] if t["name"] == "customers")
    entry["rows"] += 1
    document["rows"] += 1
    (folder / "dbops.json").write_text(json.dumps(document))
    result = dbops("restore", "latest", "--to-db", empty_db, "--yes", expect=EXIT["damaged"])
    assert "customers" in result.stderr or entry["file"] in result.stderr


def test_the_target_changes_what_is_loaded(dbops, taken, empty_db):
    """A trigger in the target alters rows: found by the fingerprint after loading, named, exit 65; --no-check skips that."""
    dbops("restore", "latest", "--to-db", empty_db, "--schema-only", "--yes")
    empty_db.sql("ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey")
    empty_db.sql("CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END'")
    empty_db.sql("CREATE TRIGGER change BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION change()")
    result = dbops("restore", "latest", "--to-db", empty_db, "--data-only", "--yes", expect=EXIT["damaged"])
    assert "customers" in result.stderr
    empty_db.sql("TRUNCATE customers, orders, events, measurements, archive.\"Old Orders\"")
    empty_db.sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
    dbops("restore", "latest", "--to-db", empty_db, "--data-only", "--no-check", "--yes")


def test_stops_at_the_first_error_and_says_what_was_done(dbops, taken, empty_db):
    """A table of the archive is in the way."""
    dbops("restore", "latest", "--to-db", empty_db, "--schema-only", "--yes")
    empty_db.sql("ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey")
    empty_db.sql("ALTER TABLE events ADD CHECK (id < 20000)")
    result = dbops("restore", "latest", "--to-db", empty_db, "--data-only", "--yes", expect=range(64, 79))
    assert "events" in result.stderr and "check" in result.stderr.lower()


def wide(db, rows, more=""):
    db.sql(f"CREATE TABLE wide (id int PRIMARY KEY, parent int, pad text{more})")
    db.sql(f"INSERT INTO wide SELECT i, {rows}, repeat(md5(i::text), 30) FROM generate_series(1, {rows}) i")


def test_what_is_said_to_be_done_is_what_is_there(dbops, db, empty_db):
    """Rows come in transactions of two blocks: those before the one that failed are in the table, and counted."""
    wide(db, 6000)
    backup(dbops, db)
    dbops("restore", "latest", "--to-db", empty_db, "--schema-only", "--yes")
    empty_db.sql("ALTER TABLE wide ADD CHECK (id < 5000)")
    result = dbops("restore", "latest", "--to-db", empty_db, "--data-only", "--disable-triggers", "-j1", "--yes", expect=range(64, 79))
    done = int(re.search(r"tables with (\d+) rows", result.stderr)[1])
    assert 0 < done < 5000
    assert empty_db.value("SELECT count(*) FROM wide") == done


def test_rows_that_refer_to_later_ones(dbops, db, empty_db):
    """--data-only with the foreign key in place: every row refers to the last one, 6 MB behind the first."""
    wide(db, 6000, ", FOREIGN KEY (parent) REFERENCES wide")
    backup(dbops, db)
    dbops("restore", "latest", "--to-db", empty_db, "--schema-only", "--yes")
    dbops("restore", "latest", "--to-db", empty_db, "--data-only", "-j1", "--yes")
    assert rows_of(db) == rows_of(empty_db)


@pytest.mark.parametrize("form", ["d", "c"])
def test_archives_of_plain_pg_dump(dbops, cluster, shop, empty_db, work, form):
    archive = work / "foreign"
    cluster.tool("pg_dump", f"-F{form}", "-d", shop, "-f", archive)
    result = dbops("restore", archive, "--to-db", empty_db, "--yes", expect=(0, 1))
    assert "pg_restore" in result.stderr, "it must say that it is not its own archive"
    assert_equal(shop, empty_db)


def test_an_archive_moved_elsewhere(dbops, shop, taken, empty_db, work):
    """A backup is a folder: copied by any means, named by its path."""
    shutil.copytree(taken[1], work / "copied by hand")
    dbops("restore", work / "copied by hand", "--to-db", empty_db, "--yes")
    assert_equal(shop, empty_db)


def test_big_tables_are_loaded_by_several_sessions(dbops, cluster, db, empty_db):
    db.sql("CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 8) AS v FROM generate_series(1, 60000) i")
    backup(dbops, db, "--split-above", "1MB")
    empty_db.sql(f'ALTER DATABASE "{empty_db.name}" SET log_statement = \'all\'')
    mark = cluster.log.stat().st_size
    dbops("restore", "latest", "--to-db", empty_db, "--yes", "-j3")
    text = cluster.log.read_bytes()[mark:].decode(errors="replace")
    sessions = {line.split("[")[1].split("]")[0] for line in text.splitlines() if "COPY" in line and "big" in line and "FROM stdin" in line.replace("STDIN", "stdin")}
    assert len(sessions) >= 2, "one session loaded the whole table"
    assert rows_of(db) == rows_of(empty_db)
