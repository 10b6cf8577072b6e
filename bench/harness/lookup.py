# SPDX-License-Identifier: MIT
"""The key index by itself."""
import glob
import os
import re

from .measure import measure
from .place import Trouble, number
from .results import Section


def run(place):
    entries = number("BENCH_INDEX_ENTRIES", 10_000_000)
    sources = [os.path.join(place.root, "bench", "index_bench.c")]
    for folder in ("index", "base"):
        sources += sorted(glob.glob(os.path.join(place.root, "src", folder, "*.c")))
    program = place.compiled("index_bench", sources, ["-ljansson", "-lxxhash", "-lpthread", "-lm"])
    cost = measure([program, str(entries), place.path("index")])
    if cost.exit:
        raise Trouble(cost.errors.strip())
    section = Section(f"Key index of {entries:,} entries, one thread, files in page cache.", ["what", "value", "unit"])
    for line in cost.output.splitlines():
        what, value, unit = re.match(r"(.{34})\s+(\S+) ?(.*)", line).groups()
        section.add(what.rstrip(), float(value), unit)
    return section
