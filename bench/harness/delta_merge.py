# SPDX-License-Identifier: MIT
"""Run by a Python that has deltalake and pyarrow: delta_merge.py FOLDER ROWS KEYS,... REPEAT -> JSON on the last line."""
import datetime
import decimal
import json
import random
import sys
import time

import deltalake
import pyarrow as pa

FILE_ROWS = 1_000_000
SCHEMA = pa.schema([("id", pa.int64()), ("c1", pa.int32()), ("c2", pa.int64()), ("c3", pa.float64()), ("c4", pa.decimal128(12, 2)), ("c5", pa.date32()),
                    ("c6", pa.timestamp("us", tz="UTC")), ("c7", pa.string()), ("c8", pa.string()), ("c9", pa.bool_())])
DAY, SECOND = datetime.date(2001, 1, 1).toordinal() - datetime.date(1970, 1, 1).toordinal(), 1577836800


def table(ids):
    """Rows as the server's table has them."""
    cents = [decimal.Decimal(i % 100000) / 100 for i in range(100000)]
    columns = [ids, [i % 1000 for i in ids], [i * 7 for i in ids], [i / 3 for i in ids], [cents[i % 100000] for i in ids],
               pa.array([DAY + i % 9000 for i in ids], pa.int32()).cast(pa.date32()),
               pa.array([(SECOND + i) * 1000000 for i in ids], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
               [f"name {i % 5000}" for i in ids], [f"{i * 2654435761 % 2**64:032x}" for i in ids], [i % 2 == 0 for i in ids]]
    return pa.Table.from_arrays([pa.array(c, f.type) if isinstance(c, list) else c for c, f in zip(columns, SCHEMA)], schema=SCHEMA)


def merge(folder, source):
    started = time.monotonic()
    (deltalake.DeltaTable(folder).merge(source, predicate="t.id = s.id", source_alias="s", target_alias="t")
     .when_matched_update_all().when_not_matched_insert_all().execute())
    return time.monotonic() - started


def main():
    folder, rows, sizes, repeat = sys.argv[1], int(sys.argv[2]), [int(k) for k in sys.argv[3].split(",")], int(sys.argv[4])
    for first in range(1, rows + 1, FILE_ROWS):
        deltalake.write_deltalake(folder, table(list(range(first, min(first + FILE_ROWS, rows + 1)))), mode="append")
    seconds = {k: [merge(folder, table(random.sample(range(1, rows + 1), k))) for _ in range(repeat)] for k in sizes}
    print(json.dumps({"version": deltalake.__version__, "seconds": seconds}))


main()
