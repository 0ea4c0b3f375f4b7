# SPDX-License-Identifier: PostgreSQL
"""What list and show say, and how a backup is named."""
import os
import re
import subprocess

import pytest
from psycopg.conninfo import make_conninfo

from support.archive import backup, manifest
from support.runner import EXIT


def test_list_of_nothing(dbops):
    (dbops.folder / "backups").mkdir()
    document = dbops.json("list", "--dir", "backups")
    assert document["schema_version"] == 1 and document["backups"] == []
    assert dbops("list").stdout.strip() == "" or "no backups" in dbops("list").stderr.lower() or dbops("list").stdout


def test_list_one(dbops, shop):
    report, folder = backup(dbops, shop)
    (entry,) = dbops.json("list", "--dir", "backups")["backups"]
    assert entry["id"] == report["id"]
    assert entry["database"] == shop.name
    assert entry["complete"] is True
    assert entry["rows"] == report["rows"] == 500 + 5000 + 30000 + 3000 + 100
    assert entry["verified"] is None
    assert report["id"] in dbops("list", "--dir", "backups").stdout


@pytest.mark.parametrize("form", ["table", "json", "ndjson"])
def test_a_list_that_is_longer_than_a_pipe_can_be_cut_short(dbops, shop, form):
    _, folder = backup(dbops, shop)
    for n in range(700):
        copy = folder.parent / f"20250101T000000Z-{n:06x}"
        copy.mkdir()
        (copy / "dbops.json").write_bytes((folder / "dbops.json").read_bytes())
    command = f"'{dbops.program}' list --dir backups --format {form} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=dbops.folder, env=dbops.environment(), timeout=120)
    assert done.stdout.splitlines()[1:] == [str(EXIT["pipe"])] and done.stderr == ""


def test_backups_dir_is_the_default(dbops, shop):
    report = dbops.json("backup", "-d", shop)
    assert (dbops.folder / "backups").is_dir()
    assert [b["id"] for b in dbops.json("list")["backups"]] == [report["id"]]


def test_verified_is_remembered(dbops, shop):
    report, _ = backup(dbops, shop)
    dbops("verify", "latest")
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"]["depth"] == "full" and entry["verified"]["at"].endswith("Z")
    dbops("verify", "latest", "--restore")
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"]["depth"] == "restore"


def test_a_failed_verification_is_not_shown_as_verified(dbops, shop):
    _, folder = backup(dbops, shop)
    dbops("verify", "latest")
    (folder / "globals.sql").write_text("changed")
    dbops("verify", "latest", expect=EXIT["damaged"])
    (entry,) = dbops.json("list")["backups"]
    assert entry["verified"] is None or entry["verified"].get("ok") is False


def test_incomplete_is_listed_as_such(dbops, shop):
    """A folder without its manifest: what a killed run leaves."""
    report, folder = backup(dbops, shop)
    second, second_folder = backup(dbops, shop)
    (second_folder / "dbops.json").unlink()
    entries = {b["id"]: b for b in dbops.json("list")["backups"]}
    assert entries[report["id"]]["complete"] is True
    assert second["id"] not in entries or entries[second["id"]]["complete"] is False
    assert dbops.json("show", "latest")["id"] == report["id"], "latest is the newest complete one"


def test_ids_sort_by_time(dbops, shop):
    """By the second that they begin with; within one second latest still is the one made last."""
    ids = []
    for _ in range(4):
        ids.append(backup(dbops, shop, "--table", "customers")[0]["id"])
        assert dbops.json("show", "latest")["id"] == ids[-1]
    assert len(set(ids)) == 4
    assert [i.split("-")[0] for i in ids] == sorted(i.split("-")[0] for i in ids)


def test_show(dbops, shop):
    report, folder = backup(dbops, shop)
    document = dbops.json("show", report["id"])
    tables = {(t["schema"], t["table"]): t for t in document["tables"]}
    assert tables["public", "events"]["rows"] == 30000
    assert tables["archive", "Old Orders"]["rows"] == 100
    assert re.fullmatch("[0-9a-f]{32}", tables["public", "events"]["fingerprint"])
    text = dbops("show", report["id"]).stdout
    assert "events" in text and "Old Orders" in text


@pytest.mark.parametrize("operand", ["id", "prefix", "latest", "path"])
def test_ways_to_name_a_backup(dbops, shop, operand):
    report, folder = backup(dbops, shop)
    name = {"id": report["id"], "prefix": report["id"][:-2], "latest": "latest", "path": folder}[operand]
    assert dbops.json("show", name)["id"] == report["id"]


def test_an_ambiguous_prefix_names_the_candidates(dbops, shop):
    first, _ = backup(dbops, shop)
    second, _ = backup(dbops, shop)
    result = dbops("show", first["id"][:4], expect=range(64, 79))
    assert first["id"] in result.stderr and second["id"] in result.stderr


def test_an_unknown_backup(dbops, shop):
    backup(dbops, shop)
    result = dbops("show", "19700101", expect=EXIT["not_found"])
    assert "19700101" in result.stderr


def test_a_folder_that_does_not_exist(dbops):
    result = dbops("list", "--dir", "nowhere/at/all", expect=(0, EXIT["not_found"]))
    assert result.code == 0 or "nowhere" in result.stderr


def test_two_databases_side_by_side(dbops, shop, db):
    backup(dbops, shop)
    backup(dbops, db)
    assert {b["database"] for b in dbops.json("list")["backups"]} == {shop.name, db.name}


def test_strange_database_names(dbops, cluster):
    """Slashes, spaces, quotes, percent signs and non-ASCII in a name: stored, listed and found again."""
    database = cluster.create_database(name="../Bür o/%s'\"x")
    try:
        report = dbops.json("backup", "-d", make_conninfo(dbname=database.name))
        assert os.path.normpath(report["path"]).startswith(f"{dbops.folder}/backups/") and "/../" not in report["path"]
        (entry,) = dbops.json("list")["backups"]
        assert entry["database"] == database.name
        dbops("verify", "latest")
    finally:
        database.drop()


@pytest.mark.parametrize("form", ["table", "expanded", "json", "ndjson", "csv"])
def test_formats(dbops, shop, form):
    report, _ = backup(dbops, shop)
    assert report["id"] in dbops("list", f"--format={form}").stdout


def test_manifest_says_what_is_not_in_it(dbops, shop):
    _, folder = backup(dbops, shop, "--exclude-table-data", "events")
    text = str(manifest(folder)).lower()
    assert "exclude-table-data" in text and "events" in text
