# SPDX-License-Identifier: PostgreSQL
"""`dbops locks` in every format, from a recording of a real server, and its JSON against the published schemas."""
import json
import os
import pathlib

import jsonschema
import pytest

from support.sessions import Sessions

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/e2e/golden"
RECORDING = GOLDEN / "locks.ndjson"


def validator(name):
    schema = json.loads((ROOT / f"docs/schema/{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("fmt", ["txt", "plan", "expanded", "json", "csv", "prom", "nagios"])
def test_golden(dbops, fmt):
    """UPDATE_GOLDEN=1 writes the files anew; look at the difference before it is committed."""
    words = {"txt": ["--format=table"], "plan": ["--format=table", "--release-plan"]}.get(fmt, [f"--format={fmt}"])
    text = dbops("locks", "--replay", RECORDING, "--at=-0s", *words, expect=(0, 1)).stdout
    path = GOLDEN / f"locks.{fmt}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_schema_of_a_recording(dbops, db, work):
    check = validator("locks-record").validate
    for line in RECORDING.read_text().splitlines():
        check(json.loads(line))
    dbops("locks", "-d", db.name, "--record", work / "r")
    check(json.loads((work / "r").read_text()))


def test_schema_of_answers(dbops, db):
    locks, forecast = validator("locks"), validator("locks-forecast")
    db.sql("CREATE TABLE t ()")
    sessions = Sessions(db)
    try:
        locks.validate(dbops.json("locks", "-d", db.name))
        sessions.open().run("SELECT * FROM t")
        sessions.open().wait("DROP TABLE t")
        answer = dbops.json("locks", "-d", db.name)
        assert len(answer["locks"]) == 2
        locks.validate(answer)
        locks.validate(dbops.json("locks", "--replay", RECORDING, "--at=-0s"))
        foreseen = dbops.json("locks", "forecast", "-d", db.name, "TRUNCATE t; GRANT x TO y", "--interval=100ms", expect=1)
        assert len(foreseen["forecast"]) == 3
        forecast.validate(foreseen)
    finally:
        sessions.close()
    # and they say no
    answer["locks"][0]["block"] = "medium"
    with pytest.raises(jsonschema.ValidationError):
        locks.validate(answer)
