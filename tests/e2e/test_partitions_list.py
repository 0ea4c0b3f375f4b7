# SPDX-License-Identifier: PostgreSQL
"""partitions list: the tree of each partitioned table as the catalog has it, on every major."""
import pytest

from support.runner import EXIT
from support.servers import quoted

HOSTILE = 'Tr"; DROP\nTABLE x; --'


def listed(dbops, database, *words):
    return dbops.json("partitions", "list", "-d", database, *words)["partitions"]


def by_name(rows):
    return {row["name"]: row for row in rows}


@pytest.fixture
def run(dbops_for, every_server):
    return dbops_for(every_server)


def test_tree(run, server_db):
    """Order by bound and not by name, DEFAULT last, sub-partitions below their parent, sizes and rows summed."""
    server_db.sql("""
        CREATE TABLE trades (at timestamptz NOT NULL, region text NOT NULL, n int) PARTITION BY RANGE (at);
        CREATE TABLE trades_rest PARTITION OF trades DEFAULT;
        CREATE TABLE a_later PARTITION OF trades FOR VALUES FROM ('2025-02-01+00') TO ('2025-03-01+00') PARTITION BY LIST (region);
        CREATE TABLE later_eu PARTITION OF a_later FOR VALUES IN ('eu', 'it''s');
        CREATE TABLE z_early PARTITION OF trades FOR VALUES FROM (MINVALUE) TO ('2025-02-01 00:00:00+00');
        INSERT INTO trades SELECT '2025-01-15', 'eu', g FROM generate_series(1, 1000) g;
        INSERT INTO trades SELECT '2025-02-15', 'eu', g FROM generate_series(1, 500) g;
        CREATE TABLE other (k int) PARTITION BY HASH (k);
        CREATE TABLE other_1 PARTITION OF other FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        ANALYZE;""")
    rows = listed(run, server_db)
    assert [(r["name"], r["level"], r["kind"]) for r in rows] == [
        ("other", 0, "partitioned"), ("other_1", 1, "table"), ("trades", 0, "partitioned"), ("z_early", 1, "table"),
        ("a_later", 1, "partitioned"), ("later_eu", 2, "table"), ("trades_rest", 1, "table")]
    row = by_name(rows)
    assert row["trades"]["key"] == "RANGE (at)" and row["trades"]["bounds"] is None and row["trades"]["bound"] is None
    assert row["z_early"]["bound"] == {"strategy": "range", "from": [{"unbounded": True}], "to": ["2025-02-01 00:00:00+00"]}
    assert row["z_early"]["bounds"] == "FROM (MINVALUE) TO ('2025-02-01 00:00:00+00')" and row["z_early"]["parent"] == "public.trades"
    assert row["later_eu"]["bound"] == {"strategy": "list", "values": ["eu", "it's"]}
    assert row["other_1"]["bound"] == {"strategy": "hash", "modulus": 2, "remainder": 1}
    assert row["trades_rest"]["bounds"] == "DEFAULT"
    assert (row["trades"]["rows"], row["a_later"]["rows"], row["trades_rest"]["rows"]) == (1500, 500, 0)
    size = server_db.value("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('trades')")
    assert row["trades"]["bytes"] == size == sum(row[n]["bytes"] for n in ("z_early", "later_eu", "trades_rest"))
    assert {r["owner"] for r in rows} == {"postgres"} and {r["state"] for r in rows} == {None}
    assert by_name(listed(run, server_db, "trades")).keys() == {r["name"] for r in rows[2:]}
    assert [(r["name"], r["level"]) for r in listed(run, server_db, "a_later")] == [("a_later", 0), ("later_eu", 1)]


def test_settings_do_not_change_bounds(run, server_db):
    """Whatever the role's time zone, DateStyle or string syntax is, bounds are read in UTC and ISO."""
    server_db.sql(f"""ALTER DATABASE {quoted(server_db.name)} SET TimeZone = 'Asia/Kolkata';
        ALTER DATABASE {quoted(server_db.name)} SET DateStyle = 'German';
        ALTER DATABASE {quoted(server_db.name)} SET standard_conforming_strings = off;""")
    server_db.sql(r"""CREATE TABLE t (at timestamptz, w text) PARTITION BY RANGE (at, w);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2025-01-01 05:30', E'a\\b') TO ('2025-02-01 05:30', E'c\'d');""")
    bound = by_name(listed(run, server_db))["t_1"]["bound"]
    assert bound == {"strategy": "range", "from": ["2025-01-01 00:00:00+00", "a\\b"], "to": ["2025-02-01 00:00:00+00", "c'd"]}


@pytest.mark.parametrize("name", [HOSTILE, "x" * 63, "Größe", "MixedCase"], ids=["hostile", "longest", "utf8", "mixed"])
def test_names(run, server_db, name):
    server_db.sql(f"CREATE SCHEMA {quoted('S ' + name[:50])}; SET search_path = {quoted('S ' + name[:50])};"
                  f"CREATE TABLE {quoted(name)} (k int) PARTITION BY LIST (k);"
                  f"CREATE TABLE {quoted(name[:-1] + '1')} PARTITION OF {quoted(name)} FOR VALUES IN (1, NULL, -5)")
    sql_name = f"{quoted('S ' + name[:50])}.{quoted(name)}"
    rows = listed(run, server_db, sql_name)
    assert [r["name"] for r in rows] == [name, name[:-1] + "1"] and rows == listed(run, server_db)
    assert rows[1]["bound"] == {"strategy": "list", "values": ["1", None, "-5"]} and rows[1]["schema"] == "S " + name[:50]


def test_every_key_type(run, server_db):
    """Bounds of many types are printed bare, quoted or with a collation; all of them are understood."""
    server_db.sql("""
        CREATE DOMAIN day AS date; CREATE TYPE mood AS ENUM ('ok', 'bad');
        CREATE TABLE c (a text COLLATE "C") PARTITION BY LIST (a); CREATE TABLE c1 PARTITION OF c FOR VALUES IN ('x', 'y');
        CREATE TABLE n (a numeric) PARTITION BY RANGE (a); CREATE TABLE n1 PARTITION OF n FOR VALUES FROM (-1.50) TO (1e30);
        CREATE TABLE b (a bool) PARTITION BY LIST (a); CREATE TABLE b1 PARTITION OF b FOR VALUES IN (true);
        CREATE TABLE d (a day) PARTITION BY RANGE (a); CREATE TABLE d1 PARTITION OF d FOR VALUES FROM ('2025-01-01') TO ('infinity');
        CREATE TABLE e (a mood) PARTITION BY LIST (a); CREATE TABLE e1 PARTITION OF e FOR VALUES IN ('ok');
        CREATE TABLE i (a bigint) PARTITION BY RANGE (a); CREATE TABLE i1 PARTITION OF i FOR VALUES FROM (-9223372036854775808) TO (5);
        CREATE TABLE u (a uuid) PARTITION BY RANGE (a);
        CREATE TABLE u1 PARTITION OF u FOR VALUES FROM ('0194b9a1-f800-7000-8000-000000000000') TO (MAXVALUE);
        CREATE TABLE v (a int4range) PARTITION BY LIST (a); CREATE TABLE v1 PARTITION OF v FOR VALUES IN ('[1,5)');
        CREATE TABLE x (a timestamp) PARTITION BY RANGE (date_trunc('day', a));
        CREATE TABLE x1 PARTITION OF x FOR VALUES FROM ('2025-01-01') TO ('2025-01-02');""")
    row = by_name(listed(run, server_db))
    assert len(row) == 18 and "unknown" not in {r["bound"]["strategy"] for r in row.values() if r["bound"]}
    first = {name: (r["bound"].get("from") or r["bound"]["values"])[0] for name, r in row.items() if r["bound"]}
    assert first == {"c1": "x", "n1": "-1.50", "b1": "true", "d1": "2025-01-01", "e1": "ok", "i1": "-9223372036854775808",
                     "u1": "0194b9a1-f800-7000-8000-000000000000", "v1": "[1,5)", "x1": "2025-01-01 00:00:00"}
    # and the bounds shown are what ATTACH takes
    server_db.sql(f"ALTER TABLE n DETACH PARTITION n1; ALTER TABLE n ATTACH PARTITION n1 FOR VALUES {row['n1']['bounds']}")


def test_locked_table_is_not_waited_for(run, server_db):
    server_db.sql("""CREATE TABLE t (k int PRIMARY KEY) PARTITION BY LIST (k); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
        CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2); INSERT INTO t VALUES (2)""")
    with server_db.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE ONLY t_1")
        row = by_name(listed(run, server_db))
        assert row["t_1"]["bytes"] is None and row["t"]["bytes"] is None and row["t_2"]["bytes"] > 0
        assert row["t_1"]["bounds"] == "IN ('1')"
        holder.execute("ROLLBACK; BEGIN; LOCK TABLE t")
        row = by_name(listed(run, server_db))
        assert row.keys() == {"t", "t_1", "t_2"} and row["t"]["key"] == "LIST (k)" and row["t"]["bytes"] is None


def test_pending_detach_is_shown(run, server_db):
    server_db.sql("""CREATE TABLE t (k int) PARTITION BY LIST (k); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
        CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2)""")
    with server_db.connect() as reader, server_db.connect() as worker:
        reader.execute("BEGIN; SELECT * FROM t_2; SELECT * FROM t")
        worker.execute("SET lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            worker.execute("ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY")
    row = by_name(listed(run, server_db))
    assert (row["t_1"]["state"], row["t_2"]["state"]) == ("detach pending", None)


def test_without_privileges(every_server, run, server_db):
    """A role that may read nothing sees bounds and sizes; the time of the last write needs pg_stat_file()."""
    every_server.sql("DROP ROLE IF EXISTS nobody_special"), every_server.sql("CREATE ROLE nobody_special LOGIN")
    server_db.sql("CREATE SCHEMA hidden; CREATE TABLE hidden.t (k int) PARTITION BY LIST (k);"
                  "CREATE TABLE hidden.t_1 PARTITION OF hidden.t FOR VALUES IN (1); INSERT INTO hidden.t VALUES (1); CHECKPOINT")
    mine, theirs = (by_name(listed(run, server_db, *words)) for words in ((), ("-U", "nobody_special")))
    assert mine["t_1"]["last_write"] == mine["t"]["last_write"] is not None
    assert theirs["t_1"] == {**mine["t_1"], "last_write": None}


def test_table_format_and_errors(run, server_db):
    server_db.sql("""CREATE TABLE "T" (k int) PARTITION BY LIST (k); CREATE TABLE t_1 PARTITION OF "T" FOR VALUES IN (1);
        CREATE TABLE plain (k int); CREATE VIEW v AS SELECT 1 AS k""")
    assert "\n  t_1 " in run("partitions", "list", "-d", server_db).stdout
    missing = run("partitions", "list", "-d", server_db, "T", expect=EXIT["not_found"])
    assert "there is no table 'T'" in missing.stderr and '\'public."T"\'' in missing.stderr
    for name, words in {"t_1": 'It is a partition of public."T".', "plain": "'plain' is not a partitioned table", "v": "there is no table 'v'",
                        "a.b.c.d": "there is no table", '"': "there is no table", "": "there is no table", "no.such": "there is no table"}.items():
        assert words in run("partitions", "list", "-d", server_db, name, expect=EXIT["not_found"]).stderr
    server_db.sql('DROP TABLE "T"')
    empty = run("partitions", "list", "-d", server_db)
    assert "there is no partitioned table" in empty.stderr
    assert run.json("partitions", "list", "-d", server_db)["partitions"] == []


def test_completion_of_tables(dbops, db):
    """As they may be typed: without a schema where it is on the search_path, and none that a shell would take the quotes from."""
    db.sql("""CREATE TABLE trades (at date) PARTITION BY RANGE (at); CREATE TABLE trades_1 PARTITION OF trades FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
        CREATE SCHEMA a; CREATE TABLE a.trades (x int); CREATE TABLE "Trades" (x int); CREATE VIEW trades_v AS SELECT 1""")
    for typed, found in (("tr", ["trades", "trades_1"]), ("a.", ["a.trades"]), ("public.trades", ["public.trades", "public.trades_1"]), ("%", []), ("'", [])):
        assert dbops("complete", "--", "partitions", "list", "-d", db, typed).stdout.split() == found, typed
    assert dbops("complete", "--", "partitions", "attach", "-d", db, "--parent", "trades_").stdout.split() == ["trades_1"]
    nothing = dbops("complete", "--", "partitions", "list", "-d", "no_such_database", "")
    assert not nothing.stdout and not nothing.stderr
