# SPDX-License-Identifier: PostgreSQL
"""Retention: restic's rules, compared with an independent reading of them; only complete backups of one series count; the
newest good one never goes; a prune that was killed is finished by the next."""
import datetime
import json
import os
import random
import shutil

import pytest

from support.archive import backup, files_below
from support.runner import EXIT, Dbops
from support.servers import wait_until

UTC = datetime.timezone.utc


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


class Repository:
    """A folder of backups dated as the test wants: copies of one real backup with other times in their manifests."""

    def __init__(self, dbops, original, folder):
        self.dbops, self.original, self.folder = dbops, original, folder
        self.number = 0

    def add(self, when, label=None, complete=True, series=None):
        self.number += 1
        identifier = when.strftime("%Y%m%dT%H%M%SZ") + f"-{self.number:06x}"
        target = self.folder / (series or self.original.parent.name) / identifier
        shutil.copytree(self.original, target)
        path = target / "dbops.json"
        document = json.loads(path.read_text())
        document["id"] = identifier
        for key in ("started_at", "finished_at", "snapshot_at"):
            document[key] = when.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        if label:
            document["label"] = label
        if series:
            document["database"] = series
        path.write_text(json.dumps(document))
        if not complete:
            path.unlink()
        for file in target.rglob("*"):
            os.utime(file, (when.timestamp(),) * 2)
        return identifier

    def ids(self):
        return {p.name for p in self.folder.glob("*/*") if p.is_dir()}

    def plan(self, *rules, expect=0):
        """(kept, deleted) ids of a plan; every one has a reason."""
        document = self.dbops("prune", "--dir", self.folder, "--format=json", *rules, expect=expect).json
        kept, deleted = set(), set()
        for entry in document["backups"]:
            assert entry["reason"], f"no reason is given for {entry}"
            (kept if entry["action"] == "keep" else deleted).add(entry["id"])
        return kept, deleted


@pytest.fixture
def repository(dbops, db, work):
    db.sql("CREATE TABLE t AS SELECT 1 AS a")
    _, folder = backup(dbops, db, "--no-globals")
    shutil.move(folder.parent, work / "original")
    (work / "repository").mkdir()
    named = work / "series" / db.name
    named.parent.mkdir()
    shutil.move(work / "original", named)
    return Repository(dbops, named / folder.name, work / "repository")


def oracle(times, last=0, daily=0, weekly=0, monthly=0, yearly=0, within=None):
    """restic's documented rules over newest-first times: for each rule the newest backup of each of the N most recent periods
    that have one; the oldest backup is kept as well by a rule that is not yet full; within counts from the newest backup."""
    times = sorted(times, reverse=True)
    rules = [
        [last, lambda t, n: n, None], [daily, lambda t, n: t.date(), None], [weekly, lambda t, n: t.isocalendar()[:2], None],
        [monthly, lambda t, n: (t.year, t.month), None], [yearly, lambda t, n: t.year, None],
    ]
    kept = set()
    for n, t in enumerate(times):
        for rule in rules:
            left, period, previous = rule
            if left > 0 and (period(t, n) != previous or n == len(times) - 1):
                kept.add(t)
                rule[0], rule[2] = left - 1, period(t, n)
        if within and t > times[0] - within:
            kept.add(t)
    return kept


POLICIES = [
    (["--keep-last", "3"], dict(last=3)),
    (["--keep-daily", "7"], dict(daily=7)),
    (["--keep-weekly", "4"], dict(weekly=4)),
    (["--keep-monthly", "6"], dict(monthly=6)),
    (["--keep-yearly", "2"], dict(yearly=2)),
    (["--keep-daily", "7", "--keep-weekly", "5", "--keep-monthly", "12"], dict(daily=7, weekly=5, monthly=12)),
    (["--keep-last", "1", "--keep-yearly", "10"], dict(last=1, yearly=10)),
    (["--keep-within", "14d"], dict(within=datetime.timedelta(days=14))),
    (["--keep-within", "36h", "--keep-monthly", "3"], dict(within=datetime.timedelta(hours=36), monthly=3)),
    (["--keep-days", "30"], dict(within=datetime.timedelta(days=30))),
]


@pytest.mark.parametrize("rules,expected", POLICIES, ids=[" ".join(p[0]) for p in POLICIES])
def test_rules(repository, rules, expected):
    """Three shapes of history: nightly, several a day with gaps, sparse over years (around year ends and ISO weeks)."""
    generator = random.Random(str(rules))
    histories = [
        [at("2025-11-10T02:00:00") - datetime.timedelta(days=d) for d in range(70)],
        [at("2025-03-05T18:00:00") - datetime.timedelta(hours=generator.randrange(1, 24 * 60)) for _ in range(50)],
        [at("2025-01-02T02:00:00") - datetime.timedelta(days=generator.randrange(0, 1500)) for _ in range(40)],
    ]
    for times in histories:
        times = sorted(set(times))
        repository.folder = repository.folder.parent / f"repository{repository.number}"
        repository.folder.mkdir()
        ids = {t: repository.add(t) for t in times}
        kept, deleted = repository.plan(*rules)
        wanted = {ids[t] for t in oracle(times, **expected)}
        assert kept == wanted and deleted == set(ids.values()) - wanted


def test_the_documented_example(repository):
    """By hand, not by the oracle: two a day for ten days, --keep-daily 3 keeps the evening ones of the last three days."""
    ids = {}
    for day in range(1, 11):
        for hour in (2, 20):
            ids[day, hour] = repository.add(at(f"2025-06-{day:02d}T{hour:02d}:00:00"))
    kept, _ = repository.plan("--keep-daily", "3")
    assert kept == {ids[10, 20], ids[9, 20], ids[8, 20]}


def test_plan_changes_nothing_and_yes_acts(repository):
    ids = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 6)]
    before = files_below(repository.folder)
    repository.plan("--keep-last", "2")
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "2", "--dry-run")
    assert files_below(repository.folder) == before
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "2", "--yes")
    assert repository.ids() == set(ids[-2:])
    repository.dbops("verify", "latest", "--dir", repository.folder)
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "2", "--yes")
    assert repository.ids() == set(ids[-2:])


def test_incomplete_backups_do_not_count(repository):
    """Three good ones, then failures for a month: --keep-last 2 and --keep-days keep good ones."""
    good = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 4)]
    bad = [repository.add(at(f"2025-07-{day:02d}T02:00:00"), complete=False) for day in range(1, 30)]
    kept, deleted = repository.plan("--keep-last", "2")
    assert kept & set(good) == set(good[1:]) and good[0] in deleted
    kept, deleted = repository.plan("--keep-within", "7d")
    assert set(good) <= kept, "within counts from the newest complete backup: an outage expires nothing"
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "2", "--yes")
    assert set(good[1:]) <= repository.ids()
    assert not set(bad) & repository.ids(), "leftovers that are older than the lease are swept"


def test_a_young_leftover_may_be_a_running_backup(repository):
    repository.add(at("2025-06-01T02:00:00"))
    young = repository.add(datetime.datetime.now(UTC), complete=False)
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "1", "--yes")
    assert young in repository.ids()


def test_series_are_apart(repository):
    """Another label, another database: separate series, whatever the folder."""
    nightly = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 5)]
    weekly = [repository.add(at(f"2025-05-{day:02d}T02:00:00"), label="weekly") for day in (1, 8)]
    other = [repository.add(at("2020-01-01T02:00:00"), series="another")]
    kept, deleted = repository.plan("--keep-last", "1")
    assert kept == {nightly[-1], weekly[-1], other[0]}
    assert deleted == set(nightly[:-1]) | {weekly[0]}


def test_an_empty_policy_is_refused(repository):
    identifier = repository.add(at("2025-06-01T02:00:00"))
    result = repository.dbops("prune", "--dir", repository.folder, "--yes", expect=(EXIT["usage"], EXIT["config"]))
    assert "--keep" in result.stderr
    for rule in ("--keep-last=0", "--keep-daily=0"):
        repository.dbops("prune", "--dir", repository.folder, rule, "--yes", expect=(EXIT["usage"], EXIT["config"]))
    assert repository.ids() == {identifier}


def test_backups_from_the_future(repository):
    """A wrong clock once: the future-dated one must not push out today's good ones."""
    good = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 4)]
    repository.add(at("2099-01-01T00:00:00"))
    kept, _ = repository.plan("--keep-within", "7d")
    assert set(good) <= kept


def test_foreign_files_are_left_alone(repository):
    repository.add(at("2025-06-01T02:00:00"))
    repository.add(at("2025-06-02T02:00:00"))
    (repository.folder / "notes.txt").write_text("mine")
    (repository.folder / "photos").mkdir()
    (repository.folder / "photos" / "cat.jpg").write_text("mine too")
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "1", "--yes")
    assert (repository.folder / "notes.txt").exists() and (repository.folder / "photos" / "cat.jpg").exists()


@pytest.mark.parametrize("emptied", [True, False], ids=["only a link", "files and a link"])
def test_a_link_that_keeps_a_folder_is_no_success(repository, tmp_path, emptied):
    """What dbops did not write it does not remove; then it must not say that the folder is gone, and the others go all the same."""
    ids = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 4)]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    folder = next(repository.folder.glob(f"*/{ids[0]}"))
    (folder / "link").symlink_to(tmp_path / "mine")
    if emptied:
        for name in files_below(folder):
            (folder / name).unlink()
        assert [p.name for p in folder.iterdir()] == ["link"]
    done = repository.dbops("prune", "--dir", repository.folder, "--keep-last", "1", "--yes", expect=EXIT["refused"])
    assert f"removed {ids[0]}" not in done.stderr and f"{ids[0]}\" is not empty" in done.stderr and "symbolic link" in done.stderr
    assert f"removed {ids[1]}" in done.stderr
    assert folder.is_dir() and (tmp_path / "mine" / "notes.txt").exists()
    assert [b["id"] for b in repository.dbops.json("list", "--dir", repository.folder)["backups"] if b["complete"]] == [ids[2]]


def test_a_killed_prune_is_finished(repository):
    """What a kill between "manifest removed" and "rest removed" leaves is swept later and never listed as complete."""
    ids = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 4)]
    (next(repository.folder.glob(f"*/{ids[0]}")) / "dbops.json").unlink()
    assert ids[0] not in {b["id"] for b in repository.dbops.json("list", "--dir", repository.folder)["backups"] if b["complete"]}
    repository.dbops("prune", "--dir", repository.folder, "--keep-last", "2", "--yes")
    assert repository.ids() == set(ids[1:])


def upload(bucket, folder):
    for name in files_below(folder):
        bucket.put(name, (folder / name).read_bytes())


def test_in_a_bucket(repository, s3_dbops, bucket):
    ids = [repository.add(at(f"2025-06-{day:02d}T02:00:00")) for day in range(1, 8)]
    upload(bucket, repository.folder)
    s3_dbops("prune", "--from", bucket.url, "--keep-last", "3", "--yes")
    assert {key.split("/")[1] for key in bucket.keys()} == set(ids[-3:])
    deletes = [line for line in bucket.server.requests() if f"/{bucket.name}" in line]
    first_manifest = next(i for i, line in enumerate(deletes) if "dbops.json" in line and " DELETE " in line or "?delete" in line)
    assert first_manifest is not None
    s3_dbops("verify", "latest", "--from", bucket.url)


def test_killed_in_a_bucket(repository, s3_dbops, bucket, s3_server):
    """SIGKILL while the second batch of deletions stalls: manifests went first, so nothing half-deleted looks complete."""
    for day in range(1, 8):
        repository.add(at(f"2025-06-{day:02d}T02:00:00"))
    upload(bucket, repository.folder)
    s3_server.fault("1 POST delete stall 3600", "1 DELETE toc.dat stall 3600")
    process = s3_dbops.start("prune", "--from", bucket.url, "--keep-last", "3", "--yes")
    wait_until(lambda: any("stall" in line and bucket.name in line for line in s3_server.requests()) or process.poll() is not None, "a deletion to stall")
    process.kill()
    process.communicate()
    s3_server.fault()
    for entry in s3_dbops.json("list", "--from", bucket.url)["backups"]:
        if entry["complete"]:
            s3_dbops("verify", entry["id"], "--from", bucket.url, "--quick")
    # The copies in the bucket are seconds old, so the leftover is younger than the usual lease; a listing rounds times up to the
    # next second, so it may be younger than any.
    def swept():
        s3_dbops("prune", "--from", bucket.url, "--keep-last", "3", "--lease", "1ms", "--yes")
        return len({key.split("/")[1] for key in bucket.keys()}) == 3

    wait_until(swept, "the leftover to be swept")


def test_stale_uploads_are_swept_and_young_ones_not(s3_dbops, bucket, shop):
    """A multipart upload that a killed run left: too young to be taken for dead today."""
    report = s3_dbops.json("backup", "-d", shop, "--upload", bucket.url, "--no-local")
    bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=f"{shop.name}/{report['id']}/9999.dat.gz")
    s3_dbops("prune", "--from", bucket.url, "--keep-last", "1", "--yes")
    assert len(bucket.uploads()) == 1


def test_backup_with_keep_is_a_complete_cron_line(release_program, work, cluster, shop):
    """backup --keep-last 2, every night for five nights, by a clock set back: two remain, and they are the newest."""
    dbops = Dbops(release_program, work, cluster.env)
    made = []
    for day in range(1, 6):
        result = dbops("backup", "-d", shop, "--keep-last", "2", "--format=json", prefix=["faketime", f"2025-06-{day:02d} 02:00:00"])
        made.append(result.json["id"])
    assert made == sorted(made)
    assert [b["id"] for b in sorted(dbops.json("list")["backups"], key=lambda b: b["id"]) if b["complete"]] == made[-2:]


def test_a_failed_backup_prunes_nothing(dbops, cluster, shop):
    for _ in range(2):
        backup(dbops, shop)
    with shop.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        dbops("backup", "-d", shop, "--keep-last", "1", "--lock-timeout", "200ms", expect=EXIT["busy"])
    assert len([b for b in dbops.json("list")["backups"] if b["complete"]]) == 2


def test_prune_and_backup_do_not_meet(dbops, shop):
    """While a backup of the series runs, prune fails fast with 75 or leaves its folder alone."""
    shop.sql("INSERT INTO events SELECT i, now(), 'many', to_jsonb(repeat(md5(i::text), 20)) FROM generate_series(100000, 200000) i")
    backup(dbops, shop)
    process = dbops.start("backup", "-d", shop)
    wait_until(lambda: shop.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%%' "
                                  "AND application_name LIKE 'dbops%%'") or process.poll() is not None, "dbops to read rows")
    dbops("prune", "--keep-last", "1", "--yes", expect=(0, EXIT["busy"]))
    dbops.finish(process, expect=0)
    dbops("verify", "latest")
