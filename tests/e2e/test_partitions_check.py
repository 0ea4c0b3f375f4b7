# SPDX-License-Identifier: PostgreSQL
"""partitions check: every finding on every major, and its cure run as printed."""
import datetime
import re

import psycopg
import pytest

from support.runner import EXIT
from support.servers import quoted

HOSTILE = 'Tr"; DROP\nTABLE x; -- @>=99'
UTC = datetime.timezone.utc


@pytest.fixture
def run(dbops_for, every_server):
    return dbops_for(every_server)


def month(n, now=None):
    """The first day of the month n months from this one."""
    now = now or datetime.datetime.now(UTC)
    m = now.year * 12 + now.month - 1 + n
    return datetime.date(m // 12, m % 12 + 1, 1)


def months(table, numbers, parent=None):
    """Monthly partitions of table, as SQL."""
    return "".join(f"CREATE TABLE {quoted(f'{table}_{month(n):%Y_%m}')} PARTITION OF {quoted(parent or table)} "
                   f"FOR VALUES FROM ('{month(n)}') TO ('{month(n + 1)}');" for n in numbers)


def check(run, database, *words, **kwargs):
    return run.json("partitions", "check", "-d", database, *words, **kwargs)


def findings(run, database, *words):
    """{id: finding}; more than one of an id is a list."""
    found = {}
    for f in check(run, database, *words)["partitions"]:
        found.setdefault(f["id"], []).append(f)
    return {name: rows[0] if len(rows) == 1 else rows for name, rows in found.items()}


def repair(database, finding):
    """Runs the fix as it is printed, statement by statement as psql would."""
    with database.connect() as c:
        for statement in re.split(r";\n|;$", finding["fix"]):
            if statement.strip():
                c.execute(statement)


def test_all_is_well(run, server_db):
    server_db.sql("CREATE TABLE t (at timestamptz NOT NULL, v int) PARTITION BY RANGE (at);" + months("t", range(-2, 4)))
    answer = check(run, server_db)
    assert (answer["partitions"], answer["status"], answer["completeness"]) == ([], "ok", "full")
    [metric] = answer["metrics"]
    assert metric["name"] == "partitions_headroom_seconds" and metric["labels"] == {"table": "public.t"}
    until = datetime.datetime.combine(month(4), datetime.time(), UTC)
    assert abs(metric["value"] - (until - datetime.datetime.now(UTC)).total_seconds()) < 60
    text = run("partitions", "check", "-d", server_db, "--check").stdout
    assert re.search(rf"public.t: headroom \d+ d \d\d h, until {month(4)} 00:00:00\+00\n", text) and "OK - " in text


@pytest.mark.parametrize("column", ["at date", "at timestamp", "at timestamptz", "id uuid"])
def test_headroom(run, server_db, column):
    """The last partition ends this month: with the range that says so it is a finding of the right severity."""
    name = column.split()[0]
    bounds = [month(n) for n in range(-1, 2)]
    if name == "id":
        bounds = [f"{int(datetime.datetime.combine(b, datetime.time(), UTC).timestamp() * 1000):012x}" for b in bounds]
        bounds = [f"{b[:8]}-{b[8:]}-7000-8000-000000000000" for b in bounds]
    server_db.sql(f"CREATE TABLE t ({column}) PARTITION BY RANGE ({name});" + "".join(
        f"CREATE TABLE t_{i} PARTITION OF t FOR VALUES FROM ('{bounds[i]}') TO ('{bounds[i + 1]}');" for i in range(2)))
    run("partitions", "check", "-d", server_db, "--check", "--warning=", "--critical=")
    run("partitions", "check", "-d", server_db, "--check", "--warning=40d:", "--critical=", expect=EXIT["warning"])
    run("partitions", "check", "-d", server_db, "--check", "--warning=50d:", "--critical=40d:", expect=EXIT["critical"])
    f = findings(run, server_db, "--warning=40d:")["partitions.headroom"]
    assert (f["severity"], f["object"]) == ("warning", "public.t")
    assert f["message"].startswith(f"the last partition ends at {month(1)}")


def test_ended_and_empty(run, server_db):
    server_db.sql("CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE e (at date) PARTITION BY RANGE (at);"
                  "CREATE TABLE m (at date) PARTITION BY RANGE (at); CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);"
                  "CREATE TABLE n (k int) PARTITION BY RANGE (k); CREATE TABLE n_1 PARTITION OF n FOR VALUES FROM (0) TO (100);" + months("t", [-3, -2]))
    answer = check(run, server_db)
    by_id = {f["id"]: f for f in answer["partitions"]}
    assert by_id.keys() == {"partitions.headroom", "partitions.empty"}
    assert by_id["partitions.headroom"]["severity"] == "critical" and f"ended at {month(-1)}, " in by_id["partitions.headroom"]["message"]
    assert by_id["partitions.empty"]["object"] == "public.e"
    assert [m["labels"]["table"] for m in answer["metrics"] if m["name"] == "partitions_headroom_seconds"] == ["public.t"]


def test_local_time(every_server, run, server_db):
    """A date key is told by the wall clock of the database's time zone: in Kiribati a day more may have passed."""
    server_db.sql("CREATE TABLE t (at date) PARTITION BY RANGE (at);" + months("t", range(0, 2)))

    def headroom(zone):
        every_server.sql(f"ALTER DATABASE {quoted(server_db.name)} SET timezone = '{zone}'")
        return check(run, server_db)["metrics"][0]["value"]

    difference = headroom("Pacific/Midway") - headroom("Pacific/Kiritimati")
    assert abs(difference - 25 * 3600) < 60


def test_epoch(run, server_db):
    """Integer keys are times only when the user says so."""
    now = int(datetime.datetime.now(UTC).timestamp())
    server_db.sql(f"CREATE TABLE t (k bigint) PARTITION BY RANGE (k); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO ({now + 86400 * 3});")
    assert findings(run, server_db) == {}
    assert findings(run, server_db, "--epoch=s")["partitions.headroom"]["severity"] == "warning"
    assert findings(run, server_db, "--epoch=ms")["partitions.headroom"]["severity"] == "critical"


def test_branches(run, server_db):
    """Below a list each branch has its own end; below a range by time a complete branch has none."""
    server_db.sql("CREATE TABLE l (r text, at date) PARTITION BY LIST (r); CREATE TABLE l_a PARTITION OF l FOR VALUES IN ('a') PARTITION BY RANGE (at);"
                  "CREATE TABLE l_b PARTITION OF l FOR VALUES IN ('b') PARTITION BY RANGE (at);"
                  "CREATE TABLE y (at date) PARTITION BY RANGE (at);"
                  f"CREATE TABLE y_old PARTITION OF y FOR VALUES FROM ('{month(-2)}') TO ('{month(-1)}') PARTITION BY RANGE (at);"
                  f"CREATE TABLE y_now PARTITION OF y FOR VALUES FROM ('{month(-1)}') TO ('{month(3)}') PARTITION BY RANGE (at);"
                  f"CREATE TABLE y_old1 PARTITION OF y_old FOR VALUES FROM ('{month(-2)}') TO ('{month(-2).replace(day=9)}');"
                  + months("l_a", range(-1, 4)) + months("l_b", [-1, 0]) + months("y_now", range(-1, 3)))
    found = [f["object"] for f in check(run, server_db, "--warning=33d:", "--critical=")["partitions"]]
    assert found == ["public.l_b"]
    server_db.sql(f"ALTER TABLE y_now DETACH PARTITION y_now_{month(2):%Y_%m}; DROP TABLE y_now_{month(1):%Y_%m}")
    found = [f["object"] for f in check(run, server_db, "--warning=33d:", "--critical=", "y")["partitions"]]
    assert found == ["public.y_now"]


def test_gaps(run, server_db):
    server_db.sql("CREATE TABLE past (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE now (at date) PARTITION BY RANGE (at);"
                  "CREATE TABLE \"Next\" (at date) PARTITION BY RANGE (at); CREATE TABLE num (k int) PARTITION BY RANGE (k);"
                  "CREATE TABLE two (k int, at date) PARTITION BY RANGE (k, at);"
                  "CREATE TABLE num_1 PARTITION OF num FOR VALUES FROM (MINVALUE) TO (-10); CREATE TABLE num_2 PARTITION OF num FOR VALUES FROM (9) TO (100);"
                  "CREATE TABLE two_1 PARTITION OF two FOR VALUES FROM (1, '2025-01-01') TO (1, '2025-02-01');"
                  "CREATE TABLE two_2 PARTITION OF two FOR VALUES FROM (1, '2025-03-01') TO (2, '2025-02-01');"
                  + months("past", [-5, -3, -2, -1, 0, 1, 2]) + months("now", [-1, 1, 2]) + months("Next", [-1, 0, 2, 3]))
    gap = {f["object"]: f for f in findings(run, server_db)["partitions.gap"]}
    assert {name: f["severity"] for name, f in gap.items()} == {
        "public.past": "info", "public.now": "critical", 'public."Next"': "warning", "public.num": "warning", "public.two": "warning"}
    assert gap["public.num"]["message"] == "no partition for rows FROM ('-10') TO ('9'): they are refused"
    assert gap["public.two"]["evidence"]["bounds"] == "FROM ('1', '2025-02-01') TO ('1', '2025-03-01')"
    server_db.sql("CREATE TABLE now_default PARTITION OF now DEFAULT")
    assert findings(run, server_db, "now")["partitions.gap"]["severity"] == "warning"


def test_rows_in_default(run, server_db):
    server_db.sql("CREATE TABLE t (at timestamptz, v int) PARTITION BY RANGE (at); CREATE TABLE t_default PARTITION OF t DEFAULT;"
                  "CREATE TABLE l (k bool) PARTITION BY LIST (k); CREATE TABLE l_default PARTITION OF l DEFAULT; INSERT INTO l VALUES (true);"
                  "CREATE TABLE u (k uuid) PARTITION BY RANGE (k); CREATE TABLE u_default PARTITION OF u DEFAULT;" + months("t", range(-1, 4)))
    assert findings(run, server_db, "t") == {}
    server_db.sql("INSERT INTO t SELECT timestamptz '2030-01-05 12:00+00' + n * interval '1 day' FROM generate_series(0, 9) n; INSERT INTO t VALUES (NULL);"
                  "INSERT INTO u VALUES ('00000000-0000-4000-8000-000000000001')")
    rows = {f["object"]: f for f in findings(run, server_db)["partitions.default_rows"]}
    t = rows["public.t_default"]
    assert (t["severity"], rows["public.l_default"]["severity"]) == ("warning", "info")
    assert t["message"].startswith("11 rows in DEFAULT, keys from 2030-01-05 12:00:00+00 to 2030-01-14 12:00:00+00: a partition for any of them cannot")
    assert t["evidence"] == {"table": "public.t", "rows": 11, "estimated": False, "first_key": "2030-01-05 12:00:00+00",
                             "last_key": "2030-01-14 12:00:00+00", "null_keys": 1}
    # and that is true
    with pytest.raises(psycopg.errors.CheckViolation):
        server_db.sql("CREATE TABLE t_2030 PARTITION OF t FOR VALUES FROM ('2030-01-14') TO ('2030-02-01')")


def test_pending_detach(run, server_db):
    server_db.sql("CREATE TABLE t (at date) PARTITION BY RANGE (at);" + months("t", range(-1, 4)))
    pending = f"t_{month(3):%Y_%m}"
    with server_db.connect() as reader, server_db.connect() as worker:
        reader.execute("BEGIN; SELECT * FROM t")
        worker.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            worker.execute(f"ALTER TABLE t DETACH PARTITION {pending} CONCURRENTLY")
    f = findings(run, server_db)["partitions.detach_pending"]
    assert (f["severity"], f["object"]) == ("critical", f"public.{pending}")
    with pytest.raises(psycopg.errors.CheckViolation):
        server_db.sql(f"INSERT INTO t VALUES ('{month(3)}')")
    repair(server_db, f)
    assert findings(run, server_db) == {}
    assert server_db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass") == 4


@pytest.mark.parametrize("name", [HOSTILE, "x" * 63, "Größe"], ids=["hostile", "longest", "utf8"])
def test_names(run, server_db, name):
    schema = "S " + name[:40]
    server_db.sql(f"CREATE SCHEMA {quoted(schema)}; SET search_path = {quoted(schema)}; CREATE TABLE {quoted(name)} ({quoted(name)} int) PARTITION BY RANGE ({quoted(name)});"
                  f"CREATE TABLE {quoted(name[:-1] + '1')} PARTITION OF {quoted(name)} DEFAULT; INSERT INTO {quoted(name)} VALUES (7)")
    found = findings(run, server_db, f"{quoted(schema)}.{quoted(name)}")
    assert found["partitions.default_rows"]["evidence"]["first_key"] == "7"
    for fmt in ("table", "expanded", "csv", "prom", "nagios", "ndjson"):
        run("partitions", "check", "-d", server_db, f"--format={fmt}", expect=(0, 1))


def test_lowly_role(every_server, run, server_db):
    """What a role may not read makes the answer partial, the check UNKNOWN, and the GRANT is named."""
    every_server.sql('DROP ROLE IF EXISTS "Low""ly"'), every_server.sql('CREATE ROLE "Low""ly" LOGIN')
    server_db.sql("CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t_default PARTITION OF t DEFAULT;" + months("t", range(-1, 4)))
    answer = check(run, server_db, "-U", 'Low"ly')
    assert (answer["completeness"], answer["status"]) == ("partial", "unknown")
    assert answer["gaps"][0]["grant"] == 'GRANT SELECT ON "public"."t_default" TO "Low""ly";'
    run("partitions", "check", "-d", server_db, "-U", 'Low"ly', "--check", expect=EXIT["unknown"])
    server_db.sql(answer["gaps"][0]["grant"])
    assert check(run, server_db, "-U", 'Low"ly')["completeness"] == "full"
    server_db.sql("ALTER TABLE t_default ENABLE ROW LEVEL SECURITY; INSERT INTO t_default VALUES ('2030-01-01')")
    answer = check(run, server_db, "-U", 'Low"ly')
    assert "row-level security hides rows" in answer["gaps"][0]["reason"] and answer["status"] == "unknown"
    server_db.sql('DROP OWNED BY "Low""ly"'), every_server.sql('DROP ROLE "Low""ly"')


def test_locked(run, server_db):
    """Nothing waits for an exclusive lock longer than --lock-timeout."""
    server_db.sql("CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t_default PARTITION OF t DEFAULT; INSERT INTO t VALUES (NULL);" + months("t", [0, 1, 2]))
    with server_db.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE t")
        answer = check(run, server_db, timeout=30)
    assert answer["status"] == "unknown" and {g["reason"] for g in answer["gaps"]} == {"the table is locked by another session"}


def test_errors(run, server_db):
    server_db.sql("CREATE TABLE plain (k int)")
    assert "'plain' is not a partitioned table" in run("partitions", "check", "-d", server_db, "plain", expect=EXIT["not_found"]).stderr
    assert run("partitions", "check", "-d", server_db, "plain", "--format=nagios", expect=EXIT["unknown"]).stdout.startswith("DBOPS ")
    assert "threshold" in run("partitions", "check", "-d", server_db, "--warning=soon", expect=EXIT["usage"]).stderr
    assert "there is no partitioned table" in run("partitions", "check", "-d", server_db).stdout
