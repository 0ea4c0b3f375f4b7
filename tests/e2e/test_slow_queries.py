# SPDX-License-Identifier: PostgreSQL
"""dbops slow-queries on PostgreSQL 13 to 18: what pg_stat_statements counts, and what peers get wrong about it."""
import json
import re

import psycopg
import pytest

from support import servers
from support.runner import EXIT
from support.servers import quoted

pytestmark = pytest.mark.xdist_group("slow_queries")
PRELOAD = {"shared_preload_libraries": "pg_stat_statements", "track_activity_query_size": "1024"}
HOSTILE = 'ext "; drop\n-- @<99 S\'x'


@pytest.fixture(scope="module")
def counting():
    """counting(major): a server with pg_stat_statements loaded, shared by the tests of this file."""
    started = {}
    bindirs, embedded = servers.postgres_bindirs(), servers.embedded_bindirs()

    def get(major):
        if major not in started:
            clients = bindirs[15] if major not in bindirs else None
            initdb = {} if major in bindirs else {"initdb": ("-E", "UTF8", "--no-locale")}
            started[major] = servers.Cluster(bindirs.get(major) or embedded[major], major, options=PRELOAD, clients=clients, **initdb)
        return started[major]

    yield get
    for cluster in started.values():
        cluster.stop()


@pytest.fixture
def any_server(counting, server_major):
    return counting(server_major)


@pytest.fixture
def pg15(counting):
    return counting(15)


@pytest.fixture
def on_any(any_server):
    """A database of each major with the extension in it, and nothing counted yet."""
    yield from counted_database(any_server)


@pytest.fixture
def on_15(pg15):
    yield from counted_database(pg15)


def counted_database(server, create="CREATE EXTENSION pg_stat_statements"):
    database = server.create_database()
    database.sql(create)
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, total int)")
    database.sql("INSERT INTO orders SELECT n, n FROM generate_series(1, 1000) n")
    database.sql("SELECT pg_stat_statements_reset()")
    yield database
    database.drop()


def rows(answer, text):
    """Rows whose query contains text."""
    return [r for r in answer["statements"] if r["query"] and text in r["query"]]


def ask(dbops_for, database, *words, **kwargs):
    return dbops_for(database.cluster).json("slow-queries", "-d", database.name, *words, **kwargs)


def test_every_version(dbops_for, on_any):
    """Numbers are those of the view, read by another client."""
    for n in range(7):
        on_any.sql(f"SELECT total FROM orders WHERE id = {n}")
    on_any.sql("SELECT pg_sleep(0.2)")
    answer = ask(dbops_for, on_any)
    (orders,) = rows(answer, "FROM orders WHERE id")
    assert orders["calls"] == 7 and orders["rows"] == 6 and orders["role"] == "postgres" and orders["database"] == on_any.name
    (sleep,) = rows(answer, "pg_sleep")
    assert answer["statements"][0] == sleep and 0.2 <= sleep["mean"] < 10 and sleep["share"] > 50
    queryid, calls, total = on_any.sql("SELECT queryid, calls, total_exec_time FROM pg_stat_statements WHERE query LIKE '%pg_sleep%'")[0]
    assert (sleep["query_id"], sleep["calls"]) == (str(queryid), calls) and abs(sleep["total"] * 1000 - total) < 0.001
    assert abs(sum(r["share"] for r in answer["statements"]) - 100) < 0.1
    assert answer["source"] == "pg_stat_statements" and answer["completeness"] == "full" and answer["status"] == "ok"
    table = dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name).stdout
    assert re.search(r"QUERY ID +CALLS +MEAN +TOTAL +SHARE +ROWS +ROLE +QUERY", table) and "pg_sleep" in table


def test_query_id_is_a_string(dbops_for, on_15):
    """PerformanceMonitor#2548: a signed int8 does not survive as a JSON number."""
    ids = [r["query_id"] for r in ask(dbops_for, on_15)["statements"]]
    assert ids and all(re.fullmatch(r"-?\d+", i) for i in ids)


@pytest.mark.parametrize("schema", ["extensions", HOSTILE, "Größe", "x" * 63])
def test_any_schema(dbops_for, pg15, schema):
    """heroku-pg-extras#193, pgbot#10: it need not be in public, and the name needs quoting."""
    database = pg15.create_database()
    database.sql(f"CREATE SCHEMA {quoted(schema)}")
    database.sql(f"CREATE EXTENSION pg_stat_statements SCHEMA {quoted(schema)}")
    database.sql("SELECT 'any schema'")
    answer = ask(dbops_for, database)
    assert answer["completeness"] == "full" and rows(answer, "CREATE EXTENSION")
    database.drop()


@pytest.mark.parametrize("version", ["1.4", "1.7", "1.8", "1.9", "1.10", "1.11"])
def test_the_extension_may_lag_behind_the_server(dbops_for, counting, version):
    """postgres_exporter#889, #875, #1019, ruby-pg-extras#25: names follow the extension's version, not the server's."""
    server = counting(18 if version == "1.11" else 15)
    for database in counted_database(server, f"CREATE EXTENSION pg_stat_statements VERSION '{version}'"):
        database.sql("SELECT total FROM orders WHERE id = 1")
        answer = ask(dbops_for, database)
        (row,) = rows(answer, "FROM orders WHERE id")
        assert answer["extension_version"] == version and answer["completeness"] == "full"
        assert row["calls"] == 1 and row["mean"] > 0 and row["total"] > 0
        assert (row["wal"] is None) == (version in ("1.4", "1.7"))
        assert (row["since"] is None) == (version != "1.11")
        assert (answer["reset_at"] is None) == (version in ("1.4", "1.7", "1.8"))


def test_limit_and_texts_of_the_top_alone(dbops_for, on_15):
    for n in range(30):
        on_15.sql("SELECT 1" + ", 1" * n)
    answer = ask(dbops_for, on_15)
    assert len(answer["statements"]) == 20 and answer["found"] > 30
    assert all(r["query"] for r in answer["statements"])
    assert len(ask(dbops_for, on_15, "--limit=3")["statements"]) == 3
    assert "3 of " in dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "--limit=3").stdout


# The plan of an entry

def entry(database, text):
    return str(database.sql("SELECT queryid FROM pg_stat_statements WHERE query LIKE %s AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())", text)[0][0])


def explain(dbops_for, database, query_id, **kwargs):
    return dbops_for(database.cluster)("slow-queries", "-d", database.name, f"--explain={query_id}", **kwargs)


def test_plan_with_parameters(dbops_for, on_any):
    """A generic plan on every version."""
    on_any.sql("SELECT total FROM orders WHERE id = 7 AND total < 4")
    query_id = entry(on_any, "SELECT total FROM orders WHERE id = $%")
    result = explain(dbops_for, on_any, query_id)
    assert "Index Scan using orders_pkey on orders" in result.stdout and "(id = $1)" in result.stdout
    assert "planned as role postgres" in result.stdout
    answer = dbops_for(on_any.cluster).json("slow-queries", "-d", on_any.name, "--explain", query_id)
    assert answer["query_id"] == query_id and answer["planned_as_role"] and "$1" in answer["query"]
    assert [r["plan"] for r in answer["statements"]][0].startswith("Index Scan")


def test_planning_executes_nothing(dbops_for, on_any):
    on_any.sql("DELETE FROM orders WHERE id > 5000")
    on_any.sql("INSERT INTO orders VALUES (100000, 1)")
    before = on_any.value("SELECT count(*) FROM orders")
    for text in ("DELETE FROM orders%", "INSERT INTO orders VALUES%"):
        assert " on orders" in explain(dbops_for, on_any, entry(on_any, text)).stdout
    assert on_any.value("SELECT count(*) FROM orders") == before


def test_several_statements_are_refused_by_the_protocol(dbops_for, on_any):
    """index_advisor refuses any text with a semicolon; PostgreSQL itself knows how many statements there are."""
    on_any.sql("SELECT 'a;b' AS \"c;d\", id FROM orders WHERE id = 1")
    assert "orders_pkey" in explain(dbops_for, on_any, entry(on_any, 'SELECT % AS "c;d"%')).stdout


@pytest.mark.parametrize("text", ["SELECT 1; DROP TABLE orders", "SELECT 1; COMMIT; DROP TABLE orders; --", "DROP TABLE orders",
                                  "ANALYZE DELETE FROM orders", "(ANALYZE) DELETE FROM orders", "SELECT evil()", "WITH d AS (DELETE FROM orders RETURNING 1) SELECT * FROM d"])
def test_a_forged_text_does_nothing(dbops_for, pg15, text):
    """Who owns the extension's schema can put anything into its place: what it says is a text, and is never run."""
    database = pg15.create_database()
    database.sql("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    database.sql("CREATE FUNCTION evil() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN 1; END $$")
    database.sql("CREATE EXTENSION pg_stat_statements; ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements; DROP VIEW pg_stat_statements;"
                 "ALTER EXTENSION pg_stat_statements DROP FUNCTION pg_stat_statements(boolean); DROP FUNCTION pg_stat_statements(boolean)")
    database.sql("CREATE FUNCTION pg_stat_statements(showtext bool) RETURNS TABLE (userid oid, dbid oid, queryid int8, query text, calls int8, total_exec_time float8)"
                 " LANGUAGE sql AS $f$ SELECT 10::oid, d.oid, 7::int8, $t$" + text + "$t$, 1::int8, 2::float8 FROM pg_catalog.pg_database d WHERE datname = current_database() $f$")
    explain(dbops_for, database, 7, expect=(EXIT["ok"] if text.startswith("WITH") else EXIT["refused"]))
    assert database.value("SELECT count(*) FROM orders") == 1
    (row,) = ask(dbops_for, database)["statements"]
    assert (row["calls"], row["total"], row["query"], row["rows"], row["max"]) == (1, 0.002, text, None, None)
    database.drop()


def test_what_cannot_be_planned(dbops_for, on_any):
    on_any.sql("VACUUM orders")
    refused = explain(dbops_for, on_any, entry(on_any, "VACUUM orders"), expect=EXIT["refused"])
    assert "cannot be planned" in refused.stderr
    on_any.sql("SELECT interval '1 day' FROM orders")
    refused = explain(dbops_for, on_any, entry(on_any, "SELECT interval %"), expect=EXIT["refused"])
    assert "INTERVAL $1" in refused.stderr
    missing = explain(dbops_for, on_any, "-42", expect=EXIT["not_found"])
    assert "no statement -42" in missing.stderr
    assert on_any.value("SELECT count(*) FROM pg_prepared_statements") == 0
    assert "not the id" in explain(dbops_for, on_any, "12a", expect=EXIT["usage"]).stderr


def test_plan_of_another_database(dbops_for, on_15, pg15):
    other = pg15.create_database()
    other.sql("CREATE EXTENSION pg_stat_statements")
    other.sql("SELECT 1 AS elsewhere, 2")
    refused = explain(dbops_for, on_15, entry(other, "SELECT $1 AS elsewhere%"), expect=EXIT["not_found"])
    assert f'ran in database "{other.name}"' in refused.stderr and "-d" in refused.stderr
    other.drop()


def test_plan_as_the_role_with_its_row_security(dbops_for, on_any):
    """A Supabase statement of anon is planned with anon's policies, not a superuser's."""
    on_any.sql("CREATE ROLE anon; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; GRANT SELECT ON orders TO anon; CREATE POLICY p ON orders USING (total > 990)")
    with on_any.connect() as c:
        c.execute("SET ROLE anon")
        c.execute("SELECT count(*) FROM orders WHERE id > 3")
    plan = explain(dbops_for, on_any, entry(on_any, "SELECT count(*) FROM orders WHERE id >%")).stdout
    assert "planned as role anon" in plan and "total > 990" in plan
    on_any.sql("DROP OWNED BY anon; DROP ROLE anon")


def test_plan_does_not_wait_behind_a_lock(dbops_for, on_15):
    on_15.sql("SELECT total FROM orders WHERE id = 7")
    query_id = entry(on_15, "SELECT total FROM orders WHERE id = $1")
    with on_15.connect() as c:
        c.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        assert "lock timeout" in explain(dbops_for, on_15, query_id, expect=EXIT["busy"]).stderr
