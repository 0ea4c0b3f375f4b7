WITH locked AS MATERIALIZED (
	SELECT DISTINCT l.relation
	  FROM pg_catalog.pg_locks l
	 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
	   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
SELECT i.indexrelid,
       CASE WHEN c.relkind = 'i' AND k.relation IS NULL AND t.relation IS NULL THEN pg_catalog.pg_relation_size(i.indexrelid) END,
       CASE WHEN k.relation IS NULL AND t.relation IS NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid) END,
       CASE WHEN k.relation IS NULL AND t.relation IS NULL THEN
            (SELECT pg_catalog.pg_get_constraintdef(o.oid) FROM pg_catalog.pg_constraint o
              WHERE o.conindid = i.indexrelid AND o.conrelid = i.indrelid AND o.contype IN ('p', 'u', 'x') LIMIT 1) END,
       s.spcname,
       pg_catalog.obj_description(i.indexrelid, 'pg_class')
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN locked k ON k.relation = i.indexrelid
  LEFT JOIN locked t ON t.relation = i.indrelid
 WHERE i.indexrelid = ANY ('{}'::pg_catalog.oid[])
