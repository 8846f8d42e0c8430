-- SPDX-License-Identifier: Apache-2.0
-- What a service of devices asks of its database: what came in, what is odd about it, and reports.
\set who random(1, 5000)
\set hour random(1, 19000)
\set rare random(20, 40)
\set land random(0, 8)
BEGIN;
INSERT INTO event SELECT 20000 + g, 1 + (:who + g * 7) % 5000, 1, g, 'one more report of a device' FROM generate_series(1, 150) g;
UPDATE device SET since = since + 1 WHERE site = 1 + :who % 400;
DELETE FROM event WHERE device = :who AND at < 200;
END;
SELECT at, code, value FROM event WHERE device = :who ORDER BY at DESC LIMIT 15;
SELECT code, count(*), avg(value) FROM event WHERE at BETWEEN :hour AND :hour + 900 GROUP BY code ORDER BY 2 DESC;
SELECT d.model, count(DISTINCT e.device), max(e.value) FROM event e JOIN device d ON d.id = e.device WHERE e.code >= :rare GROUP BY d.model ORDER BY 1;
SELECT s.country, d.model, sum(c.price) FROM contract c JOIN device d ON d.id = c.device JOIN site s ON s.id = d.site GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 8;
SELECT e.device, e.at, e.value - lag(e.value) OVER (PARTITION BY e.device ORDER BY e.at) AS step FROM event e WHERE e.at > 15000 ORDER BY 3 DESC NULLS LAST LIMIT 10;
SELECT detail, count(*) FROM event GROUP BY detail ORDER BY 2 DESC, 1 LIMIT 12;
SELECT a.device, count(*) FROM event a JOIN event b ON b.device = a.device AND b.at BETWEEN a.at AND a.at + 400 AND b.code > a.code WHERE a.code > 12 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 6;
SELECT d.id FROM device d WHERE d.model > 6 AND NOT EXISTS (SELECT 1 FROM event e WHERE e.device = d.id AND e.at > :hour) ORDER BY d.since LIMIT 20;
SELECT s.name, (SELECT max(e.at) FROM event e JOIN device d ON d.id = e.device WHERE d.site = s.id AND e.code > 8) FROM site s WHERE s.country = :land ORDER BY 2 DESC NULLS LAST LIMIT 5;
SELECT count(*) FROM device d JOIN contract c ON c.device = d.id AND c.part = 1 JOIN contract f ON f.device = d.id AND f.part = 2 JOIN site s ON s.id = d.site WHERE c.until < f.until AND s.country <> :land;
SELECT width_bucket(value, 0, 100, 20) AS bucket, count(*), min(at), max(at) FROM event WHERE code < 4 GROUP BY bucket ORDER BY bucket;
