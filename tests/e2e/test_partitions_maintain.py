# SPDX-License-Identifier: PostgreSQL
"""partitions maintain: policies of the configuration and of a table, one plan, one exit status."""
import json
import re

import pytest

from support.runner import EXIT
from support.servers import Standby, wait_until

NOW = ("--now", "2025-06-15 12:00:00+00")


def make_trades(database, table="trades"):
    """Months from January to June 2025, 10 rows each."""
    database.sql(f"CREATE TABLE {table} (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at)")
    for month in range(1, 7):
        database.sql(f"CREATE TABLE {table}_2025_0{month} PARTITION OF {table} FOR VALUES FROM ('2025-0{month}-01+00') TO ('2025-0{month + 1}-01+00')")
        database.sql(f"INSERT INTO {table} SELECT g, '2025-0{month}-10+00' FROM generate_series(1, 10) g")
    return database


@pytest.fixture
def run(dbops_for, every_server):
    return dbops_for(every_server)


@pytest.fixture
def trades(server_db):
    return make_trades(server_db)


def configure(run, text):
    (run.folder / "dbops.yaml").write_text(text)


def maintain(run, database, *words, **kwargs):
    return run("partitions", "maintain", "-d", database, *NOW, "--no-check", "--format=json", *words, **kwargs)


def items(result):
    return [(i["policy"], i["action"], i["object"], i["state"]) for i in result.json["items"]]


def partitions(database, table="trades"):
    return [r[0] for r in database.sql(f"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{table}'::regclass ORDER BY 1")]


def ledger(run):
    path = run.folder / "home/.local/state/dbops/ledger.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def policy(action="drop", keep="2 months", **more):
    return json.dumps({"retention": {"t": {"table": "public.trades", "action": action, "keep": keep, **more}}})


def test_ahead_and_old(run, trades):
    """What ended more than two months ago goes, what is missing ahead comes, and the next run has nothing to do."""
    configure(run, policy(interval="1 month", ahead=2))
    done = maintain(run, trades, "--yes")
    assert items(done) == [("t", "create", "public.trades", "done")] + [("t", "drop", f"public.trades_2025_0{m}", "done") for m in (1, 2, 3)]
    assert partitions(trades) == [f"trades_2025_0{m}" for m in (4, 5, 6, 7, 8)] and trades.value("SELECT count(*) FROM trades") == 30
    assert trades.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'trades_2025_01%'") == 0
    assert items(maintain(run, trades, "--yes")) == [] and items(maintain(run, trades)) == []
    assert [(e["phase"], e["policy"], e["table"]) for e in ledger(run)][-2:] == [("intent", "t", "public.trades_2025_03"), ("done", "t", "public.trades_2025_03")]


def test_half_open(run, trades):
    """A partition goes when its last moment is old enough, not a day before."""
    configure(run, policy())
    for now, count in (("2025-04-30 23:59:59+00", 1), ("2025-05-01 00:00:00+00", 2)):
        plan = run("partitions", "maintain", "-d", trades, "--now", now, "--format=json", "--dry-run").json
        assert len(plan["items"]) == count, plan


def test_detach(run, trades):
    configure(run, policy("detach"))
    assert items(maintain(run, trades, "--yes"))[-1] == ("t", "detach", "public.trades_2025_03", "done")
    assert partitions(trades) == [f"trades_2025_0{m}" for m in (4, 5, 6)] and trades.value("SELECT count(*) FROM trades_2025_01") == 10


def test_plan_only(run, trades):
    """Nothing without consent; --sql and the digest of --dry-run are those of what runs."""
    configure(run, policy(interval="1 month", ahead=1))
    words = ("partitions", "maintain", "-d", trades, *NOW)
    script = run(*words, "--sql").stdout
    assert 'DROP TABLE "public"."trades_2025_01"' in script and "CONCURRENTLY" in script and "ATTACH PARTITION" in script
    digest = re.search(r"digest ([0-9a-f]{64})", run(*words, "--dry-run").stdout)[1]
    assert {i["state"] for i in maintain(run, trades, "--dry-run").json["items"]} == {"planned"}
    run(*words, expect=EXIT["config"]), run(*words, "--apply", digest[::-1], expect=EXIT["config"])
    assert len(partitions(trades)) == 6
    run(*words, "--apply", digest, "--no-check")
    assert len(partitions(trades)) == 4


def test_purge_policy(run, server_db):
    server_db.sql("""CREATE TABLE positions (id int PRIMARY KEY, deleted_at timestamptz);
        INSERT INTO positions SELECT g, now() - CASE WHEN g <= 300 THEN interval '200 days' ELSE '1 day' END FROM generate_series(1, 400) g""")
    configure(run, json.dumps({"retention": {"soft": {"table": "positions", "action": "purge", "keep": "90 days", "column": "deleted_at", "batch": 50}}}))
    done = maintain(run, server_db, "--yes").json["items"]
    assert [(i["action"], i["object"], i["rows"], i["state"]) for i in done] == [("purge", "positions", 300, "done")]
    assert server_db.value("SELECT count(*) FROM positions") == 100 and ledger(run)[-1]["policy"] == "soft"
    assert items(maintain(run, server_db, "--yes")) == []


def test_one_failure_does_not_keep_the_others(run, trades):
    """A view on one partition, a table that is not there, a policy that does not fit: told, and everything else is done."""
    make_trades(trades, "other")
    trades.sql("CREATE VIEW v AS SELECT * FROM trades_2025_02; CREATE TABLE plain (x int)")
    configure(run, json.dumps({"retention": {
        "a_missing": {"table": "nowhere", "keep": "1 day"}, "b_plain": {"table": "plain", "keep": "1 day"},
        "c": {"table": "trades", "action": "drop", "keep": "2 months"}, "d": {"table": "other", "action": "drop", "keep": "3 months"}}}))
    failed = maintain(run, trades, "--yes", expect=range(64, 79))
    state = {(i["object"], i["state"]) for i in failed.json["items"]}
    assert state == {("nowhere", "failed"), ("plain", "failed"), ("public.trades_2025_01", "done"), ("public.trades_2025_02", "failed"),
                     ("public.trades_2025_03", "done"), ("public.other_2025_01", "done"), ("public.other_2025_02", "done")}
    assert "3 of 7 steps failed" in failed.stderr
    assert partitions(trades) == [f"trades_2025_0{m}" for m in (2, 4, 5, 6)] and partitions(trades, "other") == [f"other_2025_0{m}" for m in (3, 4, 5, 6)]


def test_hold(run, trades):
    """A hold is no failure."""
    configure(run, policy() + "\n" and json.dumps({**json.loads(policy()), "holds": {"h": {"table": "public.trades_2025_02", "reason": "case 7"}}}))
    done = maintain(run, trades, "--yes").json["items"]
    assert [(i["object"], i["state"]) for i in done] == [("public.trades_2025_01", "done"), ("public.trades_2025_02", "held"), ("public.trades_2025_03", "done")]
    assert "case 7" in done[1]["message"] and len(partitions(trades)) == 4


def test_hold_that_fits_nothing(run, trades):
    """A name that is wrong by a letter holds nothing, so that is said; a hold of another database is none here."""
    hold = {"table": "public.trade", "reason": "case 7"}
    configure(run, json.dumps({**json.loads(policy()), "holds": {"typo": hold, "elsewhere": {**hold, "database": "other"},
        "over": {**hold, "until": "2020-01-01"}, "other": {"table": "public.trades", "reason": "x", "database": "other"}}}))
    done = maintain(run, trades, "--yes")
    assert "hold 'typo'" in done.stderr and done.stderr.count("hold '") == 1 and {i[3] for i in items(done)} == {"done"}
    configure(run, json.dumps({**json.loads(policy(keep="1 month")), "holds": {"here": {"table": "trades", "reason": "x", "database": trades.name}}}))
    done = maintain(run, trades, "--yes")
    assert "fits" not in done.stderr and {i[3] for i in items(done)} == {"held"}


def test_hold_of_rows_and_purge(run, server_db):
    """Held rows stay, the others of the table go."""
    server_db.sql("CREATE TABLE pos (id int, gone timestamptz); INSERT INTO pos SELECT g, '2020-01-01' FROM generate_series(1, 10) g")
    retention = {"t": {"table": "public.pos", "action": "purge", "column": "gone", "keep": "90 days"}}
    configure(run, json.dumps({"retention": retention, "holds": {"h": {"table": "public.pos", "rows": "id = 3", "reason": "case 7"}}}))
    assert items(maintain(run, server_db, "--yes"))[0][3] == "done"
    assert server_db.sql("SELECT id FROM pos") == [(3,)]


def test_policies_that_contradict(run, trades):
    """One wants an archive, the other none: if the first fails, the second must not drop. Policies that agree are one."""
    def two(*actions):
        retention = {f"p{i}": {"table": "public.trades", "keep": f"{i + 2} months", "action": action} for i, action in enumerate(actions)}
        configure(run, json.dumps({"retention": retention}))
    two("archive", "drop")
    done = maintain(run, trades, "--yes", "--to", "/dev/null/x", expect=EXIT["config"])
    assert "contradict" in done.stderr and len(partitions(trades)) == 6
    two("drop", "archive")
    maintain(run, trades, "--yes", "--to", "/dev/null/x", expect=EXIT["config"])
    assert partitions(trades) == [f"trades_2025_0{m}" for m in (1, 2, 4, 5, 6)]
    two("detach", "detach")
    assert [i[3] for i in items(maintain(run, trades, "--yes"))] == ["done"] * 2


def test_other_run_is_busy(run, trades):
    """Whoever changes partitions of the table has its lock: status 75, and other tables go on."""
    make_trades(trades, "other")
    configure(run, json.dumps({"retention": {n: {"table": n, "action": "drop", "keep": "2 months"} for n in ("trades", "other")}}))
    with trades.connect() as other:
        other.execute("SELECT pg_advisory_lock(1684164720, 'trades'::regclass::oid::int)")
        busy = maintain(run, trades, "--yes", expect=EXIT["busy"])
    assert ("trades", "policy", "trades", "failed") in items(busy) and len(partitions(trades)) == 6 and len(partitions(trades, "other")) == 3


def test_table_in_use(run, trades):
    """A reader of one old partition: the others go, status 75, and nothing is left half done."""
    configure(run, policy())
    with trades.connect() as reader:
        reader.execute("BEGIN"), reader.execute("SELECT * FROM trades_2025_02")
        busy = maintain(run, trades, "--yes", "--lock-timeout", "100ms", "--max-wait", "300ms", expect=EXIT["busy"])
    states = {i["object"]: i["state"] for i in busy.json["items"]}
    assert states == {"public.trades_2025_01": "done", "public.trades_2025_02": "failed", "public.trades_2025_03": "failed"}
    maintain(run, trades, "--yes", expect=EXIT["busy"])  # ends the detach that was begun; only then can another begin
    maintain(run, trades, "--yes")
    assert partitions(trades) == [f"trades_2025_0{m}" for m in (4, 5, 6)]


def test_check_afterwards(run, trades):
    """The months end in June 2025, which is long ago: critical, unless they are created."""
    configure(run, policy(keep="50 years"))
    late = run("partitions", "maintain", "-d", trades, "--format=json", expect=EXIT["critical"])
    assert [(i["action"], i["detail"]) for i in late.json["items"]] == [("check", "partitions.headroom")]
    configure(run, policy(keep="50 years", interval="1 month", ahead=2))
    run("partitions", "maintain", "-d", trades, "--yes")


@pytest.mark.parametrize("keep", ["2", "2 m", 60])
def test_keep_without_a_unit(run, trades, keep):
    """PostgreSQL would take it for seconds, or minutes."""
    configure(run, policy(keep=keep))
    assert "unit" in maintain(run, trades, "--yes", expect=EXIT["usage"]).stderr or keep == "2 m"
    assert len(partitions(trades)) == 6


def test_bad_policies(run, trades):
    for text, words in ((json.dumps({"retention": {"t": {"table": "trades"}}}), "it would do nothing"),
                        (json.dumps({"retention": {"t": {"keep": "1 day"}}}), "has no 'table'"),
                        (json.dumps({"retention": {"t": {"table": "x", "keep": "1 day", "action": "purge"}}}), "by which 'column'"),
                        (json.dumps({"retention": {"t": {"table": "x", "keep": "1 day", "action": "burn"}}}), "burn"),
                        ("{}", "there is no retention policy")):
        configure(run, text)
        assert words in maintain(run, trades, "--yes", expect=EXIT["config"]).stderr
    configure(run, policy(keep="soon"))
    maintain(run, trades, "--yes", expect=range(64, 79))
    assert len(partitions(trades)) == 6


# ---- what needs pg_dump, or a standby

def test_archive_policy(dbops, db, s3_server, bucket):
    """Each to its place; the ledger has the archive's hash, and the archive brings the partition back."""
    make_trades(db)
    dbops.env.update(s3_server.env)
    configure(dbops, policy("archive", to=bucket.url))
    done = maintain(dbops, db, "--yes").json["items"]
    assert [(i["action"], i["rows"], i["state"]) for i in done] == [("archive", 10, "done")] * 3
    assert all(i["archive"].startswith(bucket.url) for i in done) and len(partitions(db)) == 3
    assert [e["archive"] for e in ledger(dbops) if e["phase"] == "done"] == [i["archive"] for i in done]
    assert all(re.fullmatch("[0-9a-f]{64}", e["manifest_sha256"]) for e in ledger(dbops))
    dbops("partitions", "restore", "-d", db, "trades_2025_02", "--from", bucket.url, "--attach", "--yes")
    assert db.value("SELECT count(*) FROM trades") == 40


def test_archive_that_cannot_be_stored(dbops, db, s3_server, bucket):
    make_trades(db)
    dbops.env.update(s3_server.env)
    configure(dbops, policy("archive", to=bucket.url))
    bucket.server.fault("99 PUT .dat.gz 400:InvalidRequest")
    failed = maintain(dbops, db, "--yes", expect=range(64, 79))
    bucket.server.fault()
    assert {i["state"] for i in failed.json["items"]} == {"failed"} and len(partitions(db)) == 6 and ledger(dbops) == []


def test_policies_of_a_table(dbops, db, work):
    """retention_policies of the field documents: days, archive_enabled, last_archived_at."""
    make_trades(db), make_trades(db, "other")
    db.sql("""CREATE TABLE retention_policies (table_name text PRIMARY KEY, retention_days int NOT NULL, archive_enabled boolean DEFAULT true,
            last_archived_at timestamptz);
        INSERT INTO retention_policies VALUES ('trades', 60, NULL), ('other', 90, false), ('gone', 30, true), ('forever', 0, true)""")
    failed = maintain(dbops, db, "--policies", "retention_policies", "--to", work / "cold", "--yes", expect=EXIT["not_found"])
    states = {(i["action"], i["object"]): i["state"] for i in failed.json["items"]}
    assert states == {("archive", "public.trades_2025_01"): "done", ("archive", "public.trades_2025_02"): "done",
                      ("archive", "public.trades_2025_03"): "done", ("drop", "public.other_2025_01"): "done",
                      ("drop", "public.other_2025_02"): "done", ("policy", "gone"): "failed"}
    assert db.sql("SELECT table_name FROM retention_policies WHERE last_archived_at > now() - interval '1 hour'") == [("trades",)]


def test_standby_does_nothing(own_cluster, dbops_for):
    """So that one cron line can be the same everywhere: status 0."""
    primary = own_cluster()
    make_trades(primary.database("postgres"))
    standby = Standby(primary)
    run = dbops_for(standby)
    configure(run, policy())
    result = maintain(run, "postgres", "--yes")
    assert result.json["items"] == [] and "is a standby" in result.stderr
    standby.stop()
