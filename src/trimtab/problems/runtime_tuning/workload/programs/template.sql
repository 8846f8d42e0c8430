-- SPDX-License-Identifier: Apache-2.0
-- The tables that mixed.sql works on: skewed, correlated, and too large for the default work_mem.
SELECT setseed(0.25);
CREATE TABLE kind (id int PRIMARY KEY, name text);
CREATE TABLE place (id int PRIMARY KEY, name text, region int);
CREATE TABLE customer (id int PRIMARY KEY, city int REFERENCES place, credit numeric(12, 2), name text);
CREATE TABLE sale (id int PRIMARY KEY, customer int REFERENCES customer, day int, kind int REFERENCES kind, total numeric(12, 2), what text);
INSERT INTO kind SELECT k, 'kind ' || k FROM generate_series(1, 25) k;
INSERT INTO place SELECT k, 'place ' || md5(k::text), k % 6 FROM generate_series(1, 60) k;
INSERT INTO customer SELECT k, 1 + (59 * random() ^ 2)::int, (random() * 1000)::numeric(12, 2), md5(k::text) FROM generate_series(1, 8000) k;
INSERT INTO sale SELECT k, 1 + (7999 * random() ^ 2)::int, 1 + (k / 150) % 320, 1 + (24 * random() ^ 3)::int, (random() * random() * 900)::numeric(12, 2), repeat(md5(k::text), 2) FROM generate_series(1, 48000) k;
CREATE INDEX sale_customer ON sale (customer);
CREATE INDEX sale_day ON sale (day);
CREATE INDEX sale_kind ON sale (kind, total);
CREATE INDEX customer_city ON customer (city);
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
