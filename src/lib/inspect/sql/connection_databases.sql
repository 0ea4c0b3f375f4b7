SELECT d.datname,
       d.datconnlimit,
       s.sessions, -- @>=14
       s.sessions_abandoned, -- @>=14
       s.sessions_fatal, -- @>=14
       s.sessions_killed, -- @>=14
       s.session_time / 1000 AS session_seconds, -- @>=14
       s.active_time / 1000 AS active_seconds, -- @>=14
       s.idle_in_transaction_time / 1000 AS idle_in_transaction_seconds, -- @>=14
       NULL AS sessions, NULL AS sessions_abandoned, NULL AS sessions_fatal, NULL AS sessions_killed, -- @<14
       NULL AS session_seconds, NULL AS active_seconds, NULL AS idle_in_transaction_seconds, -- @<14
       s.xact_commit + s.xact_rollback AS transactions
  FROM pg_catalog.pg_database d
  LEFT JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
 WHERE d.datallowconn OR d.datconnlimit = -2
