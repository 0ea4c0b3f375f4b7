# SPDX-License-Identifier: PostgreSQL
"""partitions check: every finding on every major, and its cure run as printed."""
import datetime
import json
import os
import pathlib
import re
import shlex

import jsonschema
import psycopg
import pytest

from support import servers
from support.runner import EXIT
from support.servers import quoted, wait_until

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


def repair(database, finding, run=None):
    """Runs the fix as it is printed: a command of dbops, or SQL, statement by statement as psql would."""
    if finding["fix"].startswith("dbops "):
        return run(*shlex.split(finding["fix"])[1:], "-d", database)
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
    repair(server_db, f, run)
    assert findings(run, server_db, "--warning=40d:") == {}


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
    for f in gap.values():
        repair(server_db, f, run)
    assert "partitions.gap" not in findings(run, server_db)
    server_db.sql(f"DROP TABLE now_{month(0):%Y_%m}")
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
    assert t["fix"].endswith(" --move-default --yes") and rows["public.l_default"]["fix"] is None
    # and that is true
    with pytest.raises(psycopg.errors.CheckViolation):
        server_db.sql("CREATE TABLE t_2030 PARTITION OF t FOR VALUES FROM ('2030-01-14') TO ('2030-02-01')")


def test_rows_are_moved_out_of_default(run, server_db):
    server_db.sql("CREATE TABLE \"T 1\" (at timestamptz, v int) PARTITION BY RANGE (at); CREATE TABLE t_default PARTITION OF \"T 1\" DEFAULT;" + months("T 1", range(-1, 2)))
    server_db.sql(f"INSERT INTO \"T 1\" SELECT timestamptz '{month(2)} 00:00+00' + n * interval '1 day' FROM generate_series(0, 80) n")
    [f] = check(run, server_db)["partitions"]
    assert f["id"] == "partitions.default_rows" and f["evidence"]["rows"] == 81
    repair(server_db, f, run)
    assert findings(run, server_db) == {} and server_db.value('SELECT count(*) FROM "T 1"') == 81


def test_off_the_grid(every_server, run, server_db):
    """One partition of another width, and bounds made in another time zone than the rest."""
    server_db.sql("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);" + months("t", range(-4, 0))
                  + f"CREATE TABLE half PARTITION OF t FOR VALUES FROM ('{month(0)}') TO ('{month(1)} 05:00+00');"
                  f"CREATE TABLE shifted PARTITION OF t FOR VALUES FROM ('{month(1)} 05:00+00') TO ('{month(2)} 05:00+00')")
    found = findings(run, server_db)["partitions.off_grid"]
    assert (found["object"], found["severity"]) == ("public.half", "info") and "most partitions have" in found["message"]


def test_zone_of_the_fix(every_server, run, server_db):
    """Months that begin in New York go on there, when that is the database's time zone."""
    every_server.sql(f"ALTER DATABASE {quoted(server_db.name)} SET timezone = 'America/New_York'")
    server_db.sql("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);" + months("t", range(-1, 1)))
    f = findings(run, server_db, "--warning=40d:", "--critical=")["partitions.headroom"]
    assert f["fix"] == "dbops partitions create public.t --interval '1 month' --ahead 3 --timezone America/New_York --yes"
    repair(server_db, f, run)
    assert findings(run, server_db, "--warning=40d:", "--critical=") == {}


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
    assert check(run, server_db, "-U", 'Low"ly')["partitions"] == []
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
    assert answer["status"] == "unknown" and {g["reason"] for g in answer["gaps"]} == {"the table is locked by another session", "locked by another session"}


def test_errors(run, server_db):
    server_db.sql("CREATE TABLE plain (k int)")
    assert "'plain' is not a partitioned table" in run("partitions", "check", "-d", server_db, "plain", expect=EXIT["not_found"]).stderr
    assert run("partitions", "check", "-d", server_db, "plain", "--format=nagios", expect=EXIT["unknown"]).stdout.startswith("DBOPS ")
    assert "threshold" in run("partitions", "check", "-d", server_db, "--warning=soon", expect=EXIT["usage"]).stderr
    assert "there is no partitioned table" in run("partitions", "check", "-d", server_db).stdout


# --- who else looks after partitions ----------------------------------------------------------------------------

def test_inheritance(run, server_db):
    server_db.sql("CREATE TABLE old (at date); CREATE TABLE old_1 () INHERITS (old); CREATE TABLE old_2 () INHERITS (old);"
                  "CREATE SCHEMA _timescaledb_internal; CREATE TABLE hyper (at date); CREATE TABLE _timescaledb_internal._hyper_1_1_chunk () INHERITS (hyper)")
    found = findings(run, server_db)
    assert (found["partitions.inheritance"]["object"], found["partitions.hypertable"]["object"]) == ("public.old", "public.hyper")
    assert "2 tables inherit" in found["partitions.inheritance"]["message"] and "TimescaleDB" in found["partitions.hypertable"]["message"]
    assert {f["severity"] for f in found.values()} == {"info"}


@pytest.fixture(scope="module")
def cron_cluster(clusters):
    """A server of its own with pg_cron; Debian's postgresql-15-cron."""
    server = servers.Cluster(servers.postgres_bindirs()[15], 15, options={"shared_preload_libraries": "pg_cron", "cron.database_name": "jobs", "cron.use_background_workers": "on"})
    server.create_database(name="jobs")
    yield server
    server.stop()


@pytest.fixture
def jobs(cron_cluster):
    database = cron_cluster.database("jobs")
    database.sql("CREATE EXTENSION IF NOT EXISTS pg_cron; TRUNCATE cron.job, cron.job_run_details; DROP TABLE IF EXISTS t; DROP SCHEMA IF EXISTS partman CASCADE")
    return database


def test_cron_jobs(cron_cluster, dbops_for, jobs):
    """A schedule proves nothing: the last run counts. Jobs about something else, and of other databases, are left out."""
    run = dbops_for(cron_cluster)
    jobs.sql("""ALTER TABLE cron.job ALTER COLUMN nodeport SET DEFAULT 5432;
        INSERT INTO cron.job (jobid, schedule, command, jobname, database, active) VALUES
        (1, '0 0 1 * *', 'SELECT create_monthly_partitions()', 'monthly', 'jobs', true), (2, '0 3 * * 0', 'CALL archive_old()', NULL, 'jobs', true),
        (3, '0 3 * * 0', 'SELECT partman.run_maintenance()', 'off', 'jobs', false), (4, '0 3 * * 0', 'VACUUM', 'vacuum', 'jobs', true),
        (5, '0 3 * * 0', 'SELECT detach_old()', 'new', 'jobs', true), (6, '0 3 * * 0', 'SELECT detach_old()', 'elsewhere', 'postgres', true);
        INSERT INTO cron.job_run_details (jobid, runid, status, return_message, start_time, end_time) VALUES
        (1, 1, 'succeeded', '1 row', '2026-01-01', '2026-01-01'), (1, 2, 'failed', 'ERROR: would overlap', '2026-02-01', '2026-02-01'), (1, 3, 'failed', 'ERROR: would overlap', '2026-03-01', '2026-03-01'),
        (1, 4, 'running', NULL, '2026-04-01', NULL), (2, 5, 'failed', 'ERROR: x', '2026-01-01', '2026-01-01'), (2, 6, 'succeeded', '1 row', '2026-01-02', '2026-01-02'),
        (4, 7, 'failed', 'ERROR: x', '2026-01-01', '2026-01-01'), (6, 8, 'failed', 'ERROR: x', '2026-01-01', '2026-01-01')""")
    found = findings(run, jobs)
    assert {name: (f["object"], f["severity"]) for name, f in found.items()} == {
        "partitions.job_failing": ("pg_cron monthly", "warning"), "partitions.job_inactive": ("pg_cron off", "warning"), "partitions.job_not_run": ("pg_cron new", "info")}
    assert found["partitions.job_failing"]["message"] == "its last run failed (2 failures in a row): ERROR: would overlap"
    repair(jobs, found["partitions.job_inactive"])
    assert "partitions.job_inactive" not in findings(run, jobs)


def test_cron_jobs_of_others(cron_cluster, dbops_for, jobs):
    run = dbops_for(cron_cluster)
    jobs.sql("DROP ROLE IF EXISTS lowly"), jobs.sql("CREATE ROLE lowly LOGIN")
    answer = check(run, jobs, "-U", "lowly")
    assert answer["status"] == "unknown" and "GRANT USAGE ON SCHEMA cron" in answer["gaps"][0]["grant"]
    jobs.sql(answer["gaps"][0]["grant"])
    answer = check(run, jobs, "-U", "lowly")
    assert (answer["status"], answer["completeness"], answer["gaps"][0]["reason"]) == ("ok", "partial", "its policies show a role its own jobs only")
    jobs.sql("DROP OWNED BY lowly")


def test_a_real_cron_job_that_fails(cron_cluster, dbops_for, jobs):
    """pg_cron itself runs the job and writes down that it failed."""
    jobs.sql("SELECT cron.schedule('broken', '1 seconds', 'SELECT create_monthly_partitions()')" if jobs.value("SELECT extversion >= '1.5' FROM pg_extension WHERE extname = 'pg_cron'")
             else "SELECT cron.schedule('broken', '* * * * *', 'SELECT create_monthly_partitions()')")
    wait_until(lambda: jobs.value("SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"), "pg_cron to run the job", seconds=90, every=0.5)
    f = findings(dbops_for(cron_cluster), jobs)["partitions.job_failing"]
    assert "create_monthly_partitions() does not exist" in f["message"]
    jobs.sql("SELECT cron.unschedule('broken')")


def test_partman(cron_cluster, dbops_for, jobs):
    """Debian's postgresql-15-partman, whose maintenance did not run."""
    run = dbops_for(cron_cluster)
    jobs.sql("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE TABLE t (at timestamptz NOT NULL) PARTITION BY RANGE (at)")
    jobs.sql("SELECT partman.create_parent('public.t', 'at', 'native', 'monthly', p_premake := 3)")
    assert "partitions.partman_behind" not in findings(run, jobs)
    for name, in jobs.sql("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 't'::regclass AND inhrelid::regclass::text <> 't_default' ORDER BY 1 DESC LIMIT 2"):
        jobs.sql(f"DROP TABLE {name}")
    f = findings(run, jobs)["partitions.partman_behind"]
    assert (f["object"], f["severity"]) == ("public.t", "warning") and "is to keep 3 partitions ahead, there is 1" in f["message"]
    jobs.sql("INSERT INTO t VALUES (now())")
    repair(jobs, f)
    assert "partitions.partman_behind" not in findings(run, jobs)
    jobs.sql("DROP TABLE t")
    f = findings(run, jobs)["partitions.partman_orphan"]
    assert f["object"] == "public.t"
    repair(jobs, f)
    assert findings(run, jobs) == {}
    jobs.sql("DROP EXTENSION pg_partman")


# --- formats ------------------------------------------------------------------------------------------------------

ROOT = pathlib.Path(__file__).resolve().parents[2]
STABLE = (
    (r"\d+ d \d\d h(?!\d)", "N d NN h"), (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"), (r"\d{4}([-_])\d\d([-_])\d\d", r"YYYY\1MM\2DD"), (r"t_\d{4}_\d\d", "t_YYYY_MM"),
    (r'"value": \d{6,}', '"value": N'), (r"(headroom_seconds\S+|=)\s?\d{6,}s?", r"\1 N"), (r'"server(_version)?": .+,', r'"server\1": …,'), (r'"database": .+,', '"database": …,'))


@pytest.fixture
def sample(db):
    """Something of each kind that does not depend on the day."""
    db.sql("CREATE TABLE n (k int NOT NULL, v text) PARTITION BY RANGE (k); CREATE TABLE n_1 PARTITION OF n FOR VALUES FROM (0) TO (10);"
           "CREATE TABLE n_3 PARTITION OF n FOR VALUES FROM (20) TO (30); CREATE TABLE n_default PARTITION OF n DEFAULT; INSERT INTO n VALUES (15), (16);"
           "ALTER TABLE n ENABLE ROW LEVEL SECURITY; ALTER TABLE n_1 ENABLE ROW LEVEL SECURITY; ALTER TABLE n_default ENABLE ROW LEVEL SECURITY; GRANT SELECT ON n_3 TO PUBLIC;"
           "CREATE INDEX n_v ON ONLY n (v); CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);" + months("t", range(0, 4)))
    return db


@pytest.mark.parametrize("fmt", ["txt", "expanded", "json", "ndjson", "csv", "prom", "nagios"])
def test_golden(dbops, sample, fmt):
    """UPDATE_GOLDEN=1 writes the files anew; look at the difference before it is committed."""
    text = dbops("partitions", "check", "-d", sample, "--check", f"--format={'table' if fmt == 'txt' else fmt}", expect=EXIT["critical"]).stdout
    for pattern, replacement in STABLE:
        text = re.sub(pattern, replacement, text)
    path = ROOT / f"tests/e2e/golden/partitions-check.{fmt}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_schema(dbops, sample):
    schema = json.loads((ROOT / "docs/schema/partitions-check.json").read_text())
    answer = check(dbops, sample)
    jsonschema.Draft202012Validator(schema).validate(answer)
    # and it says no to what is not of that form
    answer["partitions"][0]["id"] = "partitions.unheard_of"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(answer)


def test_schema_knows_every_finding():
    ids = set(json.loads((ROOT / "docs/schema/partitions-check.json").read_text())["properties"]["partitions"]["items"]["properties"]["id"]["enum"])
    sources = "".join(p.read_text() for stem in ("check", "parity") for p in (ROOT / "src/lib/partition").glob(f"{stem}*.c"))
    assert ids == set(re.findall(r'"(partitions\.[a-z_]+)"', sources))


def test_suppressed(dbops, sample, work):
    config = work / "dbops.yaml"
    config.write_text("suppressions:\n  known:\n    finding: partitions.*\n    object: public.n*\n    reason: we know\n")
    result = dbops("partitions", "check", "-d", sample, "--check", "--config", config)
    assert "accepted" in dbops("partitions", "check", "-d", sample, "--check", "--config", config, "--format=nagios").stdout and "OK - " in result.stdout
