-- dbops indexes audit: 4 findings with a cure. Read it before you run it.
--   psql -X -f FILE                  makes the changes
--   psql -X -v rollback=1 -f FILE    takes them back
-- Commented out: what needs a decision. Not for a transaction (-1): CONCURRENTLY cannot run in one.
\set ON_ERROR_STOP on
SELECT current_database() <> 'DATABASE' AS dbops_other_database \gset
\if :dbops_other_database
\warn 'this script is for another database'
\quit
\endif
SET statement_timeout = 0;
SET lock_timeout = 0;

\if :{?rollback}

-- CANDIDATE public.orders_customer: its columns are the first ones of the wider public.orders_customer_id
CREATE INDEX CONCURRENTLY orders_customer ON public.orders USING btree (customer);

-- CANDIDATE public.orders_note3: the same as public.orders_note2, which stays because it is older
CREATE INDEX CONCURRENTLY orders_note3 ON public.orders USING btree (note);

-- DROP public.orders_note: a build failed: every write maintains it, and no query can use it; public.orders_note2 is the same and works
-- there is no way back

-- CREATE public.lines.lines_o_fkey: foreign key lines_o_fkey has no index: a DELETE or a change of the key in public.orders reads the whole table; it is small
DROP INDEX CONCURRENTLY "public"."lines_o_idx";

\else

-- CREATE public.lines.lines_o_fkey: foreign key lines_o_fkey has no index: a DELETE or a change of the key in public.orders reads the whole table; it is small
CREATE INDEX CONCURRENTLY "lines_o_idx" ON "public"."lines" ("o");

-- DROP public.orders_note: a build failed: every write maintains it, and no query can use it; public.orders_note2 is the same and works
DROP INDEX CONCURRENTLY "public"."orders_note";

-- CANDIDATE public.orders_note3: the same as public.orders_note2, which stays because it is older
DROP INDEX CONCURRENTLY "public"."orders_note3";

-- CANDIDATE public.orders_customer: its columns are the first ones of the wider public.orders_customer_id
DROP INDEX CONCURRENTLY "public"."orders_customer";

\endif
