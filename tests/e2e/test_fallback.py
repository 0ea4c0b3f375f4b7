# SPDX-License-Identifier: PostgreSQL
"""A table of contents of tomorrow: pg_dump does the whole dump, and everything else still works."""
import os
import pathlib
import socket
import textwrap

import pytest

from support import compare
from support.archive import backup, manifest
from support.runner import EXIT
from support.servers import postgres_bindirs


@pytest.fixture
def tomorrow(work, cluster):
    """A folder with a pg_dump whose first toc.dat claims an unknown archive version; with --jobs it is the real one."""
    folder = pathlib.Path(work) / "tomorrow"
    folder.mkdir()
    real = pathlib.Path(postgres_bindirs()[cluster.major])
    (folder / "pg_dumpall").symlink_to(real / "pg_dumpall")
    script = folder / "pg_dump"
    script.write_text(textwrap.dedent(f"""\
        #!/bin/bash
        {real}/pg_dump "$@"; status=$?
        case "$*" in *--jobs=*) exit $status;; esac
        for a in "$@"; do
            case $a in --file=*) [ -f "${{a#--file=}}/toc.dat" ] && printf '\\x63' | dd of="${{a#--file=}}/toc.dat" bs=1 seek=6 conv=notrunc status=none;; esac
        done
        exit $status
        """))
    script.chmod(0o755)
    return folder


def test_unknown_archive_version(dbops, shop, tomorrow, new_db):
    report, folder = backup(dbops, shop, "--pg-bindir", tomorrow, expect=EXIT["warning"])
    assert manifest(folder)["fallback"] is True
    assert "pg_dump does the whole dump" in dbops("backup", "-d", shop, "--pg-bindir", tomorrow, expect=EXIT["warning"]).stderr
    dbops("verify", report["id"])
    dbops("verify", report["id"], "--restore")
    dbops("restore", report["id"], "--to-db", new_db, "--yes")
    assert compare.rows_of(shop) == compare.rows_of(new_db)


def test_unknown_archive_version_damaged(dbops, shop, tomorrow):
    report, folder = backup(dbops, shop, "--pg-bindir", tomorrow, expect=EXIT["warning"])
    victim = max(folder.glob("*.dat.gz"), key=lambda f: f.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    result = dbops("verify", report["id"], expect=EXIT["damaged"])
    assert victim.name in result.stdout + result.stderr


def test_interrupt_while_connecting(dbops, work):
    """A server that accepts and never answers: one Ctrl-C must be enough, long before the time limit of 60 s."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        process = dbops.start("backup", "-d", f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x connect_timeout=60")
        peer, _ = silent.accept()
        with peer:
            peer.recv(1)
            process.send_signal(2)
            dbops.finish(process, expect=EXIT["interrupted"], timeout=30)
    assert not os.path.exists(dbops.folder / "backups" / "x")
