-- Makes schema changes tell themselves in the log, at their place: each command that changes a table emits a message that
-- describes the table as it is then. No command fails by it. @name@: the slot; @short@: the same, cut for longer names; @version@: of this text
CREATE SCHEMA @name@;
COMMENT ON SCHEMA @name@ IS 'tain tells schema changes, @version@';
CREATE FUNCTION @name@.missing(root oid, partitioned bool, called name, own text) RETURNS text LANGUAGE sql STABLE AS $tain$
    WITH RECURSIVE part (relid) AS (
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = root AND partitioned
        UNION ALL
        SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.relid
    )
    SELECT CASE WHEN partitioned THEN min(a.attmissingval::text) ELSE own END
      FROM part p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.relid AND a.attname = called AND a.atthasmissing
$tain$;
-- Which rows a partition has: one entry for each level up to the root.
CREATE FUNCTION @name@.bounds(root oid, leaf oid) RETURNS text LANGUAGE sql STABLE AS $tain$
    SELECT json_agg(json_build_array(
               d.partstrat,
               (SELECT json_agg(r.attnum ORDER BY k.at)
                  FROM unnest(d.partattrs::int2[]) WITH ORDINALITY AS k (attnum, at)
                  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.partrelid AND a.attnum = k.attnum
                  LEFT JOIN pg_catalog.pg_attribute r ON r.attrelid = root AND r.attname = a.attname AND NOT r.attisdropped),
               CASE WHEN NOT EXISTS (SELECT 1 FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (d.partclass::oid[]) AND NOT o.opcdefault)
                     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_collation l WHERE l.oid = ANY (d.partcollation::oid[]) AND NOT l.collisdeterministic)
                    THEN pg_catalog.pg_get_expr(b.relpartbound, b.oid) END))::text
      FROM pg_catalog.pg_partition_ancestors(leaf) AS up (oid)
      JOIN pg_catalog.pg_class b ON b.oid = up.oid AND b.relispartition
      JOIN pg_catalog.pg_inherits i ON i.inhrelid = b.oid
      JOIN pg_catalog.pg_partitioned_table d ON d.partrelid = i.inhparent
$tain$;
CREATE FUNCTION @name@.leaves(root oid) RETURNS json LANGUAGE sql STABLE AS $tain$
    WITH RECURSIVE part (relid) AS (
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = root
        UNION ALL
        SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.relid
    )
    SELECT json_agg(json_build_array(c.oid::bigint, c.relfilenode::bigint, CASE WHEN pg_catalog.pg_relation_size(c.oid) = 0 THEN 0 ELSE 1 END,
                                      @name@.bounds(root, c.oid)) ORDER BY c.oid)
      FROM part p JOIN pg_catalog.pg_class c ON c.oid = p.relid AND c.relkind <> 'p'
$tain$;
CREATE FUNCTION @name@.columns(rel oid, partitioned bool) RETURNS json LANGUAGE sql STABLE AS $tain$
    SELECT json_agg(json_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod, a.attndims, a.xmin::text::bigint,
                                     @name@.missing(rel, partitioned, a.attname, a.attmissingval::text),
                                     CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END
                                   + CASE WHEN a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR t.typdefaultbin IS NOT NULL THEN 2 ELSE 0 END)
                    ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
$tain$;
CREATE FUNCTION @name@.key(rel oid, identity "char") RETURNS json LANGUAGE sql STABLE AS $tain$
    SELECT (SELECT json_agg(k.attnum ORDER BY k.at) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, at) WHERE k.at <= x.indnkeyatts)
      FROM pg_catalog.pg_index x
     WHERE x.indrelid = rel AND x.indisvalid AND x.indimmediate AND x.indislive AND x.indpred IS NULL
       AND CASE identity WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END
     LIMIT 1
$tain$;
-- Whether a partitioned table is published as such, and not as its partitions.
CREATE FUNCTION @name@.by_root() RETURNS bool LANGUAGE sql STABLE AS $tain$
    SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = '@name@' AND NOT p.pubviaroot)
$tain$;
-- Partitions are told as their root, or each by itself, and what inherits columns with its parent.
CREATE FUNCTION @name@.tables(affected oid[]) RETURNS json LANGUAGE sql STABLE AS $tain$
    WITH RECURSIVE up (oid) AS (
        SELECT unnest(affected)
        UNION
        SELECT i.inhparent FROM up u JOIN pg_catalog.pg_class p ON p.oid = u.oid AND p.relispartition JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid
    ), down (oid) AS (
        SELECT u.oid FROM up u
        UNION
        SELECT i.inhrelid FROM down d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid JOIN pg_catalog.pg_class k ON k.oid = i.inhrelid AND NOT (k.relispartition AND @name@.by_root())
    )
    SELECT json_agg(json_build_object('oid', c.oid::bigint, 'row', c.xmin::text::bigint, 'kind', c.relkind, 'file', c.relfilenode::bigint, 'ident', c.relreplident,
                                      'schema', n.nspname, 'name', c.relname, 'natts', c.relnatts, 'key', @name@.key(c.oid, c.relreplident),
                                      'cols', @name@.columns(c.oid, c.relkind = 'p'),
                                      'leaves', CASE WHEN c.relkind = 'p' THEN @name@.leaves(c.oid) END))
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid IN (SELECT d.oid FROM down d) AND c.relkind IN ('r', 'p') AND NOT CASE WHEN @name@.by_root() THEN c.relispartition ELSE c.relkind = 'p' END AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
$tain$;
-- A table whose updates would fail because it is published, without what identifies its rows, or those of a partition, leaves
-- the publication at once. affected: NULL for any. The tables that left.
CREATE FUNCTION @name@.withdraw(affected oid[]) RETURNS oid[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tain$
DECLARE
    one record;
    gone oid[];
BEGIN
    FOR one IN
        WITH RECURSIVE listed AS (
            SELECT r.prrelid AS root FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
             WHERE p.pubname = '@name@' AND (affected IS NULL OR r.prrelid IN (SELECT unnest(ARRAY[a, pg_partition_root(a)]) FROM unnest(affected) a))
        ), part (root, relid) AS (
            SELECT root, root FROM listed
            UNION ALL
            SELECT p.root, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.relid JOIN pg_class k ON k.oid = i.inhrelid AND k.relispartition
        )
        SELECT c.oid, format('%s%I.%I', CASE WHEN c.relkind <> 'p' THEN 'ONLY ' END, n.nspname, c.relname) AS called
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid IN (SELECT p.root FROM part p JOIN pg_class k ON k.oid = p.relid
                          WHERE k.relreplident <> 'f'
                            AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = k.oid AND x.indisvalid AND x.indimmediate AND x.indislive AND x.indpred IS NULL
                                               AND CASE k.relreplident WHEN 'i' THEN x.indisreplident WHEN 'd' THEN x.indisprimary ELSE false END))
    LOOP
        BEGIN
            EXECUTE 'ALTER PUBLICATION @name@ DROP TABLE ' || one.called;
            gone := gone || one.oid;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    RETURN gone;
EXCEPTION WHEN OTHERS THEN RETURN gone;
END $tain$;
-- A message counts as where it ends in the log, which is where the next record begins, and among subtransactions that is not
-- in front of it: the empty one behind it parts them. Values may have been computed where the command, or what called it, says so, or cannot be seen.
CREATE FUNCTION @name@.tell(affected oid[], dropped oid[], withdrawn oid[], hidden bool) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 1
    SET lc_monetary = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET standard_conforming_strings = on AS $tain$
DECLARE
    place text;
    told json := @name@.tables(affected);
BEGIN
    GET DIAGNOSTICS place = PG_CONTEXT;
    IF told IS NULL AND dropped IS NULL AND withdrawn IS NULL THEN RETURN; END IF;
    PERFORM pg_logical_emit_message(true, 'tain:@name@', convert_to(json_build_object(
        'xid', pg_current_xact_id()::text,
        'computed', hidden OR coalesce(current_query(), 'using') ~* '\musing\M' OR place ~* '\musing\M' OR place ~ '(^|\n)SQL function',
        'tables', told, 'dropped', dropped::bigint[], 'withdrawn', withdrawn::bigint[])::text, 'UTF8'));
    PERFORM pg_logical_emit_message(true, 'tain', '');
END $tain$;
CREATE FUNCTION @name@.lost() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tain$
BEGIN
    PERFORM pg_logical_emit_message(true, 'tain:@name@', '{"lost":true}');
EXCEPTION WHEN OTHERS THEN NULL;
END $tain$;
CREATE FUNCTION @name@.on_change() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tain$
DECLARE
    affected oid[];
    added oid[];
    hidden bool;
BEGIN
    SELECT array_agg(DISTINCT c.oid), bool_or(e.in_extension) INTO affected, hidden
      FROM pg_event_trigger_ddl_commands() e
      JOIN pg_class c ON c.oid = e.objid AND e.classid = 'pg_class'::regclass
                      OR c.relnamespace = e.objid AND e.classid = 'pg_namespace'::regclass AND e.command_tag = 'ALTER SCHEMA'
     WHERE c.relkind IN ('r', 'p');
    SELECT array_agg(r.prrelid) INTO added
      FROM pg_event_trigger_ddl_commands() e
      JOIN pg_publication_rel r ON r.oid = e.objid AND e.classid = 'pg_publication_rel'::regclass;
    IF affected IS NULL AND added IS NULL THEN RETURN; END IF;
    PERFORM @name@.tell(affected, NULL, @name@.withdraw(coalesce(affected, '{}') || coalesce(added, '{}')), coalesce(hidden, false));
EXCEPTION WHEN OTHERS THEN PERFORM @name@.lost();
END $tain$;
CREATE FUNCTION @name@.on_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tain$
DECLARE
    altered oid[];
    dropped oid[];
    unindexed bool;
BEGIN
    SELECT array_agg(DISTINCT d.objid) FILTER (WHERE d.object_type = 'table column'), array_agg(DISTINCT d.objid) FILTER (WHERE d.object_type = 'table'),
           coalesce(bool_or(d.object_type = 'index'), false)
      INTO altered, dropped, unindexed
      FROM pg_event_trigger_dropped_objects() d
     WHERE NOT d.is_temporary;
    PERFORM @name@.tell(altered, dropped, CASE WHEN unindexed THEN @name@.withdraw(NULL) END, false);
EXCEPTION WHEN OTHERS THEN PERFORM @name@.lost();
END $tain$;
CREATE EVENT TRIGGER @short@_ddl ON ddl_command_end EXECUTE FUNCTION @name@.on_change();
CREATE EVENT TRIGGER @short@_drop ON sql_drop EXECUTE FUNCTION @name@.on_drop();
ALTER EVENT TRIGGER @short@_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER @short@_drop ENABLE ALWAYS;
