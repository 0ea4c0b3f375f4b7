WITH held AS MATERIALIZED (
	SELECT DISTINCT l.relation, l.mode
	  FROM pg_catalog.pg_locks l
	 WHERE l.locktype = 'relation' AND l.mode IN ('AccessExclusiveLock', 'ShareUpdateExclusiveLock')
	   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
	   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())),
locked AS MATERIALIZED (
	SELECT h.relation FROM held h WHERE h.mode = 'AccessExclusiveLock'),
keys AS MATERIALIZED (
	SELECT DISTINCT ON (o.conindid) o.conindid, o.conname, o.contype
	  FROM pg_catalog.pg_constraint o
	 WHERE o.contype IN ('p', 'u', 'x') AND o.conindid <> 0
	 ORDER BY o.conindid, o.oid),
referenced AS MATERIALIZED (
	SELECT o.conindid, count(*) AS fkeys FROM pg_catalog.pg_constraint o WHERE o.contype = 'f' GROUP BY o.conindid),
-- REINDEX and DROP INDEX CONCURRENTLY lock the indexes they work on, but are not always in the view
builds AS MATERIALIZED (
	SELECT b.index_relid AS oid FROM pg_catalog.pg_stat_progress_create_index b
	 WHERE b.datname = pg_catalog.current_database() AND b.index_relid IS NOT NULL
	UNION
	SELECT i.indexrelid FROM pg_catalog.pg_stat_progress_create_index b JOIN pg_catalog.pg_index i ON i.indrelid = b.relid
	 WHERE b.datname = pg_catalog.current_database() AND NOT i.indisvalid
	UNION
	SELECT h.relation FROM held h WHERE h.mode = 'ShareUpdateExclusiveLock')
SELECT i.indexrelid,
       i.indrelid,
       c.relname,
       a.amname,
       c.relkind,
       pg_catalog.concat(CASE WHEN i.indisunique THEN 'u' END,
              CASE WHEN i.indisprimary THEN 'p' END,
              CASE WHEN i.indisexclusion THEN 'x' END,
              CASE WHEN i.indimmediate THEN 'i' END,
              CASE WHEN i.indisclustered THEN 'c' END,
              CASE WHEN i.indisvalid THEN 'v' END,
              CASE WHEN i.indcheckxmin THEN 'k' END,
              CASE WHEN i.indisready THEN 'r' END,
              CASE WHEN i.indislive THEN 'l' END,
              CASE WHEN i.indisreplident THEN 'd' END,
              CASE WHEN i.indnullsnotdistinct THEN 'n' END, -- @>=15
              CASE WHEN e.objid IS NOT NULL THEN 'e' END,
              CASE WHEN k.relation IS NOT NULL THEN 'L' END,
              CASE WHEN b.oid IS NOT NULL THEN 'b' END),
       i.indnkeyatts,
       i.indkey::text,
       i.indclass::text,
       i.indcollation::text,
       i.indoption::text,
       CASE WHEN i.indexprs IS NOT NULL AND k.relation IS NULL AND t.relation IS NULL THEN
            (SELECT pg_catalog.string_agg(pg_catalog.octet_length(x.e) || ':' || x.e, '' ORDER BY x.n)
               FROM (SELECT g.n, CASE WHEN i.indkey[g.n - 1] = 0 THEN pg_catalog.pg_get_indexdef(i.indexrelid, g.n, false) ELSE '' END AS e
                       FROM pg_catalog.generate_series(1, i.indnatts::int) AS g (n)) x) END,
       CASE WHEN i.indpred IS NOT NULL AND k.relation IS NULL AND t.relation IS NULL THEN
            pg_catalog.pg_get_expr(i.indpred, i.indrelid) END,
       i.indexprs IS NOT NULL,
       i.indpred IS NOT NULL,
       pg_catalog.array_to_string(c.reloptions, ', '),
       c.relpages,
       c.reltuples::float8,
       s.idx_scan,
       s.idx_tup_read,
       NULL AS last_scan_us,                                               -- @<16
       (EXTRACT(epoch FROM s.last_idx_scan) * 1000000)::int8 AS last_scan_us, -- @>=16
       o.conname,
       o.contype,
       coalesce(f.fkeys, 0),
       h.inhparent
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
  LEFT JOIN locked k ON k.relation = i.indexrelid
  LEFT JOIN locked t ON t.relation = i.indrelid
  LEFT JOIN keys o ON o.conindid = i.indexrelid
  LEFT JOIN referenced f ON f.conindid = i.indexrelid
  LEFT JOIN builds b ON b.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_depend e
    ON e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = i.indexrelid AND e.objsubid = 0 AND e.deptype = 'e'
  LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indexrelid
  LEFT JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = i.indexrelid
 WHERE r.relpersistence <> 't'
   AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR (n.nspname = 'pg_toast' AND NOT i.indisvalid))
