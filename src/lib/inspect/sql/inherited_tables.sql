-- Parents by plain inheritance. Hypertables of TimescaleDB are among them; their chunks are in schemas of its own.
SELECT n.nspname, c.relname, count(*), pg_catalog.bool_or(m.nspname IN ('_timescaledb_internal', '_timescaledb_cache'))
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class d ON d.oid = i.inhrelid
  JOIN pg_catalog.pg_namespace m ON m.oid = d.relnamespace
 GROUP BY n.nspname, c.relname
 ORDER BY n.nspname, c.relname
