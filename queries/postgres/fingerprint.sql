-- A number that changes when a user table, column, key, partition, enum or the publication does; vacuum and analyze leave it
-- alone. $1: name of the publication
SELECT concat_ws('.',
  (SELECT sum(c.oid::bigint * 31 + c.xmin::text::bigint * 7 + c.relfilenode::bigint) FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p')),
  (SELECT sum(a.attnum * 31 + a.xmin::text::bigint * 7 + a.attrelid::bigint) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid >= 16384 AND a.attnum > 0),
  (SELECT sum(x.indexrelid::bigint * 31 + x.xmin::text::bigint) FROM pg_catalog.pg_index x WHERE x.indexrelid >= 16384),
  (SELECT sum(e.oid::bigint * 31 + e.xmin::text::bigint) FROM pg_catalog.pg_enum e),
  (SELECT sum(i.inhrelid::bigint * 31 + i.inhparent::bigint * 7 + i.xmin::text::bigint) FROM pg_catalog.pg_inherits i),
  (SELECT concat(p.oid, '.', p.xmin, '.', (SELECT sum(r.oid::bigint * 31 + r.xmin::text::bigint) FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid))
     FROM pg_catalog.pg_publication p WHERE p.pubname = $1)) AS fingerprint
