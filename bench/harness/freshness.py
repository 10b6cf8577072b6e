# SPDX-License-Identifier: MIT
"""From the commit at the source until the commit in the lake, for every transaction of a steady load."""
import bisect
import os
import shutil
import subprocess

from . import lake as lakes
from .follower import Follower
from .place import Trouble, number, numbers
from .results import Section

PER_TRANSACTION = 10
MAKE = """
create table item (id bigint primary key, name text not null, price numeric(12,2) not null, stock integer not null, changed timestamptz not null);
create table beat (n bigserial);
insert into item select i, 'item ' || i, i % 1000 / 7.0, i % 50, now() from generate_series(1, ROWS) i;
create sequence new_item start with FIRST increment by 5;
create function load() returns void language sql as $$
  update item set price = price + 1, changed = clock_timestamp() where id = any (array(select 1 + (random() * (ROWS - 1))::bigint + 0 * k from generate_series(1, 5) k));
  insert into item select n + k, 'new', 1, 1, clock_timestamp() from (select nextval('new_item') n) s, generate_series(0, 4) k;
  insert into beat default values;
$$;
vacuum (freeze, analyze) item;
checkpoint;
"""
TIMES = "select extract(epoch from pg_xact_commit_timestamp(xmin)) from beat order by 1"
BOUNDS = [50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000]  # ms


def load(place, rate, seconds):
    script = place.path("load.sql")
    with open(script, "w") as f:
        f.write("select load();\n")
    done = subprocess.run([place.server.program("pgbench"), "-n", "-f", script, "-R", str(rate / PER_TRANSACTION), "-T", str(seconds),
                           "-c", "2", "-j", "1", "-M", "prepared", *place.server.connection("freshness")[:-2], "freshness"],
                          capture_output=True, text=True)
    if done.returncode:
        raise Trouble("pgbench: " + done.stderr.strip()[-300:])


def latencies(lake, times, table="public.item"):
    """Seconds from each commit until the first epoch that holds it is visible."""
    known = [e for e in lakes.epochs(lake) if table in e["tables"]]
    reached = [e["source"] for e in known]
    visible = {}
    result = []
    for t in times:
        i = bisect.bisect_left(reached, t - 1e-6)
        if i == len(known):
            raise Trouble("an epoch is missing")
        if i not in visible:
            visible[i] = lakes.visible_at(lake, known[i], table)
        result.append(visible[i] - t)
    return sorted(result), len(visible)


def share(sorted_values, p):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * p))]


def histogram(ms):
    parts, below = [], 0
    for bound in BOUNDS:
        n = bisect.bisect_left(ms, bound)
        if n > below:
            parts.append(f"<{bound}: {100 * (n - below) / len(ms):.1f}%")
        below = n
    if len(ms) > below:
        parts.append(f"more: {100 * (len(ms) - below) / len(ms):.1f}%")
    return ", ".join(parts)


def one_case(place, section, rows, rate, seconds, bound):
    server, lake = place.server, place.path("freshness-lake")
    server.create("freshness")
    try:
        server.sql("freshness", MAKE.replace("ROWS", str(rows)).replace("FIRST", str(rows + 1)))
        place.mirror_once("freshness", lake, "public.item")
        follower = Follower(place, "freshness", lake, "public.item", "--freshness", bound)
        try:
            server.sql("freshness", "select load()")
            follower.wait_until(float(server.sql("freshness", TIMES)))
            server.sql("freshness", "truncate beat")
            os.sync()  # what the server has not written of the table is not part of what is measured
            load(place, rate, seconds)
            times = [float(t) for t in server.sql("freshness", TIMES).splitlines()]
            follower.wait_until(times[-1])
        finally:
            memory = follower.stop()
        place.check_rows("freshness", lake, "public.item")
        seen, commits = latencies(lake, times)
    finally:
        server.drop("freshness")
        shutil.rmtree(lake, ignore_errors=True)
    ms = [s * 1000 for s in seen]
    took = times[-1] - times[0]
    section.add(f"{rows:,}", (len(times) - 1) * PER_TRANSACTION / took, commits, share(ms, .5), share(ms, .9), share(ms, .99), ms[-1], memory / 2**20)
    section.note(f"- {rows:,} rows, {rate:,} changes/s, ms: {histogram(ms)}")


def run(place):
    bound = os.environ.get("BENCH_FRESHNESS") or "100ms"
    seconds = number("BENCH_FRESHNESS_SECONDS", 20)
    section = Section(f"Milliseconds from each transaction's commit in the server (its commit timestamp) until the lake's commit with it is there\n"
                      f"(change time of the log entry). `--freshness {bound}`, {seconds} s of load, transactions of {PER_TRANSACTION} changes, half updates of random rows, half inserts.",
                      ["rows", "changes/s", "commits", "p50", "p90", "p99", "most", "tain MiB at most"])
    for rows in numbers("BENCH_FRESHNESS_ROWS", "10000,1000000"):
        for rate in numbers("BENCH_FRESHNESS_RATES", "1000,5000"):
            one_case(place, section, rows, rate, seconds, bound)
    return section
