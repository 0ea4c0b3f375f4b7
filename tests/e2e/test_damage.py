# SPDX-License-Identifier: PostgreSQL
"""The damage matrix: take a good backup, damage it, verify must say what and where. Where pg_restore notices too, that
is asserted as well: it tells whether the archive's layout lets stock tools see the damage."""
import json
import shutil

import pytest

from support.archive import backup, files_below, flip_bit, full_flushes, manifest, table_file
from support.runner import EXIT


@pytest.fixture(scope="module")
def pristine(program, session_folder, templates, clusters):
    """One backup for the whole table of scenarios; each works on a copy."""
    from conftest import MAJOR
    from support.runner import Dbops
    folder = session_folder / "damage"
    folder.mkdir(exist_ok=True)
    dbops = Dbops(program, folder, clusters(MAJOR).env)
    return backup(dbops, templates("shop"), "--split-above", "256kB", "-j2")


@pytest.fixture
def copy(pristine, work, cluster):
    """(folder of a copy, its events file)."""
    folder = work / "backups" / pristine[1].parent.name / pristine[1].name
    shutil.copytree(pristine[1], folder)
    return folder, table_file(cluster, folder, "public", "events")


def cut(path, begin, end=None):
    data = path.read_bytes()
    path.write_bytes(data[:begin] + (data[end:] if end is not None else b""))


def blocks(path):
    data, offsets = full_flushes(path)
    assert len(offsets) >= 4, "the table is too small for this test"
    return data, offsets


def flip_in_block(path):
    data, at = blocks(path)
    flip_bit(path, (at[1] + at[2]) // 2)


def missing_block(path):
    data, at = blocks(path)
    cut(path, at[1], at[2])


def cut_at_a_block(path):
    data, at = blocks(path)
    cut(path, at[2])


def cut_inside_a_block(path):
    data, at = blocks(path)
    cut(path, (at[1] + at[2]) // 2)


def hole_over_a_block(path):
    data, at = blocks(path)
    path.write_bytes(data[:at[1]] + bytes(at[2] - at[1]) + data[at[2]:])


def hole_between_blocks(path):
    data, at = blocks(path)
    path.write_bytes(data[:at[1]] + bytes(4096) + data[at[1]:])


def swapped_blocks(path):
    data, at = blocks(path)
    path.write_bytes(data[:at[1]] + data[at[2]:at[3]] + data[at[1]:at[2]] + data[at[3]:])


def doubled_block(path):
    data, at = blocks(path)
    path.write_bytes(data[:at[2]] + data[at[1]:at[2]] + data[at[2]:])


def wrong_magic(path):
    flip_bit(path, 0)


def wrong_block_header(path):
    data, at = blocks(path)
    flip_bit(path, at[1])


def trailer_missing(path):
    cut(path, path.stat().st_size - 8)


def wrong_crc(path):
    flip_bit(path, path.stat().st_size - 6)


def trailing_garbage(path):
    path.write_bytes(path.read_bytes() + b"more")


def emptied(path):
    path.write_bytes(b"")


def gone(path):
    path.unlink()


# name, damage, does stock pg_restore notice, does --quick (presence and size) notice
TABLE_DAMAGE = [
    (flip_in_block, True, False), (missing_block, True, True), (cut_at_a_block, True, True), (cut_inside_a_block, True, True),
    (hole_over_a_block, True, False), (hole_between_blocks, True, True), (swapped_blocks, True, False), (doubled_block, True, True),
    (wrong_magic, None, False), (wrong_block_header, True, False), (trailer_missing, None, True), (wrong_crc, True, False),
    (trailing_garbage, None, True), (emptied, None, True), (gone, True, True),
]


@pytest.mark.parametrize("damage,stock,quick", TABLE_DAMAGE, ids=[d[0].__name__ for d in TABLE_DAMAGE])
def test_damaged_rows(dbops, cluster, copy, damage, stock, quick):
    folder, events = copy
    dbops("verify", folder)
    damage(events)
    result = dbops("verify", folder, expect=EXIT["damaged"])
    assert events.name in result.stderr + result.stdout
    assert "events" in (result.stderr + result.stdout).replace(events.name, "")
    dbops("verify", folder, "--quick", expect=EXIT["damaged"] if quick else 0)
    theirs = cluster.tool("pg_restore", "--data-only", "-f", "/dev/null", folder, check=False)
    if stock is not None:
        assert (theirs.returncode != 0) == stock, theirs.stderr


@pytest.mark.parametrize("damage", [flip_in_block, hole_over_a_block, swapped_blocks], ids=lambda d: d.__name__)
def test_the_block_is_named(dbops, copy, damage):
    folder, events = copy
    damage(events)
    result = dbops("verify", folder, expect=EXIT["damaged"])
    assert "block" in (result.stderr + result.stdout).lower()


@pytest.mark.parametrize("damage", [flip_in_block, missing_block, gone], ids=lambda d: d.__name__)
def test_a_damaged_backup_is_not_restored(dbops, copy, empty_db, damage):
    folder, events = copy
    damage(events)
    result = dbops("restore", folder, "--to-db", empty_db, "--yes", expect=EXIT["damaged"])
    assert events.name in result.stderr


def other_files():
    def toc(folder):
        flip_bit(folder / "toc.dat", 400)
        return "toc.dat"

    def toc_cut(folder):
        cut(folder / "toc.dat", 2000)
        return "toc.dat"

    def toc_gone(folder):
        (folder / "toc.dat").unlink()
        return "toc.dat"

    def blocks_flip(folder):
        flip_bit(folder / "dbops.blocks", 60)
        return "dbops.blocks"

    def blocks_gone(folder):
        (folder / "dbops.blocks").unlink()
        return "dbops.blocks"

    def globals_changed(folder):
        (folder / "globals.sql").write_text("-- nothing\n")
        return "globals.sql"

    def large_object(folder):
        flip_bit(folder / "blob_4711.dat.gz", 40)
        return "blob_4711.dat.gz"

    def large_object_gone(folder):
        (folder / "blob_4711.dat.gz").unlink()
        return "blob_4711.dat.gz"

    def large_object_list(folder):
        (folder / "blobs.toc").write_text("")
        return "blobs.toc"

    def tables_exchanged(folder):
        files = [f for f in folder.glob("*.dat.gz") if f.name[0].isdigit()]
        a, b = sorted(files, key=lambda f: f.stat().st_size)[-2:]
        content = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(content)
        return a.name

    return [toc, toc_cut, toc_gone, blocks_flip, blocks_gone, globals_changed, large_object, large_object_gone, large_object_list, tables_exchanged]


@pytest.mark.parametrize("damage", other_files(), ids=lambda d: d.__name__)
def test_other_files(dbops, copy, damage):
    folder, _ = copy
    name = damage(folder)
    result = dbops("verify", folder, expect=EXIT["damaged"])
    assert name in result.stderr + result.stdout


def manifest_cases():
    def cut_short(text):
        return text[:len(text) // 2]

    def not_json(text):
        return "hello\n"

    def empty(text):
        return ""

    def deeply_nested(text):
        return "[" * 200_000

    def negative_rows(text):
        document = json.loads(text)
        document["tables"][0]["rows"] = -5
        return json.dumps(document)

    def rows_changed(text):
        document = json.loads(text)
        document["tables"][0]["rows"] += 1
        return json.dumps(document)

    def fingerprint_changed(text):
        document = json.loads(text)
        f = document["tables"][0]["fingerprint"]
        document["tables"][0]["fingerprint"] = ("0" if f[0] != "0" else "1") + f[1:]
        return json.dumps(document)

    def file_outside(text):
        document = json.loads(text)
        document["tables"][0]["file"] = "../../../../etc/passwd"
        return json.dumps(document)

    def table_dropped(text):
        document = json.loads(text)
        document["tables"].pop()
        return json.dumps(document)

    return [cut_short, not_json, empty, deeply_nested, negative_rows, rows_changed, fingerprint_changed, file_outside, table_dropped]


@pytest.mark.parametrize("change", manifest_cases(), ids=lambda d: d.__name__)
def test_manifest(dbops, copy, change):
    folder, _ = copy
    path = folder / "dbops.json"
    path.write_text(change(path.read_text()))
    dbops("verify", folder, expect=EXIT["damaged"])
    dbops("list", "--dir", "backups")


def test_without_a_manifest_it_is_no_backup(dbops, copy):
    folder, _ = copy
    (folder / "dbops.json").unlink()
    assert not any(b["complete"] for b in dbops.json("list", "--dir", "backups")["backups"])
    dbops("verify", "latest", "--dir", "backups", expect=EXIT["not_found"])


def test_a_manifest_of_the_future_is_refused_not_misread(dbops, copy):
    folder, _ = copy
    document = manifest(folder)
    document["format_version"] = 99
    (folder / "dbops.json").write_text(json.dumps(document))
    result = dbops("verify", folder, expect=range(64, 79))
    assert "99" in result.stderr


def test_damage_is_also_seen_in_the_bucket(s3_dbops, cluster, copy, bucket):
    folder, events = copy
    prefix = f"{folder.parent.name}/{folder.name}"
    flip_in_block(events)
    for name in files_below(folder):
        bucket.put(f"{prefix}/{name}", (folder / name).read_bytes())
    result = s3_dbops("verify", "latest", "--from", bucket.url, expect=EXIT["damaged"])
    assert events.name in result.stderr + result.stdout
    bucket.delete(f"{prefix}/{events.name}")
    result = s3_dbops("verify", "latest", "--quick", "--from", bucket.url, expect=EXIT["damaged"])
    assert events.name in result.stderr + result.stdout
