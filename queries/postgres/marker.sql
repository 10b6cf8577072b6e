-- What the owner wrote on a publication. $1: name
SELECT obj_description(p.oid, 'pg_publication') AS text FROM pg_catalog.pg_publication p WHERE p.pubname = $1
