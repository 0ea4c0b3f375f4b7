SELECT (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'pg_stat_statements.track') AS track,
       (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'pg_stat_statements.track_planning') AS track_planning,
       (SELECT s.setting::int8 FROM pg_catalog.pg_settings s WHERE s.name = 'pg_stat_statements.max') AS entries_max,
       (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'shared_preload_libraries') AS preload,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use
  FROM (VALUES (1)) one
  LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'pg_stat_statements'
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
