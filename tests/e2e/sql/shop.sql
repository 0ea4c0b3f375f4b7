-- SPDX-License-Identifier: PostgreSQL
--
-- shop.sql - a small ordinary database: keys, an index, a sequence, a view, partitions, a large object.

SET client_min_messages = warning;
CREATE TABLE customers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE);
CREATE TABLE orders (
    id bigserial PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, total numeric(10, 2), at timestamptz NOT NULL);
CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL, payload jsonb);
CREATE TABLE measurements (sensor integer, at date NOT NULL, v float8) PARTITION BY RANGE (at);
CREATE TABLE measurements_2024 PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measurements_2025 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE SCHEMA archive;
CREATE TABLE archive."Old Orders" (id integer PRIMARY KEY, note text);
INSERT INTO customers (name, email) SELECT 'Customer ' || i, 'c' || i || '@example.org' FROM generate_series(1, 500) i;
INSERT INTO orders (customer_id, total, at)
SELECT 1 + i % 500, i * 0.37, timestamptz '2024-01-01 00:00+00' + i * interval '7 minutes' FROM generate_series(1, 5000) i;
INSERT INTO events
SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '3 seconds', (ARRAY['click', 'view', 'buy'])[1 + i % 3],
       jsonb_build_object('user', i % 997, 'session', md5(i::text), 'path', '/p/' || i % 50, 'agent', repeat('x', i % 40))
FROM generate_series(1, 30000) i;
INSERT INTO measurements SELECT i % 10, date '2024-01-01' + i % 700, i / 3.0 FROM generate_series(1, 3000) i;
INSERT INTO archive."Old Orders" SELECT i, 'note ' || i FROM generate_series(1, 100) i;
CREATE INDEX events_at ON events (at);
CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 1000;
SELECT lo_from_bytea(4711, decode(repeat(md5('lo'), 1000), 'hex'));
ANALYZE;
