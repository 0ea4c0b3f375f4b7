SELECT (SELECT s.reset_val::int8 FROM pg_catalog.pg_settings s WHERE s.name = 'lock_timeout') AS lock_timeout_ms,
       (SELECT s.setting::int8 FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout') AS deadlock_timeout_ms,
       pg_catalog.current_setting('log_lock_waits')::bool AS log_lock_waits,
       pg_catalog.current_setting('max_locks_per_transaction')::int8
           * (pg_catalog.current_setting('max_connections')::int8
              + pg_catalog.current_setting('max_prepared_transactions')::int8) AS lock_capacity,
       (SELECT pg_catalog.sum(d.deadlocks)::int8 FROM pg_catalog.pg_stat_database d) AS deadlocks,
       (SELECT pg_catalog.sum(d.conflicts)::int8 FROM pg_catalog.pg_stat_database d) AS conflicts
