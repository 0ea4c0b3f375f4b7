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
