# SPDX-License-Identifier: PostgreSQL
"""Servers of other majors, with the system's client programs: what pg_dump's and pg_restore's version rules allow works, the
rest is refused in words that help. Servers come from tests/support/embedded/fetch.sh."""
import pytest

from conftest import BINDIRS, MAJOR, SQL
from support import servers
from support.archive import backup
from support.compare import assert_equal, describe, rows_of, sequences_of
from support.runner import EXIT, Dbops


@pytest.fixture(scope="module")
def other(embedded_major):
    from conftest import EMBEDDED
    cluster = servers.Cluster(EMBEDDED[embedded_major], embedded_major, clients=BINDIRS[MAJOR], initdb=("-E", "UTF8", "--no-locale"))
    yield cluster
    cluster.stop()


@pytest.fixture
def other_shop(other):
    database = other.create_database()
    other.run_script(SQL / "shop.sql", database.name)
    yield database
    database.drop()


@pytest.fixture
def target(other):
    database = other.create_database()
    yield database
    database.drop()


def test_backup(other, other_shop, target, program, work):
    """An older server by the system's newer pg_dump; a newer one is refused and the package named."""
    dbops = Dbops(program, work, other.env)
    if other.major > MAJOR:
        result = dbops("backup", "-d", other_shop, "--dir", "backups", expect=EXIT["unavailable"])
        assert f"postgresql-client-{other.major}" in result.stderr
        return
    report, folder = backup(dbops, other_shop, "--split-above", "64kB", "-j3", expect=1)
    assert any(f"pg_restore {MAJOR}" in w for w in report["warnings"]), "the archive needs a newer pg_restore than the server's own"
    other.tool("pg_restore", "-e", "-d", target, folder)
    assert rows_of(other_shop) == rows_of(target) and sequences_of(other_shop) == sequences_of(target)
    dbops("verify", "latest", "--restore")


def test_restore_from_this_major(other, target, dbops, shop, program, work):
    """A backup of the system's major into every other one: rows loaded and checked by dbops, equal by SQL."""
    backup(dbops, shop)
    expected = {key: value for key, value in describe(shop).items() if key != "schema"}
    Dbops(program, work, other.env)("restore", "latest", "--dir", "backups", "--to-db", target, "--yes")
    assert_equal(expected, {"rows": rows_of(target), "sequences": sequences_of(target),
                            "large objects": expected["large objects"]}, "rows", "sequences")
    assert target.value("SELECT md5(lo_get(4711))") == shop.value("SELECT md5(lo_get(4711))")


def test_torture_of_an_older_server(other, target, program, work):
    """The whole torture database on an older server that can hold it."""
    if other.major not in (14,):
        assert other.major != MAJOR
        return
    torture = other.create_database()
    other.run_script(SQL / "torture.sql", torture.name)
    dbops = Dbops(program, work, other.env)
    backup(dbops, torture, "--split-above", "64kB", "-j3", expect=1)
    dbops("restore", "latest", "--to-db", target, "--yes")
    assert_equal(torture, target)
    torture.drop()
