SELECT pg_catalog.set_config('dbops.oids', COALESCE((
           SELECT pg_catalog.string_agg(COALESCE(pg_catalog.to_regclass(pg_catalog.convert_from(pg_catalog.decode(n.hex, 'hex'),
                      pg_catalog.current_setting('client_encoding')::name))::oid::text, '0'), ',' ORDER BY n.ord)
             FROM pg_catalog.unnest(pg_catalog.string_to_array(
                      NULLIF(pg_catalog.current_setting('dbops.names', true), ''), ',')) WITH ORDINALITY n(hex, ord)), ''), true) AS oids
