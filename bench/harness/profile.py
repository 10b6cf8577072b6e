# SPDX-License-Identifier: MIT
"""Random keys of a table changed in one transaction, in a lake with deletion vectors and in one without (profile compat)."""
import os
import statistics

from . import lake as lakes
from .follower import Follower
from .measure import cpu_seconds
from .place import number, numbers
from .results import Section
from .upsert import MAKE, commit_time

TABLE = "public.wide"


def written_bytes(lake):
    """Of data files that are there, live or not: nothing is vacuumed meanwhile."""
    folder = os.path.join(lake, "Tables", *TABLE.split("."))
    return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.startswith(("part-", "deletion_vector_")))


def one_change(place, follower, keys, rows):
    """Seconds until it is visible, of a processor, bytes written."""
    used, bytes_ = cpu_seconds(follower.process.pid), written_bytes(follower.lake)
    at = commit_time(place, keys, rows)
    epoch = follower.wait_until(at)
    visible = lakes.visible_at(follower.lake, epoch, TABLE) - lakes.received_at(follower.lake, epoch, TABLE)
    return visible, cpu_seconds(follower.process.pid) - used, written_bytes(follower.lake) - bytes_


def measure(place, profile, rows, sizes, repeat):
    lake = place.path(f"profile-{profile}")
    follower = Follower(place, "wide", lake, TABLE, "--freshness", "0ms", "--profile", profile)
    try:
        follower.wait_loaded(1)
        follower.wait_until(commit_time(place, 1, rows))
        return {keys: [statistics.median(x) for x in zip(*(one_change(place, follower, keys, rows) for _ in range(repeat)))] for keys in sizes}, follower.stop()
    finally:
        follower.stop()


def run(place):
    rows, sizes, repeat = number("BENCH_PROFILE_ROWS", 1_000_000), numbers("BENCH_PROFILE_KEYS", "1,100,10000"), number("BENCH_PROFILE_REPEAT", 5)
    place.server.create("wide")
    try:
        place.server.sql("wide", MAKE.replace("ROWS", str(rows)))
        of = {profile: measure(place, profile, rows, sizes, repeat) for profile in ("default", "compat")}
    finally:
        place.server.drop("wide")
    section = Section(f"{rows:,} rows of ten columns; random keys changed in one transaction, from its last row in tain to what readers see; median of {repeat}. "
                      f"MiB at most: {of['default'][1] / 2**20:.0f} with vectors, {of['compat'][1] / 2**20:.0f} without.",
                      ["keys", "with vectors s", "compat s", "compat / with vectors", "with vectors MiB", "compat MiB"])
    for keys in sizes:
        a, b = of["default"][0][keys], of["compat"][0][keys]
        section.add(f"{keys:,}", a[0], b[0], b[0] / a[0], a[2] / 2**20, b[2] / 2**20)
    return section
