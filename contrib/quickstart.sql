-- SPDX-License-Identifier: PostgreSQL
--
-- quickstart.sql - sample data of the quick start: a shop with one dominating table, partitions, mixed-case names,
-- a large object, keys, a view and a materialized view; an index that was built twice, and statements that are counted.

SET client_min_messages = warning;
CREATE EXTENSION pg_stat_statements;
SET synchronous_commit = off;

CREATE TABLE "Customers" (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
    country text NOT NULL, since date NOT NULL);
COMMENT ON TABLE "Customers" IS 'mixed case on purpose';
INSERT INTO "Customers" (name, email, country, since)
SELECT 'Customer ' || i, 'c' || i || '@example.org', (ARRAY['DE', 'FR', 'JP', 'BR', 'US'])[1 + i % 5], date '2019-01-01' + i % 2000
FROM generate_series(1, 20000) i;

CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL, tags text[]);
INSERT INTO products
SELECT i, 'Product ' || i, (i % 500) + 0.99, ARRAY['tag' || i % 7, 'tag' || i % 13] FROM generate_series(1, 2000) i;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY, customer_id integer NOT NULL REFERENCES "Customers",
    product_id integer NOT NULL REFERENCES products, quantity integer NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00');
CREATE TABLE orders_rest PARTITION OF orders DEFAULT;
INSERT INTO orders (customer_id, product_id, quantity, at)
SELECT 1 + i % 20000, 1 + i % 2000, 1 + i % 4, timestamptz '2024-01-01 00:00+00' + i * interval '6 minutes'
FROM generate_series(1, 120000) i;
CREATE INDEX ON orders (customer_id);

-- About 150 MB: the one table that a backup spends its time on.
CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, customer_id integer, kind text NOT NULL, payload jsonb NOT NULL);
INSERT INTO events
SELECT i, timestamptz '2025-01-01 00:00+00' + i * interval '10 seconds', 1 + i % 20000, (ARRAY['view', 'click', 'cart', 'buy'])[1 + i % 4],
       jsonb_build_object('session', md5(i::text), 'page', '/products/' || i % 2000, 'referrer', md5((i / 7)::text) || md5((i / 9)::text),
                          'agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) ' || md5((i % 500)::text),
                          'screen', jsonb_build_array(1280 + i % 640, 720 + i % 360), 'ms', i % 9973)
FROM generate_series(1, 400000) i;
CREATE INDEX ON events (at);
CREATE INDEX ON events (customer_id, kind);
CREATE INDEX events_at_again ON events (at);

CREATE SCHEMA archive;
CREATE TABLE archive."Old Orders" (id integer PRIMARY KEY, note text);
INSERT INTO archive."Old Orders" SELECT i, 'closed in ' || 2010 + i % 9 FROM generate_series(1, 5000) i;

CREATE VIEW revenue AS
SELECT date_trunc('month', at) AS month, sum(quantity * price) AS total FROM orders JOIN products ON products.id = product_id GROUP BY 1;
CREATE MATERIALIZED VIEW events_per_kind AS SELECT kind, count(*) FROM events GROUP BY kind;

SELECT lo_from_bytea(0, decode(repeat(md5('the company logo'), 20000), 'hex'));
ANALYZE;
