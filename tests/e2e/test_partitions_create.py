# SPDX-License-Identifier: PostgreSQL
"""partitions create: what is missing is made, like the parent, without stopping anybody, and nothing twice."""
import pytest

from conftest import BINDIRS, MAJOR
from support.partitions import Traffic, bounds, short
from support.runner import EXIT
from support.servers import quoted, wait_until

NOW = "2025-03-15 12:00+00"
HOSTILE = 'Tr"; DROP\nTABLE x; --'


@pytest.fixture
def run(dbops_for, every_server):
    return dbops_for(every_server)


@pytest.fixture
def create(run, server_db):
    def call(table, *words, expect=0, **kwargs):
        return run("partitions", "create", "-d", server_db, table, "--now", NOW, *words, *([] if "--dry-run" in words or "--sql" in words else ["--yes"]),
                   expect=expect, **kwargs)
    return call


def monthly(server_db, name="trades", columns="id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, v text, PRIMARY KEY (id, at)"):
    server_db.sql(f"CREATE TABLE {name} ({columns}) PARTITION BY RANGE (at)")


def spans(server_db, table="trades"):
    return {name: short(text) for name, text in bounds(server_db, table).items()}


def test_months_ahead_and_nothing_twice(create, run, server_db):
    monthly(server_db)
    create("trades", "--interval", "1 month", "--ahead", "2")
    expected = {"trades_2025_03": "2025-03-01 .. 2025-04-01", "trades_2025_04": "2025-04-01 .. 2025-05-01", "trades_2025_05": "2025-05-01 .. 2025-06-01"}
    assert spans(server_db) == expected
    again = create("trades", "--interval", "1 month", "--ahead", "2", "--format", "json")
    assert again.json["steps"] == [] and "nothing to do" in again.stderr and spans(server_db) == expected
    more = create("trades", "--interval", "1 month", "--ahead", "3", "--format", "json").json
    assert [(s["step"], s["done"], s["attempts"]) for s in more["steps"]] == [("create public.trades_2025_06", True, 1)]
    server_db.sql("INSERT INTO trades (at, v) SELECT '2025-04-10', g FROM generate_series(1, 5) g")
    assert server_db.value("SELECT count(DISTINCT id) FROM trades_2025_04") == 5
    identity = server_db.value("SELECT attidentity = 'a' FROM pg_attribute WHERE attrelid = 'trades_2025_06'::regclass AND attname = 'id'")
    assert identity == (server_db.cluster.major >= 17), "a sequence of its own before 17, the parent's since"
    assert server_db.value("SELECT count(*) FROM pg_constraint WHERE conrelid = 'trades_2025_06'::regclass AND contype = 'c'") == 0


def test_goes_on_from_the_highest_bound_and_fills_gaps(create, server_db):
    """Missed runs leave neither gap nor overlap, whatever day it is."""
    monthly(server_db)
    server_db.sql("""CREATE TABLE a PARTITION OF trades FOR VALUES FROM ('2024-09-01+00') TO ('2024-10-01+00');
        CREATE TABLE b PARTITION OF trades FOR VALUES FROM ('2024-12-01+00') TO ('2024-12-20+00');
        CREATE TABLE c PARTITION OF trades FOR VALUES FROM ('2025-01-01+00') TO ('2025-02-01+00')""")
    result = create("trades", "--interval", "1 month", "--ahead", "1", "--format", "json")
    made = spans(server_db)
    assert made == {
        "a": "2024-09-01 .. 2024-10-01", "trades_2024_10": "2024-10-01 .. 2024-11-01", "trades_2024_11": "2024-11-01 .. 2024-12-01",
        "b": "2024-12-01 .. 2024-12-20", "trades_2024_12": "2024-12-20 .. 2025-01-01", "c": "2025-01-01 .. 2025-02-01",
        "trades_2025_02": "2025-02-01 .. 2025-03-01", "trades_2025_03": "2025-03-01 .. 2025-04-01", "trades_2025_04": "2025-04-01 .. 2025-05-01"}
    assert result.json["notes"] == ["the partition before the existing 'c' is shorter than 1 month"]


def test_parent_properties(every_server, create, server_db):
    """Everything that a partition does not get by itself."""
    for role in ("part_owner", "part_reader", "part_extra"):
        every_server.sql(f"DROP ROLE IF EXISTS {role}"), every_server.sql(f"CREATE ROLE {role}")
    monthly(server_db, columns="id bigint, at timestamptz NOT NULL, v text, tenant text, PRIMARY KEY (id, at)")
    server_db.sql("""
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, DELETE ON TABLES TO part_extra;
        ALTER TABLE trades OWNER TO part_owner; GRANT CREATE ON SCHEMA public TO part_owner;
        GRANT SELECT ON trades TO part_reader WITH GRANT OPTION; GRANT INSERT, UPDATE ON trades TO part_reader; GRANT SELECT ON trades TO PUBLIC;
        GRANT UPDATE (v), REFERENCES (v) ON trades TO part_extra;
        ALTER TABLE trades ENABLE ROW LEVEL SECURITY; ALTER TABLE trades FORCE ROW LEVEL SECURITY;
        CREATE POLICY "own; rows" ON trades FOR SELECT TO part_reader, PUBLIC USING (tenant = current_user);
        CREATE POLICY strict ON trades AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (v <> 'it''s');
        ALTER TABLE trades ALTER v SET STATISTICS 500; CREATE STATISTICS trades_stats ON id, tenant FROM trades;
        CREATE INDEX ON trades (v); ALTER TABLE trades REPLICA IDENTITY FULL;
        CREATE TABLE old PARTITION OF trades FOR VALUES FROM ('2025-02-01+00') TO ('2025-03-01+00');
        ALTER TABLE old SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = off)""")
    create("trades", "--interval", "1 month", "--ahead", "0")
    facts = lambda table: server_db.sql("""SELECT pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, relreplident,
        (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a),
        (SELECT array_agg(row(polname, polpermissive, polcmd, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))::text ORDER BY polname)
           FROM pg_policy WHERE polrelid = c.oid),
        (SELECT array_agg(row(attname, attstattarget, attacl)::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0),
        (SELECT count(*) FROM pg_statistic_ext WHERE stxrelid = c.oid), (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid)
        FROM pg_class c WHERE oid = %s::regclass""", table)[0]  # noqa: E731
    assert facts("trades_2025_03") == facts("trades")
    options = lambda t: server_db.sql("SELECT c.reloptions, t.reloptions FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = %s::regclass", t)[0]  # noqa: E731
    assert sorted(options("trades_2025_03")[0]) == sorted(options("old")[0]) and options("trades_2025_03")[1] == ["autovacuum_enabled=off"]


def test_replica_identity_by_index(create, server_db):
    monthly(server_db, columns="id bigint NOT NULL, at timestamptz NOT NULL")
    server_db.sql("CREATE UNIQUE INDEX trades_key ON trades (id, at); ALTER TABLE trades REPLICA IDENTITY USING INDEX trades_key")
    create("trades", "--interval", "1 month", "--ahead", "0")
    assert server_db.sql("""SELECT c.relreplident, p.inhparent::regclass::text FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident
        JOIN pg_inherits p ON p.inhrelid = i.indexrelid WHERE c.relname = 'trades_2025_03'""") == [("i", "trades_key")]


@pytest.mark.parametrize("zone, month, offset", [("America/New_York", "2025-03-01 05:00:00+00 .. 2025-04-01 04:00:00+00", "-05"),
                                                 ("Australia/Lord_Howe", "2025-02-28 13:00:00+00 .. 2025-03-31 13:00:00+00", "+11"),
                                                 ("Asia/Kathmandu", "2025-02-28 18:15:00+00 .. 2025-03-31 18:15:00+00", "+05:45")])
def test_time_zones(create, server_db, zone, month, offset):
    """A month begins at local midnight, in winter and in summer; the session's own zone has no say; a mixed grid is refused."""
    server_db.sql(f"ALTER DATABASE {quoted(server_db.name)} SET TimeZone = 'Asia/Tokyo'")
    monthly(server_db)
    create("trades", "--interval", "1 month", "--ahead", "8", "--timezone", zone)
    made = spans(server_db)
    assert made["trades_2025_03"] == month and len(made) == 9
    with server_db.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        starts = connection.execute("""SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']*)'))[1]::timestamptz::timestamp::text
            FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'trades'::regclass ORDER BY 1""").fetchall()
    assert [s for (s,) in starts] == [f"2025-{m:02}-01 00:00:00" for m in range(3, 12)]
    wrong = create("trades", "--interval", "1 month", "--ahead", "9", expect=EXIT["refused"])
    assert "is not the start of a day in time zone 'UTC'" in wrong.stderr and "--timezone" in wrong.stderr
    assert spans(server_db) == made


def test_days_and_hours_around_the_change(create, server_db):
    """Days in a zone are 23 and 25 hours long; hours are counted in UTC and have no hole."""
    monthly(server_db, "days")
    monthly(server_db, "hours")
    create("days", "--interval", "1 day", "--ahead", "1", "--timezone", "Europe/Berlin", "--now", "2025-10-26 09:00+00")
    assert spans(server_db, "days") == {"days_2025_10_26": "2025-10-25 22:00:00+00 .. 2025-10-26 23:00:00+00",
                                        "days_2025_10_27": "2025-10-26 23:00:00+00 .. 2025-10-27 23:00:00+00"}
    create("hours", "--interval", "1 hour", "--ahead", "3", "--timezone", "Europe/Berlin", "--now", "2025-10-25 23:30+00")
    assert list(spans(server_db, "hours")) == [f"hours_2025_10_{h}" for h in ("25_23", "26_00", "26_01", "26_02")]


@pytest.mark.parametrize("column, words, expected", [
    ("date", ["--interval", "1 week"], {"k_2025_w11": "2025-03-10 .. 2025-03-17", "k_2025_w12": "2025-03-17 .. 2025-03-24"}),
    ("timestamp", ["--interval", "3 months"], {"k_2025_01": "2025-01-01 00:00:00 .. 2025-04-01 00:00:00", "k_2025_04": "2025-04-01 00:00:00 .. 2025-07-01 00:00:00"}),
    ("date", ["--interval", "1 year", "--name", "y{from}"], {"y2025-01-01": "2025-01-01 .. 2026-01-01", "y2026-01-01": "2026-01-01 .. 2027-01-01"}),
    ("bigint", ["--interval", "1 month", "--epoch", "ms"], {"k_2025_03": "1740787200000 .. 1743465600000", "k_2025_04": "1743465600000 .. 1746057600000"}),
    ("int", ["--interval", "1 day", "--epoch", "s"], {"k_2025_03_15": "1741996800 .. 1742083200", "k_2025_03_16": "1742083200 .. 1742169600"}),
    ("bigint", ["--interval", "1000"], {"k_0": "0 .. 1000", "k_1000": "1000 .. 2000"}),
    ("uuid", ["--interval", "1 month", "--timezone", "America/New_York"],
     {"k_2025_03": "01955004-3480-7000-8000-000000000000 .. 0195ef71-f800-7000-8000-000000000000"}),
], ids=["weeks", "quarters", "years", "epoch-ms", "epoch-s", "integer", "uuidv7"])
def test_key_types(create, server_db, column, words, expected):
    server_db.sql(f"CREATE TABLE k (at {column} NOT NULL) PARTITION BY RANGE (at)")
    create("k", *words, "--ahead", "1")
    made = {n: t.replace("FOR VALUES FROM (", "").replace(") TO (", " .. ").replace(")", "").replace("'", "") for n, t in bounds(server_db, "k").items()}
    if column == "uuid":
        first, second = sorted(made.values())
        assert made["k_2025_03"] == first and first.split(" .. ")[1] == second.split(" .. ")[0]
        ms = [int(v.replace("-", "")[:12], 16) for v in first.split(" .. ")]
        assert ms == [1740805200000, 1743480000000], "local midnight of New York"
        assert set(v[14:] for v in first.split(" .. ")) == {"7000-8000-000000000000"}
        if server_db.cluster.major >= 18:
            server_db.sql("INSERT INTO k VALUES (uuidv7('2025-03-31 00:00-04'::timestamptz - now()))")
            assert server_db.value("SELECT tableoid::regclass::text FROM k") == "k_2025_03"
    else:
        assert made == expected
    assert create("k", *words, "--ahead", "1", "--format", "json").json["steps"] == []


def test_integers_follow_the_rows(create, server_db):
    server_db.sql("CREATE TABLE k (id bigint) PARTITION BY RANGE (id); CREATE TABLE k_0 PARTITION OF k FOR VALUES FROM (0) TO (100); INSERT INTO k VALUES (42)")
    create("k", "--interval", "100", "--ahead", "2")
    assert list(bounds(server_db, "k")) == ["k_0", "k_100", "k_200"]
    server_db.sql("INSERT INTO k VALUES (250)")
    create("k", "--interval", "100", "--ahead", "2")
    assert sorted(bounds(server_db, "k")) == ["k_0", "k_100", "k_200", "k_300", "k_400"]


def test_several_key_columns(create, server_db):
    server_db.sql("""CREATE TABLE k (at date, n int) PARTITION BY RANGE (at, n)""")
    create("k", "--interval", "1 month", "--ahead", "1")
    create("k", "--interval", "1 month", "--ahead", "2")
    assert bounds(server_db, "k")["k_2025_05"] == "FOR VALUES FROM ('2025-05-01', MINVALUE) TO ('2025-06-01', MINVALUE)"
    server_db.sql("CREATE TABLE odd PARTITION OF k FOR VALUES FROM ('2025-06-01', MINVALUE) TO ('2025-06-01', 5)")
    assert "further key columns" in create("k", "--interval", "1 month", "--ahead", "9", expect=EXIT["refused"]).stderr


def test_list(create, server_db):
    server_db.sql("CREATE TABLE l (k int, t text) PARTITION BY LIST (k); CREATE TABLE m (k text) PARTITION BY LIST (k)")
    create("l", "--values", "1, 2", "--values", "NULL,-7")
    assert bounds(server_db, "l") == {"l_1_2": "FOR VALUES IN (1, 2)", "l_null_-7": "FOR VALUES IN (NULL, '-7')"}
    assert create("l", "--values", "02,1", "--format", "json").json["steps"] == [], "2 and 02 are the same integer"
    overlap = create("l", "--values", "2,3", expect=EXIT["refused"])
    assert "'public.l_1_2' has some of the values already" in overlap.stderr and "IN ('1', '2')" in overlap.stderr
    create("m", "--values", '"a,b","it\'s ""x""",NULL,"NULL"', "--name", "m_odd")
    assert server_db.value("SELECT array_agg(v) FROM (SELECT unnest(ARRAY['a,b', 'it''s \"x\"', NULL, 'NULL']) AS v) s") == ["a,b", 'it\'s "x"', None, "NULL"]
    server_db.sql("INSERT INTO m VALUES ('a,b'), ('it''s \"x\"'), (NULL), ('NULL')")
    for words in (["--values", "x"], ["--values", "1,,2"], ["--values", ""], ["--values", '"a'], ["--interval", "1 day"], ["--values", "5", "--values", "5"], []):
        create("l", *words, expect=EXIT["usage"])


def test_hash(create, server_db):
    server_db.sql("CREATE TABLE h (k int) PARTITION BY HASH (k); CREATE TABLE mine PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER 2)")
    create("h", "--modulus", "4")
    assert set(bounds(server_db, "h")) == {"h_0", "h_1", "mine", "h_3"}
    server_db.sql("INSERT INTO h SELECT generate_series(1, 100)")
    assert create("h", "--modulus", "4", "--format", "json").json["steps"] == []
    assert "has rows of remainder 0 already" in create("h", "--modulus", "8", expect=EXIT["refused"]).stderr
    create("h", "--interval", "1 month", expect=EXIT["usage"])


def test_sub_partitions_as_the_newest_has_them(create, server_db):
    server_db.sql("""CREATE TABLE trades (at date NOT NULL, region text NOT NULL, PRIMARY KEY (at, region)) PARTITION BY RANGE (at);
        CREATE TABLE trades_2025_02 PARTITION OF trades FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') PARTITION BY LIST (region);
        CREATE TABLE trades_2025_02_eu PARTITION OF trades_2025_02 FOR VALUES IN ('eu', 'uk') PARTITION BY HASH (at);
        CREATE TABLE odd PARTITION OF trades_2025_02_eu FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        CREATE TABLE trades_2025_02_rest PARTITION OF trades_2025_02 DEFAULT; GRANT SELECT ON trades TO PUBLIC""")
    create("trades", "--interval", "1 month", "--ahead", "0")
    assert bounds(server_db, "trades_2025_03") == {"trades_2025_03_rest": "DEFAULT", "trades_2025_03_eu": "FOR VALUES IN ('eu', 'uk')"}
    assert bounds(server_db, "trades_2025_03_eu") == {"trades_2025_03_eu_1": "FOR VALUES WITH (modulus 1, remainder 0)"}
    server_db.sql("INSERT INTO trades VALUES ('2025-03-03', 'uk'), ('2025-03-03', 'us')")
    assert server_db.value("SELECT has_table_privilege('pg_monitor', 'trades_2025_03_eu_1', 'SELECT')")
    create("trades", "--interval", "1 month", "--ahead", "1", "--no-template")
    assert server_db.value("SELECT relkind FROM pg_class WHERE relname = 'trades_2025_04'") == "r"
    server_db.sql("""CREATE TABLE t (at date) PARTITION BY RANGE (at);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') PARTITION BY RANGE (at);
        CREATE TABLE t_1_1 PARTITION OF t_1 FOR VALUES FROM ('2025-02-01') TO ('2025-02-15')""")
    assert "--no-template" in create("t", "--interval", "1 month", expect=EXIT["refused"]).stderr


def test_default_partition_in_the_way(create, server_db):
    """Rows in DEFAULT are counted and refused, or moved in one transaction that proves them."""
    monthly(server_db, columns="id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz, v text, twice bigint GENERATED ALWAYS AS (length(v) * 2) STORED")
    server_db.sql("""CREATE TABLE trades_rest PARTITION OF trades DEFAULT;
        INSERT INTO trades (at, v) SELECT '2025-04-01'::timestamptz + g * interval '1 hour', repeat('x', g % 7) FROM generate_series(1, 1000) g;
        INSERT INTO trades (at, v) VALUES (NULL, 'nobody'), ('2020-01-01', 'old')""")
    everything = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM trades t"
    before = server_db.sql(everything)
    refused = create("trades", "--interval", "1 month", "--ahead", "2", expect=EXIT["refused"])
    assert "719 for trades_2025_04, 281 for trades_2025_05" in refused.stderr and "--move-default" in refused.stderr
    assert list(bounds(server_db, "trades")) == ["trades_rest"]
    plan = create("trades", "--interval", "1 month", "--ahead", "2", "--move-default", "--format", "json").json
    locks = {(lock["table"], lock["mode"]) for s in plan["steps"] for st in s["statements"] for lock in st["locks"]}
    assert locks == {("public.trades", "ACCESS SHARE"), ("public.trades", "SHARE UPDATE EXCLUSIVE"), ("public.trades_rest", "SHARE ROW EXCLUSIVE"),
                     ("public.trades_rest", "ACCESS EXCLUSIVE")}
    assert server_db.sql(everything) == before
    assert server_db.sql("SELECT tableoid::regclass::text, count(*) FROM trades GROUP BY 1 ORDER BY 1") == [
        ("trades_2025_04", 719), ("trades_2025_05", 281), ("trades_rest", 2)]


def test_default_rows_that_something_depends_on_stay(create, server_db):
    server_db.sql("""CREATE TABLE p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE p_rest PARTITION OF p DEFAULT;
        INSERT INTO p VALUES (1, '2025-03-03'); CREATE TABLE child (id int, at date, FOREIGN KEY (id, at) REFERENCES p ON DELETE CASCADE);
        INSERT INTO child VALUES (1, '2025-03-03')""")
    refused = create("p", "--interval", "1 month", "--move-default", expect=EXIT["refused"])
    assert "the foreign key" in refused.stderr and server_db.value("SELECT count(*) FROM child") == 1
    server_db.sql("""DROP TABLE child; CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''deleted''; END';
        CREATE TRIGGER "on; delete" BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION boom()""")
    assert 'the trigger "on; delete"' in create("p", "--interval", "1 month", "--move-default", expect=EXIT["refused"]).stderr


def test_default_is_read_for_a_bounded_time(create, server_db):
    server_db.sql("""CREATE TABLE p (at date, v text) PARTITION BY RANGE (at); CREATE TABLE p_rest PARTITION OF p DEFAULT;
        INSERT INTO p SELECT NULL, repeat('x', 50) FROM generate_series(1, 400000)""")
    slow = create("p", "--interval", "1 month", "--ahead", "0", "--max-scan", "1ms", expect=EXIT["refused"])
    assert "statement timeout" in slow.stderr and "used up" in slow.stderr and list(bounds(server_db, "p")) == ["p_rest"]
    create("p", "--interval", "1 month", "--ahead", "0")


def test_names(create, server_db):
    """63 bytes are not 63 letters; what would be cut off is refused, and a name that is taken is a finding."""
    long = "ä" * 29  # 58 bytes
    for name in (HOSTILE, long):
        server_db.sql(f"CREATE TABLE {quoted(name)} (at date) PARTITION BY RANGE (at)")
    create(quoted(HOSTILE), "--interval", "1 month", "--ahead", "1")
    assert list(bounds(server_db, quoted(HOSTILE))) == [HOSTILE + "_2025_03", HOSTILE + "_2025_04"]
    cut = create(quoted(long), "--interval", "1 month", expect=EXIT["usage"])
    assert "has 66 bytes" in cut.stderr and "--name" in cut.stderr and bounds(server_db, quoted(long)) == {}
    assert "would be called" in create(quoted(long), "--interval", "1 month", "--name", "p_%Y", expect=EXIT["usage"]).stderr
    server_db.sql("CREATE VIEW p_2025_04 AS SELECT 1")
    taken = create(quoted(long), "--interval", "1 month", "--name", "p_%Y_%m", expect=EXIT["refused"])
    assert "there is a view 'p_2025_04' in schema 'public' already" in taken.stderr and bounds(server_db, quoted(long)) == {}
    create(quoted(long), "--interval", "1 month", "--name", "%%{table}%m")
    assert "%" + long + "03" in bounds(server_db, quoted(long))
    for pattern in ("{nonsense}", "%", "%z", "{table", "{values}", ""):
        assert "is not a pattern" in create(quoted(HOSTILE), "--interval", "1 month", "--ahead", "9", "--name", pattern, expect=EXIT["usage"]).stderr


def test_schema(create, server_db):
    """Partitions live where the newest one lives, which may be hidden from an API."""
    server_db.sql("""CREATE SCHEMA hidden; CREATE TABLE p (at date) PARTITION BY RANGE (at);
        CREATE TABLE hidden.p_2025_02 PARTITION OF p FOR VALUES FROM ('2025-02-01') TO ('2025-03-01')""")
    create("p", "--interval", "1 month", "--ahead", "0")
    assert server_db.value("SELECT 'hidden.p_2025_03'::regclass::text") == "hidden.p_2025_03"


def test_foreign_keys_and_publications(create, server_db):
    server_db.sql("""CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
        CREATE TABLE p (id int, at date, u int REFERENCES users, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE note (id int, at date, FOREIGN KEY (id, at) REFERENCES p); CREATE PUBLICATION pub FOR TABLE p""")
    plan = create("p", "--interval", "1 month", "--ahead", "0", "--format", "json").json
    locks = {(lock["table"], lock["mode"]) for st in plan["steps"][0]["statements"] for lock in st["locks"]}
    assert {("public.users", "SHARE ROW EXCLUSIVE"), ("public.note", "SHARE ROW EXCLUSIVE")} <= locks
    server_db.sql("INSERT INTO p VALUES (1, '2025-03-03', 1); INSERT INTO note VALUES (1, '2025-03-03')")
    for statement in ("INSERT INTO p VALUES (2, '2025-03-03', 7)", "DELETE FROM p", "INSERT INTO p_2025_03 VALUES (3, '2025-03-04', 7)"):
        with pytest.raises(Exception, match="foreign key"):
            server_db.sql(statement)
    assert server_db.value("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'p_2025_03'") == 1 and plan["notes"] == []
    server_db.sql('CREATE PUBLICATION "One; by one" FOR TABLE p_2025_03')
    notes = create("p", "--interval", "1 month", "--ahead", "1", "--format", "json").json["notes"]
    assert len(notes) == 1 and notes[0].startswith("publication 'One; by one' names partition 'p_2025_03' itself")


def test_sql_is_what_runs(create, run, every_server, server_db):
    """The script of --sql on one database, the run on its copy: the same schema; and the statements that were sent are those."""
    script = """CREATE TABLE p (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, v text) PARTITION BY RANGE (at);
        CREATE TABLE p_rest PARTITION OF p DEFAULT; INSERT INTO p (at, v) VALUES ('2025-03-03', 'it''s \\ "x"'); CREATE INDEX ON p (v);
        ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY q ON p USING (v <> E'a\\nb'); GRANT SELECT ON p TO PUBLIC"""
    server_db.sql(script)
    copy = every_server.create_database()
    copy.sql(script)
    words = ("p", "--interval", "1 month", "--ahead", "1", "--move-default")
    sql = create(*words, "--sql").stdout
    assert "PARTITION OF" not in sql and "CASCADE" not in sql and "-- locks: SHARE UPDATE EXCLUSIVE on public.p; ACCESS EXCLUSIVE on public.p_rest" in sql
    path = run.folder / "plan.sql"
    path.write_text(sql)
    every_server.tool("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", copy, "-f", path)
    result = create(*words, "--format", "json")
    for step in result.json["steps"]:
        assert all(st["sql"] + ";\n" in sql for st in step["statements"])
    assert bounds(copy, "p") == bounds(server_db, "p") != {}
    rows = "SELECT tableoid::regclass::text, p::text FROM p ORDER BY 2"
    assert copy.sql(rows) == server_db.sql(rows)
    copy.drop()


def test_digest(create, run, server_db):
    """A plan that was looked at is carried out, another one is not."""
    monthly(server_db)
    words = ("partitions", "create", "-d", server_db, "trades", "--interval", "1 month", "--ahead", "1", "--now", NOW)
    plan = run.json(*words, "--dry-run")
    assert [s["done"] for s in plan["steps"]] == [False, False] and bounds(server_db, "trades") == {}
    assert plan["digest"] in run(*words, "--dry-run").stdout and plan["digest"] in run(*words, "--sql").stdout
    run(*words, expect=EXIT["config"])
    server_db.sql("CREATE TABLE x PARTITION OF trades FOR VALUES FROM ('2025-02-01+00') TO ('2025-03-01+00'); ALTER TABLE x SET (fillfactor = 50)")
    other = run(*words, "--apply", plan["digest"], expect=EXIT["config"])
    assert "another one than was agreed to" in other.stderr and len(bounds(server_db, "trades")) == 1
    digest = run.json(*words, "--dry-run")["digest"]
    run(*words, "--apply", digest)
    assert len(bounds(server_db, "trades")) == 3
    run(*words, "--apply", digest, "--dry-run", expect=EXIT["usage"])


def test_nobody_waits(create, server_db):
    """A transaction that has read the parent stays open, writers and readers go on: no stall at all, and no retry."""
    monthly(server_db)
    create("trades", "--interval", "1 month", "--ahead", "0")
    insert = "INSERT INTO trades (at, v) VALUES ('2025-03-15 12:00+00', 'x')"
    with server_db.connect() as holder, Traffic(server_db, insert, insert, "SELECT count(*) FROM trades") as traffic:
        holder.execute("BEGIN; SELECT count(*) FROM trades; INSERT INTO trades (at) VALUES ('2025-03-15 12:00+00')")
        wait_until(lambda: traffic.count > 20, "traffic")
        begun = traffic.count
        result = create("trades", "--interval", "1 month", "--ahead", "6", "--format", "json")
        wait_until(lambda: traffic.count > begun + 20, "more traffic")
        holder.execute("ROLLBACK")
    assert not traffic.errors and traffic.worst < 1.0, traffic.worst
    assert [s["attempts"] for s in result.json["steps"]] == [1] * 6


def test_lock_that_cannot_be_had(create, run, server_db):
    """Others are kept waiting for lock_timeout at most; then the sessions in the way are named; when they end, it goes on."""
    monthly(server_db)
    create("trades", "--interval", "1 month", "--ahead", "0")
    with server_db.connect(application_name="slow; vacuum") as holder:
        holder.execute("BEGIN; LOCK TABLE ONLY trades IN SHARE UPDATE EXCLUSIVE MODE")
        with Traffic(server_db, "INSERT INTO trades (at, v) VALUES ('2025-03-15 12:00+00', 'x')") as traffic:
            busy = create("trades", "--interval", "1 month", "--ahead", "1", "--lock-timeout", "100ms", "--max-wait", "1s", expect=EXIT["busy"])
        assert f"pid {holder.info.backend_pid} (postgres, slow; vacuum)" in busy.stderr and "ShareUpdateExclusiveLock on public.trades" in busy.stderr
        assert not traffic.errors and traffic.worst < 1.0 and len(bounds(server_db, "trades")) == 1
        words = ["partitions", "create", "-d", server_db, "trades", "--interval", "1 month", "--ahead", "1", "--now", NOW, "--yes", "--lock-timeout", "50ms"]
        process = run.start(*words, "--format", "json")
        while "trying again" not in (line := process.stderr.readline()):
            assert line, "dbops ended without having waited"
        second = run(*words, expect=EXIT["busy"])
        assert "another run of dbops" in second.stderr
        holder.execute("ROLLBACK")
    assert run.finish(process, expect=0).json["steps"][0]["attempts"] > 1 and len(bounds(server_db, "trades")) == 2


def test_stop_request(run, server_db):
    monthly(server_db)
    with server_db.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE trades IN SHARE UPDATE EXCLUSIVE MODE")
        process = run.start("partitions", "create", "-d", server_db, "trades", "--interval", "1 month", "--yes", "--lock-timeout", "1min")
        wait_until(lambda: server_db.sql("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'trades'::regclass"), "dbops to wait")
        process.terminate()
        run.finish(process, expect=EXIT["terminated"])
    assert bounds(server_db, "trades") == {}


def test_refusals(create, run, every_server, server_db):
    monthly(server_db)
    server_db.sql("CREATE TABLE open_end PARTITION OF trades FOR VALUES FROM ('2025-01-01+00') TO (MAXVALUE); CREATE TABLE plain (a int);"
                  "CREATE TABLE n (a numeric) PARTITION BY RANGE (a)")
    assert "has no upper end" in create("trades", "--interval", "1 month", expect=EXIT["refused"]).stderr
    for words in (["--interval", "1 month 2 days"], ["--interval", "-1 month"], ["--interval", "0"], ["--interval", "soon"], ["--modulus", "4"], [],
                  ["--interval", "1 month", "--timezone", "Mars/Olympus"], ["--interval", "1 day", "--epoch", "s"],
                  ["--interval", "1 month", "--ahead", "-1"], ["--interval", "1 month", "--ahead", "many"]):
        assert create("trades", *words, expect=EXIT["usage"]).stderr.startswith("dbops: error: ")
    assert "has no intervals" in create("n", "--interval", "10", expect=EXIT["usage"]).stderr
    assert "not a partitioned table" in create("plain", "--interval", "1 month", expect=EXIT["not_found"]).stderr
    assert "partition of public.trades" in create("open_end", "--interval", "1 month", expect=EXIT["not_found"]).stderr
    server_db.sql("CREATE TABLE days (at date) PARTITION BY RANGE (at); CREATE TABLE d PARTITION OF days FOR VALUES FROM ('1900-01-01') TO ('1900-01-02')")
    assert "more than 10000" in create("days", "--interval", "1 day", expect=EXIT["usage"]).stderr
    assert "shorter than a day" in create("days", "--interval", "1 hour", expect=EXIT["usage"]).stderr
    every_server.sql("DROP ROLE IF EXISTS stranger"), every_server.sql("CREATE ROLE stranger LOGIN")
    server_db.sql("DROP TABLE open_end; GRANT CREATE ON SCHEMA public TO stranger; GRANT SELECT ON trades TO stranger")
    create("trades", "--interval", "1 month", "-U", "stranger", expect=EXIT["permission"])
    assert bounds(server_db, "trades") == {}


def test_start(create, server_db):
    monthly(server_db)
    create("trades", "--interval", "1 month", "--ahead", "0", "--start", "2025-01-01", "--timezone", "America/New_York")
    assert spans(server_db)["trades_2025_01"] == "2025-01-01 05:00:00+00 .. 2025-02-01 05:00:00+00" and len(spans(server_db)) == 3
    server_db.sql("CREATE TABLE n (a int) PARTITION BY RANGE (a)")
    create("n", "--interval", "10", "--ahead", "0", "--start", "-20")
    assert sorted(bounds(server_db, "n")) == ["n_-10", "n_-20", "n_0"]
    for start in ("soon", "infinity"):
        monthly(server_db, f"s_{start}")
        create(f"s_{start}", "--interval", "1 month", "--start", start, expect=EXIT["usage"])


def test_pooler(bouncer, cluster, dbops_for):
    """Settings and locks of a session do not last behind a transaction pooler: refused before anything is done."""
    database = cluster.create_database()
    monthly(database)
    through = dbops_for(bouncer)
    words = ("partitions", "create", "-d", database, "trades", "--interval", "1 month")
    assert "pool" in through(*words, "--yes", expect=EXIT["config"]).stderr and bounds(database, "trades") == {}
    through(*words, "--dry-run")


def test_standby(own_cluster, dbops_for):
    server = own_cluster(MAJOR)
    monthly(server.database("postgres"))
    server.kill(2)  # SIGINT: fast shutdown
    (server.data / "standby.signal").touch()
    server.start()
    assert BINDIRS and server.sql("SELECT pg_is_in_recovery()") == [(True,)]
    refused = dbops_for(server)("partitions", "create", "-d", "postgres", "trades", "--interval", "1 month", "--yes", expect=EXIT["refused"])
    assert "is a standby" in refused.stderr
