SELECT r.rolname,
       r.rolsuper,
       r.rolconnlimit,
       pg_catalog.pg_has_role(r.oid, 'pg_use_reserved_connections', 'USAGE') AS reserved -- @>=16
       false AS reserved -- @<16
  FROM pg_catalog.pg_roles r
 WHERE r.rolcanlogin
