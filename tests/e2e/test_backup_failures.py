# SPDX-License-Identifier: PostgreSQL
"""Honest failure: whatever goes wrong, the exit status says so, nothing that list calls complete is left behind, and
earlier backups are as they were."""
import os
import pathlib
import random
import signal
import time

import pytest

from conftest import BINDIRS, MAJOR
from support.archive import backup, files_below
from support.runner import EXIT
from support.servers import wait_until


def listed(dbops, *options):
    return dbops("list", "--format=json", *(options or ("--dir", dbops.folder / "backups"))).json["backups"]


@pytest.fixture
def earlier(dbops, shop):
    """A good backup that must survive what follows; checks that it did."""
    report, folder = backup(dbops, shop)
    before = {name: (folder / name).read_bytes() for name in files_below(folder)}
    yield report
    assert {name: (folder / name).read_bytes() for name in before} == before, "an earlier backup was touched"
    assert [b["id"] for b in listed(dbops) if b["complete"]] == [report["id"]], "list calls more complete than there is"
    dbops("verify", report["id"], "--dir", dbops.folder / "backups")


def copying(database):
    """True while dbops reads rows of this database."""
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
                          "AND query LIKE 'COPY%%' AND application_name LIKE 'dbops%%'") > 0


@pytest.fixture
def slow_shop(shop):
    """shop with so many rows that a test can see dbops read them."""
    shop.sql("INSERT INTO events SELECT i, now(), 'slow', to_jsonb(repeat(md5(i::text), 20)) FROM generate_series(100000, 250000) i")
    return shop


@pytest.mark.parametrize("signum,status", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")], ids=["INT", "TERM"])
def test_signal_while_reading(dbops, slow_shop, earlier, signum, status):
    process = dbops.start("backup", "-d", slow_shop, "--dir", "backups")
    wait_until(lambda: copying(slow_shop) or process.poll() is not None, "dbops to read rows")
    process.send_signal(signum)
    dbops.finish(process, expect=EXIT[status])
    assert not [f for f in files_below(dbops.folder / "backups") if earlier["id"] not in f and ".lock" not in f]
    wait_until(lambda: not slow_shop.value(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dbops%%' AND datname = current_database()"), "its sessions to end")


@pytest.mark.parametrize("signum,status", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")], ids=["INT", "TERM"])
def test_signal_while_waiting_for_a_lock(dbops, shop, earlier, signum, status):
    with shop.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        process = dbops.start("backup", "-d", shop, "--dir", "backups", "--lock-timeout", "1h")
        wait_until(lambda: shop.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass") or process.poll() is not None,
                   "dbops to wait")
        process.send_signal(signum)
        dbops.finish(process, expect=EXIT[status], timeout=20)


def test_kill_at_any_point(dbops, slow_shop, earlier):
    """SIGKILL at moments spread over the whole run: the repository never shows a half backup as a backup, and the next run works."""
    start = time.monotonic()
    report, folder = backup(dbops, slow_shop)
    whole = time.monotonic() - start
    complete = {earlier["id"], report["id"]}
    moments = random.Random(4).sample(range(100), 8)
    for moment in moments:
        process = dbops.start("backup", "-d", slow_shop, "--dir", "backups")
        try:
            process.wait(whole * moment / 100)
        except Exception:  # noqa: BLE001 - still running: that is the point
            process.kill()
        process.communicate()
        for b in listed(dbops):
            if b["complete"] and b["id"] not in complete:
                dbops("verify", b["id"], "--dir", "backups")    # it got there before the signal: then it is good
                complete.add(b["id"])
    last, _ = backup(dbops, slow_shop)
    dbops("verify", last["id"], "--dir", "backups")
    for identifier in (complete | {last["id"]}) - {earlier["id"]}:
        for path in pathlib.Path(dbops.folder / "backups").rglob(identifier):
            dbops.env["REMOVED"] = str(path)
            for file in sorted(path.rglob("*"), reverse=True):
                file.unlink()
            path.rmdir()


def test_server_dies_while_reading(own_cluster, dbops_for, templates, work):
    cluster = own_cluster()
    database = cluster.create_database()
    database.sql("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 150000) i")
    dbops = dbops_for(cluster)
    process = dbops.start("backup", "-d", database, "--dir", "backups")
    wait_until(lambda: copying(database) or process.poll() is not None, "dbops to read rows")
    cluster.kill()
    result = dbops.finish(process, expect=EXIT["unavailable"])
    # What it says depends on whether the worker had tried to connect again by then.
    assert any(words in result.stderr for words in ("server closed the connection", "terminat", "shut", f'"{cluster.base}')), result
    assert not any(b["complete"] for b in listed(dbops))
    assert not [f for f in files_below(work / "backups") if ".lock" not in f]


def test_one_session_is_terminated(dbops, slow_shop, earlier):
    """An administrator ends a worker's session: either the unit is read again and the backup is whole, or it fails; never a hole."""
    process = dbops.start("backup", "-d", slow_shop, "--dir", "other", "--format=json")
    wait_until(lambda: copying(slow_shop) or process.poll() is not None, "dbops to read rows")
    slow_shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                  "AND query LIKE 'COPY%%' AND state = 'active' AND application_name LIKE 'dbops%%' LIMIT 1")
    result = dbops.finish(process)
    if result.code in (0, 1):
        assert result.json["rows"] == sum(slow_shop.value(f"SELECT count(*) FROM {t}") for t in ("customers", "orders", "events", "measurements", 'archive."Old Orders"'))
        dbops("verify", "latest", "--dir", "other", "--restore")
    else:
        assert result.code in (EXIT["unavailable"], EXIT["refused"])
        assert not any(b["complete"] for b in listed(dbops, "--dir", "other"))


def test_no_server(dbops, earlier):
    result = dbops("backup", "-d", "x", "--dir", "backups", env={"PGHOST": str(dbops.folder)}, expect=EXIT["unavailable"])
    assert str(dbops.folder) in result.stderr


def test_no_such_database(dbops, earlier):
    result = dbops("backup", "-d", "no such database", "--dir", "backups", expect=EXIT["not_found"])
    assert "no such database" in result.stderr


def test_wrong_password(own_cluster, dbops_for, work):
    cluster = own_cluster(auth="scram-sha-256")
    cluster.sql("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'right-password'")
    dbops = dbops_for(cluster, PGUSER="app")
    for env in ({"PGPASSWORD": "wrong-secret-7"}, {}):
        result = dbops("backup", "-d", "postgres", "--dir", "backups", env=env, expect=EXIT["permission"])
        assert "wrong-secret-7" not in result.stderr + result.stdout
    assert files_below(work / "backups") == [] if (work / "backups").exists() else True
    dbops("backup", "-d", "postgres", "--dir", "backups", env={"PGPASSWORD": "right-password"})
    for path in (work / "backups").rglob("*"):
        assert not path.is_file() or b"right-password" not in path.read_bytes()


def test_password_in_a_url_stays_secret(own_cluster, dbops_for, work):
    """The password goes to the children by environment or file, never by argument; nothing prints it."""
    cluster = own_cluster(auth="scram-sha-256", tcp=True)
    cluster.sql("CREATE ROLE app LOGIN SUPERUSER PASSWORD 's3cr3t-in-url'")
    cluster.sql("CREATE TABLE t AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 60000) i")
    dbops = dbops_for(cluster)
    url = f"postgresql://app:s3cr3t-in-url@127.0.0.1:{cluster.port}/postgres"
    trace = work / "trace"
    done = dbops("backup", "--dir", "backups", "--verbose", env={"DATABASE_URL": url, "ASAN_OPTIONS": "detect_leaks=0"},
                 prefix=["strace", "-f", "-qq", "-s", "4096", "-e", "trace=execve", "-e", "signal=none", "-o", trace])
    assert "s3cr3t" not in done.stderr + done.stdout
    for line in trace.read_text().splitlines():
        assert "s3cr3t" not in line, line
    assert not [f for f in (work / "backups").rglob("*") if f.is_file() and b"s3cr3t" in f.read_bytes()]


def fake_bin(folder, script):
    """A bin folder whose pg_dump is a script ($REAL is the real one)."""
    real = pathlib.Path(BINDIRS[MAJOR])
    fake = folder / "fakebin"
    fake.mkdir()
    for program in real.iterdir():
        (fake / program.name).symlink_to(program)
    (fake / "pg_dump").unlink()
    (fake / "pg_dump").write_text(f"#!/bin/sh\nREAL={real}/pg_dump\ncase $1 in --version) exec $REAL --version;; esac\n{script}\n")
    (fake / "pg_dump").chmod(0o755)
    return fake


@pytest.mark.parametrize("script", [
    "echo 'pg_dump: error: no luck today' >&2; exit 1",
    "exit 1", "exit 0", "kill -9 $$", "kill -SEGV $$",
], ids=["error", "silent", "nothing-done", "killed", "crash"])
def test_pg_dump_fails(dbops, shop, earlier, work, script):
    result = dbops("backup", "-d", shop, "--dir", "backups", "--pg-bindir", fake_bin(work, script), expect=range(64, 79))
    assert "pg_dump" in result.stderr
    assert "no luck today" in result.stderr or "no luck" not in script


def test_pg_dump_writes_half_a_toc(dbops, shop, earlier, work):
    """toc.dat that ends early is noticed however pg_dump exits."""
    script = """for a; do case $p in -f|--file) f=$a;; esac; case $a in --file=*) f=${a#--file=};; -f?*) f=${a#-f};; esac; p=$a; done
$REAL "$@"; s=$?; truncate -s 3000 "$f/toc.dat"; exit $s"""
    result = dbops("backup", "-d", shop, "--dir", "backups", "--pg-bindir", fake_bin(work, script), expect=range(64, 79))
    assert "toc" in result.stderr.lower()


def small_disk(command, folder, size):
    """Command that runs in its own mount namespace with a tmpfs of `size` on folder."""
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    return namespace + ["sh", "-ec", f"mount -t tmpfs -o size={size},mode=0755 none '{folder}'; {command}", "sh"]


def test_no_pg_dump_of_the_right_version_names_the_package(dbops, shop):
    """With the distribution's folder of server programs emptied."""
    result = dbops("backup", "-d", shop, "--dir", "b", expect=EXIT["unavailable"], prefix=small_disk('exec "$@"', "/usr/lib/postgresql", "1m"))
    assert f"postgresql-client-{MAJOR}" in result.stderr


def test_a_bindir_without_pg_dump(dbops, shop, work):
    result = dbops("backup", "-d", shop, "--dir", "b", "--pg-bindir", work, expect=EXIT["unavailable"])
    assert str(work) in result.stderr and "pg_dump" in result.stderr


def test_disk_full(dbops, slow_shop, work):
    disk = work / "disk"
    disk.mkdir()
    result = dbops("backup", "-d", slow_shop, "--dir", disk, expect=0,
                   prefix=small_disk(f'"$@" || echo "status $?" >&2; find {disk} -type f; "$1" list --dir {disk} --format=json', disk, "3m"))
    assert f"status {EXIT['cannot_write']}" in result.stderr
    assert "No space left on device" in result.stderr
    assert '"complete":true' not in result.stdout.replace(" ", "")
    assert ".dat.gz" not in result.stdout, "the partial backup was not removed from the full disk"


def test_target_folder_cannot_be_written(dbops, shop, work):
    (work / "file").write_text("")
    result = dbops("backup", "-d", shop, "--dir", work / "file" / "backups", expect=(EXIT["cannot_write"], EXIT["permission"], EXIT["config"]))
    assert "file/backups" in result.stderr


def test_output_cannot_be_written(dbops, earlier):
    """A backup list that nobody got is a failure."""
    with open("/dev/full", "w") as full:
        import subprocess
        done = subprocess.run([dbops.program, "list", "--dir", "backups"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=dbops.folder,
                              env=dbops.environment())
    assert done.returncode == EXIT["cannot_write"], done.stderr


def test_truncate_between_snapshot_and_lock(dbops, shop, work):
    """A TRUNCATE that commits after the snapshot and before our lock would read as an empty table. dbops must notice:
    it either takes a new snapshot or fails; it never stores the emptiness as if it had been there."""
    with shop.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("TRUNCATE measurements_2024")
        process = dbops.start("backup", "-d", shop, "--dir", "backups", "--lock-timeout", "1min", "--format=json")
        wait_until(lambda: shop.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'measurements_2024'::regclass")
                   or process.poll() is not None, "dbops to wait for the lock")
        blocker.commit()
    result = dbops.finish(process)
    truth = sum(shop.value(f"SELECT count(*) FROM {t}") for t in ("customers", "orders", "events", "measurements", 'archive."Old Orders"'))
    if result.code in (0, 1):
        assert result.json["rows"] == truth
        assert shop.value("SELECT count(*) FROM measurements_2024") == 0
    else:
        assert "measurements_2024" in result.stderr
        assert not any(b["complete"] for b in listed(dbops))


def test_two_runs_of_one_series(dbops, slow_shop, earlier):
    """Overlapping cron runs: the second fails at once with 75 and says who runs."""
    process = dbops.start("backup", "-d", slow_shop, "--dir", "other")
    wait_until(lambda: copying(slow_shop) or process.poll() is not None, "the first run to read rows")
    second = dbops("backup", "-d", slow_shop, "--dir", "other", expect=EXIT["busy"], timeout=30)
    assert "another" in second.stderr.lower() or "already" in second.stderr.lower() or "running" in second.stderr.lower()
    dbops.finish(process, expect=0)
