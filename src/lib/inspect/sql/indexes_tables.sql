WITH locked AS MATERIALIZED (
	SELECT DISTINCT l.relation
	  FROM pg_catalog.pg_locks l
	 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
	   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
SELECT c.oid,
       n.nspname,
       c.relname,
       c.relkind,
       pg_catalog.concat(CASE WHEN k.relation IS NOT NULL THEN 'L' END,
              CASE WHEN e.objid IS NOT NULL THEN 'e' END,
              CASE WHEN c.relpersistence = 'u' THEN 'u' END),
       c.relpages,
       c.reltuples::float8,
       h.inhparent,
       c.reltoastrelid,
       s.seq_scan,
       s.seq_tup_read,
       s.idx_scan,
       s.n_tup_ins,
       s.n_tup_upd,
       s.n_tup_hot_upd,
       s.n_tup_del,
       s.n_mod_since_analyze,
       NULL AS last_scan_us,                                               -- @<16
       NULL AS newpage_upd                                                 -- @<16
       (EXTRACT(epoch FROM s.last_seq_scan) * 1000000)::int8 AS last_scan_us, -- @>=16
       s.n_tup_newpage_upd AS newpage_upd                                  -- @>=16
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN locked k ON k.relation = c.oid
  LEFT JOIN pg_catalog.pg_depend e
    ON e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e'
  LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid AND c.relispartition
  LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
