SELECT a.pid,
       a.leader_pid,
       a.datname,
       a.usename,
       a.application_name,
       pg_catalog.host(a.client_addr) AS client,
       a.client_port,
       a.backend_type,
       a.state,
       a.wait_event_type,
       a.wait_event,
       (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8 AS started_us,
       (EXTRACT(epoch FROM a.state_change) * 1000000)::int8 AS changed_us,
       (EXTRACT(epoch FROM a.query_start) * 1000000)::int8 AS query_us,
       EXTRACT(epoch FROM n.now - a.xact_start)::float8 AS transaction_age,
       EXTRACT(epoch FROM n.now - a.state_change)::float8 AS state_age,
       EXTRACT(epoch FROM n.now - a.query_start)::float8 AS query_age,
       pg_catalog.age(a.backend_xid) AS xid_age,
       pg_catalog.age(a.backend_xmin) AS xmin_age,
       pg_catalog."left"(a.query, 1000) AS query,
       COALESCE(r.rolsuper, false) AS superuser,
       a.pid = pg_catalog.pg_backend_pid() AS own,
       COALESCE(a.usesysid IS NOT NULL AND pg_catalog.pg_has_role(a.usesysid, 'USAGE'), false) AS same_role
  FROM pg_catalog.pg_stat_activity a
 CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS now) n
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
 ORDER BY a.xact_start NULLS LAST, a.backend_start, a.pid
