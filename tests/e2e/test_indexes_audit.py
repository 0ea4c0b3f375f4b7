# SPDX-License-Identifier: PostgreSQL
"""indexes audit: each way of being wrong about indexes, on every server there is."""
import threading

import psycopg
import pytest

from support.runner import EXIT
from support.servers import quoted, wait_until

HOSTILE = 'I"; DROP\nTABLE x; --é'


@pytest.fixture
def place(server, server_major):
    """An empty database of one of the servers."""
    database = server(server_major).create_database()
    yield database
    database.drop()


@pytest.fixture
def audit(dbops_for, place):
    """audit(...) -> the whole JSON answer."""
    dbops = dbops_for(place.cluster)
    return lambda *words, **kwargs: dbops.json("indexes", "audit", "-d", place.name, *words, **kwargs)


def found(answer, kind=None):
    """{object: row} of the findings of a kind; no object may be there twice."""
    rows = [r for r in answer["indexes"] if kind is None or r["id"] == "indexes." + kind]
    assert len({r["object"] for r in rows}) == len(rows), rows
    return {r["object"].removeprefix("public."): r for r in rows}


def test_duplicates(audit, place, server_major):
    """What is the same is found whatever its name is; what differs in anything that matters is not."""
    nulls = "CREATE UNIQUE INDEX n2 ON n (a) NULLS NOT DISTINCT" if server_major >= 15 else ""
    place.sql(f"""
        CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text, d text);
        CREATE INDEX a1 ON t (a); CREATE INDEX a1_with_a_longer_name ON t (a);
        CREATE INDEX e1 ON t (lower(c)); CREATE INDEX e1_with_a_longer_name ON t (lower(c));
        CREATE INDEX p1 ON t (b) WHERE c = 'x'; CREATE INDEX p1_with_a_longer_name ON t (b) WHERE c = 'x';
        CREATE INDEX p2 ON t (b) WHERE c = 'y'; CREATE INDEX g1 ON t USING hash (b);
        CREATE INDEX c1 ON t (c); CREATE INDEX c2 ON t (c COLLATE "C"); CREATE INDEX c3 ON t (c text_pattern_ops);
        CREATE TABLE u (a int, b int NOT NULL);
        CREATE UNIQUE INDEX u1 ON u (b); ALTER TABLE u ADD CONSTRAINT u2 UNIQUE (b); CREATE INDEX u3 ON u (b);
        ALTER TABLE u ADD CONSTRAINT later UNIQUE (a) DEFERRABLE; CREATE UNIQUE INDEX now ON u (a);
        CREATE TABLE n (a int); CREATE UNIQUE INDEX n1 ON n (a); {nulls};
        CREATE SCHEMA other; CREATE TABLE other.t (a int); CREATE INDEX a1 ON other.t (a);
        CREATE TABLE i (a int, b int, c int); CREATE INDEX i1 ON i (a) INCLUDE (b, c); CREATE INDEX i2 ON i (a) INCLUDE (c, b);
        CREATE TABLE h ({quoted(HOSTILE)} int); CREATE INDEX {quoted(HOSTILE)} ON h ({quoted(HOSTILE)});
        CREATE INDEX {quoted(HOSTILE + "2")} ON h ({quoted(HOSTILE)});""")
    rows = found(audit(), "duplicate")
    assert {k: r["evidence"]["other"].removeprefix("public.") for k, r in rows.items()} == {
        "a1_with_a_longer_name": "a1", "e1_with_a_longer_name": "e1", "p1_with_a_longer_name": "p1",
        "u1": "u2", "u3": "u2", "later": "now", "i2": "i1", quoted(HOSTILE + "2"): quoted(HOSTILE)}
    assert rows["u1"]["evidence"]["kept_because"] == "it backs a constraint"
    assert all(r["verdict"] == "CANDIDATE" and r["severity"] == "warning" for r in rows.values())
    before = definitions(place)
    for row in rows.values():
        run_statements(place, row["fix"])
    assert found(audit(), "duplicate") == {} and len(definitions(place)) == len(before) - len(rows) - 1  # a constraint
    for row in rows.values():
        run_statements(place, row["undo"])
    assert definitions(place) == before


def definitions(database):
    """Everything the audit might change, names included."""
    return sorted(database.sql("""
        SELECT 'index', n.nspname, c.relname, pg_get_indexdef(c.oid), i.indisvalid::text, coalesce(obj_description(c.oid, 'pg_class'), '')
             , coalesce(h.inhparent::regclass::text, ''), i.indisclustered::text
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        UNION ALL
        SELECT 'constraint', n.nspname, o.conname, pg_get_constraintdef(o.oid), '', '', '', '' FROM pg_constraint o
          JOIN pg_namespace n ON n.oid = o.connamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND o.contype <> 'n'
        UNION ALL
        SELECT 'statistics', '', stxname, pg_get_statisticsobjdef(oid), '', '', '', '' FROM pg_statistic_ext"""))


def run_statements(database, text):
    """One statement a line that ends with ;, as the script has them."""
    statement = ""
    with database.connect() as c:
        for line in text.splitlines():
            statement += line + "\n"
            if line.endswith(";") and not statement.count('"') % 2:
                c.execute(statement)
                statement = ""
    assert not statement.strip(), statement


def test_redundant(audit, place):
    place.sql("""
        CREATE TABLE t (a int, b int, c int, d int, e text);
        CREATE INDEX a ON t (a); CREATE UNIQUE INDEX ab ON t (a, b);
        CREATE UNIQUE INDEX c ON t (c); CREATE INDEX cd ON t (c, d);
        CREATE INDEX d_with_b ON t (d) INCLUDE (b); CREATE INDEX dc ON t (d, c);
        CREATE INDEX b_with_d ON t (b) INCLUDE (d); CREATE INDEX bd ON t (b, d, a);
        CREATE TABLE o (a int, b int, c int, e text);
        CREATE INDEX a_desc ON o (a DESC); CREATE INDEX a_asc ON o (a);
        CREATE INDEX b_first ON o (b NULLS FIRST); CREATE INDEX bc ON o (b, c);
        CREATE INDEX c_part ON o (c) WHERE a > 0; CREATE INDEX ca ON o (c, a);
        CREATE INDEX e_c ON o (e COLLATE "C"); CREATE INDEX ea ON o (e, a);
        CREATE TABLE x (e text, f text, a int);
        CREATE INDEX lower_e ON x (lower(e)); CREATE INDEX lower_e_f ON x (lower(e), f); CREATE INDEX upper_e ON x (upper(e));
        CREATE INDEX hash_a ON x USING hash (a); CREATE INDEX a_e ON x (a, e)""")
    answer = audit()
    rows = found(answer, "redundant")
    assert {k: (r["evidence"]["class"], r["evidence"]["other"], r["verdict"]) for k, r in rows.items()} == {
        "a": ("prefix", "public.ab", "CANDIDATE"), "b_with_d": ("prefix", "public.bd", "CANDIDATE"),
        "d_with_b": ("prefix_without_payload", "public.dc", "REVIEW"), "lower_e": ("prefix", "public.lower_e_f", "CANDIDATE")}
    mirrored = found(answer, "mirrored")
    assert list(mirrored) == ["a_asc"] and mirrored["a_asc"]["severity"] == "info" and mirrored["a_asc"]["verdict"] == "REVIEW"
    assert found(answer, "duplicate") == {}


def test_partitioned_indexes_are_one(audit, place):
    """Duplicates are reported once, at the root; a partition's own index against those that are attached."""
    place.sql("""
        CREATE TABLE p (k int, v int, w int) PARTITION BY RANGE (k);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (v);
        CREATE TABLE p2a PARTITION OF p2 DEFAULT;
        CREATE INDEX v1 ON p (v); CREATE INDEX v2 ON p (v); COMMENT ON INDEX v2 IS 'it''s'; COMMENT ON INDEX p1_v_idx1 IS 'below';
        CREATE INDEX own ON p1 (v); CREATE INDEX wide ON p1 (w); CREATE INDEX wk ON p (w, k)""")
    rows = found(audit())
    assert {k: (r["id"], r["evidence"]["other"].removeprefix("public.")) for k, r in rows.items()} == {
        "v2": ("indexes.duplicate", "v1"), "own": ("indexes.duplicate", "p1_v_idx"), "wide": ("indexes.redundant", "p1_w_k_idx")}
    assert rows["v2"]["size"] == 2 * 8192 and "CONCURRENTLY" not in rows["v2"]["fix"] and "CONCURRENTLY" in rows["own"]["fix"]
    before = definitions(place)
    run_statements(place, rows["v2"]["fix"])
    assert len(definitions(place)) == len(before) - 4
    run_statements(place, rows["v2"]["undo"])
    assert definitions(place) == before


def test_invalid(audit, place):
    """The states of an invalid index, made the way they come about where that can be done; each cure works."""
    place.sql(f"""
        CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'y');
        CREATE INDEX maintained ON t (a); CREATE INDEX dropping ON t (a, b);
        CREATE INDEX lonely_ccold2 ON t (b); CREATE INDEX {quoted(HOSTILE)} ON t (b, a);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('maintained'::regclass, 'lonely_ccold2'::regclass, '{quoted(HOSTILE)}'::regclass);
        UPDATE pg_index SET indisvalid = false, indisready = false, indislive = false WHERE indexrelid = 'dropping'::regclass;""")
    with place.connect() as c, pytest.raises(psycopg.errors.UniqueViolation):
        c.execute("CREATE UNIQUE INDEX CONCURRENTLY failed ON t (a)")
    rows = found(audit(), "invalid")
    assert {k: (r["evidence"]["state"], r["verdict"]) for k, r in rows.items()} == {
        "maintained": ("maintained", "REBUILD"), "failed": ("not_ready", "REBUILD"), "dropping": ("dropping", "DROP"),
        "lonely_ccold2": ("ccold", "DROP"), quoted(HOSTILE): ("maintained", "REBUILD")}
    place.sql("DELETE FROM t WHERE b = 'y'")
    for row in rows.values():
        run_statements(place, row["fix"])
    assert found(audit(), "invalid") == {}
    assert {d[2] for d in definitions(place)} == {"maintained", "failed", HOSTILE}


def test_what_reindex_leaves(audit, place):
    """An interrupted REINDEX CONCURRENTLY: copies of the index and of the TOAST table's."""
    place.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    with psycopg.connect(place.conninfo) as holder, place.connect() as c:
        holder.execute("INSERT INTO t VALUES (1)")
        pid = c.execute("SELECT pg_backend_pid()").fetchone()[0]
        thread = threading.Thread(target=lambda: pytest.raises(psycopg.errors.QueryCanceled, c.execute, "REINDEX TABLE CONCURRENTLY t"))
        thread.start()
        wait_until(lambda: place.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 2, "the copies")
        wait_until(lambda: place.value("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", pid), "REINDEX to wait")
        working = found(audit(), "invalid")
        place.sql("SELECT pg_cancel_backend(%s)", pid)
        thread.join()
    assert len(working) == 2 and {r["verdict"] for r in working.values()} == {"WAIT"}
    rows = found(audit(), "invalid")
    toast = next(k for k in rows if k.startswith("pg_toast."))
    assert {k: (r["evidence"]["state"], r["verdict"], r["table"]) for k, r in rows.items()} == {
        "t_pkey_ccnew": ("ccnew", "DROP", "public.t"), toast: ("toast", "DROP", "public.t")}
    for row in rows.values():
        run_statements(place, row["fix"])
    assert found(audit(), "invalid") == {}


def test_building(audit, place):
    place.sql("CREATE TABLE t (a int)")
    with psycopg.connect(place.conninfo) as holder, place.connect() as c:
        holder.execute("INSERT INTO t VALUES (1)")
        thread = threading.Thread(target=c.execute, args=("CREATE INDEX CONCURRENTLY i ON t (a)",))
        thread.start()
        wait_until(lambda: place.value("SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid <> 0"), "the build")
        row = found(audit("--check"), "invalid")["i"]
        holder.rollback()
        thread.join()
    assert (row["verdict"], row["severity"], row["fix"]) == ("WAIT", "info", None)
    assert found(audit()) == {}


def test_unattached(audit, place):
    """A partitioned index that lacks partitions: what is there is attached, what is not is made, at every level."""
    place.sql("""
        CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p3 PARTITION OF p DEFAULT;
        CREATE TABLE odd (x int, v int, k int); ALTER TABLE odd DROP COLUMN x; ALTER TABLE p ATTACH PARTITION odd FOR VALUES FROM (10) TO (20);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (v); CREATE TABLE p2a PARTITION OF p2 DEFAULT;
        CREATE UNIQUE INDEX root ON ONLY p (k, v); CREATE UNIQUE INDEX there ON odd (k, v); CREATE INDEX plain ON p1 (k, v)""")
    row = found(audit(), "invalid")["root"]
    assert (row["evidence"]["state"], row["verdict"], row["undo"]) == ("unattached", "ATTACH", None)
    assert '"there"' in row["fix"] and '"plain"' not in row["fix"]
    run_statements(place, row["fix"])
    assert found(audit(), "invalid") == {}
    assert place.value("SELECT count(*) FROM pg_partition_tree('root')") == 6


def test_locked(audit, place):
    """Nobody's ACCESS EXCLUSIVE lock is waited for: the row says that its size is an estimate."""
    place.sql("""
        CREATE TABLE t (a int, b text); INSERT INTO t SELECT g, g FROM generate_series(1, 10000) g;
        CREATE INDEX a ON t (a); CREATE INDEX b ON t (a); CREATE INDEX e1 ON t (lower(b)); CREATE INDEX e2 ON t (lower(b))""")
    free = found(audit())
    with psycopg.connect(place.conninfo) as holder:
        holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        answer = audit("--lock-timeout=10s", timeout=9)
    rows = found(answer)
    assert set(free) == {"b", "e2"} and set(rows) == {"b"}
    assert (rows["b"]["size"], rows["b"]["size_estimated"], rows["b"]["fix"]) == (free["b"]["size"], True, None)
    assert not free["b"]["size_estimated"]
    assert answer["completeness"] == "partial" and answer["gaps"][0]["what"].startswith("2 indexes")


def test_filters(audit, place):
    place.sql("""
        CREATE SCHEMA s1; CREATE SCHEMA s2;
        CREATE TABLE s1.t (a int); CREATE INDEX d1 ON s1.t (a); CREATE INDEX d2 ON s1.t (a);
        CREATE TABLE s2.u (a int); CREATE INDEX d3 ON s2.u (a); CREATE INDEX d4 ON s2.u (a, a); CREATE INDEX d5 ON s2.u (a, a)""")
    assert set(found(audit("--schema=s1"))) == {"s1.d2"}
    assert set(found(audit("--schema=s?", "--table=s2.*"))) == {"s2.d3", "s2.d5"}
    assert set(found(audit("--table=u", "--only=redundant"))) == {"s2.d3"}
    assert set(found(audit("--table=nothing"))) == set()
    assert set(found(audit("--min-size=9kB"))) == set() and len(found(audit("--min-size=8kB"))) == 3


def test_check(dbops_for, place):
    dbops = dbops_for(place.cluster)
    place.sql("CREATE TABLE t (a int)")
    assert dbops("indexes", "audit", "-d", place.name, "--only=duplicate", "--format=nagios").stdout.startswith("DBOPS INDEXES OK - ")
    place.sql("CREATE INDEX a ON t (a); CREATE INDEX b ON t (a)")
    line = dbops("indexes", "audit", "-d", place.name, "--format=nagios", expect=EXIT["warning"]).stdout
    assert line.startswith("DBOPS INDEXES WARNING - public.b: the same as public.a") and "'findings duplicate'=1;" in line
    text = dbops("indexes", "audit", "-d", place.name, "--format=prom").stdout
    assert 'dbops_indexes_findings{kind="duplicate"} 1\n' in text
