# SPDX-License-Identifier: MIT
"""A column with a default added to a large table: how long the stream waits for it, and that every row shows it."""
import statistics

from . import lake as lakes, upsert
from .follower import Follower
from .measure import measure
from .place import Trouble
from .results import Section

TOUCH = "begin; update wide set c1 = c1 + 1 where id = 1; select pg_current_xact_id()::xid; commit;"
ADD = "begin; alter table wide add {name} text default 'what all of them have'; update wide set c1 = c1 + 1 where id = 1; select pg_current_xact_id()::xid; commit;"


def seconds_until_shown(place, follower, statements):
    xid = place.server.sql("wide", statements).splitlines()[-1]
    at = float(place.server.sql("wide", f"select extract(epoch from pg_xact_commit_timestamp('{xid}'))"))
    return lakes.visible_at(follower.lake, follower.wait_until(at), "public.wide") - at


def count(place, lake, name):
    cost = measure([place.tain, "query", lake, f"select count(*) from public.wide where {name} = 'what all of them have'", "--format", "csv"])
    if cost.exit:
        raise Trouble(cost.errors.strip())
    return int(cost.output.split()[-1])


def run(place):
    rows, lake = upsert.make(place)
    follower = Follower(place, "wide", lake, "public.wide", "--freshness", "100ms")
    plain, added = [], []
    try:
        seconds_until_shown(place, follower, TOUCH)
        for i in range(3):
            plain.append(seconds_until_shown(place, follower, TOUCH))
            added.append(seconds_until_shown(place, follower, ADD.format(name=f"added_{i}")))
    finally:
        follower.stop()
        names = [f"added_{i}" for i in range(len(added))]
    wrong = [name for name in names if count(place, lake, name) != rows]
    if wrong:
        raise Trouble(f"not every row has the default of {', '.join(wrong)}")
    place.server.sql("wide", "".join(f"alter table wide drop {name};" for name in names))
    section = Section(f"A change of one row of {rows:,} (`--freshness 100ms`): seconds from the server's commit until the lake's, alone and in a transaction that adds a column with\n"
                      "a constant default to the table before it; median and most of 3. Every row showed the default afterwards.",
                      ["transaction", "median s", "most s"])
    section.add("a change", statistics.median(plain), max(plain))
    section.add("a column added, a change", statistics.median(added), max(added))
    return section
