# SPDX-License-Identifier: MIT
"""Run by a Python that has DuckDB and its delta extension: duckdb_scan.py FOLDER... -> seconds by folder, JSON on the last line."""
import json
import pathlib
import sys
import time

import duckdb
import duckdb_extension_delta

TURNS = 5


def connection():
    file = pathlib.Path(duckdb_extension_delta.__file__).parent / f"extensions/v{duckdb.__version__}/delta.duckdb_extension"
    c = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    c.execute(f"load '{file}'")
    return c


def scan(c, folder):
    started = time.monotonic()
    columns = [r[0] for r in c.execute(f"describe from delta_scan('{folder}')").fetchall()]
    row = c.execute(f"select count(*), bit_xor(hash({', '.join(columns)})) from delta_scan('{folder}')").fetchone()
    return time.monotonic() - started, row


def main(folders):
    best, answers = [None] * len(folders), [None] * len(folders)
    for _ in range(TURNS):
        for i, folder in enumerate(folders):
            seconds, answers[i] = scan(connection(), folder)
            best[i] = min(best[i] or seconds, seconds)
    if len(set(answers)) != 1:
        sys.exit(f"the tables differ: {answers}")
    print(json.dumps(best))


main(sys.argv[1:])
