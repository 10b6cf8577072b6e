#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT.h PREFIX FILE.sql... -- queries as C strings: PREFIX_tables.sql becomes `static const char PREFIX_tables[]`.

Lines that are only a comment stay in the .sql file.
"""
import pathlib
import sys


def quoted(line):
    return '    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    out, prefix, *files = sys.argv[1:]
    text = ["/* made by queries/embed.py */"]
    for name in files:
        path = pathlib.Path(name)
        lines = [l for l in path.read_text().splitlines() if l.strip() and not l.lstrip().startswith("--")]
        text.append(f"__attribute__((unused)) static const char {prefix}_{path.stem}[] =\n" + "\n".join(map(quoted, lines)) + ";")
    pathlib.Path(out).write_text("\n".join(text) + "\n")


main()
