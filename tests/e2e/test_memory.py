# SPDX-License-Identifier: PostgreSQL
"""Bounds that the manual states: memory of backup and restore, size of the program. Measured on the release build."""
import shutil
import subprocess

import pytest

from support.runner import Dbops
from support.servers import ROOT

MIB = 1 << 20


def peak(dbops, *arguments, env=None):
    """Runs dbops; the peak resident memory in bytes of it or a child of it, whichever is larger."""
    figure = dbops.folder / "peak"
    dbops(*arguments, env=env, prefix=["/usr/bin/python3", "-S", "-E", ROOT / "tests/e2e/support/peak.py", figure])
    return int(figure.read_text())


@pytest.fixture
def release(release_program, work, cluster, s3_server):
    return Dbops(release_program, work, {**cluster.env, **s3_server.env})


@pytest.fixture
def sized(db):
    """sized(rows): grows one table of about 1 KB a row."""
    db.sql("CREATE TABLE big (id bigint, v text)")

    def grow(rows):
        have = db.value("SELECT count(*) FROM big")
        db.sql(f"""INSERT INTO big SELECT i, (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 31) k)
                   FROM generate_series({have + 1}, {rows}) i""")
        return db

    return grow


def test_backup_memory_does_not_grow_with_the_data(release, sized):
    """40 MB, then 240 MB of text with -j4: under 96 MiB both times, and no more than 8 MiB apart."""
    peaks = []
    for rows in (40_000, 240_000):
        database = sized(rows)
        peaks.append(peak(release, "backup", "-d", database, "--dir", "backups", "-j4"))
    print("peak memory of backup -j4, MiB:", [p / MIB for p in peaks])
    assert max(peaks) < 96 * MIB, [p / MIB for p in peaks]
    assert peaks[1] - peaks[0] < 8 * MIB + peaks[0] // 4, [p / MIB for p in peaks]


def test_backup_memory_of_many_jobs(release, db):
    """6 MiB for each job beyond 12: 20 tables of 10 MB, whose files are written at the same time."""
    for i in range(20):
        db.sql(f"CREATE TABLE big{i} AS SELECT i, (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 31) k) FROM generate_series(1, 10000) i")
    used = peak(release, "backup", "-d", db, "--dir", "backups", "-j20")
    print("peak memory of backup -j20, MiB:", used / MIB)
    assert used < (96 + 6 * 8) * MIB, used / MIB


def test_upload_memory(release, sized, bucket):
    """96 MiB + part size x (slots + 1): 16 MiB x 9 by default."""
    used = peak(release, "backup", "-d", sized(150_000), "--upload", bucket.url, "--no-local", "-j4")
    assert used < (96 + 16 * 9) * MIB, used / MIB


def test_memory_per_table(release, db):
    """5,000 tables: at most 2 KiB each on top."""
    small = peak(release, "backup", "-d", db, "--dir", "backups", "-j4")
    for chunk in range(50):
        db.sql(f"DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE t{chunk}_%s (a integer)', i); END LOOP; END $$")
    large = peak(release, "backup", "-d", db, "--dir", "backups", "-j4")
    assert large < 96 * MIB and large - small < 5000 * 2048 + 16 * MIB, (small / MIB, large / MIB)


def test_restore_and_verify_memory(release, sized, empty_db):
    release("backup", "-d", sized(150_000), "--dir", "backups")
    assert peak(release, "verify", "latest", "--dir", "backups") < 96 * MIB
    assert peak(release, "restore", "latest", "--dir", "backups", "--to-db", empty_db, "--yes", "-j4") < 96 * MIB


def test_one_huge_row(release, db, empty_db):
    """A row of 100 MB stays one row: memory may hold it a few times, not more."""
    db.sql("CREATE TABLE huge (v text); INSERT INTO huge SELECT repeat('0123456789', 10000000); ")
    used = peak(release, "backup", "-d", db, "--dir", "backups", "-j2")
    assert used < 700 * MIB, used / MIB
    release("restore", "latest", "--dir", "backups", "--to-db", empty_db, "--yes")
    assert empty_db.value("SELECT md5(v) FROM huge") == db.value("SELECT md5(v) FROM huge")


def test_stripped_program_is_small(release_program, work):
    copy = work / "dbops"
    shutil.copy(release_program, copy)
    subprocess.run(["strip", str(copy)], check=True)
    assert copy.stat().st_size < MIB


def test_no_sanitizer_and_no_writable_code_in_the_release_program(release_program):
    text = subprocess.run(["readelf", "-d", "-l", str(release_program)], capture_output=True, text=True, check=True).stdout
    assert "asan" not in text
    assert "RWE" not in text
