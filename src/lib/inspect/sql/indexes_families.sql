SELECT c.oid, c.opcfamily, 'c' AS kind
  FROM pg_catalog.pg_opclass c
UNION ALL
SELECT o.amopopr, o.amopfamily, 'o'
  FROM pg_catalog.pg_amop o
  JOIN pg_catalog.pg_am a ON a.oid = o.amopmethod
 WHERE (a.amname = 'btree' AND o.amopstrategy = 3) OR (a.amname = 'hash' AND o.amopstrategy = 1)
 ORDER BY 3, 1, 2
