# SPDX-License-Identifier: MIT
"""Run by a Python that has duckdb and its postgres scanner: duckdb_copy.py CONNINFO TABLE FILE THREADS. Reads the table into a Parquet file."""
import os
import sys

import duckdb
import duckdb_extension_postgres_scanner as scanner


def main():
    conninfo, table, file, threads = sys.argv[1:]
    db = duckdb.connect(config={"threads": int(threads)})
    db.execute(f"load '{os.path.join(os.path.dirname(scanner.__file__), 'extensions', 'v' + duckdb.__version__, 'postgres_scanner.duckdb_extension')}'")
    db.execute(f"set pg_connection_limit = {int(threads)}")
    db.execute(f"attach '{conninfo}' as source (type postgres, read_only)")
    db.execute(f"copy source.{table} to '{file}' (format parquet, compression zstd)")


main()
