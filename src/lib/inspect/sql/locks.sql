WITH l AS MATERIALIZED (
    SELECT k.*,
           NULL::timestamptz AS waitstart, -- @<14
           ROW(k.locktype, k.database, k.relation, k.page, k.tuple, k.virtualxid, k.transactionid,
               k.classid, k.objid, k.objsubid)::text AS tag
      FROM pg_catalog.pg_locks k
), w AS MATERIALIZED (
    SELECT l.pid, l.tag, pg_catalog.array_remove(pg_catalog.pg_blocking_pids(l.pid), pg_catalog.pg_backend_pid()) AS blockers
      FROM l
     WHERE NOT l.granted AND l.pid IS NOT NULL
     UNION ALL
    SELECT s.pid, NULL, pg_catalog.pg_safe_snapshot_blocking_pids(s.pid)
      FROM pg_catalog.pg_stat_activity s
     WHERE s.wait_event = 'SafeSnapshot'
), a AS MATERIALIZED (
    SELECT s.*, COALESCE(s.leader_pid, s.pid) AS node
      FROM pg_catalog.pg_stat_activity s
     WHERE EXISTS (SELECT 1 FROM w)
), x AS MATERIALIZED (
    SELECT COALESCE(a.node, w.pid) AS node FROM w LEFT JOIN a ON a.pid = w.pid
     UNION
    SELECT b FROM w, pg_catalog.unnest(w.blockers) b WHERE b <> 0
), h AS MATERIALIZED (
    SELECT l.*, COALESCE(a.node, l.pid) AS node
      FROM l
      LEFT JOIN a ON a.pid = l.pid
     WHERE l.tag IN (SELECT w.tag FROM w WHERE w.tag IS NOT NULL)
        OR l.locktype = 'tuple' AND l.pid IN (SELECT w.pid FROM w)
), r AS (
    SELECT x.node AS of_node, h.* FROM x LEFT JOIN h ON h.node = x.node
     UNION ALL
    SELECT 0, h.* FROM h WHERE h.pid IS NULL
)
SELECT c.objects AS lock_objects,
       r.of_node AS node,
       r.tag,
       r.locktype,
       r.database,
       d.datname AS lock_database,
       r.database IN (0, me.oid) AS is_here,
       r.relation,
       n.nspname,
       o.relname,
       r.page,
       r.tuple,
       r.virtualxid,
       r.transactionid,
       r.classid,
       r.objid,
       r.objsubid,
       oc.relname AS class_name,
       CASE r.classid
           WHEN 1260 THEN pg_catalog.pg_get_userbyid(r.objid)
           WHEN 1262 THEN (SELECT datname FROM pg_catalog.pg_database WHERE oid = r.objid)
           WHEN 2615 THEN (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = r.objid)
       END AS object_name,
       r.mode,
       r.granted,
       (EXTRACT(epoch FROM r.waitstart) * 1000000)::int8 AS waitstart,
       w.blockers,
       a.pid AS activity_pid,
       a.datname,
       a.usename,
       a.application_name,
       a.client_addr,
       a.client_port,
       a.backend_type,
       a.state,
       a.wait_event_type,
       a.wait_event,
       (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8 AS backend_start,
       (EXTRACT(epoch FROM a.xact_start) * 1000000)::int8 AS xact_start,
       (EXTRACT(epoch FROM a.query_start) * 1000000)::int8 AS query_start,
       (EXTRACT(epoch FROM a.state_change) * 1000000)::int8 AS state_change,
       a.backend_xid,
       a.query,
       p.gid,
       p.owner,
       p.database AS prepared_database,
       p.transaction AS prepared_xid,
       (EXTRACT(epoch FROM p.prepared) * 1000000)::int8 AS prepared_at,
       (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::int8 AS now_us
  FROM (SELECT pg_catalog.count(DISTINCT l.tag) AS objects
          FROM l
         WHERE NOT l.fastpath AND l.mode <> 'SIReadLock') c
  JOIN pg_catalog.pg_database me ON me.datname = pg_catalog.current_database()
  LEFT JOIN r ON true
  LEFT JOIN w ON w.pid = COALESCE(r.pid, r.of_node) AND (w.tag IS NULL OR NOT r.granted AND w.tag = r.tag)
  LEFT JOIN a ON a.pid = r.of_node
  LEFT JOIN pg_catalog.pg_database d ON d.oid = r.database
  LEFT JOIN pg_catalog.pg_class o ON o.oid = r.relation AND r.database IN (0, me.oid)
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
  LEFT JOIN pg_catalog.pg_class oc ON oc.oid = r.classid AND r.locktype = 'object'
  LEFT JOIN pg_catalog.pg_prepared_xacts p
         ON r.of_node = 0
        AND (r.virtualtransaction = '-1/' || p.transaction::text
             OR EXISTS (SELECT 1
                          FROM l
                         WHERE l.pid IS NULL AND l.virtualtransaction = r.virtualtransaction
                           AND l.locktype = 'transactionid' AND l.granted AND l.transactionid = p.transaction))
 ORDER BY r.of_node, r.pid, r.granted, r.tag
