# SPDX-License-Identifier: PostgreSQL
"""Real sessions that hold locks and wait for each other, each wait proven by the server before the test goes on."""
import contextlib
import threading

import psycopg

from .servers import wait_until


class Session:
    """One connection. run() executes at once; wait() executes in a thread and returns when the server says it waits for a lock."""

    def __init__(self, database, autocommit=False, **kwargs):
        self.database = database
        self.connection = psycopg.connect(database.conninfo, autocommit=autocommit, prepare_threshold=None, **kwargs)
        self.pid = self.connection.info.backend_pid
        self.thread = self.error = None

    def run(self, statement):
        self.connection.execute(statement)
        return self

    def _work(self, statement):
        try:
            self.connection.execute(statement)
        except psycopg.Error as e:
            self.error = e

    def wait(self, statement):
        assert self.thread is None
        self.thread = threading.Thread(target=self._work, args=(statement,), daemon=True)
        self.thread.start()
        wait_until(lambda: self.is_waiting(), f"'{statement}' to wait for a lock")
        return self

    def is_waiting(self):
        return bool(self.database.sql("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted AND pg_blocking_pids(pid) <> '{}'", self.pid))

    @property
    def is_done(self):
        """Its statement came to an end, one way or the other."""
        return not self.thread.is_alive()

    @property
    def went_on(self):
        return self.is_done and self.error is None

    def close(self):
        """Ends the backend, whatever it does."""
        with contextlib.suppress(psycopg.Error):
            self.database.sql("SELECT pg_terminate_backend(%s)", self.pid)
        if self.thread:
            self.thread.join(30)
        self.connection.close()


class Sessions:
    """Opens sessions in one database; all are gone at the end."""

    def __init__(self, database):
        self.database, self.opened = database, []

    def open(self, **kwargs):
        self.opened.append(Session(kwargs.pop("database", self.database), **kwargs))
        return self.opened[-1]

    def close(self):
        for session in reversed(self.opened):
            session.close()
