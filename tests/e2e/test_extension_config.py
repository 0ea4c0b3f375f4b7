# SPDX-License-Identifier: PostgreSQL
"""An extension's configuration table: no TABLE entry in the archive, a row filter that stands only in the catalogue.

The extension is made for this test in a private copy of the server's installation (programs copied, the rest linked),
so nothing of the system is touched.
"""
import pathlib
import shutil

import pytest

from conftest import BINDIRS, MAJOR
from support import servers
from support.archive import backup
from support.compare import assert_equal
from support.runner import Dbops

CONTROL = "comment = 'configuration tables'\ndefault_version = '1.0'\nrelocatable = false\nschema = conf\n"
SCRIPT = r"""
CREATE TABLE conf.settings (name text PRIMARY KEY, value text, "is, standard" boolean NOT NULL DEFAULT false);
INSERT INTO conf.settings VALUES ('built-in', '1', true), ('other', '2', true);
CREATE TABLE conf.whole (n integer);
CREATE SEQUENCE conf.seq;
SELECT pg_catalog.pg_extension_config_dump('conf.settings', 'WHERE NOT "is, standard"');
SELECT pg_catalog.pg_extension_config_dump('conf.whole', '');
SELECT pg_catalog.pg_extension_config_dump('conf.seq', '');
"""


@pytest.fixture
def bindir(session_folder):
    """bin/ of an installation that also has the extension dbops_conf."""
    root = session_folder / "installation"
    target = root / "usr/lib/postgresql" / str(MAJOR)
    if not target.exists():
        source = pathlib.Path(BINDIRS[MAJOR])
        (target / "bin").mkdir(parents=True)
        for program in source.iterdir():
            # Programs look for their share folder from their own real place, so they are copied, not linked.
            shutil.copy2(program.resolve(), target / "bin" / program.name)
        (target / "lib").symlink_to(source.parent / "lib")
        share = root / "usr/share/postgresql" / str(MAJOR)
        shutil.copytree(f"/usr/share/postgresql/{MAJOR}", share, symlinks=True)
        (share / "extension/dbops_conf.control").write_text(CONTROL)
        (share / "extension/dbops_conf--1.0.sql").write_text(SCRIPT)
    return target / "bin"


def test_config_tables_survive(bindir, program, work):
    cluster = servers.Cluster(str(bindir), MAJOR)
    try:
        source, stock, ours = (cluster.create_database() for _ in range(3))
        source.sql("CREATE EXTENSION dbops_conf")
        source.sql("INSERT INTO conf.settings VALUES ('mine', 'x'), (E'tab\\t', E'\\\\N')")
        source.sql("INSERT INTO conf.whole SELECT generate_series(1, 100)")
        source.sql("SELECT setval('conf.seq', 42)")
        dbops = Dbops(program, work, cluster.env)
        report, folder = backup(dbops, source, "--split-above", "8kB")
        assert report["rows"] == 102, "the extension's own two rows come back with CREATE EXTENSION"
        cluster.tool("pg_restore", "-e", "-d", stock, folder)
        assert_equal(source, stock)
        dbops("restore", "latest", "--dir", "backups", "--to-db", ours, "--yes")
        assert_equal(source, ours)
        dbops("verify", "latest", "--dir", "backups", "--restore", "--pg-bindir", bindir)
    finally:
        cluster.stop()


def test_an_extension_the_scratch_server_lacks_is_not_called_damage(bindir, program, work):
    """verify --restore with the system's own server, which has no dbops_conf: cannot be answered, not "backup bad"."""
    cluster = servers.Cluster(str(bindir), MAJOR)
    try:
        source = cluster.create_database()
        source.sql("CREATE EXTENSION dbops_conf")
        dbops = Dbops(program, work, cluster.env)
        backup(dbops, source)
        result = dbops("verify", "latest", "--dir", "backups", "--restore", env={"DBOPS_PG_BINDIR": None}, expect=(3, 69))
        assert "dbops_conf" in result.stderr
    finally:
        cluster.stop()
