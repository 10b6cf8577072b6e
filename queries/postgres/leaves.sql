-- Leaf partitions of partitioned tables, with what their changes carry. Takes no locks. $1: oid[] of the roots
WITH RECURSIVE part (root, relid, attached) AS (
    SELECT i.inhparent, i.inhrelid, i.xmin::text FROM pg_catalog.pg_inherits i WHERE i.inhparent = ANY ($1::oid[])
    UNION ALL
    SELECT p.root, i.inhrelid, i.xmin::text FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.relid
)
SELECT p.root, c.oid AS leaf, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relfilenode,
       c.reltuples::float8 AS reltuples, c.relpages,
       EXISTS (SELECT 1 FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
                  AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END) AS has_key,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS may_select,
       p.attached,
       (SELECT json_agg(json_build_array(
                   d.partstrat,
                   (SELECT json_agg(r.attnum ORDER BY k.at)
                      FROM unnest(d.partattrs::int2[]) WITH ORDINALITY AS k (attnum, at)
                      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.partrelid AND a.attnum = k.attnum
                      LEFT JOIN pg_catalog.pg_attribute r ON r.attrelid = p.root AND r.attname = a.attname AND NOT r.attisdropped),
                   CASE WHEN NOT EXISTS (SELECT 1 FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (d.partclass::oid[]) AND NOT o.opcdefault)
                         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_collation l WHERE l.oid = ANY (d.partcollation::oid[]) AND NOT l.collisdeterministic)
                        THEN pg_catalog.pg_get_expr(b.relpartbound, b.oid) END))::text
          FROM pg_catalog.pg_partition_ancestors(c.oid) AS up (oid)
          JOIN pg_catalog.pg_class b ON b.oid = up.oid AND b.relispartition
          JOIN pg_catalog.pg_inherits i ON i.inhrelid = b.oid
          JOIN pg_catalog.pg_partitioned_table d ON d.partrelid = i.inhparent) AS bounds
  FROM part p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind <> 'p'
 ORDER BY p.root, c.oid
