# SPDX-License-Identifier: PostgreSQL
"""A backup equals its source: restored by stock pg_restore and by dbops, compared by SQL that is not dbops'."""
import pytest

from support.archive import backup, files_below, inflate, manifest, table_file
from support.compare import assert_equal, rows_of, schema_of
from support.runner import EXIT, Dbops


@pytest.fixture
def setting(any_major, clusters, templates, program, work):
    """(dbops, torture database, cluster) of one major version."""
    cluster = clusters(any_major)
    return Dbops(program, work, cluster.env), templates("torture", any_major), cluster


@pytest.fixture
def target(setting):
    database = setting[2].create_database()
    yield database
    database.drop()


@pytest.mark.parametrize("options", [[], ["--split-above", "64kB", "-j4"], ["--no-split", "-j1"], ["--compress", "9"]],
                         ids=["default", "split", "no-split-j1", "compress-9"])
@pytest.mark.parametrize("jobs", [1, 4])
def test_stock_pg_restore_restores_everything(setting, target, options, jobs):
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, *options)
    cluster.tool("pg_restore", "-d", target, "-e", f"-j{jobs}", folder)
    assert_equal(torture, target)


@pytest.mark.parametrize("options", [[], ["--split-above", "64kB", "-j4"]], ids=["default", "split"])
def test_dbops_restore_restores_everything(setting, target, options):
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, *options)
    dbops("restore", "latest", "--dir", dbops.folder / "backups", "--to-db", target, "--yes", "-j4")
    assert_equal(torture, target)


def test_report_tells_the_truth(setting):
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, "--split-above", "64kB")
    leaf_rows = torture.value("""
        SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %s', c.oid::regclass), true, true, '')))[1]::text::bigint)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)'""")
    assert report["rows"] == leaf_rows
    assert report["tables"] == torture.value("""
        SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)'""")
    assert 0 < report["stored_bytes"] < report["raw_bytes"]
    assert report["seconds"] > 0 and isinstance(report["warnings"], list)
    assert report["id"] == folder.name


def test_the_archive_is_pg_dumps_own(setting):
    """Same entries as pg_dump writes, the toc.dat unchanged by us, one gzip member per file, nothing strange beside."""
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, "--split-above", "64kB")
    theirs = dbops.folder / "stock"
    cluster.tool("pg_dump", "-Fd", "-d", torture, "-f", theirs)

    def entries(archive):
        lines = cluster.tool("pg_restore", "-l", archive).stdout.splitlines()
        return [line for line in lines if not line.startswith(";")]

    assert entries(folder) == entries(theirs)
    stock_files = [f for f in files_below(theirs)]
    assert [f for f in files_below(folder) if f.endswith((".dat", ".dat.gz"))or f.startswith("blobs")] == stock_files
    for name in stock_files:
        if name.endswith(".gz"):
            ours, stock = inflate(folder / name), inflate(theirs / name)
            assert sorted(ours.split(b"\n")) == sorted(stock.split(b"\n")), name
    assert set(files_below(folder)) - set(stock_files) <= {"dbops.json", "dbops.blocks", "globals.sql", "toc.dat"}


@pytest.mark.parametrize("selection", [
    ["--section=pre-data"], ["-t", "types"], ["-n", "zoo", "-t", "hard_values"], ["--data-only"],
], ids=lambda s: "_".join(s))
def test_stock_pg_restore_selections(setting, selection):
    """Selections print the same SQL as from pg_dump's own archive."""
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, "--no-split", "-j1")
    theirs = dbops.folder / "stock"
    cluster.tool("pg_dump", "-Fd", "-d", torture, "-f", theirs)

    def script(archive):
        text = cluster.tool("pg_restore", *selection, "-f", "-", archive).stdout
        return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict", "--"))]

    assert script(folder) == script(theirs)


def test_stock_pg_restore_by_section_and_list(setting, target):
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, "--split-above", "64kB")
    for section in ("pre-data", "data", "post-data"):
        listing = dbops.folder / f"{section}.list"
        listing.write_text(cluster.tool("pg_restore", "-l", f"--section={section}", folder).stdout)
        cluster.tool("pg_restore", "-d", target, "-e", f"--section={section}", "-L", listing, folder)
    assert_equal(torture, target)


def test_splitting_really_happens_and_loses_nothing(setting):
    """A table in ctid ranges comes out in several work units; every row once."""
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture, "--split-above", "64kB", "-j4")
    text = inflate(table_file(cluster, folder, "zoo", "ranges"))
    ids = [line.split(b"\t")[0] for line in text.split(b"\n") if b"\t" in line]
    assert len(ids) == len(set(ids)) == torture.value("SELECT count(*) FROM zoo.ranges")
    whole, whole_folder = backup(dbops, torture, "--no-split", "-j1")
    one = inflate(table_file(cluster, whole_folder, "zoo", "ranges"))
    assert sorted(one.split(b"\n")) == sorted(text.split(b"\n"))
    assert report["rows"] == whole["rows"] and report["raw_bytes"] == whole["raw_bytes"]


def test_fingerprints_do_not_depend_on_how_it_was_read(setting):
    dbops, torture, cluster = setting
    first, folder = backup(dbops, torture, "--no-split", "-j1")
    second, _ = backup(dbops, torture, "--split-above", "64kB", "-j4")
    shown = [dbops("show", r["id"], "--dir", dbops.folder / "backups", "--format=json").json["tables"] for r in (first, second)]
    key = lambda t: (t["schema"], t["table"])  # noqa: E731
    assert [(key(t), t["rows"], t["fingerprint"]) for t in sorted(shown[0], key=key)] == \
        [(key(t), t["rows"], t["fingerprint"]) for t in sorted(shown[1], key=key)]


def test_globals(setting):
    dbops, torture, cluster = setting
    report, folder = backup(dbops, torture)
    text = (folder / "globals.sql").read_text()
    assert 'CREATE ROLE "Lese Rölle"' in text and "CREATE ROLE torture_owner" in text
    _, without = backup(dbops, torture, "--no-globals")
    assert not (without / "globals.sql").exists()


def test_globals_without_superuser_say_that_passwords_are_missing(cluster, dbops, shop):
    cluster.sql("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    shop.sql("GRANT USAGE ON SCHEMA archive TO reader")
    shop.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public, archive TO reader")
    shop.sql("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, archive TO reader")
    shop.sql("GRANT SELECT ON LARGE OBJECT 4711 TO reader")
    report, folder = backup(dbops, shop, env={"PGUSER": "reader"}, expect=(0, 1))
    assert "CREATE ROLE" in (folder / "globals.sql").read_text()
    assert any("password" in w for w in report["warnings"]), report


def test_what_may_not_be_read_is_named(cluster, dbops, shop):
    """Missing privileges end the run; they never make a smaller backup."""
    cluster.sql("DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    shop.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger")
    shop.sql("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO stranger")
    result = dbops("backup", "-d", shop, "--schema", "public", "--dir", "b", env={"PGUSER": "stranger"}, expect=(0, 1))
    result = dbops("backup", "-d", shop, "--dir", "c", env={"PGUSER": "stranger"}, expect=EXIT["permission"])
    assert "archive" in result.stderr or "4711" in result.stderr
    shop.sql("ALTER TABLE customers ENABLE ROW LEVEL SECURITY")
    result = dbops("backup", "-d", shop, "--schema", "public", "--dir", "d", env={"PGUSER": "stranger"}, expect=range(64, 79))
    assert "row-level security" in result.stderr and "customers" in result.stderr


def test_selection_options(dbops, shop, empty_db, cluster):
    def tables(*options):
        _, folder = backup(dbops, shop, *options)
        listing = cluster.tool("pg_restore", "-l", folder).stdout
        return {line.split(" TABLE DATA ")[1].split()[1] for line in listing.splitlines() if " TABLE DATA " in line}

    everything = {"customers", "orders", "events", "measurements_2024", "measurements_2025", "Old"}
    assert tables() == everything
    assert tables("--table", "customers") == {"customers"}
    assert tables("--table", "public.c*", "--table", "orders") == {"customers", "orders"}
    assert tables("--exclude-table", "measurements*") == everything - {"measurements_2024", "measurements_2025"}
    assert tables("--schema", "archive") == {"Old"}
    assert tables("--exclude-schema", "archive") == everything - {"Old"}
    assert tables("--exclude-table-data", "events") == everything - {"events"}
    assert tables("--schema-only") == set()
    assert tables("--data-only") == everything


def test_a_pattern_that_matches_nothing_is_an_error(dbops, shop):
    result = dbops("backup", "-d", shop, "--dir", "b", "--table", "nosuchtable", expect=range(64, 79))
    assert "nosuchtable" in result.stderr or "no matching tables" in result.stderr
    assert not list((dbops.folder).glob("b/**/dbops.json"))


def test_label_is_kept(dbops, shop):
    _, folder = backup(dbops, shop, "--label", "before migration 42")
    assert manifest(folder)["label"] == "before migration 42"


def test_an_empty_database(dbops, db, empty_db):
    report, folder = backup(dbops, db)
    assert report["tables"] == 0 and report["rows"] == 0
    dbops("verify", "latest", "--dir", dbops.folder / "backups")
    dbops("restore", "latest", "--dir", dbops.folder / "backups", "--to-db", empty_db, "--yes")
    assert schema_of(db) == schema_of(empty_db)


def test_another_encoding(dbops, cluster, new_db):
    cluster.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    latin = cluster.database("latin")
    try:
        latin.sql("CREATE TABLE t (v text)")
        latin.sql("INSERT INTO t VALUES ('größe'), (chr(255))")
        backup(dbops, latin)
        dbops("restore", "latest", "--dir", dbops.folder / "backups", "--to-db", new_db, "--create", "--yes")
        assert new_db.value("SHOW server_encoding") == "LATIN1"
        assert rows_of(latin) == rows_of(new_db)
    finally:
        latin.drop()
