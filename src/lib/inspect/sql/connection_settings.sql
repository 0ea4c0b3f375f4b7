SELECT pg_catalog.current_setting('max_connections')::int8 AS max_connections,
       pg_catalog.current_setting('superuser_reserved_connections')::int8 AS superuser_reserved,
       pg_catalog.current_setting('reserved_connections')::int8 AS reserved -- @>=16
       0 AS reserved -- @<16
