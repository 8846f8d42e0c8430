-- SPDX-License-Identifier: Apache-2.0
-- The tables that events.sql works on: devices that report, in the order of time, and what they were sold with.
SELECT setseed(0.75);
CREATE TABLE site (id int PRIMARY KEY, country int, name text);
CREATE TABLE device (id int PRIMARY KEY, site int REFERENCES site, model int, since int);
CREATE TABLE event (at int, device int REFERENCES device, code int, value real, detail text);
CREATE TABLE contract (device int REFERENCES device, part int, until int, price numeric(10, 2), PRIMARY KEY (device, part));
INSERT INTO site SELECT k, k % 9, 'site ' || md5(k::text) FROM generate_series(1, 400) k;
INSERT INTO device SELECT k, 1 + (399 * random())::int, 1 + (11 * random() ^ 2)::int, (random() * 2000)::int FROM generate_series(1, 5000) k;
INSERT INTO event SELECT k / 3, 1 + (4999 * random() ^ 1.5)::int, 1 + (39 * random() ^ 4)::int, (random() * 100)::real, md5((k % 700)::text) FROM generate_series(1, 60000) k;
INSERT INTO contract SELECT k, p, (random() * 4000)::int, (random() * 90)::numeric(10, 2) FROM generate_series(1, 5000) k, generate_series(1, 3) p;
CREATE INDEX event_at ON event (at);
CREATE INDEX event_device ON event (device, at);
CREATE INDEX event_code ON event (code);
CREATE INDEX device_site ON device (site);
CREATE INDEX contract_until ON contract (until);
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
