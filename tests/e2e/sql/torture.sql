-- SPDX-License-Identifier: PostgreSQL
--
-- torture.sql - everything that has made a logical backup lose data somewhere, in one database.
-- Run by psql as superuser, ON_ERROR_STOP=1, into an empty UTF8 database; :pgmajor is the server's major.

SET client_min_messages = warning;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'torture_owner') THEN
        CREATE ROLE torture_owner;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'Lese Rölle') THEN
        CREATE ROLE "Lese Rölle";
    END IF;
END $$;

CREATE SCHEMA zoo;
CREATE SCHEMA "Mixed Schema, ""quoted""";
CREATE SCHEMA "Ümläut";
COMMENT ON SCHEMA zoo IS 'all the animals';

CREATE EXTENSION pg_trgm SCHEMA zoo;
CREATE EXTENSION hstore;

-- Types -----------------------------------------------------------------------------------------
CREATE TYPE zoo.mood AS ENUM ('sad', 'it''s ok', 'happy', 'Überglücklich', 'with,comma', 'with"quote');
CREATE DOMAIN zoo.percentage AS numeric(5, 2) NOT NULL DEFAULT 0 CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN zoo.email AS text CONSTRAINT looks_like_email CHECK (VALUE ~ '^[^@]+@[^@]+$');
CREATE TYPE zoo.point3 AS (x integer, "Y y" numeric, note text);
CREATE TYPE zoo.floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);

CREATE TABLE zoo.types (
    id integer PRIMARY KEY,
    b boolean, i2 smallint, i8 bigint, n numeric, n2 numeric(30, 10), f4 real, f8 double precision,
    m money, t text, v varchar(20), c char(10), "char" "char", nm name, by bytea,
    ts timestamp, tz timestamptz, d date, tm time, tmz timetz, iv interval,
    u uuid, j json, jb jsonb, x xml, tv tsvector, tq tsquery, h hstore,
    ine inet, ci cidr, mac macaddr, mac8 macaddr8, bi bit(5), vb bit varying(9),
    p point, l line, ls lseg, bx box, pa path, po polygon, cr circle,
    ia integer[], ta text[][], ea zoo.mood[], ca zoo.point3[],
    e zoo.mood, dom zoo.percentage, mail zoo.email, comp zoo.point3,
    r int4range, tr tstzrange, mr int4multirange, fr zoo.floatrange,
    o oid, rc regclass, rt regtype, lsn pg_lsn, jp jsonpath
);
INSERT INTO zoo.types (id) VALUES (1);
INSERT INTO zoo.types VALUES (
    2, true, -32768, 9223372036854775807, 'NaN', 12345678901234567890.0123456789, 'Infinity', 'NaN',
    '-$92,233,720,368,547,758.08', '', '', '', 'x', 'name', '\x',
    '4713-01-01 00:00:00 BC', '-infinity', '5874897-12-31', '24:00', '23:59:59.999999+14:59', '-178000000 years',
    'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a" : 1,  "a": 2}', '{"a": [1, null, "\u00fc\t"]}',
    '<r a="1"><!-- c -->&amp;ü</r>', $$'it''s':1A 'cat':2,9B 'bäh':3$$, $$'a' & !'b' <-> 'c':*AB$$,
    '"k 1"=>NULL, "k,2"=>"v\"2"',
    '::1/128', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'10101', B'111',
    '(1e-300,-1e300)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1>',
    '[-2:0]={1,NULL,3}', '{{"a","b,c"},{"\"q\"","\\"}}', '{sad,"with,comma","with\"quote"}',
    ARRAY[ROW(1, 2.5, 'a,b')::zoo.point3, NULL, ROW(NULL, 'NaN', '"')::zoo.point3],
    'with"quote', 99.99, 'ü@exämple.org', ROW(7, -0.0, E'tab\there'),
    'empty', '[2000-01-01 00:00+00,)', '{[1,3),[5,9)}', '[-Infinity,1.5)',
    4294967295, 'zoo.types', 'zoo.mood[]', 'FFFFFFFF/FFFFFFFF', '$.a[*] ? (@ > 1)');
INSERT INTO zoo.types (id, f4, f8, tz, ts, d, iv, n, by, t)
VALUES (3, '1.17549435e-38', '4.9406564584124654e-324', '294276-12-31 23:59:59.999999+00', 'infinity', 'infinity',
        '1 year -2 mons +3 days -04:05:06.789', -0.00000000000000000001, '\x00ff5c2e0a0d09', E'\\N'),
       (4, '-0', '1.7976931348623157e308', '0044-03-15 12:00:00+00 BC', '0001-01-01', '4713-11-24 BC',
        '178000000 years', 1e100, decode(repeat('00', 300), 'hex'), E'\\.'),
       (5, 1.1, 0.1::float8 + 0.2::float8, '2024-03-31 02:30:00 Europe/Berlin', '1999-12-31 23:59:60', '1582-10-10',
        '-1 day +23:59', '123456789012345678901234567890.5', '\x5c782a', E'a\tb\nc\rd\\e\bf\fg\vh');

-- Values that look like COPY syntax, and text that a careless reader cuts in two.
CREATE TABLE zoo.hard_values (id serial PRIMARY KEY, v text, w text);
INSERT INTO zoo.hard_values (v, w) VALUES
    (E'\\N', NULL), (E'\\.', E'\\.\n'), (E'\n', E'\n\n'), (E'\t', E'\t\t'), ('', ' '), (E'\\', E'\\\\'), (E'\r\n', E'\r'),
    (E'\\n', E'\\t'), (E'\u00fc\u2028\U0001F600', repeat('ü', 1000)), (E'line1\n\\.\nline3', E'\x01\x02\x7f'),
    ('--', ';'), ($$'; DROP TABLE x; --$$, '"'), (repeat(E'\\', 5000), repeat(E'\n', 5000));
COMMENT ON TABLE zoo.hard_values IS E'comment with ''quotes'', \\backslash and\nnewline';

-- Names -----------------------------------------------------------------------------------------
CREATE TABLE "Mixed Schema, ""quoted"""."Table ""with"" quotes" (
    "id" integer PRIMARY KEY, "weird, col (x)" text, "col ""q""" text, "SELECT" integer, "tab	col" text,
    "new
line" text, "ümlaut" text, "%s %n" text, "back\slash" text);
INSERT INTO "Mixed Schema, ""quoted"""."Table ""with"" quotes"
SELECT i, 'a,' || i, 'b', i, 'c', 'd', 'ü', '%d', E'\\' FROM generate_series(1, 100) i;
CREATE TABLE "Mixed Schema, ""quoted"""."new
line table" (a integer);
INSERT INTO "Mixed Schema, ""quoted"""."new
line table" VALUES (1), (2);
CREATE TABLE "Ümläut"."größe" ("straße" text, "größe, (cm)" integer);
INSERT INTO "Ümläut"."größe" VALUES ('Hauptstraße', 180), ('Weg', NULL);
CREATE TABLE public."CamelCase" ("CamelCol" integer PRIMARY KEY, camelcol text);
INSERT INTO public."CamelCase" VALUES (1, 'one');
CREATE TABLE public.camelcase (camelcol integer);
INSERT INTO public.camelcase VALUES (11);
CREATE TABLE zoo.a23456789012345678901234567890123456789012345678901234567890123 (
    c23456789012345678901234567890123456789012345678901234567890123 integer);
INSERT INTO zoo.a23456789012345678901234567890123456789012345678901234567890123 VALUES (63);
CREATE TABLE zoo."table" ("user" text, "from" text, "." text, " " text);
INSERT INTO zoo."table" VALUES ('a', 'b', 'c', 'd');
CREATE TABLE zoo."a.b.c" (x integer);
INSERT INTO zoo."a.b.c" VALUES (1);
CREATE TABLE zoo."../../etc/passwd" (x integer);
INSERT INTO zoo."../../etc/passwd" VALUES (1);

-- Shapes of tables ------------------------------------------------------------------------------
CREATE TABLE zoo.nocols ();
INSERT INTO zoo.nocols SELECT FROM generate_series(1, 5000);
CREATE TABLE zoo.empty_table (a integer, b text);
CREATE TABLE zoo.nocols_empty ();
CREATE TABLE zoo.generated (
    a integer, double_a integer GENERATED ALWAYS AS (a * 2) STORED, b text,
    "upper, b" text GENERATED ALWAYS AS (upper(b)) STORED);
INSERT INTO zoo.generated (a, b) SELECT i, 'b' || i FROM generate_series(1, 500) i;
CREATE TABLE zoo.only_generated (g integer GENERATED ALWAYS AS (42) STORED);
INSERT INTO zoo.only_generated SELECT FROM generate_series(1, 7);
SELECT :pgmajor >= 18 AS has_virtual \gset
\if :has_virtual
CREATE TABLE zoo.virtual_generated (a integer, v integer GENERATED ALWAYS AS (a + 1) VIRTUAL);
INSERT INTO zoo.virtual_generated (a) SELECT generate_series(1, 10);
\endif
CREATE TABLE zoo.identity_always (id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5), t text);
INSERT INTO zoo.identity_always (t) SELECT 'x' FROM generate_series(1, 10);
CREATE TABLE zoo.identity_default (id smallint GENERATED BY DEFAULT AS IDENTITY, t text);
INSERT INTO zoo.identity_default (t) VALUES ('a'), ('b');
CREATE TABLE zoo.dropped_columns (a integer, gone1 text, b text, gone2 integer DEFAULT 5, c integer DEFAULT 9);
INSERT INTO zoo.dropped_columns SELECT i, 'gone', 'b' || i, i, i FROM generate_series(1, 50) i;
ALTER TABLE zoo.dropped_columns DROP COLUMN gone1, DROP COLUMN gone2;
ALTER TABLE zoo.dropped_columns ADD COLUMN late text DEFAULT 'fast default';
INSERT INTO zoo.dropped_columns (a) VALUES (999);
CREATE TABLE zoo.all_dropped (a integer);
INSERT INTO zoo.all_dropped VALUES (1), (2), (3);
ALTER TABLE zoo.all_dropped DROP COLUMN a;
CREATE UNLOGGED TABLE zoo.unlogged (a integer PRIMARY KEY, b text);
INSERT INTO zoo.unlogged SELECT i, 'u' FROM generate_series(1, 20) i;
CREATE TABLE zoo.wide (LIKE zoo.types INCLUDING ALL) WITH (fillfactor = 50, autovacuum_enabled = false);
INSERT INTO zoo.wide (id, t) SELECT i, 'wide' FROM generate_series(1, 300) i;
CREATE TABLE zoo.toasty (id integer PRIMARY KEY, doc jsonb, raw bytea, ext text);
ALTER TABLE zoo.toasty ALTER COLUMN raw SET STORAGE EXTERNAL, ALTER COLUMN ext SET STORAGE EXTERNAL;
INSERT INTO zoo.toasty
SELECT i, (SELECT jsonb_object_agg('k' || k, md5(k::text || i)) FROM generate_series(1, 400) k),
       decode(repeat(md5(i::text), 1000), 'hex'), repeat(chr(200 + i), 20000)
FROM generate_series(1, 60) i;
INSERT INTO zoo.toasty VALUES (1000, NULL, NULL, repeat(E'\\\n', 1500000));
-- Enough pages to be cut into ctid ranges, with holes and a tail that VACUUM has not seen.
CREATE TABLE zoo.ranges (id bigint PRIMARY KEY, payload text, at timestamptz);
INSERT INTO zoo.ranges
SELECT i, repeat(md5(i::text), 8), timestamptz '2024-01-01 00:00+00' + i * interval '1 second' FROM generate_series(1, 20000) i;
DELETE FROM zoo.ranges WHERE id BETWEEN 3000 AND 7000 OR id % 7 = 0;
UPDATE zoo.ranges SET payload = payload || 'updated' WHERE id % 10 = 1;

-- Partitions ------------------------------------------------------------------------------------
CREATE TABLE zoo.part_range (id bigint, at timestamptz NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE zoo.part_range_2024_01 PARTITION OF zoo.part_range FOR VALUES FROM ('2024-01-01+00') TO ('2024-02-01+00');
CREATE TABLE zoo.part_range_2024_02 PARTITION OF zoo.part_range FOR VALUES FROM ('2024-02-01+00') TO ('2024-03-01+00')
    PARTITION BY HASH (id);
CREATE TABLE zoo.part_range_2024_02_a PARTITION OF zoo.part_range_2024_02 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE zoo.part_range_2024_02_b PARTITION OF zoo.part_range_2024_02 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE zoo.part_range_default PARTITION OF zoo.part_range DEFAULT;
-- A partition whose columns are in another order, with a dropped one among them.
CREATE TABLE zoo.part_range_2024_03 (v text, dropped integer, at timestamptz NOT NULL, id bigint NOT NULL);
ALTER TABLE zoo.part_range_2024_03 DROP COLUMN dropped;
ALTER TABLE zoo.part_range ATTACH PARTITION zoo.part_range_2024_03 FOR VALUES FROM ('2024-03-01+00') TO ('2024-04-01+00');
INSERT INTO zoo.part_range
SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '2 hours', 'v' || i FROM generate_series(0, 1500) i;
CREATE INDEX part_range_v ON zoo.part_range (v);
CREATE TABLE zoo.part_list (kind text, n integer) PARTITION BY LIST (kind);
CREATE TABLE zoo."part list 'a'" PARTITION OF zoo.part_list FOR VALUES IN ('a', 'ä', 'with ''quote''');
CREATE TABLE zoo.part_list_null PARTITION OF zoo.part_list FOR VALUES IN (NULL);
INSERT INTO zoo.part_list SELECT (ARRAY['a', 'ä', 'with ''quote''', NULL])[1 + i % 4], i FROM generate_series(1, 400) i;
CREATE TABLE zoo.part_hash_enum (m zoo.mood, n integer) PARTITION BY HASH (m);
CREATE TABLE zoo.part_hash_enum_0 PARTITION OF zoo.part_hash_enum FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE zoo.part_hash_enum_1 PARTITION OF zoo.part_hash_enum FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE zoo.part_hash_enum_2 PARTITION OF zoo.part_hash_enum FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO zoo.part_hash_enum
SELECT (enum_range(NULL::zoo.mood))[1 + i % 6], i FROM generate_series(1, 600) i;
CREATE TABLE zoo.part_empty (a integer) PARTITION BY RANGE (a);

-- Inheritance -----------------------------------------------------------------------------------
CREATE TABLE zoo.parent (a integer, b text);
CREATE TABLE zoo.child_other_order (c date, b text, a integer);
ALTER TABLE zoo.child_other_order INHERIT zoo.parent;
CREATE TABLE zoo.child (d integer) INHERITS (zoo.parent);
CREATE TABLE zoo.grandchild (e integer) INHERITS (zoo.child);
INSERT INTO zoo.parent SELECT i, 'parent' FROM generate_series(1, 11) i;
INSERT INTO zoo.child_other_order SELECT date '2024-01-01' + i, 'other', i FROM generate_series(1, 13) i;
INSERT INTO zoo.child SELECT i, 'child', i FROM generate_series(1, 17) i;
INSERT INTO zoo.grandchild SELECT i, 'grandchild', i, i FROM generate_series(1, 19) i;

-- Keys, checks, triggers --------------------------------------------------------------------------
CREATE TABLE zoo.tree (id integer PRIMARY KEY, parent integer REFERENCES zoo.tree DEFERRABLE INITIALLY DEFERRED, v text);
BEGIN;
INSERT INTO zoo.tree SELECT i, NULLIF(i / 2, 0), 'node' FROM generate_series(1, 300) i;
UPDATE zoo.tree SET parent = 300 WHERE id = 1;
COMMIT;
CREATE TABLE zoo.hen (id integer PRIMARY KEY, egg integer);
CREATE TABLE zoo.egg (id integer PRIMARY KEY, hen integer REFERENCES zoo.hen);
INSERT INTO zoo.hen SELECT i, i FROM generate_series(1, 50) i;
INSERT INTO zoo.egg SELECT i, i FROM generate_series(1, 50) i;
ALTER TABLE zoo.hen ADD CONSTRAINT hen_egg FOREIGN KEY (egg) REFERENCES zoo.egg;
ALTER TABLE zoo.egg ADD CONSTRAINT unchecked CHECK (id < 10) NOT VALID;
CREATE TABLE zoo.audited (id integer PRIMARY KEY, v text, EXCLUDE USING gist (int4range(id, id, '[]') WITH &&));
CREATE TABLE zoo.audit_log (id bigserial, what text);
CREATE FUNCTION zoo.audit() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO zoo.audit_log (what) VALUES (TG_OP || ' ' || NEW.id);   -- would double on a naive restore
    RETURN NEW;
END $body$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON zoo.audited FOR EACH ROW EXECUTE FUNCTION zoo.audit();
CREATE TRIGGER refuse BEFORE INSERT ON zoo.audited FOR EACH ROW WHEN (NEW.id < 0) EXECUTE FUNCTION zoo.audit();
ALTER TABLE zoo.audited DISABLE TRIGGER refuse;
INSERT INTO zoo.audited SELECT i, 'v' || i FROM generate_series(1, 40) i;
CREATE RULE no_delete AS ON DELETE TO zoo.audited DO INSTEAD NOTHING;
CREATE FUNCTION zoo.needs_search_path(text) RETURNS boolean LANGUAGE sql IMMUTABLE
    AS $$ SELECT EXISTS (SELECT FROM zoo.hen) AND $1 <> '' $$;

-- Row security: superuser's data must come out whole, and only so.
CREATE TABLE zoo.secrets (id integer, owner_name text);
INSERT INTO zoo.secrets SELECT i, 'nobody' FROM generate_series(1, 33) i;
ALTER TABLE zoo.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE zoo.secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON zoo.secrets USING (owner_name = current_user);
ALTER TABLE zoo.secrets OWNER TO torture_owner;

-- Views, matviews, sequences, statistics, foreign tables, publication ------------------------------
CREATE VIEW zoo.v AS SELECT id, t, (comp).x FROM zoo.types WHERE t IS NOT NULL;
CREATE VIEW zoo.v_cycle_a AS SELECT 1 AS a;
CREATE OR REPLACE VIEW zoo.v_cycle_a AS SELECT count(*)::integer AS a FROM zoo.types;
CREATE RECURSIVE VIEW zoo.nums (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM nums WHERE n < 5;
CREATE MATERIALIZED VIEW zoo.mv AS SELECT m, count(*) AS n FROM zoo.part_hash_enum GROUP BY m;
CREATE UNIQUE INDEX mv_m ON zoo.mv (m);
CREATE MATERIALIZED VIEW zoo.mv_of_mv AS SELECT sum(n) AS n FROM zoo.mv;
CREATE MATERIALIZED VIEW zoo.mv_unpopulated AS SELECT * FROM zoo.hen WITH NO DATA;
CREATE SEQUENCE zoo.counter INCREMENT -3 MINVALUE -1000 MAXVALUE 10 START 10 CYCLE CACHE 5;
SELECT nextval('zoo.counter'), nextval('zoo.counter');
CREATE SEQUENCE zoo.untouched;
CREATE SEQUENCE zoo.huge MAXVALUE 9223372036854775807;
SELECT setval('zoo.huge', 9223372036854775806);
CREATE SEQUENCE zoo."Seq ""ü""" AS smallint;
SELECT setval('zoo."Seq ""ü"""', 77, false);
CREATE STATISTICS zoo.stats_ranges (ndistinct, dependencies, mcv) ON id, payload FROM zoo.ranges;
CREATE STATISTICS zoo.stats_expr ON (id % 10), (length(payload)) FROM zoo.ranges;
ALTER TABLE zoo.ranges ALTER COLUMN id SET STATISTICS 500;
CREATE INDEX ranges_trgm ON zoo.ranges USING gin (payload zoo.gin_trgm_ops);
CREATE INDEX ranges_partial ON zoo.ranges (at) WHERE id > 10000;
CREATE INDEX ranges_expr ON zoo.ranges ((lower(payload)), id DESC NULLS LAST) INCLUDE (at);
ALTER TABLE zoo.ranges CLUSTER ON ranges_pkey;
ALTER TABLE zoo.hen REPLICA IDENTITY FULL;
CREATE EXTENSION file_fdw SCHEMA zoo;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE zoo.passwd_file (line text) SERVER files OPTIONS (filename '/etc/hostname', format 'text');
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT :pgmajor >= 15 AS has_publication_filter \gset
\if :has_publication_filter
CREATE PUBLICATION "some of it" FOR TABLE zoo.hen (id), zoo.egg WHERE (id > 5) WITH (publish = 'insert');
\endif

-- Functions, operators, casts, collations, text search -----------------------------------------------
CREATE FUNCTION zoo.dollar() RETURNS text LANGUAGE sql AS $_$ SELECT $$ nested 'quotes' \ $$::text $_$;
CREATE PROCEDURE zoo.proc(INOUT a integer) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$;
CREATE AGGREGATE zoo.sum_sq (integer) (sfunc = int4pl, stype = integer, initcond = '0');
CREATE OPERATOR zoo.=== (leftarg = integer, rightarg = integer, function = int4eq);
CREATE COLLATION zoo."german" (provider = icu, locale = 'de-u-co-phonebk');
CREATE TABLE zoo.collated (v text COLLATE zoo."german", n text COLLATE "C");
INSERT INTO zoo.collated VALUES ('ä', 'b'), ('z', 'a'), ('a', 'ü');
CREATE INDEX collated_v ON zoo.collated (v);
CREATE TEXT SEARCH CONFIGURATION zoo.ts (COPY = pg_catalog.simple);
CREATE FUNCTION zoo.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER torture_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION zoo.on_ddl();
ALTER EVENT TRIGGER torture_ddl DISABLE;

-- Grants, owners, comments -----------------------------------------------------------------------------
GRANT USAGE ON SCHEMA zoo TO "Lese Rölle";
GRANT SELECT, UPDATE (v) ON zoo.hard_values TO "Lese Rölle" WITH GRANT OPTION;
GRANT SELECT ON zoo.types, zoo."table" TO PUBLIC;
REVOKE ALL ON FUNCTION zoo.dollar() FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE torture_owner IN SCHEMA zoo GRANT SELECT ON TABLES TO "Lese Rölle";
ALTER TABLE zoo.part_list OWNER TO torture_owner;
ALTER FUNCTION zoo.dollar() OWNER TO "Lese Rölle";
COMMENT ON COLUMN zoo.types.t IS 'text, "quoted"; with semicolon';
COMMENT ON CONSTRAINT unchecked ON zoo.egg IS 'not valid';

-- Large objects ----------------------------------------------------------------------------------------
SELECT lo_from_bytea(900001, convert_to(repeat(E'large object \\ line\n', 100000), 'UTF8'));
SELECT lo_from_bytea(900002, '\x00ff00ff');
SELECT lo_create(900003);
COMMENT ON LARGE OBJECT 900001 IS 'two megabytes';
GRANT SELECT ON LARGE OBJECT 900002 TO "Lese Rölle";
ALTER LARGE OBJECT 900002 OWNER TO torture_owner;

REFRESH MATERIALIZED VIEW zoo.mv;
REFRESH MATERIALIZED VIEW zoo.mv_of_mv;
ANALYZE;
