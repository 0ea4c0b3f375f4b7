-- the agreed list
CREATE INDEX CONCURRENTLY IF NOT EXISTS same ON public.t USING btree (a ASC NULLS LAST, b DESC) WHERE (c = 'x');
create unique index on t (lower(c)) /* another name will do */;
CREATE INDEX part ON t (b) WHERE c IN ('x', 'y') AND d::int8 <> 4 AND c LIKE 'a%';
CREATE INDEX stamp ON t (((e AT TIME ZONE 'UTC')::date));
CREATE INDEX "Quoted;" ON t ("Mixed");
CREATE INDEX missing ON t
    (d,   -- a comment; with a semicolon
     a) INCLUDE (b);
CREATE INDEX different ON t (a, d);
CREATE INDEX invalid ON t (d);
CREATE UNIQUE INDEX not_unique ON t (b, d);
CREATE INDEX other_where ON t (b, c) WHERE a > 5;
CREATE INDEX no_table ON nowhere (a);
