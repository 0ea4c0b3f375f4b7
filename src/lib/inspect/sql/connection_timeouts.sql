SELECT s.name,
       NULL AS rolname,
       NULL AS datname,
       s.reset_val AS value
  FROM pg_catalog.pg_settings s
 WHERE s.name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
 UNION ALL
SELECT pg_catalog.split_part(c.entry, '=', 1),
       r.rolname,
       d.datname,
       pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)
  FROM pg_catalog.pg_db_role_setting t
 CROSS JOIN LATERAL pg_catalog.unnest(t.setconfig) AS c (entry)
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = t.setdatabase
 WHERE pg_catalog.split_part(c.entry, '=', 1)
       IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
