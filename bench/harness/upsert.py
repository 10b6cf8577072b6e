# SPDX-License-Identifier: MIT
"""Random keys of a large table changed in one transaction: from its commit to the lake's, against a merge by delta-rs."""
import json
import os
import shutil
import statistics
import subprocess

from . import lake as lakes
from .follower import Follower
from .place import number, numbers
from .results import Section

MAKE = """
create table wide (id bigint primary key, c1 integer not null, c2 bigint not null, c3 double precision not null, c4 numeric(12,2) not null,
  c5 date not null, c6 timestamptz not null, c7 text not null, c8 text not null, c9 boolean not null);
insert into wide select i, i % 1000, i * 7, i / 3.0, i % 100000 / 7.0, date '2001-01-01' + (i % 9000)::int, timestamptz '2020-01-01' + i * interval '1 second',
  'name ' || i % 5000, md5(i::text), i % 2 = 0 from generate_series(1, ROWS) i;
vacuum (freeze, analyze) wide;
checkpoint;
"""
CHANGE = """
create temp table chosen as select distinct 1 + (random() * (ROWS - 1))::bigint id from generate_series(1, KEYS);
analyze chosen;
begin;
update wide set c1 = c1 + 1, c7 = c7 || '.' from chosen where wide.id = chosen.id;
select extract(epoch from now()), pg_current_xact_id()::xid;
commit;
"""


def make(place):
    """The table and its mirror, once for the parts that need them."""
    if "wide" in place.kept:
        return place.kept["wide"]
    rows, lake = number("BENCH_UPSERT_ROWS", 10_000_000), place.path("wide-lake")
    place.server.create("wide")
    place.server.sql("wide", MAKE.replace("ROWS", str(rows)))
    place.mirror_once("wide", lake, "public.wide")
    place.kept["wide"] = rows, lake
    return place.kept["wide"]


def commit_time(place, keys, rows):
    out = place.server.sql("wide", CHANGE.replace("KEYS", str(keys)).replace("ROWS", str(rows)))
    xid = out.splitlines()[-1].split("|")[1]
    return float(place.server.sql("wide", f"select extract(epoch from pg_xact_commit_timestamp('{xid}'))"))


def by_tain(place, rows, lake, sizes, repeat):
    result = {}
    follower = Follower(place, "wide", lake, "public.wide", "--freshness", "0ms")
    try:
        follower.wait_until(commit_time(place, 1, rows))
        for keys in sizes:
            result[keys] = []
            for _ in range(repeat):
                at = commit_time(place, keys, rows)
                epoch = follower.wait_until(at)
                visible = lakes.visible_at(lake, epoch, "public.wide")
                result[keys].append((visible - lakes.received_at(lake, epoch, "public.wide"), visible - at))
    finally:
        memory = follower.stop()
    return result, memory


def by_delta_rs(place, rows, sizes, repeat):
    """None, with the reason, when it is not to be had."""
    if not place.python:
        return None, "delta-rs is not compared: BENCH_PYTHON names no Python that has deltalake and pyarrow"
    script = os.path.join(os.path.dirname(__file__), "delta_merge.py")
    folder = place.path("delta-rs")
    done = subprocess.run([place.python, script, folder, str(rows), ",".join(map(str, sizes)), str(repeat)], capture_output=True, text=True)
    shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        return None, "delta-rs is not compared: " + (done.stderr.strip().splitlines() or ["it failed"])[-1]
    said = json.loads(done.stdout.splitlines()[-1])
    return {int(k): v for k, v in said["seconds"].items()}, f"delta-rs: deltalake {said['version']}, merge on the key with update of all columns."


def run(place):
    sizes, repeat = numbers("BENCH_UPSERT_KEYS", "100000,1000,1"), number("BENCH_UPSERT_REPEAT", 5)
    rows, lake = make(place)
    tain, memory = by_tain(place, rows, lake, sizes, repeat)
    place.check_rows("wide", lake, "public.wide")
    other, note = by_delta_rs(place, rows, sizes, repeat)
    section = Section(f"One transaction that updates random keys of {rows:,} rows of 10 columns (`--freshness 0ms`), median of {repeat}: seconds from\n"
                      f"the last row received until the lake's commit is there, and from the server's commit; beside it delta-rs' merge of as many rows\n"
                      f"in memory into a table of the same shape.",
                      ["keys", "tain s", "from the server's commit s", "delta-rs s", "delta-rs / tain"])
    for keys in sizes:
        mine, whole = (statistics.median(times) for times in zip(*tain[keys]))
        theirs = statistics.median(other[keys]) if other else None
        section.add(f"{keys:,}", mine, whole, theirs, theirs / mine if theirs else None)
    section.note(f"{note} tain held {memory / 2**20:.0f} MiB at most.")
    return section
