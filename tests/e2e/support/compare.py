# SPDX-License-Identifier: PostgreSQL
"""What is in a database, told by SQL and by pg_dump -s and by nothing of dbops: two databases are equal when
their descriptions are."""
import re

PIN = """SET search_path = ''; SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
         SET extra_float_digits = 3; SET bytea_output = 'hex'; SET row_security = off; SET xmloption = 'content'"""

# Ordinary tables by themselves (ONLY), partition trees at their root: rows of a hash partition by enum land in
# another leaf after a restore, because the values' OIDs differ.
RELATIONS = """
SELECT c.oid, c.oid::regclass::text, c.relkind,
       ARRAY(SELECT quote_ident(attname) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attname COLLATE "C")
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 2
"""


def rows_of(database):
    """{relation: (count, order-independent sum of row hashes)}; None for a matview without data."""
    result = {}
    with database.connect() as connection:
        connection.execute(PIN)
        for oid, name, kind, columns in connection.execute(RELATIONS).fetchall():
            if kind == "m" and not connection.execute("SELECT relispopulated FROM pg_class WHERE oid = %s", (oid,)).fetchone()[0]:
                result[name] = None
                continue
            only = "ONLY " if kind == "r" else ""
            row = ", ".join(f'"dbops alias".{c}' for c in columns)
            result[name] = connection.execute(
                f'SELECT count(*), sum(hashtextextended(ROW({row})::text, 0)) FROM {only}{name} AS "dbops alias"').fetchone()
    return result


def sequences_of(database):
    with database.connect() as connection:
        connection.execute(PIN)
        names = [r[0] for r in connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' ORDER BY 1")]
        return {name: connection.execute(f"SELECT last_value, is_called FROM {name}").fetchone() for name in names}


def large_objects_of(database):
    return dict((r[0], r[1:]) for r in database.sql(
        "SELECT oid, md5(lo_get(oid)), lomowner::regrole::text, lomacl::text FROM pg_largeobject_metadata ORDER BY oid"))


def schema_of(database, *options):
    """pg_dump -s without what differs between any two dumps. Columns are sorted within their table: a restored
    inheritance child has its parent's columns first, which is pg_dump's doing."""
    text = database.cluster.tool("pg_dump", "-s", *options, "-d", database.name).stdout
    lines, block = [], None
    for line in text.splitlines():
        if re.match(r"\\(un)?restrict |-- Dumped |-- Started on|-- Completed on", line):
            continue
        if re.match(r"CREATE (UNLOGGED )?(FOREIGN )?TABLE .*\($", line):
            lines.append(line)
            block = []
        elif block is not None and line.startswith(")"):
            lines += sorted(block) + [line]
            block = None
        elif block is not None:
            block.append(line.rstrip(","))
        else:
            lines.append(line)
    return lines


def describe(database):
    return {"rows": rows_of(database), "sequences": sequences_of(database), "large objects": large_objects_of(database),
            "schema": schema_of(database)}


def assert_equal(left, right, *what):
    """left and right: describe()'s result, or databases. `what` limits the comparison to some of its keys."""
    left = left if isinstance(left, dict) else describe(left)
    right = right if isinstance(right, dict) else describe(right)
    for key in what or left:
        assert left[key] == right[key], f"{key} differ"
