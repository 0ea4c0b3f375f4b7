SELECT (EXTRACT(epoch FROM max(w.modification)) * 1000000)::int8
  FROM pg_catalog.pg_ls_waldir() w
 WHERE w.name LIKE '%.history'
