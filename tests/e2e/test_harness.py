# SPDX-License-Identifier: PostgreSQL
"""The measuring rod itself: the comparison calls a pg_dump | pg_restore copy equal, and sees each kind of difference."""
import pytest

from support.compare import assert_equal, describe

CHANGES = {
    "one value": "UPDATE zoo.types SET n = n + 0.0000000001 WHERE id = 5",
    "NULL instead of empty": "UPDATE zoo.hard_values SET v = NULL WHERE v = ''",
    "one row fewer": "DELETE FROM zoo.ranges WHERE id = 10001",
    "one row twice": "INSERT INTO zoo.hen VALUES (51, 50)",
    "a zero-column row": "INSERT INTO zoo.nocols DEFAULT VALUES",
    "two values exchanged": 'UPDATE "Ümläut"."größe" SET "größe, (cm)" = CASE WHEN "größe, (cm)" IS NULL THEN 180 END',
    "sequence": "SELECT nextval('zoo.huge')",
    "is_called": "SELECT setval('zoo.untouched', 1)",
    "large object": "SELECT lo_put(900002, 1, '\\x01')",
    "comment": "COMMENT ON TABLE zoo.hen IS 'changed'",
    "grant": "GRANT SELECT ON zoo.hen TO torture_owner",
    "index": "DROP INDEX zoo.ranges_partial",
    "not valid": "ALTER TABLE zoo.hen DROP CONSTRAINT hen_egg",
    "trigger state": "ALTER TABLE zoo.audited ENABLE TRIGGER refuse",
    "matview": "REFRESH MATERIALIZED VIEW zoo.mv_unpopulated",
}


@pytest.fixture
def stock_copy(any_major, clusters, templates, work):
    cluster, torture = clusters(any_major), templates("torture", any_major)
    copy = cluster.create_database()
    cluster.tool("pg_dump", "-Fd", "-j2", "-d", torture, "-f", work / "stock")
    cluster.tool("pg_restore", "-e", "-j2", "-d", copy, work / "stock")
    yield torture, copy
    copy.drop()


def test_a_stock_copy_is_equal(stock_copy):
    assert_equal(*stock_copy)


def test_each_change_is_seen(stock_copy):
    torture, copy = stock_copy
    copy.sql("DROP PUBLICATION everything")  # it would refuse updates of tables without a key
    unseen = []
    for name, statement in CHANGES.items():
        before = describe(copy)
        copy.sql(statement)
        if describe(copy) == before:
            unseen.append(name)
    assert not unseen
