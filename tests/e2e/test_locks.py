# SPDX-License-Identifier: PostgreSQL
"""Locks: wait as long as told, say who is in the way, never hang behind somebody who queues behind us."""
import threading

from support.archive import backup
from support.runner import EXIT
from support.servers import wait_until


def test_lock_timeout_names_the_holder(dbops, shop):
    with shop.connect(application_name="nightly migration") as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        pid = blocker.info.backend_pid
        result = dbops("backup", "-d", shop, "--dir", "backups", "--lock-timeout", "500ms", expect=EXIT["busy"], timeout=60)
        assert "orders" in result.stderr and str(pid) in result.stderr
    assert dbops.json("list", "--dir", "backups")["backups"] == [] or not any(b["complete"] for b in dbops.json("list", "--dir", "backups")["backups"])


def test_a_lock_that_is_released_in_time_is_waited_for(dbops, shop):
    with shop.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        process = dbops.start("backup", "-d", shop, "--dir", "backups", "--lock-timeout", "1min")
        wait_until(lambda: shop.value("SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted") or process.poll() is not None,
                   "dbops to wait")
        blocker.rollback()
    dbops.finish(process, expect=0)


def test_ddl_queued_behind_the_backup_does_not_stall_it(dbops, shop, cluster):
    """Somebody asks for ACCESS EXCLUSIVE while the backup holds ACCESS SHARE and a worker has yet to begin that table: a worker
    that simply waited would wait for ever. The backup finishes, and the DDL after it."""
    shop.sql("INSERT INTO events SELECT i, now(), 'many', to_jsonb(repeat(md5(i::text), 20)) FROM generate_series(100000, 250000) i")
    process = dbops.start("backup", "-d", shop, "--dir", "backups", "-j1", "--format=json")
    wait_until(lambda: shop.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%%' "
                                  "AND application_name LIKE 'dbops%%'") or process.poll() is not None, "dbops to read rows")

    def ddl():
        with shop.connect() as connection:
            for table in ("customers", "measurements_2024", "measurements_2025", 'archive."Old Orders"'):
                with connection.transaction():
                    connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    changer = threading.Thread(target=ddl)
    changer.start()
    wait_until(lambda: shop.value("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted") or process.poll() is not None,
               "the DDL to queue")
    result = dbops.finish(process, expect=(0, 1), timeout=120)
    changer.join(30)
    assert not changer.is_alive()
    assert result.json["rows"] == sum(shop.value(f"SELECT count(*) FROM {t}") for t in ("customers", "orders", "events", "measurements", 'archive."Old Orders"'))


def test_only_share_locks_are_taken(dbops, shop):
    """While a backup runs others may write."""
    shop.sql("INSERT INTO events SELECT i, now(), 'many', to_jsonb(repeat(md5(i::text), 20)) FROM generate_series(100000, 200000) i")
    process = dbops.start("backup", "-d", shop, "--dir", "backups")
    wait_until(lambda: shop.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%%' "
                                  "AND application_name LIKE 'dbops%%'") or process.poll() is not None, "dbops to read rows")
    modes = {tuple(r) for r in shop.sql("""SELECT relation::regclass::text, mode FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND application_name LIKE 'dbops%%'""")}
    shop.sql("UPDATE customers SET name = name || '!' WHERE id = 1")
    dbops.finish(process, expect=0)
    # lo_open() takes that for reading, too (open_lo_relation() in inv_api.c)
    objects = {("pg_largeobject", "RowExclusiveLock"), ("pg_largeobject_loid_pn_index", "RowExclusiveLock")}
    assert {mode for _, mode in modes - objects} == {"AccessShareLock"}, modes


def test_more_tables_than_fit_the_lock_table(own_cluster, dbops_for):
    """A server with the smallest lock table and 3000 tables: the backup works or says which setting to raise; 53200 never comes bare."""
    cluster = own_cluster(options={"max_locks_per_transaction": "10", "max_connections": "20"})
    database = cluster.create_database()
    for chunk in range(30):
        database.sql(f"DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE t{chunk}_%s (a integer)', i); END LOOP; END $$")
    dbops = dbops_for(cluster)
    result = dbops("backup", "-d", database, "--dir", "backups", expect=(0, EXIT["busy"], EXIT["refused"], EXIT["unavailable"]), timeout=240)
    if result.code != 0:
        assert "max_locks_per_transaction" in result.stderr
    else:
        backup(dbops, database)
