# SPDX-License-Identifier: MIT
"""What a history costs: two lakes catch up with the same changes, one of them with `--history`."""
import shutil

from .capture import MAKE, count
from .measure import best
from .place import number
from .results import Section


def catch_up(place, lakes, statement):
    """Seconds of work and CPU, less those of a start, for each lake."""
    idle = {o: best([place.mirror_once("capture", lake, "public.account", o) for _ in range(2)]) for o, lake in lakes.items()}
    before = count(place.server)
    place.server.sql("capture", statement)
    changes = count(place.server) - before
    costs = {o: place.mirror_once("capture", lake, "public.account", o) for o, lake in lakes.items()}
    for lake in lakes.values():
        place.check_rows("capture", lake, "public.account")
    return changes, {o: (costs[o].seconds - idle[o].seconds, costs[o].cpu - idle[o].cpu, costs[o].memory) for o in lakes}


def one_case(place, section, what, statements, lakes):
    rounds = [catch_up(place, lakes, s) for s in statements]
    changes = rounds[0][0]
    a, b = (min(r[1][o] for r in rounds) for o in lakes)
    section.add(what, changes, changes / a[0], changes / b[0], 1 - a[0] / b[0], a[1] / changes * 1e6, b[1] / changes * 1e6, b[2] / 2**20)


def run(place):
    rows, changes = number("BENCH_CAPTURE_ROWS", 1_000_000), number("BENCH_CAPTURE_CHANGES", 2_000_000)
    big = min(number("BENCH_CAPTURE_BIG", 1_000_000), rows)
    lakes = {"--no-history": place.path("plain-lake"), "--history": place.path("history-lake")}
    place.server.create("capture")
    place.server.sql("capture", MAKE.replace("ROWS", str(rows)))
    section = Section(f"A table of 8 columns, {rows:,} rows at first; `tain mirror --once` catches up with the same changes without a history and with one, "
                      f"less the time\nof a `--once` that finds nothing, best of {place.repeat}. Cost: by how much less it does in a second.",
                      ["changes", "number", "/s", "/s with history", "cost", "CPU us/change", "with history", "MiB at most"])
    try:
        for option, lake in lakes.items():
            place.mirror_once("capture", lake, "public.account", option)
        n = changes // 10
        one_case(place, section, "transactions of 10", [f"call small({1 + i * n}, {n}, {rows})" for i in range(place.repeat)], lakes)
        one_case(place, section, "one transaction", [f"update account set balance = balance + 1, changed = now() where id <= {big}"] * place.repeat, lakes)
    finally:
        place.server.drop("capture")
        for lake in lakes.values():
            shutil.rmtree(lake, ignore_errors=True)
    return section
