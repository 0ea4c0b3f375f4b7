-- What a partition has otherwise than its parent: kind, partition, and up to eight texts. Tables that somebody holds, or waits for,
-- in ACCESS EXCLUSIVE mode are left out (functions that print definitions would queue up there) and named as 'locked'.
WITH locked AS MATERIALIZED (
    SELECT DISTINCT coalesce(x.indrelid, l.relation) AS oid
      FROM pg_catalog.pg_locks l
      LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = l.relation
     WHERE l.locktype = 'relation'
       AND l.mode = 'AccessExclusiveLock'
       AND l.pid <> pg_catalog.pg_backend_pid()
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
), pairs AS MATERIALIZED (
    SELECT i.inhparent AS parent, i.inhrelid AS child, p.relname AS parent_name, c.relname AS child_name, c.relkind AS child_kind,
           p.relowner AS parent_owner, c.relowner AS child_owner, p.relacl AS parent_acl, c.relacl AS child_acl,
           p.relrowsecurity AS parent_rls, p.relreplident AS parent_identity, p.relnamespace AS parent_schema, c.relnamespace AS child_schema
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p' AND p.relpersistence <> 't'
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
     WHERE NOT EXISTS (SELECT FROM locked k WHERE k.oid = i.inhparent)
       AND NOT EXISTS (SELECT FROM locked k WHERE k.oid = i.inhrelid)
       AND NOT i.inhdetachpending -- @>=14
), tables AS MATERIALIZED (
    SELECT parent AS oid FROM pairs UNION SELECT child FROM pairs
),
-- privileges, of tables and of columns, but for the owners' own
with_column_acl AS MATERIALIZED (
    SELECT DISTINCT a.attrelid AS oid FROM pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
), differing AS MATERIALIZED (
    SELECT p.* FROM pairs p
     WHERE p.parent_acl IS DISTINCT FROM p.child_acl
        OR p.parent_owner <> p.child_owner
        OR p.parent IN (SELECT oid FROM with_column_acl)
        OR p.child IN (SELECT oid FROM with_column_acl)
), privileges AS MATERIALIZED (
    SELECT c.oid, g.grantee, g.privilege_type AS item, g.is_grantable AS grantable
      FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) g
     WHERE c.oid IN (SELECT parent FROM differing UNION SELECT child FROM differing) AND g.grantee <> c.relowner
     UNION
    SELECT a.attrelid, g.grantee, g.privilege_type || ' (' || pg_catalog.quote_ident(a.attname) || ')', g.is_grantable
      FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) g
     WHERE a.attrelid IN (SELECT parent FROM differing UNION SELECT child FROM differing) AND NOT a.attisdropped AND a.attacl IS NOT NULL
), grants AS (
    SELECT 'grant_missing' AS kind, d.child, g.grantee, g.grantable, g.item
      FROM differing d
      JOIN privileges g ON g.oid = d.parent AND g.grantee <> d.child_owner
     WHERE NOT EXISTS (SELECT FROM privileges h WHERE h.oid = d.child AND (h.grantee, h.item, h.grantable) = (g.grantee, g.item, g.grantable))
     UNION ALL
    SELECT 'grant_extra', d.child, g.grantee, g.grantable, g.item
      FROM differing d
      JOIN privileges g ON g.oid = d.child AND g.grantee <> d.parent_owner
       AND NOT (g.item = 'SELECT' AND pg_catalog.pg_get_userbyid(g.grantee) = current_user) -- we may look into DEFAULT
     WHERE NOT EXISTS (SELECT FROM privileges h WHERE h.oid = d.parent AND (h.grantee, h.item, h.grantable) = (g.grantee, g.item, g.grantable))
),
-- policies; a subquery in one names the columns by the table, which has another name in a partition
policies AS MATERIALIZED (
    SELECT y.polrelid AS oid, y.polname, y.polcmd, y.polpermissive,
           (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ' ORDER BY r)
              FROM pg_catalog.unnest(y.polroles) r) AS roles,
           pg_catalog.pg_get_expr(y.polqual, y.polrelid) AS qual,
           pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid) AS with_check
      FROM pg_catalog.pg_policy y
     WHERE y.polrelid IN (SELECT oid FROM tables)
), wanted_policies AS (
    SELECT p.child, y.polname, y.polcmd, y.polpermissive, y.roles,
           CASE WHEN y.qual LIKE '%SELECT%' AND p.parent_name ~ '^[a-z_][a-z0-9_]*$'
                THEN pg_catalog.regexp_replace(y.qual, '\m' || p.parent_name || '\.', pg_catalog.replace(pg_catalog.quote_ident(p.child_name), '\', '\\') || '.', 'g')
                ELSE y.qual END AS qual,
           CASE WHEN y.with_check LIKE '%SELECT%' AND p.parent_name ~ '^[a-z_][a-z0-9_]*$'
                THEN pg_catalog.regexp_replace(y.with_check, '\m' || p.parent_name || '\.', pg_catalog.replace(pg_catalog.quote_ident(p.child_name), '\', '\\') || '.', 'g')
                ELSE y.with_check END AS with_check
      FROM pairs p
      JOIN policies y ON y.oid = p.parent
     WHERE p.parent_rls
), policy_differences AS (
    SELECT CASE WHEN h.oid IS NULL THEN 'policy_missing' ELSE 'policy_different' END AS kind, w.child, w.polname, w.polcmd, w.polpermissive, w.roles, w.qual, w.with_check
      FROM wanted_policies w
      LEFT JOIN policies h ON h.oid = w.child AND h.polname = w.polname
     WHERE h.oid IS NULL
        OR (h.polcmd, h.polpermissive, h.roles) <> (w.polcmd, w.polpermissive, w.roles)
        OR h.qual IS DISTINCT FROM w.qual
        OR h.with_check IS DISTINCT FROM w.with_check
     UNION ALL
    SELECT 'policy_extra', p.child, h.polname, h.polcmd, h.polpermissive, h.roles, h.qual, h.with_check
      FROM pairs p
      JOIN policies h ON h.oid = p.child
     WHERE p.parent_rls
       AND NOT EXISTS (SELECT FROM policies y WHERE y.oid = p.parent AND y.polname = h.polname)
),
-- columns; identity belongs to the parent alone before 17, and to all of them together since
defaults AS MATERIALIZED (
    SELECT d.adrelid AS oid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression
      FROM pg_catalog.pg_attrdef d
     WHERE d.adrelid IN (SELECT oid FROM tables)
), columns AS MATERIALIZED (
    SELECT a.attrelid AS oid, a.attname, a.attidentity, a.attgenerated, coalesce(a.attstattarget, -1) AS target, d.expression
      FROM pg_catalog.pg_attribute a
      LEFT JOIN defaults d ON d.oid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0
       AND NOT a.attisdropped
       AND a.attrelid IN (SELECT oid FROM tables)
       AND (a.attidentity <> '' OR d.oid IS NOT NULL OR coalesce(a.attstattarget, -1) >= 0)
), column_names AS (
    SELECT p.parent, p.child, y.attname FROM pairs p JOIN columns y ON y.oid = p.parent
     UNION
    SELECT p.parent, p.child, h.attname FROM pairs p JOIN columns h ON h.oid = p.child
), column_pairs AS (
    SELECT p.child, p.attname, coalesce(y.attidentity, '') AS parent_identity, coalesce(h.attidentity, '') AS child_identity,
           coalesce(y.attgenerated, h.attgenerated, '') AS generated, y.expression AS parent_expression, h.expression AS child_expression,
           coalesce(y.target, -1) AS parent_target, coalesce(h.target, -1) AS child_target
      FROM column_names p
      LEFT JOIN columns y ON y.oid = p.parent AND y.attname = p.attname
      LEFT JOIN columns h ON h.oid = p.child AND h.attname = p.attname
),
-- extended statistics, by what they are about
statistics AS MATERIALIZED (
    SELECT s.stxrelid AS oid,
           (SELECT pg_catalog.string_agg(CASE k WHEN 'd' THEN 'ndistinct' WHEN 'f' THEN 'dependencies' WHEN 'm' THEN 'mcv' END, ', ' ORDER BY k)
              FROM pg_catalog.unnest(s.stxkind) k WHERE k IN ('d', 'f', 'm')) AS kinds,
           pg_catalog.concat_ws(', ', (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname)
              FROM pg_catalog.pg_attribute a WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::int2[]))
           , (SELECT pg_catalog.string_agg('(' || e || ')', ', ') FROM pg_catalog.unnest(pg_catalog.pg_get_statisticsobjdef_expressions(s.oid)) e) -- @>=14
           ) AS subject
      FROM pg_catalog.pg_statistic_ext s
     WHERE s.stxrelid IN (SELECT oid FROM tables)
),
-- indexes
attached AS MATERIALIZED (
    SELECT h.inhparent AS parent_index, x.indrelid AS child, x.indexrelid, x.indisvalid AS valid, x.indisreplident AS is_identity
      FROM pg_catalog.pg_inherits h
      JOIN pg_catalog.pg_index x ON x.indexrelid = h.inhrelid
), index_pairs AS (
    SELECT p.*, x.indexrelid AS parent_index, x.indisunique AS is_unique, x.indisvalid AS parent_valid, t.indexrelid AS child_index, t.valid
      FROM pairs p
      JOIN pg_catalog.pg_index x ON x.indrelid = p.parent
      LEFT JOIN attached t ON t.parent_index = x.indexrelid AND t.child = p.child
     WHERE p.child_kind <> 'f'
), index_missing AS (
    SELECT m.child, n.nspname, i.relname, m.is_unique, o.contype, o.conname,
           pg_catalog.substr(pg_catalog.pg_get_indexdef(m.parent_index), pg_catalog.length('CREATE ' || CASE WHEN m.is_unique THEN 'UNIQUE ' ELSE '' END
               || 'INDEX ' || pg_catalog.quote_ident(i.relname) || ' ON ONLY ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(m.parent_name)) + 2) AS rest,
           m.child_schema, m.child_name
      FROM index_pairs m
      JOIN pg_catalog.pg_class i ON i.oid = m.parent_index
      JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
      LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = m.parent_index AND o.conrelid = m.parent AND o.contype IN ('p', 'u', 'x')
     WHERE m.child_index IS NULL
), index_candidates AS (
    SELECT DISTINCT ON (m.child, m.nspname, m.relname) m.child, m.nspname, m.relname, i.relname AS candidate
      FROM index_missing m
      JOIN pg_catalog.pg_index x ON x.indrelid = m.child AND x.indisunique = m.is_unique
      JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid AND NOT i.relispartition
      JOIN pg_catalog.pg_namespace n ON n.oid = m.child_schema
      LEFT JOIN pg_catalog.pg_constraint o ON o.conindid = x.indexrelid AND o.conrelid = m.child AND o.contype IN ('p', 'u', 'x')
     WHERE o.contype IS NOT DISTINCT FROM m.contype
       AND m.rest = pg_catalog.substr(pg_catalog.pg_get_indexdef(x.indexrelid), pg_catalog.length('CREATE ' || CASE WHEN m.is_unique THEN 'UNIQUE ' ELSE '' END
               || 'INDEX ' || pg_catalog.quote_ident(i.relname) || CASE WHEN i.relkind = 'I' THEN ' ON ONLY ' ELSE ' ON ' END
               || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(m.child_name)) + 2)
     ORDER BY m.child, m.nspname, m.relname, x.indisvalid DESC, x.indexrelid
),
-- publications that name most of the partitions, and not their parent
members AS MATERIALIZED (
    SELECT r.prpubid, r.prrelid FROM pg_catalog.pg_publication_rel r
), votes AS (
    SELECT m.prpubid, p.parent, count(*) AS n FROM pairs p JOIN members m ON m.prrelid = p.child GROUP BY 1, 2
), siblings AS (
    SELECT parent, count(*) AS n FROM pairs GROUP BY 1
)
SELECT 'locked' AS kind, k.oid AS partition, NULL AS a, NULL AS b, NULL AS c, NULL AS d, NULL AS e, NULL AS f, NULL AS g, NULL AS h
  FROM locked k
UNION ALL
SELECT g.kind, g.child, CASE WHEN g.grantee <> 0 THEN pg_catalog.pg_get_userbyid(g.grantee)::text END,
       pg_catalog.string_agg(g.item, ', ' ORDER BY g.item), g.grantable::text, NULL, NULL, NULL, NULL, NULL
  FROM grants g
 GROUP BY g.kind, g.child, g.grantee, g.grantable
UNION ALL
SELECT d.kind, d.child, d.polname, d.polcmd::text, d.polpermissive::text, d.roles, d.qual, d.with_check, NULL, NULL
  FROM policy_differences d
UNION ALL
SELECT 'identity', c.child, c.attname, c.child_identity::text, NULL, NULL, NULL, NULL, NULL, NULL
  FROM column_pairs c
 WHERE c.child_identity <> ''
   AND false -- @>=17
UNION ALL
SELECT CASE WHEN c.generated = '' THEN 'default' ELSE 'generated' END, c.child, c.attname, c.parent_expression, c.child_expression, NULL, NULL, NULL, NULL, NULL
  FROM column_pairs c
 WHERE c.parent_expression IS DISTINCT FROM c.child_expression
UNION ALL
SELECT 'target', c.child, c.attname, c.parent_target::text, c.child_target::text, NULL, NULL, NULL, NULL, NULL
  FROM column_pairs c
 WHERE c.parent_target <> c.child_target
UNION ALL
SELECT 'statistics', p.child, s.kinds, s.subject, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pairs p
  JOIN statistics s ON s.oid = p.parent
 WHERE NOT EXISTS (SELECT FROM statistics t WHERE t.oid = p.child AND t.subject = s.subject AND t.kinds IS NOT DISTINCT FROM s.kinds)
UNION ALL
SELECT 'index_missing', m.child, m.nspname, m.relname, m.rest, m.is_unique::text, m.contype::text, c.candidate, NULL, NULL
  FROM index_missing m
  LEFT JOIN index_candidates c ON c.child = m.child AND c.nspname = m.nspname AND c.relname = m.relname
UNION ALL
SELECT 'index_invalid', m.child, n.nspname, j.relname, i.relname, NULL, NULL, NULL, NULL, NULL
  FROM index_pairs m
  JOIN pg_catalog.pg_class i ON i.oid = m.child_index
  JOIN pg_catalog.pg_class j ON j.oid = m.parent_index
  JOIN pg_catalog.pg_namespace n ON n.oid = j.relnamespace
 WHERE NOT m.valid AND m.child_kind = 'r'
UNION ALL
SELECT 'index_stuck', m.parent, n.nspname, i.relname, pg_catalog.min(o.nspname), pg_catalog.min(j.relname), NULL, NULL, NULL, NULL
  FROM index_pairs m
  JOIN pg_catalog.pg_class i ON i.oid = m.parent_index
  JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
  LEFT JOIN pg_catalog.pg_class j ON j.oid = m.child_index
  LEFT JOIN pg_catalog.pg_namespace o ON o.oid = j.relnamespace
 WHERE NOT m.parent_valid
 GROUP BY m.parent, n.nspname, i.relname
HAVING pg_catalog.bool_and(coalesce(m.valid, false))
UNION ALL
SELECT 'replica_index', p.child, i.relname, c.relreplident::text, j.relname, NULL, NULL, NULL, NULL, NULL
  FROM pairs p
  JOIN pg_catalog.pg_class c ON c.oid = p.child
  JOIN pg_catalog.pg_index x ON x.indrelid = p.parent AND x.indisreplident
  JOIN attached t ON t.parent_index = x.indexrelid AND t.child = p.child
  JOIN pg_catalog.pg_class i ON i.oid = t.indexrelid
  LEFT JOIN pg_catalog.pg_index y ON y.indrelid = p.child AND y.indisreplident
  LEFT JOIN pg_catalog.pg_class j ON j.oid = y.indexrelid
 WHERE p.parent_identity = 'i' AND NOT t.is_identity
UNION ALL
SELECT 'trigger', p.child, h.tgname, t.tgenabled::text, h.tgenabled::text, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_trigger h
  JOIN pg_catalog.pg_trigger t ON t.oid = h.tgparentid AND NOT t.tgisinternal
  JOIN pairs p ON p.parent = t.tgrelid AND p.child = h.tgrelid
 WHERE h.tgenabled <> t.tgenabled
UNION ALL
SELECT 'publication', p.child, b.pubname, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM votes v
  JOIN siblings s ON s.parent = v.parent AND v.n * 2 > s.n
  JOIN pairs p ON p.parent = v.parent
  JOIN pg_catalog.pg_publication b ON b.oid = v.prpubid AND NOT b.puballtables
 WHERE NOT EXISTS (SELECT FROM members m WHERE m.prpubid = v.prpubid AND m.prrelid = p.parent)
   AND NOT EXISTS (SELECT FROM members m WHERE m.prpubid = v.prpubid AND m.prrelid = p.child)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_namespace g WHERE g.pnpubid = v.prpubid AND g.pnnspid IN (p.parent_schema, p.child_schema)) -- @>=15
 ORDER BY kind, partition, a, b
