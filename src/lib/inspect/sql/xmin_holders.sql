SELECT 'prepared transaction' AS kind,
       p.gid AS name,
       p.owner,
       p.database,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8 AS age,
       pg_catalog.age(p.transaction) AS xmin_age,
       NULL::int4 AS catalog_xmin_age,
       NULL::bool AS active
  FROM pg_catalog.pg_prepared_xacts p
 UNION ALL
SELECT 'replication slot', s.slot_name, NULL, s.database, NULL,
       pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin), s.active
  FROM pg_catalog.pg_replication_slots s
 WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
