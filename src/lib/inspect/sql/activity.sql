SELECT a.pid,
       a.datname AS database,
       a.usename AS role,
       a.application_name AS application,
       a.client_addr::text AS client,
       a.state,
       a.wait_event_type,
       a.wait_event,
       a.query_id,      -- @>=14
       NULL AS query_id, -- @<14
       a.query,
       pg_catalog.octet_length(a.query) AS query_bytes,
       (SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_stat_activity w
         WHERE w.leader_pid = a.pid
           AND w.pid <> a.pid) AS workers,
       (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8 AS backend_us,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) AS transaction_s,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.query_start) AS query_s,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.state_change) AS state_s,
       a.datname IS NOT DISTINCT FROM pg_catalog.current_database() AS here
  FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.application_name IS DISTINCT FROM pg_catalog.current_setting('application_name')
   AND (a.state IN ('active', 'fastpath function call') OR a.xact_start IS NOT NULL)
