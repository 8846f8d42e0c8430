-- SPDX-License-Identifier: Apache-2.0
-- A mix of look-ups, changes, joins, sorts and aggregates over the tables of the template.
\set who random(1, 8000)
\set day random(1, 300)
\set kind random(1, 25)
BEGIN;
UPDATE customer SET credit = credit + :day WHERE id = :who;
INSERT INTO sale SELECT 1000000 + :who, :who, :day, :kind, 17.5, 'another sale of the same things' ON CONFLICT DO NOTHING;
SELECT credit FROM customer WHERE id = :who;
END;
SELECT sum(total) FROM sale WHERE customer = :who;
SELECT count(*), avg(total) FROM sale WHERE day BETWEEN :day AND :day + 12;
SELECT c.city, count(*), sum(s.total) FROM customer c JOIN sale s ON s.customer = c.id WHERE s.kind = :kind GROUP BY c.city ORDER BY 3 DESC LIMIT 5;
SELECT s.what, s.total FROM sale s ORDER BY s.total DESC, s.what LIMIT 20 OFFSET 3000;
SELECT customer, count(*), max(total) FROM sale GROUP BY customer ORDER BY 2 DESC, 1 LIMIT 10;
SELECT k.name, p.name, sum(s.total) FROM sale s JOIN kind k ON k.id = s.kind JOIN customer c ON c.id = s.customer JOIN place p ON p.id = c.city WHERE p.region = :kind % 6 AND s.day > 250 GROUP BY k.name, p.name ORDER BY 3 LIMIT 5;
SELECT c.id, (SELECT max(s.total) FROM sale s WHERE s.customer = c.id) FROM customer c ORDER BY 2 DESC NULLS LAST LIMIT 5;
SELECT count(*) FROM sale s JOIN customer c ON c.id = s.customer JOIN sale t ON t.customer = c.id WHERE s.day BETWEEN 100 AND 130 AND s.id BETWEEN 14900 AND 19600 AND t.day > 290 AND t.id > 43000;
SELECT a.customer, b.day FROM sale a JOIN sale b ON b.customer = a.customer AND b.day = a.day + 1 WHERE a.day = :day ORDER BY 1, 2 LIMIT 10;
SELECT count(*) FROM customer c WHERE NOT EXISTS (SELECT 1 FROM sale s WHERE s.customer = c.id AND s.kind = :kind);
