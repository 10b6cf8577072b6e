#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mirror whose slot was lost is made true again by the rows that differ."""
import os

import deltalake

from harness import *

ROWS = 60_000


def make_tables(pg):
    pg.sql(f"create table big (id bigint primary key, n int, v text); insert into big select i, i % 7, 'row ' || i from generate_series(1, {ROWS}) i;"
           "create table pair (a int, b text, v numeric(10,2), primary key (a, b)); insert into pair select i / 10, i::text, i from generate_series(1, 5000) i;"
           "create table bag (n int, v text); alter table bag replica identity full; insert into bag select i % 50, 'x' from generate_series(1, 500) i;"
           "create table same (id int primary key); insert into same select generate_series(1, 1000);"
           "create table shaped (id int primary key, v text); insert into shaped select i, 'v' from generate_series(1, 300) i;"
           "create table rekeyed (id int primary key, k int not null); insert into rekeyed select i, i from generate_series(1, 300) i; analyze")


NAMES = ["public." + t for t in ("big", "pair", "bag", "same", "shaped", "rekeyed")]

CHANGES = ("update big set n = 100 where id % 1000 = 0; delete from big where id % 1000 = 1; update big set id = id + 1000000 where id % 1000 = 2;"
           "insert into big select i, 0, null from generate_series(300001, 300100) i;"
           "delete from pair where a = 7; update pair set v = -1 where a = 8; update pair set b = b || '!' where a = 9; insert into pair values (999, '', null);"
           "delete from bag where ctid in (select ctid from bag where n = 3 limit 4); insert into bag select 4, 'x' from generate_series(1, 5); update bag set v = 'y' where n = 5")


def lose_slot(pg):
    pg.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")


def data_bytes(lake, name):
    folder = table_folder(lake, name)
    return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".parquet"))


def mirrored(pg, lake, *args, check=0):
    return tain("mirror", pg.url(), lake, "--once", *args, check=check)


def test_a_lost_slot_costs_what_differs(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_tables(pg)
        mirrored(pg, lake)
        before = data_bytes(lake, "public.big")
        lose_slot(pg)
        pg.sql(CHANGES + "; alter table shaped add w int; update shaped set w = id; alter table rekeyed drop constraint rekeyed_pkey, add primary key (k, id); update rekeyed set id = 0")
        refused = mirrored(pg, lake, check=3)
        assert "--repair" in refused.err, refused
        r = mirrored(pg, lake, "--repair")
        assert f"public.big: {ROWS // 1000 * 4 + 100} rows differed" in r.err and "public.same" not in r.err, r
        assert_same_as_postgres(pg, lake, *NAMES)
        assert data_bytes(lake, "public.big") - before < before * 0.1
        assert tain("verify", pg.url(), lake).code == 0
        pg.sql("update big set n = n + 1 where id % 500 = 0; delete from bag where n = 5; update rekeyed set k = k + 1000; insert into same values (5000)")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, *NAMES)
        assert not any(t["warnings"] for t in lake_status(lake)["tables"]), lake_status(lake)


def test_repaired_while_the_source_moves(folder):
    """What is changed during the repair comes by the stream; one that was cut short is begun again."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_tables(pg)
        mirrored(pg, lake)
        for i, fault in enumerate(("epoch.table_committed", "epoch.table_committed:3", "delta.committed:5")):
            lose_slot(pg)
            pg.sql(CHANGES.replace("300001, 300100", f"{300001 + i * 5000000}, {300100 + i * 5000000}").replace("(999,", f"({999 + i},").replace("id + 1000000 ", f"id + {(i + 1) * 10000000} "))
            assert tain("mirror", pg.url(), lake, "--once", "--repair", env={"TAIN_FAULT": fault}).code == -signal.SIGKILL, fault
        with Background("mirror", pg.url(), lake, "--repair", env={"TAIN_FAULT": "epoch.table_committed=stop"}) as m:
            wait_until(lambda: is_stopped(m.process), what="a table is repaired")
            pg.sql("update big set n = 12 where id % 100 = 50; delete from pair where a = 3; insert into bag values (1, 'z'); truncate same; insert into same values (1)")
            m.process.send_signal(signal.SIGCONT)
            wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running", 60, "the mirror follows")
            assert m.stop() == 0, m.output()
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, *NAMES)


def test_a_mirror_that_is_wrong_is_mended(folder):
    """Rows that somebody else deleted and added come right, without a lost slot."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_tables(pg)
        mirrored(pg, lake)
        deltalake.DeltaTable(table_folder(lake, "public.big")).delete("id % 100 = 5")
        pg.sql("update big set n = 1000 where id = 6")
        assert tain("verify", pg.url(), lake).code == 1
        mirrored(pg, lake, "--repair")
        assert tain("verify", pg.url(), lake).code == 0
        assert_same_as_postgres(pg, lake, *NAMES)


def is_said(output, session):
    lines = [line for line in output().splitlines() if f"tables wait to be read: the transaction of process {session.pid} " in line]
    assert all(f"pg_terminate_backend({session.pid})" in line for line in lines), lines
    return len(lines)


def wait_and_end(session, p):
    """The transaction goes from statement to statement, which is no news; it is said once what is waited for."""
    wait_until(lambda: is_said(p.output, session), what="it is said what is waited for")
    session.process.stdin.write("select pg_sleep(3);\n")
    session.process.stdin.flush()
    session.end()


def test_it_is_said_what_a_comparison_waits_for(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        make_tables(pg)
        mirrored(pg, lake)
        with open_transaction(pg, "update same set id = id + 1000000 where id < 3") as s, Background("verify", pg.url(), lake) as p:
            wait_and_end(s, p)
            assert p.process.wait(60) == 1 and is_said(p.output, s) == 1, p.output()
        with open_transaction(pg, "delete from same where id = 10") as s, Background("mirror", pg.url(), lake, "--once", "--repair") as p:
            wait_until(lambda: f"process {s.pid} " in ((lake_status(lake) or {}).get("waiting") or {"reason": ""})["reason"], what="status says so, too")
            wait_and_end(s, p)
            assert p.process.wait(60) == 0 and is_said(p.output, s) == 1, p.output()
        assert_same_as_postgres(pg, lake, *NAMES)


def is_lost(pg):
    pg.sql("select pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) from generate_series(1, 20); select pg_switch_wal(); checkpoint")
    return pg.sql("select wal_status from pg_replication_slots") == "lost"


def test_a_slot_that_was_discarded(folder):
    """A comparison leaves it as it is; a repair makes it anew, and says what it waits for."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder, max_slot_wal_keep_size="'32MB'", max_wal_size="'64MB'", min_wal_size="'32MB'") as pg:
        make_tables(pg)
        mirrored(pg, lake)
        wait_until(lambda: is_lost(pg), 60, "the slot being lost")
        tain("verify", pg.url(), lake, check=0)
        assert pg.sql("select wal_status from pg_replication_slots") == "lost"
        with open_transaction(pg, "delete from same where id = 10") as s, Background("mirror", pg.url(), lake, "--once", "--repair") as p:
            wait_and_end(s, p)
            assert p.process.wait(60) == 0 and is_said(p.output, s) == 1, p.output()
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, *NAMES)


if __name__ == "__main__":
    main(globals())
