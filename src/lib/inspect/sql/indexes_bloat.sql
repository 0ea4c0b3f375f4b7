SELECT i.indexrelid,
       count(*),
       count(w.avg_width),
       coalesce(sum((1 - w.null_frac) * w.avg_width), 0),
       coalesce(bool_or(w.null_frac > 0), false),
       coalesce(bool_or(b.atttypid = 'pg_catalog.name'::pg_catalog.regtype), false),
       coalesce((SELECT o.option_value::float8 FROM pg_catalog.pg_options_to_table(c.reloptions) o WHERE o.option_name = 'fillfactor'), 90)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid
  LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[a.attnum - 1] AND b.attnum <> 0
  LEFT JOIN LATERAL (
	SELECT s.avg_width, s.null_frac
	  FROM pg_catalog.pg_stats s
	 WHERE s.schemaname = n.nspname
	   AND s.tablename = CASE WHEN b.attnum IS NULL THEN c.relname ELSE t.relname END
	   AND s.attname = CASE WHEN b.attnum IS NULL THEN a.attname ELSE b.attname END
	   AND NOT s.inherited
	 LIMIT 1) w ON true
 WHERE i.indexrelid = ANY ('{}'::pg_catalog.oid[])
 GROUP BY i.indexrelid, c.reloptions
