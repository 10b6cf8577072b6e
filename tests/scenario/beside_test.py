#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""While PostgreSQL tables are loaded the others stream on: what they show is never older than usual."""
import glob
import json
import os
import signal
import subprocess
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


def slots(pg):
    return pg.sql("select slot_name from pg_replication_slots where slot_name like '%load%'").split()


def waiting(lake, session):
    w = (lake_status(lake) or {}).get("waiting")
    return w and f"process {session.pid} " in w["reason"] and "UTC" in w["reason"] and f"pg_terminate_backend({session.pid})" in w["remedy"]


def wait_for_a_load_to_wait(lake, session):
    wait_until(lambda: waiting(lake, session), what="it is said what the load waits for")


def test_an_open_transaction_holds_nobody_up(folder):
    """A table appears while somebody's transaction is open, another one appears and rows come while its load waits."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        pg.sql("create table held (id int primary key, v text); insert into held values (1, 'a')")
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: status_of(lake, "public.held") == "Replicating", what="it follows")
            writer = writing(pg, folder)
            open_one = Session(pg, "update held set v = 'b'")
            try:
                pg.sql("create table fresh (id int primary key, v text); insert into fresh select i, 'x' from generate_series(1, 1000) i")
                wait_for_a_load_to_wait(lake, open_one)
                since = time.time()
                pg.sql("create table later (id int primary key); insert into later values (1); update fresh set v = 'y' where id < 10; alter table fresh add n int default 3")
                wait_until(lambda: len([c for c in commits(lake, "public.busy") if c[0] > since]) > 6, what="the others go on")
                check_freshness(lake, since, time.time())
                assert status_of(lake, "public.fresh") != "Replicating"
                assert f"process {open_one.pid} " in tain("status", lake).out.replace("\n", " "), tain("status", lake)
            finally:
                open_one.end()
            wait_until(lambda: status_of(lake, "public.fresh") == status_of(lake, "public.later") == "Replicating", what="both are loaded")
            assert "waiting" not in lake_status(lake), lake_status(lake)
            assert f"tables wait to be read: the transaction of process {open_one.pid} " in m.output(), m.output()
            stop(writer)
            assert m.stop() == 0, m.output()
            tain("mirror", pg.url(), lake, "--once", check=0)
            assert_same_as_postgres(pg, lake, "public.busy", "public.held", "public.fresh", "public.later")
            assert tain("verify", pg.url(), lake).code == 0


def test_a_waiting_load_is_stopped_at_once_and_begins_again(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        open_one = Session(pg, "insert into busy (n) values (-1)")
        try:
            pg.sql("create table fresh (id int primary key); insert into fresh values (1)")
            for sig in signal.SIGTERM, signal.SIGKILL, signal.SIGINT:
                with Background("mirror", pg.url(), lake) as m:
                    wait_for_a_load_to_wait(lake, open_one)
                    wait_until(lambda: len(slots(pg)) == 1, what="one slot is asked for")
                    began = time.time()
                    assert m.stop(sig) == (-9 if sig == signal.SIGKILL else 0), m.output()
                    assert time.time() - began < 2, time.time() - began
                    wait_until(lambda: not slots(pg), what="its slot is gone")
            pg.sql("insert into fresh values (2)")
            with Background("mirror", pg.url(), lake) as m:
                wait_for_a_load_to_wait(lake, open_one)
                open_one.end()
                wait_until(lambda: status_of(lake, "public.fresh") == "Replicating", what="it is loaded")
                finish_small(pg, lake, m)
        finally:
            if open_one.process.poll() is None: open_one.end()


def test_what_a_killed_mirror_asked_an_old_server_for(folder):
    """PostgreSQL 13 does not see that a client is gone while it waits: the next start ends what is still being made for it."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=13) as pg:
        begin(pg)
        with open_transaction(pg, "insert into busy (n) values (-1)") as s:
            for _ in range(2):  # the mirror's own slot, which is made by the first start
                with Background("mirror", pg.url(), lake) as m:
                    wait_until(lambda: f"process {s.pid} " in m.output(), what="it is said what is waited for")
                    m.stop(signal.SIGKILL)
            with Background("mirror", pg.url(), lake) as m:
                wait_until(lambda: f"process {s.pid} " in m.output(), what="it waits once more")
                assert "for a run of this mirror that was killed: ended" in m.output(), m.output()
                s.end()
                wait_until(lambda: status_of(lake, "public.busy") == "Replicating", what="it is loaded")
                assert m.stop() == 0, m.output()
        with open_transaction(pg, "insert into busy (n) values (-2)") as s:
            pg.sql("create table fresh (id int primary key); insert into fresh values (1)")
            for _ in range(2):
                with Background("mirror", pg.url(), lake) as m:
                    wait_for_a_load_to_wait(lake, s)
                    wait_until(lambda: len(slots(pg)) == 1, what="one slot is asked for")
                    m.stop(signal.SIGKILL)
            with Background("verify", pg.url(), lake) as v:
                wait_until(lambda: f"process {s.pid} " in v.output(), what="it waits, too")
                assert len(slots(pg)) == 2 and v.stop() == 3, v.output()
                wait_until(lambda: len(slots(pg)) == 1, what="its slot goes with it")
            with Background("mirror", pg.url(), lake) as m:
                wait_for_a_load_to_wait(lake, s)
                wait_until(lambda: len(slots(pg)) == 1, what="one slot is asked for")
                s.end()
                wait_until(lambda: status_of(lake, "public.fresh") == "Replicating", what="it is loaded")
                finish_small(pg, lake, m)


def finish_small(pg, lake, m):
    assert m.stop() == 0, m.output()
    tain("mirror", pg.url(), lake, "--once", check=0)
    assert_same_as_postgres(pg, lake, "public.busy", "public.fresh")
    assert tain("verify", pg.url(), lake).code == 0


def test_a_prepared_transaction_is_named(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_prepared_transactions=5) as pg:
        begin(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        pg.sql("begin; insert into busy (n) values (-1); prepare transaction 'left behind'")
        pg.sql("create table fresh (id int primary key); insert into fresh values (1)")
        with Background("mirror", pg.url(), lake) as m:
            w = wait_until(lambda: (lake_status(lake) or {}).get("waiting"), what="it is said what the load waits for")
            assert "'left behind'" in w["reason"] and "ROLLBACK PREPARED 'left behind'" in w["remedy"], w
            pg.sql("commit prepared 'left behind'")
            wait_until(lambda: status_of(lake, "public.fresh") == "Replicating", what="it is loaded")
            finish_small(pg, lake, m)


def test_a_waiting_load_makes_way_for_the_stream(folder):
    """More log is kept than allowed: the load gives its place up, and asks again when it is less."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        begin(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        open_one = Session(pg, "insert into busy (n) values (-1)")
        try:
            pg.sql("create table fresh (id int primary key); insert into fresh values (1)")
            with Background("mirror", pg.url(), lake, "--retained-log", "warn=8MiB,pause=16MiB") as m:
                wait_for_a_load_to_wait(lake, open_one)
                pg.sql("select count(pg_logical_emit_message(false, 'x', repeat('x', 1000000))) from generate_series(1, 24)")
                wait_until(lambda: not slots(pg), what="it does not wait any more")
                wait_until(lambda: lake_status(lake)["source"]["level"] == "pause", what="why is said")
                wait_until(lambda: "waiting" not in lake_status(lake), what="nor says so")
                pg.sql("insert into busy (n) values (5)")
                open_one.end()
                wait_until(lambda: status_of(lake, "public.fresh") == "Replicating", 60, what="it is loaded")
                finish_small(pg, lake, m)
        finally:
            if open_one.process.poll() is None: open_one.end()


if __name__ == "__main__":
    main(globals())
