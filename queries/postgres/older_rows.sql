-- Whether a partition has rows that were in it before (or in the transaction in which) it was attached: %s its name, %u
-- the attaching xid. Such rows are not in the log as changes of the root.
SELECT EXISTS (SELECT 1 FROM ONLY %s WHERE age(xmin) >= age('%u'::xid)) AS found
