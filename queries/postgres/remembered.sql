-- What the owner of a publication noted on it. $1: its name
SELECT obj_description(p.oid, 'pg_publication') AS text FROM pg_catalog.pg_publication p WHERE p.pubname = $1
