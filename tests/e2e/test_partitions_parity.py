# SPDX-License-Identifier: PostgreSQL
"""partitions check: partitions that are not like their parent, and the printed SQL that makes them so, on every major."""
import pytest

from support.servers import quoted
from test_partitions_check import HOSTILE, findings, month, months, repair, run  # noqa: F401 (run is a fixture)

TABLE = "CREATE TABLE t (id int NOT NULL, at date NOT NULL, who text, a int DEFAULT 7, b int, c int GENERATED ALWAYS AS (b + 1) STORED) PARTITION BY RANGE (at);"


@pytest.fixture
def roles(every_server):
    names = ["Own\"er", "reader", "anon"]
    for name in names:
        every_server.sql(f"DROP ROLE IF EXISTS {quoted(name)}")
        every_server.sql(f"CREATE ROLE {quoted(name)}")
    yield names


@pytest.fixture
def parts(server_db):
    """Names of four partitions of t."""
    server_db.sql(TABLE + months("t", range(0, 4)))
    return [f"t_{month(n):%Y_%m}" for n in range(0, 4)]


def listed(found):
    return [f for rows in found.values() for f in (rows if isinstance(rows, list) else [rows])]


def cured(run, database, names):
    """The findings are those, each fix ends one, each undo brings it back, and nothing is left."""
    before = listed(findings(run, database))
    assert sorted(f["id"] for f in before) == sorted(f"partitions.{n}" for n in names)
    for f in before:
        assert f["fix"], f
        repair(database, f)
    assert findings(run, database) == {}
    for f in before:
        if f["undo"]:
            repair(database, {"fix": f["undo"]})
            again = listed(findings(run, database))
            assert [(x["id"], x["object"], x["message"]) for x in again] == [(f["id"], f["object"], f["message"])]
            repair(database, f)
            assert findings(run, database) == {}
    return before


def test_owner(run, server_db, parts, roles):
    server_db.sql(f"ALTER TABLE {parts[1]} OWNER TO {quoted(roles[0])}")
    [f] = cured(run, server_db, ["owner"])
    assert f["message"] == 'it belongs to Own"er, its parent to postgres' and f["object"] == f"public.{parts[1]}"


def test_grants(run, server_db, parts, roles):
    server_db.sql(f"GRANT SELECT, INSERT ON t TO reader; GRANT SELECT (at) ON t TO anon; GRANT UPDATE ON t TO reader WITH GRANT OPTION;"
                  + "".join(f"GRANT SELECT, INSERT ON {p} TO reader; GRANT SELECT (at) ON {p} TO anon; GRANT UPDATE ON {p} TO reader WITH GRANT OPTION;" for p in parts)
                  + f"REVOKE INSERT ON {parts[0]} FROM reader; REVOKE UPDATE ON {parts[2]} FROM reader; REVOKE SELECT (at) ON {parts[2]} FROM anon;"
                  + f"GRANT DELETE, TRUNCATE ON {parts[1]} TO PUBLIC; GRANT UPDATE (who) ON {parts[1]} TO anon")
    fs = cured(run, server_db, ["grant_missing"] * 3 + ["grant_extra"] * 2)
    assert {f["severity"] for f in fs if f["id"].endswith("extra")} == {"warning"} and {f["severity"] for f in fs if f["id"].endswith("missing")} == {"info"}


def test_row_level_security(run, server_db, parts, roles):
    server_db.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE TABLE allowed (who text);"
                  "CREATE POLICY own ON t FOR SELECT TO reader, anon USING (who = current_user AND EXISTS (SELECT 1 FROM allowed x WHERE x.who = t.who));"
                  f"CREATE POLICY {quoted(HOSTILE)} ON t AS RESTRICTIVE USING (a > 0) WITH CHECK (b > 0);"
                  f"GRANT SELECT ON t TO anon;" + "".join(f"GRANT SELECT ON {p} TO anon;" for p in parts[1:]))
    found = findings(run, server_db)
    assert [f["severity"] for f in found["partitions.rls"]] == ["warning", "critical", "critical", "critical"]
    assert "anon may use it directly" in found["partitions.rls"][1]["message"]
    for f in listed(found):
        repair(server_db, f)
    assert findings(run, server_db) == {}
    server_db.sql(f"DROP POLICY own ON {parts[0]}; DROP POLICY {quoted(HOSTILE)} ON {parts[1]}; ALTER POLICY own ON {parts[2]} USING (true);"
                  f"CREATE POLICY more ON {parts[3]} FOR INSERT WITH CHECK (true)")
    fs = cured(run, server_db, ["policy_missing", "policy_missing", "policy_different", "policy_extra"])
    assert {f["object"][-2:]: f["severity"] for f in fs} == {parts[0][-2:]: "info", parts[1][-2:]: "warning", parts[2][-2:]: "warning", parts[3][-2:]: "warning"}


@pytest.mark.parametrize("wanted", ["FULL", "NOTHING", "USING INDEX t_k"])
def test_replica_identity_of_the_parent(run, server_db, parts, wanted):
    server_db.sql(f"CREATE UNIQUE INDEX t_k ON t (id, at); ALTER TABLE ONLY t REPLICA IDENTITY {wanted}")
    cured(run, server_db, ["replica_identity"] * 4)


def test_replica_identity_and_options_of_most(run, server_db, parts):
    server_db.sql("".join(f"ALTER TABLE {p} REPLICA IDENTITY FULL; ALTER TABLE {p} SET (fillfactor = 80, toast.autovacuum_enabled = off);" for p in parts[:3])
                  + f"ALTER TABLE {parts[3]} SET (fillfactor = 70, autovacuum_enabled = false)")
    fs = cured(run, server_db, ["replica_identity", "options"])
    assert {f["object"] for f in fs} == {f"public.{parts[3]}"}
    server_db.sql(f"ALTER TABLE {parts[0]} SET (fillfactor = 90); ALTER TABLE {parts[1]} REPLICA IDENTITY DEFAULT;"
                  f"ALTER TABLE {parts[1]} SET (fillfactor = 95); ALTER TABLE {parts[0]} REPLICA IDENTITY DEFAULT")
    assert findings(run, server_db) == {}  # no majority


def test_tablespace(run, server_db, parts):
    with server_db.connect() as c:
        c.execute("SET allow_in_place_tablespaces = on")
        c.execute("DROP TABLESPACE IF EXISTS cold")
        c.execute("CREATE TABLESPACE cold LOCATION ''")
        c.execute("ALTER TABLE ONLY t SET TABLESPACE cold")
    assert {f["severity"] for f in cured(run, server_db, ["tablespace"] * 4)} == {"info"}


def test_columns(every_server, run, server_db, parts):
    server_db.sql(f"ALTER TABLE ONLY t ALTER COLUMN a SET DEFAULT 8; ALTER TABLE {parts[0]} ALTER COLUMN a SET DEFAULT 8;"
                  f"ALTER TABLE {parts[1]} ALTER COLUMN a SET DEFAULT 9; ALTER TABLE {parts[2]} ALTER COLUMN a DROP DEFAULT;"
                  f"ALTER TABLE {parts[3]} ALTER COLUMN a SET DEFAULT 8; ALTER TABLE ONLY t ALTER COLUMN b SET STATISTICS 1000;"
                  f"ALTER TABLE {parts[0]} ALTER COLUMN b SET STATISTICS 1000; ALTER TABLE {parts[1]} ALTER COLUMN b SET STATISTICS 10;"
                  f"ALTER TABLE {parts[2]} ALTER COLUMN b SET STATISTICS 1000")
    cured(run, server_db, ["column_default"] * 2 + ["statistics_target"] * 2)


def test_identity(every_server, run, server_db):
    """Before 17 a partition made by LIKE INCLUDING ALL counts on its own; since then identity is the parent's for all."""
    server_db.sql("CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, at date) PARTITION BY RANGE (at);" + months("t", range(0, 3)))
    assert findings(run, server_db) == {}
    if every_server.major < 17:
        server_db.sql("CREATE TABLE x (LIKE t INCLUDING ALL);"
                      f"ALTER TABLE t ATTACH PARTITION x FOR VALUES FROM ('{month(3)}') TO ('{month(4)}')")
        cured(run, server_db, ["identity"])


def test_generated(every_server, run, server_db):
    """Since 16 a partition may compute another value, and since 17 a statement cures that."""
    server_db.sql("CREATE TABLE t (at date, b int, c int GENERATED ALWAYS AS (b + 1) STORED) PARTITION BY RANGE (at);" + months("t", range(0, 3))
                  + "CREATE TABLE x (at date, b int, c int GENERATED ALWAYS AS (b + 2) STORED);")
    attach = f"ALTER TABLE t ATTACH PARTITION x FOR VALUES FROM ('{month(3)}') TO ('{month(4)}')"
    if every_server.major < 16:
        with pytest.raises(Exception, match="conflicting generation expression"):
            server_db.sql(attach)
        return
    server_db.sql(attach)
    [f] = listed(findings(run, server_db))
    assert f["id"] == "partitions.generated" and "(b + 2) here, as (b + 1)" in f["message"]
    if every_server.major < 17:
        assert f["fix"] is None
    else:
        cured(run, server_db, ["generated"])


def test_statistics(run, server_db, parts):
    server_db.sql("CREATE STATISTICS s1 (ndistinct, mcv) ON b, a FROM t; CREATE STATISTICS s2 ON (a + b) FROM t; CREATE STATISTICS s3 ON b, (lower(who)) FROM t;"
                  f"CREATE STATISTICS other (mcv, ndistinct) ON a, b FROM {parts[0]}; CREATE STATISTICS wrong (ndistinct) ON a, b FROM {parts[1]}")
    cured(run, server_db, ["statistics"] * 11)


def test_indexes(run, server_db, parts):
    server_db.sql(f"CREATE INDEX i1 ON ONLY t (b DESC) WHERE a > 0; CREATE UNIQUE INDEX {quoted(HOSTILE)} ON ONLY t (id, at);"
                  f"CREATE INDEX there ON {parts[0]} (b DESC) WHERE a > 0; CREATE INDEX i1_other ON {parts[1]} (b);"
                  f"ALTER TABLE ONLY t ADD CONSTRAINT pk PRIMARY KEY (at, id); ALTER TABLE {parts[2]} ADD CONSTRAINT pk2 PRIMARY KEY (at, id)")
    fs = cured(run, server_db, ["index_unattached"] * 2 + ["index_missing"] * 10)
    assert all(f["severity"] == "warning" for f in fs)
    assert server_db.value("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass")


def test_invalid_index(run, server_db, parts):
    """What an interrupted CREATE INDEX CONCURRENTLY or REINDEX leaves behind; both cures make the parent's index valid."""
    server_db.sql("CREATE INDEX i1 ON ONLY t (b)")
    for p in parts[1:]:
        server_db.sql(f"CREATE INDEX i1_{p} ON {p} (b); ALTER INDEX i1 ATTACH PARTITION i1_{p}")
    server_db.sql(f"CREATE INDEX bad ON {parts[0]} (b); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bad'::regclass; ALTER INDEX i1 ATTACH PARTITION bad")
    for i, finding in ((0, "index_invalid"), (1, "index_stuck")):
        if i:
            server_db.sql("REINDEX INDEX bad; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i1'::regclass")
        [f] = cured(run, server_db, [finding])
        assert server_db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i1'::regclass")


def test_branch_indexes(run, server_db):
    """Below a partition that is partitioned itself the cure goes level by level."""
    server_db.sql("CREATE TABLE t (k int, at date) PARTITION BY LIST (k); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1) PARTITION BY RANGE (at);"
                  + months("t_1", range(0, 3)) + "CREATE INDEX i ON ONLY t (at)")
    for level in (1, 3):
        fs = listed(findings(run, server_db))
        assert [f["id"] for f in fs] == ["partitions.index_missing"] * level
        for f in fs:
            repair(server_db, f)
    assert findings(run, server_db) == {}
    assert server_db.value("SELECT bool_and(indisvalid) FROM pg_index")


def test_triggers(run, server_db, parts):
    server_db.sql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                  f"CREATE TRIGGER {quoted('T 1')} AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER t2 BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();")
    assert findings(run, server_db) == {}
    server_db.sql(f"ALTER TABLE {parts[0]} DISABLE TRIGGER {quoted('T 1')}; ALTER TABLE {parts[1]} ENABLE ALWAYS TRIGGER t2; ALTER TABLE {parts[2]} ENABLE REPLICA TRIGGER t2")
    cured(run, server_db, ["trigger"] * 3)


def test_publications(every_server, run, server_db, parts):
    server_db.sql(f"CREATE PUBLICATION {quoted(HOSTILE)} FOR TABLE {', '.join(parts[:3])}; CREATE PUBLICATION few FOR TABLE {parts[0]}; CREATE PUBLICATION root FOR TABLE t")
    [f] = cured(run, server_db, ["publication"])
    assert f["object"] == f"public.{parts[3]}"
    server_db.sql(f"ALTER PUBLICATION {quoted(HOSTILE)} DROP TABLE {parts[3]}; ALTER PUBLICATION {quoted(HOSTILE)} ADD TABLE t")
    assert findings(run, server_db) == {}


def test_hostile_names(run, server_db, roles):
    name, part = HOSTILE, HOSTILE[:-1] + "1"
    server_db.sql(f"CREATE SCHEMA {quoted(name)}; SET search_path = {quoted(name)};"
                  f"CREATE TABLE {quoted(name)} ({quoted(name)} int, b int DEFAULT 1) PARTITION BY RANGE ({quoted(name)});"
                  f"CREATE TABLE {quoted(part)} PARTITION OF {quoted(name)} FOR VALUES FROM (1) TO (2);"
                  f"CREATE INDEX {quoted(name)} ON ONLY {quoted(name)} ({quoted(name)}, b);".replace(f"INDEX {quoted(name)}", f"INDEX {quoted(name[:-1] + '2')}")
                  + f"ALTER TABLE {quoted(part)} OWNER TO {quoted(roles[0])}; GRANT SELECT ({quoted(name)}) ON {quoted(name)} TO anon;"
                  f"ALTER TABLE {quoted(part)} ALTER COLUMN b SET DEFAULT 2; CREATE STATISTICS {quoted(name[:-1] + '3')} ON {quoted(name)}, b FROM {quoted(name)}")
    found = listed(findings(run, server_db))
    assert len(found) == 5
    for f in found:
        repair(server_db, f)
    assert findings(run, server_db) == {}


def test_locked_partition(run, server_db, parts):
    """What is locked exclusively is not compared, and the answer says so at once."""
    server_db.sql(f"CREATE INDEX i1 ON ONLY t (b)")
    with server_db.connect() as holder:
        holder.execute(f"BEGIN; LOCK TABLE ONLY {parts[0]} IN ACCESS EXCLUSIVE MODE")
        answer = run.json("partitions", "check", "-d", server_db, timeout=20)
    assert answer["status"] == "warning" and len(answer["partitions"]) == 3
    assert answer["gaps"] == [{"what": f"whether public.{parts[0]} is like its parent", "reason": "locked by another session", "grant": None}]
