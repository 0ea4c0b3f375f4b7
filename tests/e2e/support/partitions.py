# SPDX-License-Identifier: PostgreSQL
"""What the tests of `dbops partitions` share: the catalog's view of a table's partitions, and writers that measure stalls."""
import threading
import time

import psycopg


def bounds(database, table):
    """{partition: bounds} of the direct partitions, as the server says in UTC."""
    with database.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET DateStyle = ISO")
        return dict(connection.execute("""SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = %s::regclass ORDER BY 2""", (table,)).fetchall())


def short(text):
    """'2025-01-01 00:00:00+00' and the like without what is always the same."""
    return text.replace("FOR VALUES FROM ('", "").replace("') TO ('", " .. ").replace("')", "").replace(" 00:00:00+00", "")


class Traffic:
    """Sessions that run a statement again and again; `worst` is the longest that one of them took, in seconds."""

    def __init__(self, database, *statements):
        self.worst, self.count, self.errors = 0.0, 0, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(database, s)) for s in statements]

    def run(self, database, statement):
        try:
            with psycopg.connect(database.conninfo, autocommit=True) as connection:
                while not self.stopping.is_set():
                    begin = time.monotonic()
                    connection.execute(statement)
                    self.worst = max(self.worst, time.monotonic() - begin)
                    self.count += 1
        except psycopg.Error as error:
            self.errors.append(str(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
