SELECT o.oid,
       o.conrelid,
       o.confrelid,
       o.conname,
       pg_catalog.array_to_string(o.conkey, ' '),
       pg_catalog.array_to_string(o.conpfeqop, ' '),
       o.conparentid,
       o.confdeltype,
       o.confupdtype,
       true AS enforced,     -- @<18
       o.conenforced,        -- @>=18
       false AS period,      -- @<18
       o.conperiod,          -- @>=18
       k.names,
       k.collations
  FROM pg_catalog.pg_constraint o
 CROSS JOIN LATERAL (
	SELECT pg_catalog.string_agg(pg_catalog.octet_length(a.attname) || ':' || a.attname, '' ORDER BY u.n) AS names,
	       pg_catalog.string_agg(a.attcollation::text, ' ' ORDER BY u.n) AS collations
	  FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY AS u (attnum, n)
	  JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = u.attnum) k
 WHERE o.contype = 'f'
