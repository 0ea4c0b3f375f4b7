SELECT a.pid,
       a.datname,
       a.usename,
       a.application_name,
       a.client_addr,
       a.state
  FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_type IS NOT DISTINCT FROM 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid()
