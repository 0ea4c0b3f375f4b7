WITH RECURSIVE named AS (
    SELECT n.ord, n.oid::oid AS oid
      FROM pg_catalog.unnest(pg_catalog.string_to_array(
               NULLIF(pg_catalog.current_setting('dbops.oids', true), ''), ',')) WITH ORDINALITY n(oid, ord)
     WHERE n.oid <> '0'
), tree AS (
    SELECT n.ord, n.oid FROM named n
     UNION
    SELECT t.ord, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), partitions AS (
    SELECT n.ord, n.oid FROM named n
     UNION
    SELECT t.ord, i.inhrelid
      FROM partitions t
      JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
      JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('p', 'I')
), readers AS (
    SELECT t.ord, t.oid FROM tree t
     UNION
    SELECT v.ord, r.ev_class
      FROM readers v
      JOIN pg_catalog.pg_depend d ON d.refclassid = 1259 AND d.refobjid = v.oid AND d.classid = 2618
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
), related AS (
    SELECT n.ord, 0 AS scope, n.oid, NULL::name AS conname FROM named n
     UNION ALL
    SELECT t.ord, 1, t.oid, NULL FROM tree t
     UNION ALL
    SELECT t.ord, 2, i.indrelid, NULL FROM tree t JOIN pg_catalog.pg_index i ON i.indexrelid = t.oid
     UNION ALL
    SELECT n.ord, 3, i.inhparent, NULL FROM named n JOIN pg_catalog.pg_inherits i ON i.inhrelid = n.oid
     UNION ALL
    SELECT n.ord, 4, p.partdefid, NULL FROM named n JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = n.oid AND p.partdefid <> 0
     UNION ALL
    SELECT n.ord, 5, k.confrelid, k.conname FROM named n JOIN pg_catalog.pg_constraint k ON k.conrelid = n.oid AND k.contype = 'f'
     UNION ALL
    SELECT n.ord, 6, k.conrelid, k.conname FROM named n JOIN pg_catalog.pg_constraint k ON k.confrelid = n.oid AND k.contype = 'f'
     UNION ALL
    SELECT p.ord, 7, p.oid, NULL FROM partitions p
     UNION ALL
    SELECT n.ord, 8, p.partdefid, NULL
      FROM named n
      JOIN pg_catalog.pg_inherits i ON i.inhrelid = n.oid
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent AND p.partdefid <> 0
     UNION ALL
    SELECT v.ord, 9, v.oid, NULL FROM readers v WHERE NOT EXISTS (SELECT 1 FROM tree t WHERE t.ord = v.ord AND t.oid = v.oid)
)
SELECT r.ord,
       r.scope,
       r.conname,
       c.oid,
       s.nspname,
       c.relname,
       c.relkind,
       NULLIF(c.relpages, 0) * pg_catalog.current_setting('block_size')::int8 AS bytes,
       NULLIF(GREATEST(c.reltuples, 0), 0)::int8 AS rows,
       COALESCE(st.seq_scan, 0) + COALESCE(st.idx_scan, 0) AS scans,
       st.n_tup_ins + st.n_tup_upd + st.n_tup_del AS writes
  FROM related r
  JOIN pg_catalog.pg_class c ON c.oid = r.oid
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_all_tables st ON st.relid = c.oid
 ORDER BY r.ord, r.scope, s.nspname, c.relname
