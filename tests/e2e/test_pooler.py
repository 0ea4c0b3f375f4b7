# SPDX-License-Identifier: PostgreSQL
"""Behind PgBouncer in transaction mode there is no session to hold a snapshot: refused in words that help, and the
pool is not poisoned for the application."""
import psycopg

from support.runner import EXIT


def test_transaction_pooling_is_refused(dbops_for, bouncer, shop):
    dbops = dbops_for(bouncer)
    result = dbops("backup", "-d", shop, "--dir", "backups", expect=(EXIT["refused"], EXIT["config"], EXIT["unavailable"]))
    text = result.stderr.lower()
    assert "pool" in text, result.stderr
    assert "5432" in text or "direct" in text or "session" in text, "the hint that says what to do is missing"


def test_the_pool_is_not_poisoned(dbops_for, bouncer, shop):
    """Settings of a backup session must not stay in a server connection that the application gets next."""
    dbops = dbops_for(bouncer)
    dbops("backup", "-d", shop, "--dir", "backups", expect=None)
    with psycopg.connect(host="127.0.0.1", port=bouncer.port, user="postgres", dbname=shop.name, autocommit=True, prepare_threshold=None) as application:
        for _ in range(5):
            assert application.execute("SELECT count(*) FROM customers").fetchone()[0] == 500
            assert application.execute("SHOW search_path").fetchone()[0] == '"$user", public'
            assert application.execute("SHOW transaction_read_only").fetchone()[0] == "off"


def test_url_parameters_of_other_clients_are_dropped(dbops, shop, cluster):
    """A connection string copied from an application: Prisma's parameters are not libpq's."""
    from urllib.parse import quote
    url = f"postgresql://postgres@{quote(str(cluster.base), safe='')}:{cluster.port}/{shop.name}?pgbouncer=true&connection_limit=100&schema=public"
    result = dbops("backup", "-d", url, "--dir", "backups")
    assert "pgbouncer" in result.stderr
    result = dbops("backup", "--dir", "backups", env={"DATABASE_URL": url})
    assert "connection_limit" in result.stderr
