# SPDX-License-Identifier: PostgreSQL
"""The frame of the inspections, shown on `dbops connections`: formats, --check, --watch, --output, visibility."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import termios

import psycopg
import pytest

from support.runner import EXIT

ROOT = pathlib.Path(__file__).resolve().parents[2]
SQL = sorted((ROOT / "src/lib/inspect/sql").glob("*.sql"))


@pytest.fixture(scope="module")
def lowly(cluster):
    """A role that may only log in."""
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as c:
        c.execute("CREATE ROLE \"Low\"\"ly\" LOGIN")
    yield 'Low"ly'
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as c:
        c.execute("DROP ROLE \"Low\"\"ly\"")


def for_version(text, major):
    """What sql_add() of src/lib/inspect/sql.c does."""
    lines = []
    for line in text.splitlines():
        marker = re.search(r"-- @(>=|<)(\d+)", line)
        if not marker or (major >= int(marker[2])) == (marker[1] == ">="):
            lines.append(line.split("-- @")[0])
    return "\n".join(lines)


@pytest.mark.parametrize("path", SQL, ids=lambda p: p.stem)
def test_sql_on_every_version(server_major, server, path):
    """Each file is one statement (or some) that every supported server understands."""
    with server(server_major).connect() as c:
        c.execute("SET search_path = ''")
        c.execute(for_version(path.read_text(), server_major))


def test_json(dbops, db):
    answer = dbops.json("connections", "-d", db.name)
    assert answer["schema_version"] == 1 and answer["completeness"] == "full" and answer["status"] == "ok"
    assert answer["database"] == db.name


def test_nagios_line(dbops, db):
    result = dbops("connections", "-d", db.name, "--format=nagios")
    assert re.match(r"DBOPS CONNECTIONS OK - .+ \| '\w+'=\d+;", result.stdout)


def test_nagios_says_unknown_for_every_failure(dbops, db):
    for words in (["-d", "no_such_database"], ["-h", "/nowhere"], ["--no-such-option"], ["--watch=1ms"]):
        result = dbops("connections", "--format=nagios", *words, expect=EXIT["unknown"])
        assert result.stdout.startswith("DBOPS CONNECTIONS UNKNOWN - "), result
        assert result.stdout.count("\n") == 1


def test_check_without_a_server_is_unknown(dbops):
    assert dbops("connections", "-h", "/nowhere", "--check", expect=EXIT["unknown"]).stderr
    dbops("connections", "-h", "/nowhere", expect=EXIT["unavailable"])


def test_prometheus(dbops, db, work):
    text = dbops("connections", "-d", db.name, "--format=prom").stdout
    assert 'dbops_up{command="connections"} 1\n' in text
    names = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert len(names) == len(set(names))


def test_prometheus_says_that_the_server_is_down(dbops, work):
    out = work / "dbops.prom"
    dbops("connections", "-h", "/nowhere", "--format=prom", "-o", out, expect=EXIT["unavailable"])
    assert 'dbops_up{command="connections"} 0\n' in out.read_text()


def test_the_profile_is_a_label_of_every_metric(dbops, db, work):
    """Without it the files of two databases would have the same series, which node_exporter refuses."""
    config = work / "dbops.yaml"
    config.write_text(f"profiles:\n  'sh\"op':\n    dbname: {db.name}\n  gone:\n    host: /nowhere\n")
    text = dbops("connections", "--config", config, "--profile", 'sh"op', "--format=prom").stdout
    series = [line for line in text.splitlines() if not line.startswith("#")]
    assert series and all('profile="sh\\"op"' in line for line in series), text
    text = dbops("connections", "--config", config, "--profile", "gone", "--format=prom", expect=EXIT["unavailable"]).stdout
    assert text.endswith('dbops_up{command="connections",profile="gone"} 0\n')


def test_output_is_whole_and_readable(dbops, db, work):
    out = work / "answer.json"
    result = dbops("connections", "-d", db.name, "--format=json", "-o", out)
    assert result.stdout == "" and json.loads(out.read_text())["schema_version"] == 1
    assert out.stat().st_mode & 0o777 == 0o644
    dbops("connections", "-d", db.name, "-o", work / "no" / "such", expect=(EXIT["cannot_write"], EXIT["not_found"]))


def test_a_role_without_rights_gets_unknown_and_the_grant(dbops, db, lowly):
    plain = dbops("connections", "-d", db.name, "-U", lowly)
    assert "partial" in plain.stdout
    result = dbops("connections", "-d", db.name, "-U", lowly, "--check", expect=EXIT["unknown"])
    assert 'GRANT pg_monitor TO "Low""ly";' in result.stdout
    answer = dbops.json("connections", "-d", db.name, "-U", lowly)
    assert answer["completeness"] == "partial" and answer["status"] == "unknown"
    assert answer["gaps"][0]["grant"] == 'GRANT pg_monitor TO "Low""ly";'


def test_watch_prints_a_document_a_tick(dbops, db):
    process = dbops.start("connections", "-d", db.name, "--watch=500ms")
    ticks = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    dbops.finish(process, expect=EXIT["interrupted"])
    assert ticks[0]["at"] < ticks[1]["at"] < ticks[2]["at"]


def test_watch_survives_a_lost_session(dbops, db, cluster):
    process = dbops.start("connections", "-d", db.name, "--watch=500ms")
    first = json.loads(process.stdout.readline())
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as c:
        c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dbops connections' AND datname = %s", [db.name])
    later = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    result = dbops.finish(process, expect=EXIT["terminated"])
    assert later["at"] > first["at"]
    assert "trying again" in result.stderr


def test_thresholds(dbops, db, cluster):
    with psycopg.connect(cluster.conninfo(db.name)):
        dbops("connections", "-d", db.name, "--check", "--warning=0", "--critical=", expect=EXIT["warning"])
        dbops("connections", "-d", db.name, "--check", "--warning=0", "--critical=@0:1000", expect=EXIT["critical"])
    wrong = dbops("connections", "-d", db.name, "--warning=many", expect=EXIT["usage"])
    assert "--warning" in wrong.stderr and "threshold" in wrong.stderr


def test_suppression(dbops, db, cluster, work):
    def run(expires, expect):
        config = work / "dbops.yaml"
        config.write_text("suppressions:\n  known:\n    finding: connections.*\n    reason: we know\n" + (f"    expires: {expires}\n" if expires else ""))
        return dbops("connections", "-d", db.name, "--check", "--warning=0", "--critical=", "--config", config, expect=expect)

    with psycopg.connect(cluster.conninfo(db.name)):
        assert "accepted: we know" in run(None, 0).stdout
        assert "(until 2999-01-01)" in run("2999-01-01", 0).stdout
        run("2001-01-01", EXIT["warning"])
        assert "not a date" in run("soon", EXIT["config"]).stderr


def on_terminal(dbops, columns, *words, env=None):
    """dbops whose stdout is a terminal of that width: the process and the terminal's other end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([str(dbops.program), *map(str, words)], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE,
                               cwd=dbops.folder, env=dbops.environment({"TERM": "xterm", "COLUMNS": None, **(env or {})}), text=True)
    os.close(slave)
    return process, master


def read_all(master):
    text = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(master, 65536):
            text += chunk
    os.close(master)
    return text.decode()


def test_a_narrow_terminal_gets_one_block_a_row(dbops, db, cluster):
    with psycopg.connect(cluster.conninfo(db.name), application_name="the application"):
        process, master = on_terminal(dbops, 24, "connections", "-d", db.name, "--color=never")
        text = read_all(master)
        assert process.wait() == 0
        assert re.search(r"^WHAT +\S", text, re.M), text
        process, master = on_terminal(dbops, 200, "connections", "-d", db.name, "--color=always")
        text = read_all(master)
        assert process.wait() == 0
    assert "\033[" in text and not re.search(r"^WHAT +\S+\r$", text, re.M), text


@pytest.mark.parametrize("words", [["connections"], ["indexes", "audit"]], ids=" ".join)
def test_watch_redraws_a_terminal(dbops, db, words):
    process, master = on_terminal(dbops, 120, *words, "-d", db.name, "--watch=500ms", env={"TERM": "xterm"})
    text = b""
    while text.count(b"\033[H\033[2J") < 3:
        text += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    read_all(master)
    assert process.wait() == EXIT["interrupted"]
    assert f"every 0.5 s: dbops {' '.join(words)}\r\n".encode() in text


def inspections(dbops):
    """Every command that prints Prometheus metrics, with what it needs."""
    needed = {"dbops locks forecast": ["SELECT 1"]}
    return [c["path"].split()[1:] + needed.get(c["path"], []) for c in dbops.json("help")["commands"]
            if any("prom" in o.get("choices", []) for o in c["options"] if o["name"] == "format") and not any(o["min"] for o in c["operands"])]


def test_metrics_are_what_prometheus_wants(dbops, db, cluster):
    """promtool (Debian's package prometheus) reads and lints the metrics of every inspection there is."""
    commands = inspections(dbops)
    assert ["connections"] in commands
    with psycopg.connect(cluster.conninfo(db.name)) as c:
        c.execute("SELECT 1")
        for words in commands:
            text = dbops(*words, "-d", db.name, "--format=prom", expect=None).stdout
            assert "\ndbops_up{" in text, words
            lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            assert lint.returncode == 0, f"{' '.join(words)}:\n{lint.stdout}{lint.stderr}"


def test_serializable_by_default(dbops, db):
    """A deferrable serializable transaction would wait for those of others before it reads anything."""
    db.sql(f"ALTER DATABASE {db.name} SET default_transaction_isolation = 'serializable'; ALTER DATABASE {db.name} SET default_transaction_deferrable = on")
    with db.connect() as c, c.transaction():
        c.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE")
        c.execute("SELECT count(*) FROM pg_class")
        c.execute("SELECT pg_current_xact_id()")
        assert dbops.json("connections", "-d", db.name, "--statement-timeout=3s")["completeness"] == "full"


def test_other_encodings(dbops_for, own_cluster):
    """Names of a LATIN1 database are UTF-8 in JSON, SQL and metrics; where bytes have no encoding, metrics are UTF-8 still."""
    cluster = own_cluster()
    dbops = dbops_for(cluster)
    cluster.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    cluster.sql("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    latin = cluster.database("latin")
    latin.sql('CREATE TABLE "é" (a int); CREATE INDEX "i1é" ON "é" (a); CREATE INDEX "i2é" ON "é" (a); CREATE ROLE "rollé" LOGIN CONNECTION LIMIT 3')
    row, = dbops.json("indexes", "audit", "-d", "latin", "--only=duplicate")["indexes"]
    assert row["object"] == 'public."i2é"' and '"i2é"' in row["fix"]
    assert 'name="rollé"' in dbops("connections", "-d", "latin", "--format=prom").stdout
    waiting = dbops.json("locks", "forecast", "-d", "latin", 'DROP TABLE "é"', expect=None)
    assert waiting["forecast"][0]["object"] == 'public."é"'
    text = dbops("connections", "-d", "ascii", "--format=prom", env={"PGCLIENTENCODING": "SQL_ASCII"}).stdout
    assert 'name="roll\\\\xe9"' in text, text


def test_no_question_is_compiled(dbops_for, own_cluster):
    """JIT takes seconds for a question that takes a millisecond; seen by auto_explain, which says when it was at work."""
    cluster = own_cluster(options={
        "jit": "on", "jit_above_cost": "0", "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
        "auto_explain.log_analyze": "on"})

    def compiled(run, statement):
        before = len(cluster.log.read_text())
        run()
        plans = [p for p in cluster.log.read_text()[before:].split("duration: ") if statement in p]
        assert plans
        return any("JIT:" in p for p in plans)

    assert compiled(lambda: cluster.sql("SELECT count(*) FROM pg_class"), "count(*)") == cluster.sql("SELECT pg_jit_available()")[0][0]
    assert not compiled(lambda: dbops_for(cluster)("locks", "-d", "postgres"), "pg_blocking_pids")
