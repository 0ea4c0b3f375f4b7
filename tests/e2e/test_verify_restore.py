# SPDX-License-Identifier: PostgreSQL
"""verify --restore: a scratch server, everything compared, nothing left."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

from support.archive import backup
from support.runner import EXIT
from support.servers import wait_until


def scratch_processes(dbops):
    """Command lines of postgres processes whose data folder lies in this test's TMPDIR."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(dbops.folder / "tmp") in line and "postgres" in line:
            found.append(line)
    return found


def assert_nothing_left(dbops):
    wait_until(lambda: not scratch_processes(dbops), "the scratch server to end")
    wait_until(lambda: not list((dbops.folder / "tmp").iterdir()), f"{dbops.folder}/tmp to be empty")


def test_torture(dbops, torture):
    backup(dbops, torture, "--split-above", "64kB")
    result = dbops("verify", "latest", "--restore")
    assert re.search(r"\d+(\.\d+)? ?(ms|s|min)", result.stdout + result.stderr), "the measured time is missing"
    assert_nothing_left(dbops)


def test_needs_no_server(dbops, shop, work):
    """Neither the source server nor any other is contacted."""
    backup(dbops, shop)
    dbops("verify", "latest", "--restore", env={"PGHOST": str(work), "PGPORT": "1"})
    assert_nothing_left(dbops)


def test_json(dbops, shop):
    report, _ = backup(dbops, shop)
    document = dbops.json("verify", "latest", "--restore")
    assert document["id"] == report["id"] and document["ok"] is True
    assert document["depth"] == "restore" and document["restore_seconds"] > 0


def test_a_backup_that_cannot_be_restored(dbops, db):
    """Every byte is as written, and still it does not restore: an index on a function that needs a search_path.
    This is what only --restore finds."""
    db.sql("""CREATE TABLE lookup (n integer); INSERT INTO lookup VALUES (1);
              CREATE FUNCTION f(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT n FROM lookup) + $1; END';
              CREATE TABLE t (a integer); INSERT INTO t VALUES (5); CREATE INDEX t_f ON t (f(a))""")
    backup(dbops, db)
    dbops("verify", "latest")
    result = dbops("verify", "latest", "--restore", expect=EXIT["damaged"])
    assert "lookup" in result.stderr
    assert_nothing_left(dbops)


@pytest.mark.parametrize("signum,status", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGKILL, None)],
                         ids=["INT", "TERM", "KILL"])
def test_killed(dbops, shop, signum, status):
    """Also after SIGKILL the scratch server ends and its folder goes away."""
    shop.sql("INSERT INTO events SELECT i, now(), 'many', to_jsonb(repeat(md5(i::text), 10)) FROM generate_series(100000, 200000) i")
    backup(dbops, shop)
    process = dbops.start("verify", "latest", "--restore")
    wait_until(lambda: scratch_processes(dbops) or process.poll() is not None, "the scratch server", seconds=60)
    process.send_signal(signum)
    dbops.finish(process, expect=EXIT[status] if status else -signal.SIGKILL)
    assert_nothing_left(dbops)
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"] is None or entry["verified"]["depth"] != "restore"


def test_not_enough_space(dbops, shop, work):
    """The scratch folder's file system is too small: said before anything is restored."""
    report, _ = backup(dbops, shop)
    disk = work / "disk"
    disk.mkdir()
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    result = dbops("verify", "latest", "--restore", env={"TMPDIR": disk}, expect=EXIT["cannot_write"],
                   prefix=namespace + ["sh", "-ec", f"mount -t tmpfs -o size=20m,mode=1777 none '{disk}'; exec \"$@\"", "sh"])
    assert "space" in result.stderr.lower()


def test_keep(dbops, shop):
    backup(dbops, shop)
    result = dbops("verify", "latest", "--restore", "--keep")
    kept = [p for p in (dbops.folder / "tmp").iterdir()]
    assert kept and any(str(p) in result.stderr + result.stdout for p in kept)
    assert not scratch_processes(dbops), "the folder is kept, the server is not"
    subprocess.run(["rm", "-rf", *map(str, kept)], check=True)


def test_from_the_bucket(s3_dbops, shop, bucket):
    s3_dbops("backup", "-d", shop, "--upload", bucket.url, "--no-local")
    s3_dbops("verify", "latest", "--from", bucket.url, "--restore")
    (entry,) = s3_dbops.json("list", "--from", bucket.url)["backups"]
    assert entry["verified"]["depth"] == "restore"
    assert_nothing_left(s3_dbops)
