#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""While PostgreSQL tables are loaded the others stream on: what they show is never older than usual."""
import glob
import json
import os
import time

from harness import *

ROWS, RATE = 1_000_000, "100000rows"
STALE = 2.0  # seconds that a change may wait to be seen, on a machine with other work


def begin(pg):
    pg.sql("create table busy (id bigserial primary key, at timestamptz default clock_timestamp(), n int); insert into busy (n) select 0 from generate_series(1, 100)")


def writing(pg, folder, script="insert into busy (n) values (1); update busy set n = n + 1 where id = (random() * 99)::int + 1;"):
    """200 transactions a second, until it is killed."""
    path = os.path.join(folder, "busy.sql")
    open(path, "w").write(script)
    return pg.pgbench("-n", "-R", 200, "-T", 600, "-f", path)


def stop(process):
    process.kill()
    process.wait()


def make_big(pg, key="primary key"):
    pg.sql(f"create table big (id bigint not null {key}, n int, v text); insert into big select i, 0, 'row ' || i from generate_series(1, {ROWS}) i; analyze big")


def status_of(lake, name):
    return next((t["status"] for t in (lake_status(lake) or {"tables": []})["tables"] if t["name"] == name), None)


def commits(lake, name):
    """(when it was written, commit time of the newest source transaction in it), in seconds"""
    for path in sorted(glob.glob(os.path.join(table_folder(lake, name), "_delta_log", "*.json"))):
        for line in open(path):
            info = json.loads(line).get("commitInfo")
            if info and "sourceCommitTime" in info.get("tain", {}):
                yield os.path.getmtime(path), info["tain"]["sourceCommitTime"] / 1e6


def check_freshness(lake, since, until):
    """A change of busy comes every few ms: at each commit the oldest one that was not seen is as old as the last commit's newest."""
    during = [c for c in commits(lake, "public.busy") if since <= c[0] <= until]
    assert len(during) > (until - since) / 2, (len(during), until - since)
    if os.environ.get("TRACE"): print([(round(c[0] - since, 2), round(c[1] - since, 2)) for c in during])
    waits = [b[0] - a[1] for a, b in zip(during, during[1:])]
    assert max(waits) < STALE, (max(waits), waits.index(max(waits)), len(waits))
    print(f"  {len(during)} epochs in {until - since:.1f} s, a change waited {max(waits):.2f} s at most")


def follow_to_end(pg, lake, m, since):
    wait_until(lambda: status_of(lake, "public.big") == "Replicating", 90, "the table is loaded")
    loaded = time.time()
    assert loaded - since > ROWS / 100_000 * 0.7, loaded - since
    wait_until(lambda: max(c[1] for c in commits(lake, "public.busy")) > loaded + 1, what="the others go on behind it")
    check_freshness(lake, since, time.time())
    return loaded


def finish(pg, lake, m):
    assert m.stop() == 0, m.output()
    tain("mirror", pg.url(), lake, "--once", check=0)
    assert_same_as_postgres(pg, lake, "public.big", "public.busy")
    assert tain("verify", pg.url(), lake).code == 0
    assert not any(t["warnings"] for t in lake_status(lake)["tables"]), lake_status(lake)


def change_big(pg):
    pg.sql("update big set n = 1 where id % 100 = 0; delete from big where id % 100 = 1; insert into big select i, 7, 'new' from generate_series(2000001, 2001000) i")


def test_a_table_that_appears(folder):
    """It gets a key, so that no transaction of a million rows comes with it."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        make_big(pg, key="")
        writer = writing(pg, folder)
        try:
            with Background("mirror", pg.url(), lake, "--rate-limit", RATE) as m:
                wait_until(lambda: status_of(lake, "public.busy") == "Replicating", what="it follows")
                pg.sql("alter table big add primary key (id)")
                wait_until(lambda: status_of(lake, "public.big") == "Snapshotting", what="the table is being loaded")
                since = time.time()
                change_big(pg)
                follow_to_end(pg, lake, m, since)
                stop(writer)
                finish(pg, lake, m)
        finally:
            stop(writer)


def test_a_table_that_is_asked_for_again(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        make_big(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        writer = writing(pg, folder)
        try:
            with Background("mirror", pg.url(), lake, "--rate-limit", RATE, "--resync", "public.big") as m:
                wait_until(lambda: status_of(lake, "public.big") == "Reseeding" and "snapshot" in lake_status(lake), what="it is being loaded")
                since = time.time()
                change_big(pg)
                pg.sql("alter table big add column more int default 5; update big set more = 6 where id % 1000 = 7")
                follow_to_end(pg, lake, m, since)
                stop(writer)
                finish(pg, lake, m)
        finally:
            stop(writer)


def test_it_dies_meanwhile_and_goes_on(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        make_big(pg)
        writer = writing(pg, folder)
        try:
            said = ""
            for fault in "snapshot.recorded:10", "snapshot.staged", "epoch.before_write:3":
                with Background("mirror", pg.url(), lake, "--rate-limit", "400000rows", env={"TAIN_FAULT": fault}) as m:
                    wait_until(lambda: m.process.poll() is not None, 60, f"dead at {fault}")
                    said += m.output()
                    change_big(pg)
                    pg.sql("delete from big where id > 2000000")
            with Background("mirror", pg.url(), lake) as m:
                began = time.time()
                wait_until(lambda: max(c[1] for c in commits(lake, "public.busy")) > began, what="it follows again")
                wait_until(lambda: status_of(lake, "public.big") == "Replicating", 90, "the table is loaded")
                assert "its load goes on" in said and "beginning" not in said, said
                stop(writer)
                finish(pg, lake, m)
        finally:
            stop(writer)


if __name__ == "__main__":
    main(globals())
