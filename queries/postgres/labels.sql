-- Labels of enums, by age. $1: oid[] of the types
SELECT e.enumtypid AS oid, e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = ANY ($1::oid[]) ORDER BY e.enumtypid, e.oid
