#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Loads of PostgreSQL tables that are interrupted, by the death of tain or of the server, and go on; their pace and progress."""
import glob
import json
import os
import signal
import time

from harness import *

KILLED = -signal.SIGKILL


def make_table(pg, rows, extra=""):
    pg.sql(f"create table t (id bigint primary key, n int, v text{extra}); insert into t (id, n, v) select i, 0, 'row ' || i from generate_series(1, {rows}) i; analyze t")


def killed_at(fault, pg, lake, *args):
    r = tain("mirror", pg.url(), lake, "--once", *args, env={"TAIN_FAULT": fault})
    assert r.code == KILLED, r


def finished(pg, lake, *args):
    return tain("mirror", pg.url(), lake, "--once", *args, check=0)


def rows_read(pg):
    """What sequential scans and those of block ranges returned, once the readers' sessions have told."""
    wait_until(lambda: pg.sql("select count(*) from pg_stat_activity where backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()") == "0",
               what="sessions of tain are gone")
    return int(pg.sql("select seq_tup_read from pg_stat_user_tables where relname = 't'"))


def nothing_left(lake):
    left = [os.path.join(d, f) for d, _, names in os.walk(os.path.join(lake, "_tain", "loads")) for f in names]
    assert not left, left


def test_killed_at_half_it_repeats_little(folder):
    lake, rows = os.path.join(folder, "lake"), 1_200_000
    with Postgres(folder) as pg:
        make_table(pg, rows)
        before = rows_read(pg)
        killed_at("snapshot.chunk:25", pg, lake)  # a part is finished and not put down: as much is lost as can be
        half = rows_read(pg) - before
        assert rows * 0.4 < half < rows * 0.7, half
        assert not os.path.exists(os.path.join(table_folder(lake, "public.t"), "_delta_log"))
        r = finished(pg, lake)
        assert "its load goes on: 24 of" in r.err, r
        repeated = rows_read(pg) - before - rows
        assert repeated < rows * 0.05, repeated
        assert_same_as_postgres(pg, lake, "public.t")
        nothing_left(lake)


def test_changes_while_it_is_dead(folder, version=None):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=version) as pg:
        make_table(pg, 300_000)
        pg.sql("create table other (id int primary key); insert into other select generate_series(1, 100)")
        killed_at("snapshot.recorded:5", pg, lake)
        pg.sql("update t set n = 1 where id % 10 = 0; delete from t where id % 10 = 1; update t set id = id + 1000000 where id % 10 = 2; vacuum t;"
               "insert into t select i, 7, 'new' from generate_series(400001, 450000) i; update t set v = v || '!' where id % 1000 = 5;"
               "delete from t where id % 100 = 3; insert into t select i, 9, 'again' from generate_series(3, 300000, 100) i; insert into other values (500)")
        killed_at("snapshot.recorded:2", pg, lake)
        pg.sql("update t set n = n + 1 where id % 7 = 0; update t set id = -id where id % 5000 = 0")
        killed_at("snapshot.staged", pg, lake)
        pg.sql("delete from t where id % 77 = 0")
        killed_at("epoch.before_write", pg, lake)
        r = finished(pg, lake)
        assert "its load goes on" in r.err and "beginning" not in r.err, r
        assert_same_as_postgres(pg, lake, "public.t", "public.other")
        assert tain("verify", pg.url(), lake).code == 0
        assert not any(t["warnings"] for t in lake_status(lake)["tables"]), lake_status(lake)
        nothing_left(lake)


BEHIND_THE_SNAPSHOT = {
    "columns_swapped": "alter table {t} rename n to x; alter table {t} rename v to n; alter table {t} rename x to v",
    "type_changed": "alter table {t} alter n type text using (-n)::text",
    "rewritten": "alter table {t} alter n type int using n + 1",
    "computed": "alter table {t} alter v type text using v || '!'",
    "truncated": "truncate {t}; insert into {t} values (1, 1, 'only')",
    "table_swapped": "alter table {t} rename to x; alter table {t}_too rename to {t}; alter table x rename to {t}_too",
    "dropped": "drop table {t}",
    "again": "drop table {t}; create table {t} (id bigint primary key, v bytea, n text); insert into {t} select i, '\\xff', 'x' from generate_series(1, 50) i",
    "partitioned": "alter table {t}_1 rename to x; create table {t}_1 (id bigint primary key, n int, v text); insert into {t}_1 values (3, 3, 'alien')",
    "part_rewritten": "alter table {t} alter v type text using v || '!'",
}


def make_tables_behind(pg):
    for t in BEHIND_THE_SNAPSHOT:
        rows = f"insert into {t} select i, -i, 'row ' || i from generate_series(1, 100) i"
        if t.startswith("part"):
            pg.sql(f"create table {t} (id bigint primary key, n int, v text) partition by range (id);"
                   f"create table {t}_1 partition of {t} for values from (0) to (50); create table {t}_2 partition of {t} for values from (50) to (200); {rows}")
        else:
            pg.sql(f"create table {t} (id bigint primary key, n int, v text); {rows}")
    pg.sql("create table table_swapped_too (id bigint primary key, n int, v text); insert into table_swapped_too values (7, 7, 'seven')")


def change_each(pg, changes):
    for t, ddl in changes.items():
        pg.sql(ddl.format(t=t))


def loaded_while(pg, lake, change, *args):
    """The change happens between the snapshot and the reading of it."""
    with Background("mirror", pg.url(), lake, "--once", *args, env={"TAIN_FAULT": "snapshot.begun=stop"}) as mirror:
        wait_until(lambda: is_stopped(mirror.process), what="the snapshot is there")
        change()
        mirror.process.send_signal(signal.SIGCONT)
        assert mirror.process.wait(120) == 0, mirror.output()


def test_what_changes_between_the_snapshot_and_the_reading(folder):
    """A table is read by its name, as it is then, but must not be taken for what it was."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_tables_behind(pg)
        loaded_while(pg, lake, lambda: change_each(pg, BEHIND_THE_SNAPSHOT))
        finished(pg, lake)
        assert_same_as_postgres(pg, lake, "public.table_swapped_too", *[f"public.{t}" for t in BEHIND_THE_SNAPSHOT if t != "dropped"])


def test_killed_at_every_point(folder, version=None):
    with Postgres(folder, version=version) as pg:
        make_table(pg, 70_000)
        for i, point in enumerate(["planned", "read", "staged", "replayed", "forgotten"]):
            lake = os.path.join(folder, "lake-" + point)
            killed_at("snapshot.planned" if point == "planned" else "snapshot.recorded:1", pg, lake)
            pg.sql(f"update t set n = n + 1 where id % 10 = {i}; delete from t where id % 1000 = {i}; update t set id = id + 1000000 where id % 999 = {i}")
            killed_at("snapshot." + ("recorded" if point == "planned" else point), pg, lake)
            pg.sql(f"update t set n = n + 1 where id % 20 = {i}")
            finished(pg, lake)
            assert_same_as_postgres(pg, lake, "public.t")
            nothing_left(lake)
            tain("mirror", pg.url(), lake, "--remove", check=0)


def test_values_that_are_not_sent_again(folder, version=None):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=version) as pg:
        make_table(pg, 150_000, ", big text")
        pg.sql("alter table t alter big set storage external; update t set big = repeat(md5(id::text), 80) where id % 500 = 0; vacuum full t; analyze t")
        killed_at("snapshot.recorded:2", pg, lake)
        pg.sql("update t set n = n + 1 where id % 1000 = 0; update t set n = n + 1 where id % 3000 = 0; update t set id = -id where id = 5000")
        finished(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        assert not any(t["warnings"] for t in lake_status(lake)["tables"]), lake_status(lake)


def test_rows_in_other_places(folder, version=None):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=version) as pg:
        make_table(pg, 150_000)
        killed_at("snapshot.recorded:2", pg, lake)
        pg.sql("delete from t where id % 3 = 0; vacuum full t")
        r = finished(pg, lake)
        assert "loaded from the beginning: its rows are in other places now" in r.err, r
        assert_same_as_postgres(pg, lake, "public.t")
        nothing_left(lake)


def test_another_shape(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_table(pg, 150_000)
        killed_at("snapshot.recorded:2", pg, lake)
        pg.sql("alter table t add column w int default 5; update t set w = 6 where id = 1")
        r = finished(pg, lake)
        assert "loaded from the beginning" in r.err, r
        assert_same_as_postgres(pg, lake, "public.t")
        nothing_left(lake)


def test_the_server_restarts(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_table(pg, 300_000)
        with Background("mirror", pg.url(), lake, "--rate-limit", "60000rows") as m:
            wait_until(lambda: len(glob.glob(os.path.join(lake, "_tain", "loads", "public", "t", "*", "*"))) >= 4, what="three parts are put down")
            pg.stop("immediate")
            pg.start()
            pg.sql("update t set n = 5 where id % 100 = 0; delete from t where id % 100 = 1")
            wait_until(lambda: os.path.isdir(os.path.join(table_folder(lake, "public.t"), "_delta_log")), seconds=60, what="the table is there")
            assert m.stop() == 0, m.output()
            assert "its load goes on" in m.output() and "beginning" not in m.output(), m.output()
        finished(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        nothing_left(lake)


def test_pace_and_progress(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_table(pg, 200_000)
        began = time.monotonic()
        with Background("mirror", pg.url(), lake, "--once", "--rate-limit", "20000rows") as m:
            def snapshot():
                return os.path.exists(os.path.join(lake, "_tain", "status.json")) and (lake_status(lake) or {}).get("snapshot")
            s = wait_until(lambda: (snapshot() or {}).get("rows", 0) > 50_000 and snapshot(), what="a third is loaded")
            assert s["rows_total"] >= s["rows"] and s["bytes"] > 0 and 8_000 < s["rows_per_second"] < 40_000 and 0 < s["seconds_left"] < 20, s
            text = tain("status", lake, check=0).out
            assert "loading: " in text and " rows/s, " in text and " left" in text, text
            assert m.process.wait(60) == 0, m.output()
            assert "rows/s" in m.output(), m.output()
        took = time.monotonic() - began
        assert 9 < took < 30, took
        assert "snapshot" not in lake_status(lake)
        began = time.monotonic()
        finished(pg, lake, "--resync", "--rate-limit", "4MiB")
        assert 0.5 < time.monotonic() - began < 20, time.monotonic() - began
        r = tain("mirror", pg.url(), lake, "--rate-limit", "fast")
        assert r.code == 2 and '"fast" is no rate' in r.err, r
        assert_same_as_postgres(pg, lake, "public.t")


def test_files_that_go_before_the_commit(folder):
    """Somebody tidies up: what is committed is there, for a first load and for one of a table that has content."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key, v text); insert into t select i, 'row ' || i from generate_series(1, 1000) i")
        for round, options in enumerate(([], ["--resync", "public.t"])):
            before = set(glob.glob(os.path.join(lake, "Tables/public/t/*.parquet")))
            with Background("mirror", pg.url(), lake, "--once", *options, env={"TAIN_FAULT": "snapshot.before_commit=stop"}) as m:
                wait_until(lambda: is_stopped(m.process), what="it is about to commit")
                written = set(glob.glob(os.path.join(lake, "Tables/public/t/*.parquet"))) - before
                assert len(written) == 1, written
                os.remove(written.pop())
                m.process.send_signal(signal.SIGCONT)
                assert m.process.wait(60) == 0, m.output()
                assert "public.t is loaded from the beginning: files of it were taken away" in m.output(), m.output()
            assert_same_as_postgres(pg, lake, "public.t")
            pg.sql("update t set v = 'again' where id < 100")
            tain("mirror", pg.url(), lake, "--once", check=0)
            assert_same_as_postgres(pg, lake, "public.t")


# --- PostgreSQL 13: one COPY goes on from part to part ------------------------------------------------------------------


def test_changes_while_it_is_dead_13(folder):
    test_changes_while_it_is_dead(folder, 13)


def test_killed_at_every_point_13(folder):
    test_killed_at_every_point(folder, 13)


def test_rows_in_other_places_13(folder):
    test_rows_in_other_places(folder, 13)


def test_values_that_are_not_sent_again_13(folder):
    test_values_that_are_not_sent_again(folder, 13)


def copies(pg):
    return sum("statement: COPY (SELECT ctid" in line for line in open(os.path.join(pg.folder, "log"), errors="replace"))


def sent(pg, least=0):
    """Rows that sequential scans gave since the last call, what was passed by included; the server counts `least` in the end."""
    before = getattr(pg, "sent_before", 0)
    wait_until(lambda: rows_read(pg) >= before + least, what=f"{least} rows counted as read")
    pg.sent_before = rows_read(pg)
    return pg.sent_before - before


def test_one_copy_goes_from_part_to_part_13(folder):
    lake, rows = os.path.join(folder, "lake"), 400_000
    with Postgres(folder, version=13, log_statement="all") as pg:
        make_table(pg, rows)
        sent(pg)
        finished(pg, os.path.join(folder, "uninterrupted"))
        assert copies(pg) == 1 and sent(pg, rows) == rows, "it is one scan"
        tain("mirror", pg.url(), os.path.join(folder, "uninterrupted"), "--remove", check=0)
        killed_at("snapshot.recorded:12", pg, lake)
        r = finished(pg, lake)
        assert re.search(r"its load goes on: 1[2-9] of 2", r.err), r
        assert copies(pg) == 3 and rows < sent(pg, rows + 1) < 2 * rows, "a part of one scan, and one more that passes by what is there"
        assert_same_as_postgres(pg, lake, "public.t")
        sent(pg, rows)
        finished(pg, lake, "--resync", "--jobs", "2")
        assert copies(pg) == 5, "a part of the table each"
        assert rows < sent(pg, rows + 1) < 2 * rows
        assert_same_as_postgres(pg, lake, "public.t")
        assert tain("verify", pg.url(), lake).code == 0


def test_tables_and_partitions_by_parts_13(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=13) as pg:
        make_table(pg, 100_000)
        pg.sql("create table p (id int primary key, v text) partition by range (id); create table p1 partition of p for values from (0) to (90000);"
               "create table p2 partition of p for values from (90000) to (95000); create table p3 partition of p for values from (95000) to (300000);"
               "insert into p select i, repeat('v', i % 50) from generate_series(1, 200000) i; create table k (n int, v text); alter table k replica identity full;"
               "insert into k select i % 1000, 'k' from generate_series(1, 150000) i; create table sparse (id int primary key, v text);"
               "insert into sparse select i, 'sparse' from generate_series(1, 200000) i; analyze; delete from sparse where id > 30000 or id % 3 = 0; vacuum sparse")
        killed_at("snapshot.recorded:9", pg, lake, "--jobs", "3")
        pg.sql("update p set v = 'changed' where id % 9 = 0; update sparse set v = 'too' where id % 5 = 0; delete from k where n = 5; insert into p values (250000, 'new')")
        finished(pg, lake, "--jobs", "2")
        assert_same_as_postgres(pg, lake, "public.t", "public.p", "public.k", "public.sparse")
        nothing_left(lake)


def test_large_tables_change_between_the_snapshot_and_the_reading_13(folder):
    lake = os.path.join(folder, "lake")
    changes = {"truncated": "truncate {t}; insert into {t} values (1, 1, 'only')", "rewritten": "alter table {t} alter n type int using n + 1",
               "computed": "alter table {t} alter v type text using v || '!'", "swapped": "alter table {t} rename n to x; alter table {t} rename v to n; alter table {t} rename x to v",
               "dropped": "drop table {t}", "changed": "update {t} set n = 5 where id % 2 = 0; delete from {t} where id % 3 = 0"}
    with Postgres(folder, version=13) as pg:
        for t in changes:
            pg.sql(f"create table {t} (id bigint primary key, n int, v text); insert into {t} select i, -i, 'row ' || i from generate_series(1, 60000) i; analyze {t}")
        loaded_while(pg, lake, lambda: change_each(pg, changes), "--jobs", "2")
        finished(pg, lake)
        assert_same_as_postgres(pg, lake, *[f"public.{t}" for t in changes if t != "dropped"])


if __name__ == "__main__":
    main(globals())
