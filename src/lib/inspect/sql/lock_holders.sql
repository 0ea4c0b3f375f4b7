WITH RECURSIVE named AS (
    SELECT n.oid::oid AS oid
      FROM pg_catalog.unnest(pg_catalog.string_to_array(NULLIF(pg_catalog.current_setting('dbops.oids', true), ''), ',')) n(oid)
     WHERE n.oid <> '0'
), tree AS (
    SELECT n.oid FROM named n
     UNION
    SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), readers AS (
    SELECT t.oid FROM tree t
     UNION
    SELECT r.ev_class
      FROM readers v
      JOIN pg_catalog.pg_depend d ON d.refclassid = 1259 AND d.refobjid = v.oid AND d.classid = 2618
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
), related AS (
    SELECT v.oid FROM readers v
     UNION
    SELECT i.indrelid FROM tree t JOIN pg_catalog.pg_index i ON i.indexrelid = t.oid
     UNION
    SELECT i.inhparent FROM named n JOIN pg_catalog.pg_inherits i ON i.inhrelid = n.oid
     UNION
    SELECT p.partdefid
      FROM named n
      JOIN pg_catalog.pg_inherits i ON i.inhrelid = n.oid
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent AND p.partdefid <> 0
     UNION
    SELECT k.confrelid FROM named n JOIN pg_catalog.pg_constraint k ON k.conrelid = n.oid AND k.contype = 'f'
     UNION
    SELECT k.conrelid FROM named n JOIN pg_catalog.pg_constraint k ON k.confrelid = n.oid AND k.contype = 'f'
), l AS MATERIALIZED (
    SELECT k.* FROM pg_catalog.pg_locks k
)
SELECT l.relation,
       COALESCE(a.leader_pid, l.pid) AS pid,
       l.mode,
       l.granted,
       p.gid,
       COALESCE(a.usename, p.owner) AS usename,
       a.application_name,
       a.state,
       a.query,
       (EXTRACT(epoch FROM COALESCE(p.prepared, a.xact_start)) * 1000000)::int8 AS xact_start,
       (EXTRACT(epoch FROM a.backend_start) * 1000000)::int8 AS backend_start
  FROM l
  JOIN related r ON r.oid = l.relation
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_catalog.pg_prepared_xacts p
         ON l.pid IS NULL
        AND (l.virtualtransaction = '-1/' || p.transaction::text
             OR EXISTS (SELECT 1
                          FROM l x
                         WHERE x.pid IS NULL AND x.virtualtransaction = l.virtualtransaction
                           AND x.locktype = 'transactionid' AND x.granted AND x.transactionid = p.transaction))
 WHERE l.locktype = 'relation'
   AND l.database IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
 ORDER BY xact_start NULLS LAST, pid
