#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""read_delta.py ENGINE TABLE_FOLDER [--checksum]

Prints the table's rows as ENGINE reads them, in canonical text (README.md), sorted, one JSON array a line; or with
--checksum their number and a checksum that does not depend on their order. Exit code 3 when the engine is not there.

    .venv/bin/python tests/interop/read_delta.py deltalake LAKE/Tables/public/orders"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import engines  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(engines.ENGINES))
    parser.add_argument("table", metavar="TABLE_FOLDER")
    parser.add_argument("--checksum", action="store_true", help="only the number of rows and their checksum")
    parser.add_argument("--columns", action="store_true", help="the column names first, as a JSON array")
    args = parser.parse_args()
    try:
        columns, rows = engines.open_engine(args.engine).read(os.path.abspath(args.table))
        import canonical
    except engines.Unavailable as problem:
        print(f"read_delta: {problem}", file=sys.stderr)
        return 3
    if args.columns:
        print(canonical.line(columns))
    if args.checksum:
        print(canonical.checksum(rows))
    else:
        sys.stdout.writelines(row + "\n" for row in sorted(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
