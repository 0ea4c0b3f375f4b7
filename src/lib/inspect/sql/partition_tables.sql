SELECT c.oid,
       pg_catalog.pg_get_userbyid(c.relowner),
       c.relrowsecurity,
       c.relforcerowsecurity,
       c.relreplident,
       pg_catalog.array_to_string(ARRAY(
           SELECT o FROM pg_catalog.unnest(c.reloptions) o
            UNION ALL
           SELECT 'toast.' || o FROM pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid
            ORDER BY 1), pg_catalog.chr(10)),
       s.spcname,
       (SELECT pg_catalog.string_agg(DISTINCT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(g.grantee) END, ', ')
          FROM pg_catalog.aclexplode(c.relacl) g
         WHERE g.grantee <> c.relowner)
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
 WHERE c.relkind IN ('p', 'r', 'f')
   AND (c.relispartition OR c.relkind = 'p')
   AND c.relpersistence <> 't'
