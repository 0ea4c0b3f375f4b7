# SPDX-License-Identifier: PostgreSQL
"""A backup of a database that is being written to is one moment of it."""
import threading

import pytest

from support.archive import backup
from support.servers import wait_until

ACCOUNTS = 60_000


@pytest.fixture
def bank(db):
    db.sql(f"""
        CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL, filler text);
        CREATE TABLE teller (id integer PRIMARY KEY, balance bigint NOT NULL);
        CREATE TABLE history (id bigserial PRIMARY KEY, account integer, teller integer, amount bigint);
        INSERT INTO account SELECT i, 0, repeat('x', 150) FROM generate_series(1, {ACCOUNTS}) i;
        INSERT INTO teller SELECT i, 0 FROM generate_series(1, 20) i""")
    return db


class Writer(threading.Thread):
    """Each transaction adds one amount to an account, to a teller and to the history."""

    def __init__(self, database, seed, stop):
        super().__init__(daemon=True)
        self.database, self.seed, self.stop, self.commits, self.failure = database, seed, stop, 0, None

    def run(self):
        try:
            with self.database.connect() as connection:
                n = self.seed
                while not self.stop.is_set():
                    n = (n * 1103515245 + 12345) % 2**31
                    account, teller, amount = n % ACCOUNTS + 1, n // 7 % 20 + 1, n % 1000 - 500
                    with connection.transaction():
                        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", (amount, account))
                        connection.execute("UPDATE teller SET balance = balance + %s WHERE id = %s", (amount, teller))
                        connection.execute("INSERT INTO history (account, teller, amount) VALUES (%s, %s, %s)", (account, teller, amount))
                    self.commits += 1
        except Exception as failure:  # noqa: BLE001 - told by the test
            self.failure = failure


@pytest.mark.parametrize("options", [["--split-above", "256kB", "-j3"], ["--no-split", "-j2"]], ids=["split", "whole"])
def test_sums_agree(dbops, cluster, bank, empty_db, options):
    stop = threading.Event()
    writers = [Writer(bank, seed, stop) for seed in (1, 2, 3)]
    for writer in writers:
        writer.start()
    try:
        wait_until(lambda: all(w.commits > 20 for w in writers), "the writers to write")
        before = sum(w.commits for w in writers)
        report, folder = backup(dbops, bank, *options)
        after = sum(w.commits for w in writers)
        bank.sql("VACUUM account")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not any(w.failure for w in writers), [w.failure for w in writers]
    assert after > before, "nobody wrote during the backup: the test would prove nothing"
    cluster.tool("pg_restore", "-e", "-d", empty_db, folder)
    accounts, tellers, history, rows, ids = empty_db.sql("""
        SELECT (SELECT sum(balance) FROM account), (SELECT sum(balance) FROM teller), (SELECT sum(amount) FROM history),
               (SELECT count(*) FROM account), (SELECT count(DISTINCT id) FROM account)""")[0]
    assert accounts == tellers == history
    assert rows == ids == ACCOUNTS
    assert before <= empty_db.value("SELECT count(*) FROM history") <= after


def test_everything_committed_before_is_in_it(dbops, cluster, bank, empty_db):
    bank.sql("INSERT INTO history (account, teller, amount) VALUES (1, 1, 4711)")
    _, folder = backup(dbops, bank)
    cluster.tool("pg_restore", "-e", "-d", empty_db, folder)
    assert empty_db.value("SELECT sum(amount) FROM history") == 4711
