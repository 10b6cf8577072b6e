# SPDX-License-Identifier: MIT
"""Many tables of which none changes: what a mirror of them costs."""
import time

from .follower import Follower
from .measure import cpu_seconds, own_memory
from .place import number
from .results import Section

MAKE = "create table t{i} (id int primary key, n bigint, v text);\ninsert into t{i} values (1, 0, 'row');\n"


def run(place):
    tables, seconds = number("BENCH_IDLE_TABLES", 5000), number("BENCH_IDLE_SECONDS", 60)
    place.server.create("idle")
    lake = place.path("idle-lake")
    try:
        place.server.sql("idle", "".join(MAKE.format(i=i) for i in range(tables)))
        began = time.monotonic()
        follower = Follower(place, "idle", lake, "public.*")
        try:
            follower.wait_loaded(tables)
            loaded = time.monotonic() - began
            began, used = time.monotonic(), cpu_seconds(follower.process.pid)
            time.sleep(seconds)
            share = (cpu_seconds(follower.process.pid) - used) / (time.monotonic() - began)
            memory = own_memory(follower.process.pid)
        finally:
            most = follower.stop()
    finally:
        place.server.drop("idle")
    section = Section(f"{tables:,} tables of one row and three columns in one mirror; then nothing happens for {seconds} s.",
                      ["tables", "loaded in s", "% of a core while idle", "tain MiB while idle", "tain MiB at most"])
    section.add(f"{tables:,}", loaded, share * 100, memory / 2**20, most / 2**20)
    return section
