# SPDX-License-Identifier: PostgreSQL
"""indexes audit: each way of being wrong about indexes, on every server there is."""
import json
import os
import pathlib
import re
import shutil
import threading

import jsonschema
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
    assert rows["later"]["verdict"] == "REVIEW" and "it backs a constraint" in rows["later"]["message"]
    assert all(r["verdict"] == "CANDIDATE" and r["severity"] == "warning" for k, r in rows.items() if k != "later")
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
        CREATE INDEX twin ON t (a DESC, b); CREATE INDEX works ON t (a DESC, b); CREATE INDEX lonely_ccold2 ON t (b); CREATE INDEX {quoted(HOSTILE)} ON t (b, a);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('maintained'::regclass, 'twin'::regclass, 'lonely_ccold2'::regclass, '{quoted(HOSTILE)}'::regclass);
        UPDATE pg_index SET indisvalid = false, indisready = false, indislive = false WHERE indexrelid = 'dropping'::regclass;""")
    with place.connect() as c, pytest.raises(psycopg.errors.UniqueViolation):
        c.execute("CREATE UNIQUE INDEX CONCURRENTLY failed ON t (a)")
    rows = found(audit(), "invalid")
    assert {k: (r["evidence"]["state"], r["verdict"]) for k, r in rows.items()} == {
        "maintained": ("maintained", "REBUILD"), "twin": ("maintained", "DROP"), "failed": ("not_ready", "REBUILD"), "dropping": ("dropping", "DROP"),
        "lonely_ccold2": ("ccold", "DROP"), quoted(HOSTILE): ("maintained", "REBUILD")}
    place.sql("DELETE FROM t WHERE b = 'y'")
    for row in rows.values():
        run_statements(place, row["fix"])
    assert found(audit(), "invalid") == {}
    assert {d[2] for d in definitions(place)} == {"maintained", "failed", "works", HOSTILE}


def test_what_reindex_leaves(audit, place):
    """An interrupted REINDEX CONCURRENTLY: copies of the index and of the TOAST table's."""
    place.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    with place.connect() as c, psycopg.connect(place.conninfo) as holder:  # the holder ends first, whatever happens
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
    with place.connect() as c, psycopg.connect(place.conninfo) as holder:  # the holder ends first, whatever happens
        holder.execute("INSERT INTO t VALUES (1)")
        thread = threading.Thread(target=c.execute, args=("CREATE INDEX CONCURRENTLY i ON t (a)",))
        thread.start()
        wait_until(lambda: place.value("SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid <> 0"), "the build")
        row = found(audit("--check", expect=(0, EXIT["unknown"])), "invalid")["i"]  # the server's statistics are young
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
        blind = audit("--only=redundant")
        assert blind["indexes"] == [] and blind["status"] == "unknown", "what could not be compared is not fine"
        assert audit("--only=foreign-key")["status"] == "ok"
    rows = found(answer)
    assert set(free) == {"b", "e2"} and set(rows) == {"b"}
    assert (rows["b"]["size"], rows["b"]["size_estimated"], rows["b"]["fix"]) == (free["b"]["size"], True, None)
    assert not free["b"]["size_estimated"]
    assert answer["completeness"] == "partial" and [g for g in answer["gaps"] if g["what"].startswith("2 indexes")]


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


# --- unused ----------------------------------------------------------------------------------------------------

SINCE = """SELECT extract(epoch FROM clock_timestamp() - coalesce(d.stats_reset, least(b.stats_reset, a.stats_reset)))::float8
    FROM pg_stat_database d, pg_stat_bgwriter b, pg_stat_archiver a WHERE d.datname = current_database()"""
USED = "SELECT indexrelname FROM pg_stat_all_indexes WHERE idx_scan > 0"


def wait_for_window(database, seconds):
    wait_until(lambda: database.value(SINCE) > seconds, "statistics that are old enough", every=0.1)


def wait_for_use(database, *names):
    wait_until(lambda: {r[0] for r in database.sql(USED)} >= set(names), f"use of {names} in the statistics", every=0.05)


def test_unused_ladder(audit, place, server_major):
    """KEEP is never accused, REVIEW says why, CANDIDATE has nothing in its favour; what is used is not there."""
    place.sql("""
        CREATE EXTENSION btree_gist;
        CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, b int NOT NULL, r int NOT NULL, x int, c int, e text, p int, d int, s int, w int, n int,
            EXCLUDE USING gist (x WITH =));
        CREATE UNIQUE INDEX bare ON t (b); CREATE UNIQUE INDEX ident ON t (r); ALTER TABLE t REPLICA IDENTITY USING INDEX ident;
        CREATE INDEX clustered ON t (c); ALTER TABLE t CLUSTER ON clustered;
        CREATE INDEX expression ON t (lower(e)); CREATE INDEX part ON t (p) WHERE d > 5; CREATE INDEX dead ON t (d);
        CREATE INDEX probed ON t (s); CREATE INDEX used ON t (w); CREATE INDEX inlist ON t (n);
        CREATE TABLE child (t int REFERENCES t (u), o int); CREATE INDEX child_t ON child (t);
        CREATE TABLE unread (a int); CREATE INDEX unread_a ON unread (a);
        CREATE TABLE ext (a int); CREATE INDEX ext_a ON ext (a); ALTER EXTENSION btree_gist ADD TABLE ext;
        CREATE TABLE pu (k int, v int, w int) PARTITION BY RANGE (k);
        CREATE TABLE pu1 PARTITION OF pu FOR VALUES FROM (0) TO (10); CREATE TABLE pu2 PARTITION OF pu FOR VALUES FROM (10) TO (20);
        CREATE INDEX pu_v ON pu (v); CREATE INDEX pu_w ON pu (w);
        INSERT INTO t SELECT g, g, g, g, g, g, g, g, g, g, g, g FROM generate_series(1, 2000) g; INSERT INTO child SELECT g, g FROM generate_series(1, 2000) g;
        INSERT INTO pu SELECT g % 20, g, g FROM generate_series(1, 2000) g; UPDATE t SET d = d + 1; UPDATE t SET d = d + 1;
        ANALYZE""")
    place.sql("VACUUM t")  # dead entries would be read by the planner's probes
    wait_for_window(place, 4)
    place.sql("""
        SET enable_seqscan = off; SET enable_bitmapscan = off;
        SELECT count(*) FROM t WHERE w > 0; SELECT count(*) FROM t WHERE n = ANY ('{1,300,700,1100,1500,1900}');
        EXPLAIN SELECT 1 FROM t WHERE s < 5; EXPLAIN SELECT 1 FROM t WHERE s < 6;
        SELECT count(*) FROM pu2 WHERE w > 0;
        SET enable_seqscan = on; SET enable_indexscan = off; SELECT count(*) FROM pu; SELECT count(*) FROM child; SELECT count(*) FROM t""")
    wait_for_use(place, "used", "probed", "inlist", "pu2_w_idx")
    answer = audit("--min-age=4s", "--all")
    rows = found(answer, "unused")
    assert {k: r["verdict"] for k, r in rows.items()} == {
        "dead": "CANDIDATE", "pu_v": "CANDIDATE", "expression": "REVIEW", "part": "REVIEW", "probed": "REVIEW", "child_t": "REVIEW",
        "unread_a": "REVIEW"} | ({"inlist": "REVIEW"} if "inlist" in rows else {})
    reasons = {"expression": "ANALYZE keeps statistics", "part": "for few rows", "probed": "may be the planner's own", "child_t": "a foreign key needs it",
               "unread_a": "nobody read the table"}
    assert {k: v for k, v in reasons.items() if v not in rows[k]["message"]} == {}
    assert rows["pu_v"]["evidence"]["partitions"] == 2 and rows["dead"]["evidence"]["writes"] >= 2000 and rows["dead"]["evidence"]["scans"] == 0
    assert list(rows)[0] == "dead", "bytes x writes decide the order"
    keep = found(answer, "kept")
    words = {"t_pkey": "primary key", "t_u_key": "unique constraint", "bare": "it is unique", "ident": "it is unique", "clustered": "clustered",
             "t_x_excl": "exclusion", "ext_a": "extension"}
    assert {k: v for k, v in words.items() if v not in keep[k]["message"]} == {} and set(keep) == set(words)
    assert found(audit("--min-age=4s"), "kept") == {}
    if server_major >= 14:
        assert "CREATE STATISTICS" in rows["expression"]["fix"]
    before = definitions(place)
    for name in ("dead", "expression", "pu_v"):
        run_statements(place, rows[name]["fix"])
    assert len(definitions(place)) == len(before) - 5 + (server_major >= 14)
    for name in ("dead", "expression", "pu_v"):
        run_statements(place, rows[name]["undo"])
    assert definitions(place) == before


def test_expression_statistics_survive(audit, place, server_major):
    """Dropping an index nobody scans must not make estimates wrong: the fix keeps the statistics of its expression."""
    place.sql("""
        CREATE TABLE t (a int, b text); CREATE INDEX e ON t ((a % 2)); INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g; ANALYZE t""")
    wait_for_window(place, 0.1)

    def estimate():
        return place.sql("EXPLAIN (FORMAT JSON) SELECT * FROM t WHERE a % 2 = 0")[0][0][0]["Plan"]["Plan Rows"]

    assert 9000 < estimate() < 11000
    row = found(audit("--min-age=0s"), "unused")["e"]
    assert row["verdict"] == "REVIEW"
    run_statements(place, row["fix"])
    assert (9000 < estimate() < 11000) == (server_major >= 14), "13 has no statistics of expressions"


def test_no_verdict_without_history(audit, dbops_for, place):
    place.sql("CREATE TABLE t (a int); CREATE INDEX i ON t (a)")
    answer = audit("--min-age=100d")
    assert found(answer, "unused") == {} and answer["completeness"] == "partial" and answer["status"] == "unknown"
    assert "--min-age asks for 100 days" in answer["gaps"][0]["reason"]
    dbops = dbops_for(place.cluster)
    dbops("indexes", "audit", "-d", place.name, "--check", expect=EXIT["unknown"])
    dbops("indexes", "audit", "-d", place.name, "--check", "--only=duplicate", expect=0)


def test_after_a_crash_the_window_is_short(server_major, dbops_for, work):
    """Counters are lost and stats_reset is NULL: what was before does not count."""
    from conftest import BINDIRS, EMBEDDED, MAJOR
    from support.servers import Cluster
    cluster = Cluster(BINDIRS.get(server_major) or EMBEDDED[server_major], server_major, clients=BINDIRS[MAJOR], initdb=("-E", "UTF8", "--no-locale"))
    try:
        database = cluster.create_database()
        database.sql("CREATE TABLE t (a int); CREATE INDEX i ON t (a)")
        database.sql("SELECT pg_stat_reset()")
        wait_for_window(database, 2)
        dbops = dbops_for(cluster)
        assert "i" in found(dbops.json("indexes", "audit", "-d", database.name, "--min-age=2s"), "unused")
        cluster.kill()
        cluster.start()
        lost = "SELECT coalesce(stats_reset >= pg_postmaster_start_time(), true) FROM pg_stat_database WHERE datname = current_database()"
        assert database.value(lost), "NULL, or on 13 and 14 when the first session came"
        began = database.value("SELECT pg_postmaster_start_time()")
        answer = dbops.json("indexes", "audit", "-d", database.name, "--min-age=0s")
        assert answer["indexes"][0]["evidence"]["since"] >= began.astimezone().strftime("%Y-%m-%dT")
        row = found(answer, "unused")["i"]
        assert row["evidence"]["window"] < database.value("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8") + 1
        # stats_reset is NULL in both samples, and yet the second crash took what was counted between them
        dbops("indexes", "audit", "-d", database.name, "--save", work / "before")
        cluster.kill()
        cluster.start()
        began = database.value("SELECT pg_postmaster_start_time()")
        answer = dbops.json("indexes", "audit", "-d", database.name, "--min-age=0s", "--since", work / "before")
        reason, = [g["reason"] for g in answer["gaps"] if g["what"] == "the earlier sample"]
        assert reason == "the statistics began anew since the earlier sample" or server_major < 15 and "reset" in reason
        assert found(answer, "unused")["i"]["evidence"]["since"] >= began.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    finally:
        cluster.stop()


def test_samples(audit, place, work):
    """--since: what happened between two samples decides when they are far enough apart; a new index is not old."""
    place.sql("CREATE TABLE t (a int, b int, c int); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g; CREATE INDEX a ON t (a); CREATE INDEX b ON t (b)")
    place.sql("SET enable_seqscan = off; SELECT count(*) FROM t WHERE a > 0; SELECT count(*) FROM t WHERE b > 0")
    wait_for_use(place, "a", "b")
    assert found(audit("--min-age=1h", "--save", work / "before"), "unused") == {}
    place.sql("CREATE INDEX young ON t (c)")
    place.sql("SET enable_seqscan = off; SELECT count(*) FROM t WHERE b > 0")
    wait_until(lambda: place.value("SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelid = 'b'::regclass") == 2, "the second scan")
    rows = found(audit("--min-age=10ms", "--since", work / "before"), "unused")
    assert set(rows) == {"a", "young"} and rows["young"]["verdict"] == "REVIEW" and "younger than the earlier sample" in rows["young"]["message"]
    place.sql("DROP INDEX young")
    rows = found(audit("--min-age=10ms", "--since", work / "before"), "unused")
    assert set(rows) == {"a"} and rows["a"]["verdict"] == "CANDIDATE"


def test_last_scan(audit, place, server_major):
    """16 and newer: an index that was scanned, but long ago."""
    place.sql("CREATE TABLE t (a int); INSERT INTO t SELECT g FROM generate_series(1, 1000) g; CREATE INDEX a ON t (a)")
    place.sql("SET enable_seqscan = off; SELECT count(*) FROM t WHERE a > 0")
    wait_for_use(place, "a")
    wait_for_window(place, 2)
    if server_major >= 16:
        wait_until(lambda: place.value("SELECT clock_timestamp() - last_idx_scan > '1.1 s' FROM pg_stat_all_indexes WHERE indexrelid = 'a'::regclass"), "a scan long ago")
    rows = found(audit("--min-age=1s"), "unused")
    assert set(rows) == ({"a"} if server_major >= 16 else set())
    if rows:
        assert rows["a"]["message"].startswith("last scanned") and rows["a"]["last_scan"]


def test_standby(own_cluster, dbops_for, tmp_path):
    """A primary with a standby says nothing about use before that was asked, and then counts its scans."""
    primary = own_cluster()
    primary.write_hba(["local all all trust", "local replication all trust"])
    primary.sql("SELECT pg_reload_conf()")
    database = primary.create_database(name="App ' db")
    database.sql("CREATE TABLE t (a int, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g; CREATE INDEX a ON t (a); CREATE INDEX b ON t (b); ANALYZE")
    other = own_cluster()
    standby = own_cluster()
    standby.kill()
    for path in standby.data.iterdir():
        servers_remove(path)
    primary.tool("pg_basebackup", "-D", str(tmp_path / "copy"), "-c", "fast", "-X", "stream")
    copy_tree(tmp_path / "copy", standby.data)
    (standby.data / "standby.signal").touch()
    standby.options["primary_conninfo"] = f"host={primary.base} port={primary.port} user=postgres"
    standby.start()
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")[0][0] == 1, "streaming")
    dbops = dbops_for(primary)

    def run(*words, **kwargs):
        return dbops.json("indexes", "audit", "-d", database.name, "--min-age=0s", *words, **kwargs)

    answer = run()
    assert found(answer, "unused") == {} and answer["status"] == "unknown" and "1 standby of this server was not sampled" in answer["gaps"][0]["reason"]
    dsn = f"host={standby.base} port={standby.port}"
    with standby.connect(database.name) as c:
        c.execute("SET enable_seqscan = off")
        c.execute("SELECT count(*) FROM t WHERE a > 0 AND b > 0")
        c.execute("SELECT count(*) FROM t WHERE a > 0")
    wait_until(lambda: standby.database(database.name).sql("SELECT 1 FROM pg_stat_all_indexes WHERE idx_scan > 0 AND relname = 't'"), "the standby's scans")
    used = standby.database(database.name).sql("SELECT indexrelname FROM pg_stat_all_indexes WHERE idx_scan > 0 AND relname = 't'")
    rows = found(run("--standby", dsn), "unused")
    assert set(rows) == {"a", "b"} - {u[0] for u in used} and all(r["evidence"]["standbys_sampled"] == 1 for r in rows.values())
    url = f"postgresql://postgres@/?host={standby.base}&port={standby.port}"
    assert set(found(run("--standby", url), "unused")) == set(rows)
    twice = dbops("indexes", "audit", "-d", database.name, "--standby", url, "--standby", dsn, expect=EXIT["usage"])
    assert "was given twice" in twice.stderr
    wrong = dbops("indexes", "audit", "-d", database.name, "--standby", f"host={other.base} port={other.port} dbname=postgres", expect=EXIT["usage"])
    assert "is not a standby" in wrong.stderr
    gone = run("--standby", "host=/nowhere")
    assert gone["status"] == "unknown" and found(gone, "unused") == {} and len(gone["gaps"]) == 2
    there = dbops_for(standby).json("indexes", "audit", "-d", database.name, "--min-age=0s")
    assert "this is a standby" in there["gaps"][0]["reason"] and found(there, "unused") == {}


def servers_remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy_tree(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in [target, *target.rglob("*")]:
        shutil.chown(path, "postgres", "postgres")
    target.chmod(0o700)


# --- foreign keys ----------------------------------------------------------------------------------------------

def test_foreign_keys(audit, place, server_major):
    """Any order of the columns covers, a prefix or one column each does not; partial only when it is IS NOT NULL."""
    place.sql(f"""
        CREATE TABLE p (a int, b int, c text, PRIMARY KEY (a, b), UNIQUE (a), UNIQUE (c));
        CREATE TABLE k1 (a int, b int, CONSTRAINT swapped FOREIGN KEY (a, b) REFERENCES p); CREATE INDEX ON k1 (b, a);
        CREATE TABLE k2 (a int, b int, CONSTRAINT two_singles FOREIGN KEY (a, b) REFERENCES p ON DELETE CASCADE); CREATE INDEX k2_a ON k2 (a); CREATE INDEX ON k2 (b);
        CREATE TABLE k3 (x int, a int, b int, CONSTRAINT behind FOREIGN KEY (a, b) REFERENCES p); CREATE INDEX ON k3 (x, a, b);
        CREATE TABLE k4 (a int, b int, y int, CONSTRAINT in_front FOREIGN KEY (a, b) REFERENCES p); CREATE INDEX ON k4 (a, b, y);
        CREATE TABLE k5 (a int CONSTRAINT not_null REFERENCES p (a)); CREATE INDEX ON k5 (a) WHERE a IS NOT NULL;
        CREATE TABLE k6 (a int CONSTRAINT other_condition REFERENCES p (a)); CREATE INDEX ON k6 (a) WHERE a > 0;
        CREATE TABLE k7 (a int CONSTRAINT hashed REFERENCES p (a)); CREATE INDEX ON k7 USING hash (a);
        CREATE TABLE k8 (a int CONSTRAINT brinned REFERENCES p (a)); CREATE INDEX ON k8 USING brin (a);
        CREATE TABLE k9 (c text CONSTRAINT pattern REFERENCES p (c)); CREATE INDEX ON k9 (c text_pattern_ops);
        CREATE TABLE k10 (c text CONSTRAINT collated REFERENCES p (c)); CREATE INDEX ON k10 (c COLLATE "C");
        CREATE TABLE k11 (a int8 CONSTRAINT wider REFERENCES p (a)); CREATE INDEX ON k11 (a);
        CREATE TABLE k12 (a int CONSTRAINT invalid REFERENCES p (a)); CREATE INDEX k12_a ON k12 (a);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'k12_a'::regclass;
        CREATE TABLE k13 ("{HOSTILE.replace('"', '""')}" int, b int, FOREIGN KEY ("{HOSTILE.replace('"', '""')}", b) REFERENCES p);
        CREATE INDEX ON k13 (b, "{HOSTILE.replace('"', '""')}") WHERE "{HOSTILE.replace('"', '""')}" IS NOT NULL AND b IS NOT NULL;
        CREATE TABLE k14 ("{HOSTILE.replace('"', '""')}" int CONSTRAINT hostile REFERENCES p (a));
        CREATE TABLE k15 (a int, CONSTRAINT same1 FOREIGN KEY (a) REFERENCES p (a), CONSTRAINT same2 FOREIGN KEY (a) REFERENCES p (a));
        {"ALTER TABLE k6 ADD CONSTRAINT idle FOREIGN KEY (a) REFERENCES p (a) NOT ENFORCED;" if server_major >= 18 else ""}""")
    answer = audit()
    rows = {r["object"].split(".")[-1]: r for r in answer["indexes"] if r["id"] == "indexes.foreign_key"}
    assert set(rows) == {"two_singles", "behind", "other_condition", "brinned", "pattern", "collated", "invalid", "hostile", "same1", "same2"} - (
        {"pattern"} if "pattern" not in rows else set())
    assert rows["two_singles"]["evidence"]["covered_columns"] == 1 and all(r["severity"] == "info" for r in rows.values())
    assert [rows[k]["fix"] is None for k in ("same1", "same2")].count(True) == 1
    before = definitions(place)
    for row in rows.values():
        run_statements(place, row["fix"] or "")
    assert [r for r in audit()["indexes"] if r["id"] == "indexes.foreign_key"] == []
    for row in rows.values():
        run_statements(place, row["undo"] or "")
    assert definitions(place) == before


def test_foreign_key_that_hurts(audit, place):
    place.sql("""
        CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE big (a int CONSTRAINT fk REFERENCES p ON DELETE CASCADE, filler text);
        INSERT INTO p SELECT g FROM generate_series(1, 10) g; INSERT INTO big SELECT 1, repeat('x', 500) FROM generate_series(1, 4000) g; ANALYZE""")
    row = found(audit(), "foreign_key")["big.fk"]
    assert (row["severity"], row["verdict"], row["evidence"]["on_delete"]) == ("warning", "CREATE", "c")


def test_foreign_keys_of_partitions(audit, place):
    """Reported once, at the root; an index on each partition covers as one on the root does."""
    place.sql("""
        CREATE TABLE p (a int PRIMARY KEY);
        CREATE TABLE bare (k int, a int CONSTRAINT bare_fk REFERENCES p) PARTITION BY RANGE (k);
        CREATE TABLE bare1 PARTITION OF bare FOR VALUES FROM (0) TO (10); CREATE TABLE bare2 PARTITION OF bare DEFAULT;
        CREATE TABLE rooted (k int, a int REFERENCES p) PARTITION BY RANGE (k); CREATE TABLE rooted1 PARTITION OF rooted DEFAULT; CREATE INDEX ON rooted (a);
        CREATE TABLE each (k int, a int REFERENCES p) PARTITION BY RANGE (k);
        CREATE TABLE each1 PARTITION OF each FOR VALUES FROM (0) TO (10); CREATE TABLE each2 PARTITION OF each DEFAULT;
        CREATE INDEX ON each1 (a); CREATE INDEX ON each2 (a)""")
    rows = found(audit(), "foreign_key")
    assert set(rows) == {"bare.bare_fk"}
    before = definitions(place)
    run_statements(place, rows["bare.bare_fk"]["fix"])
    assert found(audit(), "foreign_key") == {} and found(audit(), "invalid") == {}
    run_statements(place, rows["bare.bare_fk"]["undo"])
    assert definitions(place) == before


# --- scripts, expected indexes, bloat, sequential scans --------------------------------------------------------

SCRIPT = """
    CREATE TABLE t (a int, b int, c text, d int, UNIQUE (a)); CREATE INDEX a1 ON t (a); CREATE INDEX b1 ON t (b, a); CREATE INDEX b2 ON t (b);
    CREATE UNIQUE INDEX u1 ON t (d); ALTER TABLE t ADD CONSTRAINT u2 UNIQUE (d) DEFERRABLE INITIALLY DEFERRED;
    COMMENT ON INDEX b2 IS E'it''s; a\\ncomment\\\\'; CREATE INDEX e1 ON t (lower(c)); CREATE INDEX dead ON t (c);
    CREATE TABLE p (k int, v int) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p DEFAULT;
    CREATE INDEX pv1 ON p (v); CREATE INDEX pv2 ON p (v);
    CREATE TABLE child (x int CONSTRAINT fk REFERENCES t (a));
    CREATE TABLE "h;' --" ("a""; x" int); CREATE INDEX "i1;\n'" ON "h;' --" ("a""; x"); CREATE INDEX "i2;\n'" ON "h;' --" ("a""; x");"""


def test_script(audit, dbops_for, place, work):
    """--sql: psql runs it, afterwards nothing is left to do; with rollback=1 everything is as before, names and comments included."""
    place.sql(SCRIPT)
    wait_for_window(place, 0.1)
    before = definitions(place)
    todo = [r for r in audit("--min-age=0s")["indexes"] if r["verdict"] not in ("REVIEW", "WAIT")]
    script = work / "change.sql"
    script.write_text(dbops_for(place.cluster)("indexes", "audit", "-d", place.name, "--min-age=0s", "--sql").stdout)
    assert len(todo) == 5 and script.read_text().count("CONCURRENTLY") > 4
    run = place.cluster.tool("psql", "-X", "-d", place.name, "-f", script)
    assert "ERROR" not in run.stderr
    left = [r for r in audit("--min-age=0s")["indexes"] if r["verdict"] not in ("REVIEW", "WAIT")]
    assert {r["id"] for r in left} <= {"indexes.unused"}, "nothing relies on the survivors any more"
    changed = definitions(place)
    assert changed != before and "lower" in str(changed), "what needs a decision is only a comment"
    place.cluster.tool("psql", "-X", "-v", "rollback=1", "-d", place.name, "-f", script)
    assert definitions(place) == before
    wrong = place.cluster.tool("psql", "-X", "-d", "postgres", "-f", script, check=False)
    assert "for another database" in wrong.stderr and definitions(place) == before


def test_script_leaves_out_what_is_accepted(dbops_for, place, work):
    place.sql("CREATE TABLE t (a int); CREATE INDEX a1 ON t (a); CREATE INDEX a2 ON t (a)")
    config = work / "accepted.yaml"
    config.write_text("suppressions:\n  known:\n    finding: indexes.duplicate\n    object: public.a2\n    reason: we know\n")
    dbops = dbops_for(place.cluster)
    assert "DROP INDEX" in dbops("indexes", "audit", "-d", place.name, "--only=duplicate", "--sql").stdout
    assert "DROP INDEX" not in dbops("indexes", "audit", "-d", place.name, "--only=duplicate", "--sql", "--config", config).stdout
    assert dbops("indexes", "audit", "-d", place.name, "--only=duplicate", "--check", "--config", config).code == 0
    wrong = dbops("indexes", "audit", "-d", place.name, "--sql", "--format=json", expect=EXIT["usage"])
    assert "--sql prints a script" in wrong.stderr


EXPECTED = """-- the agreed list
CREATE INDEX CONCURRENTLY IF NOT EXISTS same ON public.t USING btree (a ASC NULLS LAST, b DESC) WHERE (c = 'x');
create unique index on t (lower(c)) /* another name will do */;
CREATE INDEX part ON t (b) WHERE c IN ('x', 'y') AND d::int8 <> 4 AND c LIKE 'a%';
CREATE INDEX stamp ON t (((e AT TIME ZONE 'UTC')::date));
CREATE INDEX "Quoted;" ON t ("Mixed");
CREATE INDEX missing ON t
    (d,   -- a comment; with a semicolon
     a) INCLUDE (b);
CREATE INDEX different ON t (a, d);
CREATE INDEX invalid ON t (d);
CREATE UNIQUE INDEX not_unique ON t (b, d);
CREATE INDEX other_where ON t (b, c) WHERE a > 5;
CREATE INDEX no_table ON nowhere (a);
"""


def test_expected(audit, dbops_for, place, work, server_major):
    place.sql("""
        CREATE TABLE t (a int, b int, c varchar(10), d int, e timestamptz, "Mixed" int);
        CREATE INDEX same ON t (a, b DESC) WHERE c = 'x'; CREATE UNIQUE INDEX lower_c ON t (lower(c));
        CREATE INDEX part ON t (b) WHERE c IN ('x', 'y') AND d::int8 <> 4 AND c LIKE 'a%'; CREATE INDEX stamp ON t (((e AT TIME ZONE 'UTC')::date));
        CREATE INDEX "Quoted;" ON t ("Mixed"); CREATE INDEX different ON t (d, a DESC); CREATE INDEX invalid ON t (d); CREATE INDEX not_unique ON t (b, d);
        CREATE INDEX other_where ON t (b, c) WHERE a > 6;
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'invalid'::regclass""")
    (work / "list.sql").write_text(EXPECTED)
    answer = audit("--only=expected", "--expect", work / "list.sql")
    rows = {r["object"].removeprefix("public."): r for r in answer["indexes"]}
    assert {k: r["id"].removeprefix("indexes.expected_") for k, r in rows.items()} == {
        "t.missing": "missing", "different": "different", "invalid": "invalid", "not_unique": "different", "other_where": "different",
        "nowhere.no_table": "missing"} | ({"stamp": "different"} if server_major == 13 else {})  # timezone('UTC', e) there
    assert rows["different"]["evidence"]["found"].endswith("(d, a DESC)") and "(a, d)" in rows["different"]["evidence"]["expected"]
    before = definitions(place)
    run_statements(place, rows["t.missing"]["fix"])
    assert "t.missing" not in [r["object"].removeprefix("public.") for r in audit("--only=expected", "--expect", work / "list.sql")["indexes"]]
    run_statements(place, rows["t.missing"]["undo"])
    assert definitions(place) == before
    (work / "list.yaml").write_text("# agreed\n- CREATE INDEX missing ON t (d, a)\n- |\n  CREATE INDEX same ON t (a, b DESC)\n    WHERE c = 'x';\n")
    dbops = dbops_for(place.cluster)
    result = dbops("indexes", "audit", "-d", place.name, "--only=expected", "--expect", work / "list.yaml", "--check", expect=EXIT["warning"])
    assert "WARNING - public.t.missing: it must exist, but does not" in result.stdout
    for name, text, words in (("a.sql", "CREATE INDEX i ON t (a); DROP TABLE t", "statement 2"), ("b.sql", "CREATE INDEX i ON t ('a", "statement 1"),
                              ("c.yaml", "indexes: []", "line 1"), ("d.yaml", "- [a", "line"), ("e.yml", "- SELECT 1", "no CREATE INDEX")):
        (work / name).write_text(text)
        assert words in dbops("indexes", "audit", "-d", place.name, "--expect", work / name, expect=EXIT["usage"]).stderr
    dbops("indexes", "audit", "-d", place.name, "--expect", work / "none.sql", expect=EXIT["not_found"])


def test_bloat(audit, dbops_for, place):
    """An estimate says that it is one; --exact measures. Freshly built indexes are not accused, nor any without statistics."""
    place.sql("""
        CREATE TABLE t (a int, b text, n name) WITH (autovacuum_enabled = off); CREATE INDEX bloated ON t (a); CREATE INDEX fine ON t (b); CREATE INDEX named ON t (n);
        INSERT INTO t SELECT g, md5(g::text), 'x' || g FROM generate_series(1, 100000) g;
        DELETE FROM t WHERE a % 10 <> 0;""")
    place.sql("VACUUM ANALYZE t")
    place.sql("REINDEX INDEX fine")
    place.sql("CREATE TABLE young (a int) WITH (autovacuum_enabled = off); INSERT INTO young SELECT generate_series(1, 100000); CREATE INDEX young_a ON young (a)")
    wait_until(lambda: place.value("SELECT last_analyze IS NOT NULL AND n_mod_since_analyze < 1000 FROM pg_stat_all_tables WHERE relid = 't'::regclass"), "the statistics")
    answer = audit("--only=bloat")
    rows = found(answer, "bloat")
    assert set(rows) == {"bloated"} and rows["bloated"]["severity"] == "info" and rows["bloated"]["verdict"] == "REVIEW"
    assert 80 < rows["bloated"]["evidence"]["percent"] < 95 and rows["bloated"]["evidence"]["exact"] is False
    assert answer["gaps"][0]["what"] == "bloat of 1 index" and answer["completeness"] == "partial"
    dbops = dbops_for(place.cluster)
    none = dbops("indexes", "audit", "-d", place.name, "--exact", expect=EXIT["not_found"])
    assert "CREATE EXTENSION pgstattuple" in none.stderr
    place.sql("CREATE SCHEMA tools; CREATE EXTENSION pgstattuple SCHEMA tools")
    rows = found(audit("--only=bloat", "--exact"), "bloat")
    assert set(rows) == {"bloated", "named"} and rows["bloated"]["severity"] == "warning" and rows["bloated"]["evidence"]["exact"] is True
    run_statements(place, rows["bloated"]["fix"])
    run_statements(place, rows["named"]["fix"])
    assert found(audit("--only=bloat", "--exact"), "bloat") == {}


def test_bloat_without_rights(dbops_for, place, server_major):
    """A role that sees no pg_stats gets no estimate, and is told so."""
    place.sql("""CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100000); CREATE INDEX i ON t (a); ANALYZE t;
        DO $$ BEGIN CREATE ROLE blind LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;""")
    answer = dbops_for(place.cluster).json("indexes", "audit", "-d", place.name, "-U", "blind", "--only=bloat")
    gap = answer["gaps"][0]
    assert answer["indexes"] == [] and gap["what"] == "bloat of 1 index"
    assert gap["grant"] == ('GRANT pg_read_all_data TO "blind";' if server_major >= 14 else None)


def test_sequential_scans(audit, place):
    """Large tables that are read whole, again and again; not small ones, not those read once, partitions as one."""
    place.sql("""
        CREATE TABLE often (a int, f text); INSERT INTO often SELECT g, repeat('x', 400) FROM generate_series(1, 30000) g;
        CREATE TABLE once (a int, f text); INSERT INTO once SELECT g, repeat('x', 400) FROM generate_series(1, 30000) g;
        CREATE TABLE small (a int); INSERT INTO small SELECT g FROM generate_series(1, 20000) g;
        CREATE TABLE parts (a int, f text) PARTITION BY RANGE (a);
        CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (15000); CREATE TABLE parts2 PARTITION OF parts DEFAULT;
        INSERT INTO parts SELECT g, repeat('x', 400) FROM generate_series(1, 30000) g; ANALYZE""")
    with place.connect() as c:
        for table in ["often"] * 25 + ["small"] * 25 + ["parts"] * 25 + ["once"]:
            c.execute(f"SELECT count(*) FROM {table} WHERE f = 'y'" if table != "small" else "SELECT count(*) FROM small WHERE a = 1")
    wait_until(lambda: place.value("SELECT sum(seq_scan) FROM pg_stat_all_tables WHERE relname IN ('often', 'parts1', 'parts2')") >= 75, "the scans")
    rows = found(audit("--only=missing"), "sequential_scans")
    assert set(rows) == {"often", "parts"} and rows["often"]["severity"] == "info"
    assert rows["often"]["evidence"]["sequential_scans"] >= 25 and 29000 < rows["often"]["evidence"]["rows_a_scan"] < 31000


# --- formats ---------------------------------------------------------------------------------------------------

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs/schema/indexes-audit.json"
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def test_json_is_as_the_schema_says(audit, place, work):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).validate
    check(audit())
    place.sql(SCRIPT)
    place.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'e1'::regclass; CREATE EXTENSION pgstattuple")
    (work / "list.sql").write_text(EXPECTED)
    for words in (["--min-age=0s", "--all", "--exact"], ["--min-age=100d"], ["--expect", work / "list.sql"]):
        answer = audit(*words)
        assert answer["indexes"]
        check(answer)
    with pytest.raises(jsonschema.ValidationError):
        check({**answer, "indexes": [{**answer["indexes"][0], "verdict": "MAYBE"}]})


def steady(text, database):
    """The output without what differs from run to run."""
    text = text.replace(database.name, "DATABASE").replace(str(database.cluster.base), "SERVER").replace(str(database.cluster.port), "PORT")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    return re.sub(r'"server_version": ?\d+', '"server_version":N', text)


@pytest.mark.parametrize("suffix,words", [("txt", []), ("expanded", ["--format=expanded"]), ("json", ["--format=json"]), ("ndjson", ["--format=ndjson"]),
                                          ("csv", ["--format=csv"]), ("prom", ["--format=prom"]), ("nagios", ["--format=nagios"]), ("sql", ["--sql"])])
def test_golden(dbops, db, suffix, words):
    """Every format of the same findings, as tests/e2e/golden has them; GOLDEN=write rewrites the files."""
    db.sql("""
        CREATE TABLE orders (id int PRIMARY KEY, customer int, note text); CREATE INDEX orders_customer ON orders (customer);
        CREATE INDEX orders_customer_id ON orders (customer, id); CREATE INDEX orders_note ON orders (note); CREATE INDEX orders_note2 ON orders (note);
        CREATE TABLE lines (o int CONSTRAINT lines_o_fkey REFERENCES orders ON DELETE CASCADE);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_note'::regclass""")
    db.sql("CREATE INDEX orders_note3 ON orders (note)")
    text = dbops("indexes", "audit", "-d", db.name, "--min-age=10000d", *words, expect=EXIT["warning"] if suffix == "nagios" else 0).stdout
    text = re.sub(r"began .*? ago", "began DURATION ago", steady(text, db))
    path = GOLDEN / f"indexes-audit.{suffix}"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture(scope="module")
def proving():
    """A server with pg_stat_statements loaded; Debian's, which has hypopg."""
    from conftest import BINDIRS, MAJOR
    from support.servers import Cluster
    cluster = Cluster(BINDIRS[MAJOR], MAJOR, options={"shared_preload_libraries": "pg_stat_statements"})
    yield cluster
    cluster.stop()


def test_proof(proving, dbops_for):
    """A sequential scan's statements are named; with hypopg the index that the planner would use is advised, and it does use it."""
    database = proving.create_database()
    database.sql("""
        CREATE TABLE "Big ""t" (a int, "Key col" int, f text); INSERT INTO "Big ""t" SELECT g, g, repeat('x', 400) FROM generate_series(1, 30000) g;
        CREATE EXTENSION pg_stat_statements; ANALYZE""")
    with database.connect() as c:
        for n in range(25):
            c.execute('SELECT f FROM "Big ""t" WHERE "Key col" = %s', [n])
    wait_until(lambda: database.value("SELECT sum(seq_scan) FROM pg_stat_user_tables") >= 25, "the scans")
    dbops = dbops_for(proving)
    words = ["indexes", "audit", "-d", database.name, "--only=missing"]
    missing = dbops(*words, "--prove", expect=EXIT["not_found"])
    assert "CREATE EXTENSION hypopg" in missing.stderr
    database.sql("CREATE SCHEMA tools; CREATE EXTENSION hypopg SCHEMA tools")
    (row,) = dbops.json(*words)["indexes"]
    assert row["verdict"] == "REVIEW" and row["fix"] is None and row["evidence"]["statements"][0]["calls"] == 25
    (row,) = dbops.json(*words, "--prove")["indexes"]
    assert (row["verdict"], row["severity"], row["evidence"]["proof"]["column"]) == ("CREATE", "warning", "Key col")
    assert row["evidence"]["proof"]["cost_after"] < row["evidence"]["proof"]["cost_before"] / 2
    run_statements(database, row["fix"])
    plan = str(database.sql('EXPLAIN SELECT f FROM "Big ""t" WHERE "Key col" = 7'))
    assert "Index Scan" in plan
    run_statements(database, row["undo"])
    assert database.value("SELECT count(*) FROM pg_index WHERE indrelid = '\"Big \"\"t\"'::regclass") == 0
    database.drop()
