# SPDX-License-Identifier: PostgreSQL
"""dbops slow-queries on PostgreSQL 13 to 18: what pg_stat_statements counts, and what peers get wrong about it."""
import json
import os
import pathlib
import re

import jsonschema
import psycopg
import pytest

from support import servers
from support.runner import EXIT
from support.servers import quoted

pytestmark = pytest.mark.xdist_group("slow_queries")
PRELOAD = {"shared_preload_libraries": "pg_stat_statements", "track_activity_query_size": "1024"}
HOSTILE = 'ext "; drop\n-- @<99 S\'x'
FINGERPRINT = "5739253907190caa"


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


def test_the_worst_decides_however_many_there_are(dbops_for, on_15):
    """Findings are a hundred at most, and the critical one comes last in the order asked for."""
    on_15.sql(";".join(f"SELECT {', '.join(['1'] * n)}" for n in range(1, 112)) + ";" + ";".join(f"SELECT {', '.join(['1'] * n)}" for n in range(1, 112)))
    on_15.sql("SELECT pg_sleep(1.01)")
    result = dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "--check", "--order=calls", "--warning=@0:1000000", "--critical=1s",
        "--format=json", expect=EXIT["critical"])
    assert 100 <= len(json.loads(result.stdout)["findings"]) <= 102


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


def test_planning_lends_nobody_its_rights(dbops_for, on_any):
    """An immutable function runs while its call is planned, and what it calls can undo SET ROLE: then it is a superuser's."""
    on_any.sql("CREATE ROLE evil LOGIN; CREATE SCHEMA evil AUTHORIZATION evil; CREATE TABLE witness (x int)")
    try:
        with on_any.connect() as c:
            c.execute("SET ROLE evil")
            c.execute("CREATE FUNCTION evil.g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF current_query() LIKE '%EXPLAIN%' THEN "
                      "EXECUTE 'SET ROLE postgres'; RAISE 'I am % now', current_user; END IF; RETURN 1; END $$")
            c.execute("CREATE FUNCTION evil.f() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil.g(); END $$")
            c.execute("SELECT evil.f() AS bait")
        query_id = entry(on_any, "SELECT evil.f() AS bait")
        refused = explain(dbops_for, on_any, query_id, expect=EXIT["refused"])
        assert "I am postgres" not in refused.stderr and "functions of other roles, such as evil.f of role evil" in refused.stderr
        assert "-U 'evil'" in refused.stderr
        own = dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name, "-U", "evil", f"--explain={query_id}", expect=EXIT["permission"])
        assert "cannot be planned" in own.stderr and "permission denied" in own.stderr
    finally:
        on_any.sql("DROP OWNED BY evil CASCADE; DROP ROLE evil")


def test_plan_does_not_wait_behind_a_lock(dbops_for, on_15):
    on_15.sql("SELECT total FROM orders WHERE id = 7")
    query_id = entry(on_15, "SELECT total FROM orders WHERE id = $1")
    with on_15.connect() as c:
        c.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        assert "lock timeout" in explain(dbops_for, on_15, query_id, expect=EXIT["busy"]).stderr


# What is shown, and in which order

def test_orders(dbops_for, on_any):
    on_any.sql("SET track_io_timing = on")
    with on_any.connect() as c:
        c.execute("SELECT pg_sleep(0.11)")
        for _ in range(50):
            c.execute("SELECT id FROM orders WHERE id = 1")
        c.execute("SELECT total FROM orders")
        c.execute("SET work_mem = '64kB'")
        c.execute("SELECT n FROM generate_series(1, 100000) n ORDER BY n DESC OFFSET 99999")
        c.execute("CREATE TABLE big AS SELECT n FROM generate_series(1, 20000) n")
        c.execute("INSERT INTO big SELECT n FROM generate_series(1, 30000) n")
        for seconds in (0.0, 0.8):
            c.execute("SELECT 'jitter', pg_sleep(%s)", [seconds])

    def first(order):
        answer = ask(dbops_for, on_any, f"--order={order}", "--limit=200")
        values = [r[{"io": "read", "temp": "temporary"}.get(order, order)] for r in answer["statements"]]
        assert order == "io" or values == sorted(values, key=lambda v: -1 if v is None else v, reverse=True), order
        return answer["statements"][0]["query"]

    first("total"), first("mean")
    assert "WHERE id = $1" in first("calls")
    assert "ORDER BY n DESC" in first("temp")
    assert "INSERT INTO big" in first("wal")
    assert "INSERT INTO big" in first("rows")
    assert "SELECT $2, pg_sleep" in first("jitter")
    first("io")
    table = dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name, "--order=temp").stdout
    assert " TEMP " in table and " WAL " not in table


def test_jitter_is_the_deviation_of_the_view(dbops_for, on_15):
    for seconds in (0.01, 0.03, 0.08):
        on_15.sql(f"SELECT pg_sleep({seconds})")
    (row,) = rows(ask(dbops_for, on_15), "pg_sleep")
    deviation, shortest, longest = on_15.sql("SELECT stddev_exec_time, min_exec_time, max_exec_time FROM pg_stat_statements WHERE query LIKE '%pg_sleep%'")[0]
    assert abs(row["jitter"] * 1000 - deviation) < 1e-5 * deviation
    assert abs(row["min"] * 1000 - shortest) < 1e-6 and abs(row["max"] * 1000 - longest) < 1e-6


def test_minima(dbops_for, on_15):
    on_15.sql("SELECT pg_sleep(0.06)")
    for _ in range(3):
        on_15.sql("SELECT id FROM orders WHERE id = 1")
    slow = ask(dbops_for, on_15, "--min-mean=50ms")
    assert [r["query"] for r in slow["statements"]] == ["SELECT pg_sleep($1)"]
    assert slow["statements"][0]["share"] < 100, "the share is of all, not of what is shown"
    often = ask(dbops_for, on_15, "--min-calls=3")
    assert all(r["calls"] >= 3 for r in often["statements"]) and rows(often, "FROM orders WHERE id")


def test_io_time_that_nobody_measures_is_not_zero(dbops_for, on_15):
    on_15.sql("CREATE TABLE wide AS SELECT n, repeat('x', 500) FROM generate_series(1, 2000) n")
    assert all(r["io_time"] is None for r in ask(dbops_for, on_15)["statements"])
    on_15.cluster.sql("ALTER SYSTEM SET track_io_timing = on")
    on_15.cluster.sql("SELECT pg_reload_conf()")
    try:
        servers.wait_until(lambda: on_15.value("SHOW track_io_timing") == "on", "the setting")
        answer = ask(dbops_for, on_15)
        assert answer["track_io_timing"] and all(r["io_time"] is not None for r in answer["statements"])
    finally:
        on_15.cluster.sql("ALTER SYSTEM RESET track_io_timing")
        on_15.cluster.sql("SELECT pg_reload_conf()")
        servers.wait_until(lambda: on_15.value("SHOW track_io_timing") == "off", "the setting")


def test_nested_statements(dbops_for, on_any):
    """With track = all a function's statements are counted again inside the caller: they are left out unless asked for (14+)."""
    on_any.sql("CREATE FUNCTION inner_work() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN (SELECT sum(total) FROM orders); END $$")
    with on_any.connect() as c:
        c.execute("SET pg_stat_statements.track = 'all'")
        c.execute("SELECT inner_work()")
    plain, nested = (ask(dbops_for, on_any, *words) for words in ([], ["--nested"]))
    if on_any.cluster.major == 13:
        return  # no toplevel column: all look alike
    assert not [r for r in rows(plain, "sum(total)") if "CREATE" not in r["query"]] and rows(plain, "inner_work()")
    (inner,) = [r for r in rows(nested, "sum(total)") if "CREATE" not in r["query"]]
    assert inner["nested"] and not rows(nested, "inner_work()")[0]["nested"]
    assert abs(plain["total"] - nested["total"]) < 0.05, "the total counts nobody twice"


# Roles and databases

def as_role(database, role, *statements):
    with database.connect() as c:
        c.execute(f"SET ROLE {quoted(role)}")
        for statement in statements:
            c.execute(statement)


@pytest.fixture
def api(on_15):
    """The roles of Supabase's API on a database."""
    for role in ("anon", "authenticated", "service_role"):
        on_15.sql(f"CREATE ROLE {role}")
    on_15.sql("GRANT SELECT ON orders TO anon, authenticated, service_role")
    yield on_15
    on_15.sql("DROP OWNED BY anon, authenticated, service_role; DROP ROLE anon, authenticated, service_role")


def test_api_roles(dbops_for, api):
    """supabase inspect's `outliers` filters userid = current_user: the API roles never appear."""
    as_role(api, "anon", *["SELECT total FROM orders WHERE id = 1"] * 3)
    as_role(api, "authenticated", *["SELECT total FROM orders WHERE id = 2"] * 4)
    by_entry = {r["role"]: r["calls"] for r in rows(ask(dbops_for, api), "FROM orders WHERE id")}
    assert by_entry == {"anon": 3, "authenticated": 4}
    (row,) = rows(ask(dbops_for, api, "--group=text"), "FROM orders WHERE id")
    assert row["calls"] == 7 and row["entries"] == 2 and {r["role"]: r["calls"] for r in row["roles"]} == by_entry
    by_role = {r["role"]: r for r in ask(dbops_for, api, "--group=role")["statements"]}
    assert by_role["anon"]["calls"] == 3 + 1 and by_role["anon"]["query"] is None and by_role["anon"]["query_id"] is None  # SET ROLE is counted for the new role or the old
    only = ask(dbops_for, api, "--role=anon", "--role=service_role")["statements"]
    assert {r["role"] for r in only} == {"anon"}


def test_other_databases(dbops_for, on_15, pg15):
    other = pg15.create_database()
    other.sql("SELECT 'in another database', 1, 2")
    assert not rows(ask(dbops_for, on_15), "$1, $2, $3")
    everything = ask(dbops_for, on_15, "--all-databases", "--limit=1000")
    assert [r["database"] for r in rows(everything, "SELECT $1, $2, $3")] == [other.name]
    assert " DATABASE " in dbops_for(pg15)("slow-queries", "-d", on_15.name, "--all-databases").stdout
    other.drop()
    gone = ask(dbops_for, on_15, "--all-databases", "--limit=1000")
    assert [r["database"] for r in rows(gone, "SELECT $1, $2, $3")] == [None]


# Two samples

def test_rates_between_two_samples(dbops_for, on_any, work):
    for _ in range(5):
        on_any.sql("SELECT total FROM orders WHERE id = 1")
    ask(dbops_for, on_any, f"--save={work}/before.json")
    for _ in range(3):
        on_any.sql("SELECT total FROM orders WHERE id = 1")
    on_any.sql("SELECT pg_sleep(0.05)")
    answer = ask(dbops_for, on_any, f"--since={work}/before.json")
    (orders,) = rows(answer, "FROM orders WHERE id")
    (sleep,) = rows(answer, "pg_sleep")
    assert orders["calls"] == 3 and orders["change"] == "compared" and orders["min"] is None
    assert sleep["calls"] == 1 and sleep["change"] == "new" and sleep["mean"] >= 0.05
    assert answer["window"] > 0 and abs(orders["calls_per_hour"] - 3 * 3600 / answer["window"]) < 0.01 * orders["calls_per_hour"]
    assert abs(sleep["load"] - sleep["total"] / answer["window"]) < 0.01 * sleep["load"]
    assert not rows(answer, "generate_series"), "what was not called in between is left out"
    table = dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name, f"--since={work}/before.json").stdout
    assert "CALLS/H" in table and "LOAD" in table


def test_interval(dbops_for, on_15):
    process = dbops_for(on_15.cluster).start("slow-queries", "-d", on_15.name, "--interval=1s", "--format=json", "--limit=1000")
    servers.wait_until(lambda: on_15.value("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%dbops_database%%'"), "the first sample")
    on_15.sql("SELECT 'within the interval', 1")
    answer = dbops_for(on_15.cluster).finish(process, expect=0).json
    assert rows(answer, "SELECT $1, $2")[0]["change"] == "new" and 1 <= answer["window"] < 60
    assert not rows(answer, "generate_series")


def test_a_reset_is_no_negative_number(dbops_for, on_any, work):
    """pg_profile#34: another tool resets; figures are what was counted since, and are said to be a lower bound."""
    for _ in range(5):
        on_any.sql("SELECT total FROM orders WHERE id = 1")
    ask(dbops_for, on_any, f"--save={work}/before.json")
    on_any.sql("SELECT pg_stat_statements_reset()")
    for _ in range(2):
        on_any.sql("SELECT total FROM orders WHERE id = 1")
    answer = ask(dbops_for, on_any, f"--since={work}/before.json", "--limit=1000")
    (orders,) = rows(answer, "FROM orders WHERE id")
    assert orders["calls"] == 2 and orders["change"] == "restarted"
    assert all(r["calls"] > 0 and r["total"] >= 0 for r in answer["statements"])
    assert answer["lower_bound"] or on_any.cluster.major == 13


def test_one_entry_reset_and_busier_than_before(dbops_for, counting, work):
    """17 says when an entry began, so a reset is seen although the counter has passed its earlier value."""
    for database in counted_database(counting(18)):
        database.sql("SELECT total FROM orders WHERE id = 1")
        ask(dbops_for, database, f"--save={work}/before.json")
        database.sql("SELECT pg_stat_statements_reset(0, 0, %s)", entry(database, "SELECT total FROM orders WHERE id = $1"))
        for _ in range(4):
            database.sql("SELECT total FROM orders WHERE id = 1")
        (orders,) = rows(ask(dbops_for, database, f"--since={work}/before.json"), "FROM orders WHERE id")
        assert (orders["calls"], orders["change"]) == (4, "restarted")


def test_evictions_make_a_lower_bound(dbops_for, dbops, work):
    """When there are more statements than pg_stat_statements.max, old ones go, and totals lack them."""
    server = servers.Cluster(servers.postgres_bindirs()[15], 15, options={**PRELOAD, "pg_stat_statements.max": "100"})
    try:
        for database in counted_database(server):
            ask(dbops_for, database, f"--save={work}/before.json")
            with database.connect() as c:
                for n in range(250):
                    c.execute("SELECT 1" + ", 1" * n)
            answer = ask(dbops_for, database)
            assert answer["lower_bound"] and answer["evicted_entries"] > 0
            since = ask(dbops_for, database, f"--since={work}/before.json")
            assert since["lower_bound"] and all(r["calls"] > 0 for r in since["statements"])
            assert "lower bound" in dbops_for(server)("slow-queries", "-d", database.name).stdout
    finally:
        server.stop()


def test_samples_that_do_not_fit(dbops_for, on_15, pg15, work):
    other = pg15.create_database()
    other.sql("CREATE EXTENSION pg_stat_statements")
    ask(dbops_for, other, f"--save={work}/other.json")
    answer = ask(dbops_for, on_15, f"--since={work}/other.json")
    assert answer["window"] is None and "another database" in answer["gaps"][0]["reason"] and answer["status"] == "unknown"
    (work / "text").write_text("{}")
    wrong = dbops_for(pg15)("slow-queries", "-d", on_15.name, f"--since={work}/text", expect=EXIT["usage"])
    assert "the same command and --save FILE" in wrong.stderr
    for words in (["--live"], ["--explain=1"]):
        dbops_for(pg15)("slow-queries", "-d", on_15.name, *words, "--interval=1s", expect=EXIT["usage"])
    other.drop()


def test_nothing_is_ever_reset(dbops_for, on_15, work):
    """pghero#313, #362, #511."""
    on_15.sql("SELECT total FROM orders WHERE id = 1")
    before = on_15.sql("SELECT dealloc, stats_reset FROM pg_stat_statements_info")
    for words in ([], ["--interval=100ms"], ["--group=text"], ["--live"], ["--order=mean", f"--save={work}/s"], ["--explain=" + entry(on_15, "SELECT total FROM%")]):
        dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, *words)
    assert on_15.sql("SELECT dealloc, stats_reset FROM pg_stat_statements_info") == before
    assert on_15.value("SELECT calls FROM pg_stat_statements WHERE query LIKE 'SELECT total FROM orders%%'") == 1


def test_samples_of_nothing_or_of_another_role(dbops_for, on_15, pg15, work):
    """Without the entries of before, every counter would look like the work of this hour."""
    on_15.sql("CREATE ROLE lowly LOGIN")
    bare = pg15.create_database()
    ask(dbops_for, bare, f"--save={work}/nothing")
    ask(dbops_for, on_15, "-U", "lowly", f"--save={work}/little")
    text = (work / "nothing").read_text().replace(f'"{bare.name}"', f'"{on_15.name}"')
    (work / "nothing").write_text(text)
    for name, why in (("nothing", "no statements"), ("little", "of a role")):
        answer = ask(dbops_for, on_15, f"--since={work}/{name}")
        assert why in gap(answer, "rates")["reason"] and answer["window"] is None and answer["status"] == "unknown"
    bare.drop()
    on_15.sql("DROP ROLE lowly")


def test_watch_compares_each_tick_with_the_one_before(dbops_for, on_15):
    process = dbops_for(on_15.cluster).start("slow-queries", "-d", on_15.name, "--watch=500ms", "--format=json", "--limit=1000")
    ticks = [json.loads(process.stdout.readline())]
    on_15.sql("SELECT 'between', 2, 'ticks'")
    ticks += [json.loads(process.stdout.readline()) for _ in range(3)]
    process.terminate()
    dbops_for(on_15.cluster).finish(process, expect=EXIT["terminated"])
    assert ticks[0]["window"] is None and all(t["window"] > 0 for t in ticks[1:])
    assert sum(len(rows(t, "SELECT $1, $2, $3")) for t in ticks[1:]) == 1


# Grouping by text

def test_group_survives_the_churn_of_ids(dbops_for, on_any):
    """One statement has three ids before 18: lists of two lengths, and a table that was created again."""
    on_any.sql("SELECT total FROM orders WHERE id IN (1, 2)")
    on_any.sql("select total from orders -- traceparent 4711\nwhere id in (1, 2, 3, 4)")
    on_any.sql("DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, total int)")
    on_any.sql("SELECT total FROM orders WHERE id IN (7, 8)")
    entries = [r for r in ask(dbops_for, on_any, "--limit=1000")["statements"] if re.search(r"(?i)where id in", r["query"] or "")]
    (row,) = [r for r in ask(dbops_for, on_any, "--group=text", "--limit=1000")["statements"] if re.search(r"(?i)where id in", r["query"] or "")]
    assert len(entries) == (1 if on_any.cluster.major >= 18 else 3)
    assert row["calls"] == 3 and row["entries"] == len(entries) and {e["fingerprint"] for e in entries} == {row["fingerprint"]}


def test_rates_survive_the_churn_of_ids(dbops_for, on_15, work):
    for _ in range(5):
        on_15.sql("SELECT total FROM orders WHERE id = 1")
    ask(dbops_for, on_15, f"--save={work}/before.json")
    on_15.sql("SELECT total FROM orders WHERE id = 1")
    on_15.sql("DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, total int)")
    for _ in range(2):
        on_15.sql("SELECT total FROM orders WHERE id = 1")
    answer = ask(dbops_for, on_15, f"--since={work}/before.json", "--group=text")
    (row,) = rows(answer, "FROM orders WHERE id")
    assert (row["calls"], row["entries"], row["change"]) == (3, 2, "compared")


def test_one_fingerprint_on_every_version(dbops_for, on_any):
    on_any.sql("SELECT total FROM orders WHERE id IN (1, 2, 3) AND total > -5")
    (row,) = rows(ask(dbops_for, on_any), "id IN")
    assert row["fingerprint"] == FINGERPRINT


# Why there are no statements: each reason its own words and its own cure

def gap(answer, what="counted statements"):
    (found,) = [g for g in answer["gaps"] if g["what"] == what]
    return found


def test_not_loaded(dbops_for, server, server_major):
    """55000: created, but the library is not preloaded. The cure keeps what is preloaded already."""
    database = server(server_major).create_database()
    database.sql("CREATE EXTENSION pg_stat_statements")
    answer = ask(dbops_for, database)
    found = gap(answer)
    assert "not loaded" in found["reason"] and found["grant"].startswith("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';")
    assert answer["source"] == "pg_stat_activity" and answer["completeness"] == "partial" and answer["status"] == "unknown"
    checked = dbops_for(database.cluster)("slow-queries", "-d", database.name, "--check", expect=EXIT["unknown"])
    assert "UNKNOWN" in checked.stdout and "not loaded" in checked.stdout
    database.drop()


def test_neither_loaded_nor_created(dbops_for, db):
    found = gap(ask(dbops_for, db))
    assert "not loaded" in found["reason"] and "not created" in found["reason"] and "shared_preload_libraries" in found["grant"]
    plan = dbops_for(db.cluster)("slow-queries", "-d", db.name, "--explain=1", expect=EXIT["refused"])
    assert "not loaded" in plan.stderr and "shared_preload_libraries" in plan.stderr


def test_not_created_here_but_elsewhere(dbops_for, own_cluster):
    """It counts for the whole server, so a database that has it shows all. On a server where no other test has created it."""
    cluster = own_cluster(options={"shared_preload_libraries": "pg_stat_statements"})
    bare, other = cluster.create_database(), cluster.create_database(name='has "it"')
    assert gap(ask(dbops_for, bare)) == {"what": "counted statements", "reason": f'pg_stat_statements is not created in database "{bare.name}"',
                                         "grant": "CREATE EXTENSION pg_stat_statements;"}
    other.sql("CREATE EXTENSION pg_stat_statements")
    assert 'but in "has "it""' in gap(ask(dbops_for, bare))["reason"]


def test_no_privilege(dbops_for, on_15, pg15):
    """The GRANT is exactly what is missing: after it the same role gets an answer."""
    on_15.sql('CREATE ROLE "Re""ader" LOGIN')
    on_15.sql("REVOKE EXECUTE ON FUNCTION pg_stat_statements(boolean), pg_stat_statements_info() FROM PUBLIC")
    words = ("-U", 'Re"ader')
    answer = ask(dbops_for, on_15, *words)
    assert "may not read" in gap(answer)["reason"]
    on_15.sql(gap(answer)["grant"])
    assert ask(dbops_for, on_15, *words)["source"] == "pg_stat_statements"
    on_15.sql('DROP OWNED BY "Re""ader"; DROP ROLE "Re""ader"')


def test_statements_of_others_are_hidden(dbops_for, on_any):
    """postgres_exporter#998: without pg_read_all_stats rows have no id and no text; they are one row a role, and the answer is partial."""
    on_any.sql("CREATE ROLE lowly LOGIN")
    for n in range(5):
        on_any.sql("SELECT 1" + ", 1" * n)
    answer = ask(dbops_for, on_any, "-U", "lowly", "--limit=1000")
    (hidden,) = [r for r in answer["statements"] if r["role"] == "postgres"]
    assert hidden["query_id"] is None and hidden["query"] == "<insufficient privilege>" and hidden["entries"] >= 5
    assert answer["completeness"] == "partial" and answer["status"] == "unknown"
    assert gap(answer, "statements of other roles")["grant"] == 'GRANT pg_monitor TO "lowly";'
    prom = dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name, "-U", "lowly", "--format=prom").stdout
    series = [line.rsplit(" ", 1)[0] for line in prom.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)) and 'query_id="hidden"' in prom
    on_any.sql("GRANT pg_monitor TO lowly")
    full = ask(dbops_for, on_any, "-U", "lowly")
    assert full["completeness"] == "full" and all(r["query_id"] for r in full["statements"])
    on_any.sql("DROP OWNED BY lowly; DROP ROLE lowly")


def test_nothing_is_counted(dbops_for, on_15):
    """pg_stat_statements that is loaded and created, and yet stands still."""
    for setting, word in (("pg_stat_statements.track = none", "track"), ("compute_query_id = off", "compute_query_id")):
        on_15.sql(f"ALTER DATABASE {quoted(on_15.name)} SET {setting}")
        answer = ask(dbops_for, on_15)
        assert word in gap(answer, "new statements")["reason"] and answer["status"] == "unknown"
        on_15.sql(f"ALTER DATABASE {quoted(on_15.name)} RESET ALL")


def test_a_standby_counts_for_itself(dbops_for, on_15, pg15, work):
    base = servers.private_folder("dbops-standby-")
    pg15.tool("pg_basebackup", "-D", base / "data", "-R", "-c", "fast", "-X", "stream")
    standby = object.__new__(servers.Cluster)
    standby.__dict__.update(pg15.__dict__, base=base, data=base / "data", log=base / "log", port=servers.free_port(), process=None)
    standby.options = {**pg15.options, "unix_socket_directories": str(base), "port": str(standby.port), "hot_standby": "on"}
    if servers.os.geteuid() == 0:
        servers.subprocess.run(["chown", "-R", servers.SERVER_USER, str(base)], check=True)
    try:
        standby.start()
        standby.sql("SELECT 'on the standby', 1", database=on_15.name)
        answer = dbops_for(standby).json("slow-queries", "-d", on_15.name)
        assert answer["in_recovery"] and rows(answer, "SELECT $1, $2") and not rows(answer, "generate_series")
        assert "standby" in dbops_for(standby)("slow-queries", "-d", on_15.name).stdout
        assert "orders" in dbops_for(standby)("slow-queries", "-d", on_15.name, "--explain", first_id(standby, on_15)).stdout
        missing = pg15.create_database()
        servers.wait_until(lambda: standby.sql("SELECT 1 FROM pg_database WHERE datname = %s", missing.name), "the database on the standby")
        assert "on the primary" in gap(dbops_for(standby).json("slow-queries", "-d", missing.name))["grant"]
        missing.drop()
    finally:
        standby.kill()
        servers.shutil.rmtree(base, ignore_errors=True)


def first_id(standby, database):
    standby.sql("SELECT total FROM orders WHERE id = 3", database=database.name)
    return str(standby.sql("SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT total FROM orders%%'", database=database.name)[0][0])


def test_lost_texts(dbops_for, on_15, pg15):
    """The server drops its file of texts when it cannot be read: entries stay, without a text."""
    on_15.sql("SELECT total FROM orders WHERE id = 3")
    query_id = entry(on_15, "SELECT total FROM orders%")
    on_15.sql("SELECT 'the last text', 1, 2, 3, 4, 5, 6, 7, 8, 9")
    (file,) = pg15.data.glob("**/pgss_query_texts.stat")
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[:10])  # what the server appends leaves a hole of zeros before it
        for words in ([], ["--group=text"]):
            answer = ask(dbops_for, on_15, *words, "--limit=1000")
            (row,) = [r for r in answer["statements"] if r["query_id"] == query_id]
            assert row["query"] is None and row["calls"] == 1 and row["fingerprint"] is None
        assert "lost" in explain(dbops_for, on_15, query_id, expect=EXIT["not_found"]).stderr
    finally:
        on_15.sql("SELECT pg_stat_statements_reset()")


def test_texts_that_do_not_fit_the_encoding(dbops_for, pg15):
    """One text of another database is enough for the server to refuse all of them: the numbers are shown all the same."""
    utf8, latin = pg15.create_database(), pg15.database("latin")
    pg15.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    for database in (utf8, latin):
        database.sql("CREATE EXTENSION pg_stat_statements")
    utf8.sql("SELECT 1 AS \"\u4e2d\u6587\"")
    latin.sql("SELECT 1, 2")
    assert rows(ask(dbops_for, utf8), "中文") and ask(dbops_for, utf8)["completeness"] == "full"
    for words in ([], ["--group=text"]):
        answer = ask(dbops_for, latin, *words)
        assert answer["statements"] and all(r["query"] is None for r in answer["statements"])
        assert "no equivalent" in gap(answer, "texts of statements")["reason"]
    utf8.sql("SELECT pg_stat_statements_reset()")
    utf8.drop()
    latin.drop()


def test_through_a_transaction_pooler(dbops_for, on_15, pg15):
    """supabase/cli#168: no prepared statement, no setting and no search_path is left behind or relied on."""
    bouncer = servers.Bouncer(pg15)
    try:
        on_15.sql("SELECT total FROM orders WHERE id = 3")
        query_id = entry(on_15, "SELECT total FROM orders%")
        for _ in range(3):
            assert rows(dbops_for(bouncer).json("slow-queries", "-d", on_15.name, "--limit=1000"), "FROM orders WHERE id")
            assert "orders_pkey" in dbops_for(bouncer)("slow-queries", "-d", on_15.name, f"--explain={query_id}").stdout
        with psycopg.connect(f"host=127.0.0.1 port={bouncer.port} user=postgres dbname={on_15.name}", autocommit=True) as c:
            assert c.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'dbops%%'").fetchone() == (0,)
    finally:
        bouncer.stop()


# What runs now

class Running:
    """A session with a statement or transaction that lasts."""

    def __init__(self, database, *statements, name="app", idle=False):
        self.connection = psycopg.connect(database.conninfo + f" application_name={name}", autocommit=True)
        self.pid = self.connection.info.backend_pid
        for statement in statements if idle else statements[:-1]:
            self.connection.execute(statement)
        if not idle:
            self.connection.pgconn.send_query(statements[-1].encode())
        state = "idle in transaction" if idle else "active"
        servers.wait_until(lambda: database.cluster.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = %s AND query NOT LIKE 'BEGIN%%'", self.pid, state), "the session")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with psycopg.connect(self.connection.info.dsn) as c:
            c.execute("SELECT pg_terminate_backend(%s)", [self.pid])
        self.connection.close()


def test_live(dbops_for, on_any):
    with Running(on_any, "SELECT pg_sleep(600) /* long */") as active, Running(on_any, "BEGIN", "SELECT 'waits for its user'", idle=True) as idle:
        answer = ask(dbops_for, on_any, "--live")
        found = {r["pid"]: r for r in answer["statements"]}
        assert set(found) == {active.pid, idle.pid} and answer["source"] == "pg_stat_activity"
        assert found[active.pid]["state"] == "active" and found[active.pid]["duration"] > 0 and "pg_sleep" in found[active.pid]["query"]
        assert found[active.pid]["wait"] == "Timeout:PgSleep" and found[active.pid]["role"] == "postgres"
        assert found[idle.pid]["state"] == "idle in transaction" and found[idle.pid]["transaction"] >= found[idle.pid]["duration"]
        assert (found[active.pid]["query_id"] is None) == (on_any.cluster.major == 13)
        assert not ask(dbops_for, on_any, "--live", "--min-duration=1h")["statements"]
        assert not ask(dbops_for, on_any, "--live", "--role=nobody")["statements"]
        assert "pg_sleep" in dbops_for(on_any.cluster)("slow-queries", "-d", on_any.name, "--live").stdout


def test_live_leaves_out_what_runs_by_design(dbops_for, on_15, pg15, work):
    """check_pgactivity#371, check_postgres#139, pghero#106: a walsender is no long query. Nor is dbops itself."""
    receiver = servers.subprocess.Popen([f"{pg15.clients}/pg_receivewal", "-D", str(work), "-h", str(pg15.base), "-p", str(pg15.port), "-U", "postgres"])
    try:
        servers.wait_until(lambda: pg15.sql("SELECT 1 FROM pg_stat_replication"), "the walsender")
        watcher = dbops_for(pg15).start("slow-queries", "-d", on_15.name, "--live", "--watch=500ms")
        watcher.stdout.readline()
        assert ask(dbops_for, on_15, "--live", "--all-databases")["statements"] == []
        watcher.terminate()
        dbops_for(pg15).finish(watcher, expect=EXIT["terminated"])
    finally:
        receiver.kill()
        receiver.wait()


def test_live_counts_parallel_workers_with_their_leader(dbops_for, on_any):
    """pghero#258, pg_activity#68."""
    on_any.sql("CREATE FUNCTION nap(int) RETURNS int PARALLEL SAFE LANGUAGE sql AS 'SELECT 1 FROM (SELECT pg_sleep(0.5)) s'")
    on_any.sql("CREATE TABLE wide AS SELECT n FROM generate_series(1, 100000) n; ALTER TABLE wide SET (parallel_workers = 2)")
    on_any.sql("ANALYZE wide")
    with Running(on_any, "SET parallel_setup_cost = 0", "SET parallel_tuple_cost = 0", "SET min_parallel_table_scan_size = 0", "SET max_parallel_workers_per_gather = 2",
                 "SELECT sum(nap(n)) FROM wide") as running:
        servers.wait_until(lambda: on_any.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'") == 2, "the workers")
        (row,) = ask(dbops_for, on_any, "--live")["statements"]
        assert row["pid"] == running.pid and row["workers"] == 2


def test_a_text_that_was_cut_says_so(dbops_for, on_15):
    for text in ("SELECT pg_sleep(600), '" + "x" * 2000 + "'", "SELECT pg_sleep(600), '" + "ä" * 2000 + "'"):
        with Running(on_15, text):
            (row,) = ask(dbops_for, on_15, "--live")["statements"]
            assert row["truncated"] and row["query"].endswith("…")
    with Running(on_15, "SELECT pg_sleep(600), '" + "x" * 900 + "'"):
        (row,) = ask(dbops_for, on_15, "--live")["statements"]
        assert not row["truncated"] and row["query"].endswith("'")


def test_live_of_an_unprivileged_role_is_unknown(dbops_for, on_15):
    """check_postgres#166 says OK here."""
    on_15.sql("CREATE ROLE lowly LOGIN")
    with Running(on_15, "SELECT pg_sleep(600)"):
        result = dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "-U", "lowly", "--live", "--check", expect=EXIT["unknown"])
        assert 'GRANT pg_monitor TO "lowly";' in result.stdout
    on_15.sql("DROP ROLE lowly")


# Checks

def nagios(dbops_for, database, *words, expect):
    return dbops_for(database.cluster)("slow-queries", "-d", database.name, "--format=nagios", *words, expect=expect).stdout


def test_check_of_means(dbops_for, on_15):
    on_15.sql("SELECT pg_sleep(0.2)")
    assert nagios(dbops_for, on_15, expect=0).startswith("DBOPS SLOW QUERIES OK - ")
    line = nagios(dbops_for, on_15, "--warning=100ms", expect=EXIT["warning"])
    query_id = entry(on_15, "SELECT pg_sleep(%")
    assert f"query {query_id}: mean time 2" in line and re.search(r"'slowest_mean'=0\.2\d*s;0\.1;;", line) and "pg_sleep" not in line
    nagios(dbops_for, on_15, "--warning=100ms", "--critical=150ms", expect=EXIT["critical"])
    nagios(dbops_for, on_15, "--warning=100ms", "--min-calls=2", expect=0)
    answer = ask(dbops_for, on_15, "--check", "--warning=100ms", expect=EXIT["warning"])
    (finding,) = answer["findings"]
    assert finding["id"] == "slow-queries.mean" and finding["object"] == f"query {query_id}" and finding["evidence"]["query_id"] == query_id


def test_check_is_suppressed_by_query(dbops_for, on_15, work):
    on_15.sql("SELECT pg_sleep(0.2)")
    (work / "dbops.yaml").write_text(f"suppressions:\n  nightly:\n    finding: slow-queries.mean\n    object: query {entry(on_15, 'SELECT pg_sleep(%')}\n    reason: nightly report\n")
    nagios(dbops_for, on_15, "--warning=100ms", "--config", work / "dbops.yaml", expect=0)


def test_check_of_the_rate(dbops_for, on_15, work):
    """"More than 5 slow queries an hour" is a rate: it needs two samples."""
    on_15.sql("SELECT pg_sleep(0.1)")
    words = ("--slow=50ms", "--warning=", "--warning-rate=5")
    ask(dbops_for, on_15, f"--save={work}/before")
    assert "slow_calls_per_hour" not in nagios(dbops_for, on_15, *words, expect=0)
    assert "'slow_calls_per_hour'=0;5;" in nagios(dbops_for, on_15, *words, f"--since={work}/before", expect=0)
    on_15.sql("SELECT pg_sleep(0.1)")
    line = nagios(dbops_for, on_15, *words, f"--since={work}/before", expect=EXIT["warning"])
    assert "slow-queries.rate" in line and float(re.search(r"'slow_calls_per_hour'=([\d.]+)", line)[1]) > 5


def test_check_of_ages(dbops_for, on_15):
    with Running(on_15, "SELECT pg_sleep(600)") as running:
        assert "'oldest'=" in nagios(dbops_for, on_15, "--live", expect=0)
        servers.wait_until(lambda: on_15.value("SELECT now() - query_start > interval '100 ms' FROM pg_stat_activity WHERE pid = %s", running.pid), "its age")
        line = nagios(dbops_for, on_15, "--live", "--warning-age=100ms", expect=EXIT["warning"])
        assert f"pid {running.pid}: statement of postgres runs for" in line or f"pid {running.pid}: transaction of postgres runs for" in line
        nagios(dbops_for, on_15, "--live", "--critical-age=100ms", expect=EXIT["critical"])


def test_prometheus_has_no_text_and_few_series(dbops_for, on_15):
    for n in range(30):
        on_15.sql("SELECT 'secret'" + ", 1" * n)
    text = dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "--format=prom", "--limit=7").stdout
    assert text.count("dbops_slow_query_calls_total{") == 7 and "SELECT" not in text
    assert re.search(r'dbops_slow_query_calls_total\{query_id="-?\d+",role="postgres",database="\w+"\} \d+\n', text)
    assert "# TYPE dbops_slow_query_calls_total counter" in text and "dbops_slow_queries_calls_total " in text
    assert dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "--format=prom", "--limit=10000").stdout.count("dbops_slow_query_calls_total{") <= 100


# Formats

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs/schema/slow-queries.json"
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def steady(text, database):
    """The output without what differs from run to run: ids, times, sizes of time, name of server and database."""
    text = text.replace(database.name, "DATABASE").replace(str(database.cluster.base), "SERVER").replace(str(database.cluster.port), "PORT")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"-?\d+\.\d+(e-?\d+)?", "N", text)
    text = re.sub(r"-?\b\d{15,20}\b", "ID", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "FINGERPRINT", text)
    return re.sub(r" +", " ", re.sub(r"\bN s\b", "N ms", re.sub(r"\b\d{2,}\b", "N", text)))


@pytest.mark.parametrize("suffix,words", [("txt", []), ("json", ["--format=json"]), ("csv", ["--format=csv"]), ("prom", ["--format=prom"]), ("nagios", ["--format=nagios"])])
def test_golden(dbops_for, on_15, suffix, words):
    """Every format of the same two statements, as tests/e2e/golden has them; GOLDEN=write rewrites the files."""
    on_15.sql("SELECT pg_sleep(0.7)")
    for _ in range(3):
        on_15.sql("SELECT total FROM orders, pg_sleep(0.17) WHERE id = 7")
    expect = EXIT["warning"] if suffix == "nagios" else 0
    text = dbops_for(on_15.cluster)("slow-queries", "-d", on_15.name, "--min-mean=150ms", "--warning=400ms", *words, expect=expect).stdout
    path = GOLDEN / f"slow-queries.{suffix}"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(steady(text, on_15))
    assert steady(text, on_15) == path.read_text()


def test_json_is_as_the_schema_says(dbops_for, on_any, work):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).validate
    on_any.sql("CREATE ROLE lowly LOGIN")
    on_any.sql("SELECT total FROM orders WHERE id = 7")
    check(ask(dbops_for, on_any, f"--save={work}/before"))
    on_any.sql("SELECT pg_sleep(0.05)")
    for words in ([f"--since={work}/before"], ["--group=text", "--warning=1ms"], ["--group=role"], ["-U", "lowly"], ["--all-databases", "--nested"]):
        check(ask(dbops_for, on_any, *words))
    with Running(on_any, "SELECT pg_sleep(600)"):
        check(ask(dbops_for, on_any, "--live", "--warning-age=0"))
    check(ask(dbops_for, on_any, "--explain=" + entry(on_any, "SELECT total FROM orders%")))
    with pytest.raises(jsonschema.ValidationError):
        check({**ask(dbops_for, on_any), "statements": [{"query_id": 7}]})
    bare = on_any.cluster.create_database()
    check(ask(dbops_for, bare))
    bare.drop()
    on_any.sql("DROP ROLE lowly")


def test_the_manual_names_every_column(dbops_for, on_15):
    commands = dbops_for(on_15.cluster).json("help")["commands"]
    (description,) = [c for c in commands if c["path"] == "dbops slow-queries"]
    keys = {c["key"] for c in description["columns"]}
    assert set(ask(dbops_for, on_15)["statements"][0]) == keys
    live = next(v for k, v in description["more_columns"].items() if "--live" in k)
    with Running(on_15, "SELECT pg_sleep(600)"):
        assert set(ask(dbops_for, on_15, "--live")["statements"][0]) == {c["key"] for c in live}
