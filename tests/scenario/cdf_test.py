#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Change data feeds under mirrors that follow, read by delta-rs and by Spark: replayed they give every version of the table.
SEED repeats what was random, CDF_STEPS says how many transactions."""
import os
import random
import signal
import sqlite3
import time

import feeds
from harness import *

SEED = int(os.environ.get("SEED") or time.time())
STEPS = int(os.environ.get("CDF_STEPS") or 60)


def follow(lake, m, change, steps):
    """Each transaction is an epoch of its own, so that there are many versions."""
    for i in range(steps):
        before = (last_epoch(lake) or {"epoch": 0})["epoch"]
        change(i)
        wait_until(lambda: (last_epoch(lake) or {"epoch": 0})["epoch"] > before or m.process.poll() is not None, what="the next epoch")
        assert m.process.poll() is None, m.output()


def check_all(lake, tables):
    """tables: name -> columns of the key. Both engines; delta-rs reads no feed of a table with mapped columns."""
    asked = []
    for name, key in tables.items():
        folder = table_folder(lake, name)
        assert feeds.check_form(folder) > 0, f"{name} has no change data at all"
        parts = feeds.segments(folder)
        if not any(mapped for _, _, mapped in parts):
            changes = feeds.by_delta_rs(folder)
            n = feeds.check(folder, changes, 0, parts[-1][1], key)
            print(f"  {name}: {parts[-1][1] + 1} versions, {n} rows in the feed", flush=True)
            parts = [(0, parts[-1][1], False)]
        asked += [(folder, first, last, key) for first, last, _ in parts]
    for (folder, first, last, key), changes in zip(asked, feeds.by_spark([a[:3] for a in asked])):
        n = feeds.check(folder, changes, first, last, key)
        print(f"  {os.path.basename(folder)}: Spark, versions {first} to {last}, {n} rows in the feed", flush=True)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def sqlite_step(c, rng, i):
    keys = [r[0] for r in c.execute("select id from a")] or [0]
    c.execute("begin")
    for _ in range(rng.randrange(1, 8)):
        new = rng.randrange(1000, 10**9)
        c.execute(*rng.choice([
            ("insert or ignore into a (id, v, n) values (?, ?, ?)", (new, f"new {new}", new % 7)),
            ("update a set v = ?, n = n + 1 where id = ?", (f"v{new}", rng.choice(keys))),
            ("update a set n = n where id % 9 = ?", (i % 9,)),
            ("delete from a where id = ?", (rng.choice(keys),)),
            ("update or ignore a set id = ? where id = ?", (new, rng.choice(keys))),
            ("insert into loose values (?, ?)", (f"k{new % 5}", new % 3)),
            ("delete from loose where rowid in (select rowid from loose limit 2)", ()),
            ("replace into composite values (?, ?, ?)", (f"k{new % 9}", new % 3, f"z{new}")),
            ("delete from composite where y = ? and x = ?", (new % 3, f"k{new % 9}")),
        ]))
    c.execute("insert into a (id, v) values (?, 'each')", (10**10 + i,))
    c.execute("commit")


def test_sqlite_follows(folder):
    rng = random.Random(SEED)
    print(f"  seed {SEED}")
    db, lake = os.path.join(folder, "s.db"), os.path.join(folder, "lake")
    c = sqlite3.connect(db, isolation_level=None)
    c.executescript("pragma journal_mode = wal; create table a (id integer primary key, v text, n integer);"
                    "create table composite (x text not null, y int not null, z text, primary key (y, x)) without rowid; create table loose (k text, n int)")
    c.executemany("insert into a values (?, ?, ?)", [(i, f"row {i}", i % 5) for i in range(300)])
    c.executemany("insert into loose values (?, ?)", [(f"k{i % 5}", i % 3) for i in range(60)])

    def change(i):
        if i == STEPS // 3:
            c.execute("alter table a add column extra integer default 42")
        if i == STEPS // 2:
            c.execute("delete from loose")
        sqlite_step(c, rng, i)

    with Background("mirror", db, lake, "--cdf", "--freshness", "0ms") as m:
        wait_until(lambda: last_epoch(lake), what="the first epoch")
        follow(lake, m, change, STEPS)
        assert m.stop() == 0, m.output()
    tain("mirror", db, lake, "--once", check=0)
    tain("verify", db, lake, check=0)
    check_all(lake, {"main.a": ["id"], "main.composite": ["y", "x"], "main.loose": []})


# --- PostgreSQL ---------------------------------------------------------------------------------------------------------


def postgres_setup(pg):
    pg.sql("create table orders (id bigint primary key, v text, n numeric(12,2), at timestamptz, big text);"
           "create table named (a text, b int, v double precision, primary key (a, b));"
           "create table loose (k text, n int, tags int[]); alter table loose replica identity full;"
           "insert into orders select i, 'row ' || i, i / 3.0, timestamptz '2026-01-01' + i * interval '1 hour', repeat(md5(i::text), 200) from generate_series(1, 400) i;"
           "insert into named select 'n' || i % 50, i, i / 7.0 from generate_series(1, 200) i;"
           "insert into loose select 'k' || i % 5, i % 3, array[i % 2, null] from generate_series(1, 90) i")


def postgres_step(rng, i):
    some = lambda: rng.randrange(1, 401)
    new = lambda: rng.randrange(1000, 10**9)
    kinds = [
        lambda: f"insert into orders values ({new()}, 'new', 1.5, now(), null) on conflict do nothing",
        lambda: f"update orders set n = n + 1 where id = {some()}",
        lambda: f"update orders set v = 'touched {i}' where id % 40 = {some() % 40}",
        lambda: f"delete from orders where id = {some()}",
        lambda: f"update orders set id = {new()} where id = {some()}",
        lambda: f"with d as (delete from orders where id = {some()} returning *) insert into orders select id, 'again', n, at, big from d",
        lambda: f"insert into named values ('n{some() % 50}', {some()}, 'nan') on conflict (a, b) do update set v = {i}",
        lambda: f"update named set b = b + 1000 where a = 'n{some() % 50}' and b < 1000 and not exists (select from named x where x.a = named.a and x.b = named.b + 1000)",
        lambda: f"delete from named where b % 60 = {some() % 60}",
        lambda: f"insert into loose values ('k{some() % 5}', {some() % 3}, array[{some()}])",
        lambda: f"delete from loose where ctid in (select ctid from loose where n = {some() % 3} limit 3)",
        lambda: f"update loose set n = n + 1 where k = 'k{some() % 5}' and n < 2",
    ]
    statements = [rng.choice(kinds)() for _ in range(rng.randrange(1, 7))]
    return "begin; " + "; ".join(statements) + f"; insert into orders (id, v) values ({10**10 + i}, 'each'); commit"


def test_postgres_follows(folder):
    rng = random.Random(SEED + 1)
    print(f"  seed {SEED}")
    with Postgres(folder) as pg:
        lake = os.path.join(folder, "lake")
        postgres_setup(pg)

        def change(i):
            if i == STEPS // 4:
                pg.sql("alter table orders add column filled int default 42")
            if i == STEPS // 3:
                pg.sql("alter table named add column later text")
            if i == STEPS // 2:
                pg.sql("begin; truncate loose; insert into loose values ('k1', 1, null), ('k2', 2, '{1,2}'); commit")
            pg.sql(postgres_step(rng, i))

        with Background("mirror", pg.url(), lake, "--cdf", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="the first epoch")
            follow(lake, m, change, STEPS)
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", "--resync", "public.named", check=0)
        assert_same_as_postgres(pg, lake, "public.orders", "public.named", "public.loose")
        merges = sum(a["operation"] == "OPTIMIZE" for v in feeds.log(table_folder(lake, "public.orders")).values() for a in feeds.member(v, "commitInfo"))
        assert merges > 0, "no files were merged"
        check_all(lake, {"public.orders": ["id"], "public.named": ["a", "b"], "public.loose": []})


def test_with_a_history_and_without_vectors(folder):
    """All that can be asked for at once: the feed, the history and the table tell the same."""
    rng = random.Random(SEED + 4)
    print(f"  seed {SEED}")
    tables = {"public.orders": ["id"], "public.named": ["a", "b"], "public.loose": []}
    with Postgres(folder) as pg:
        lake = os.path.join(folder, "lake")
        postgres_setup(pg)

        def change(i):
            if i == 10:
                pg.sql("alter table orders add column filled int default 42")
            if i == 15:
                pg.sql("begin; truncate loose; insert into loose values ('k1', 1, null), ('k2', 2, '{1,2}'); commit")
            pg.sql(postgres_step(rng, i))

        with Background("mirror", pg.url(), lake, "--cdf", "--profile", "compat", "--history", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="the first epoch")
            follow(lake, m, change, 30)
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, *tables)
        for name, key in tables.items():
            path = table_folder(lake, name)
            assert not any("deletionVector" in a for v in feeds.log(path).values() for a in feeds.member(v, "add")), name
            feeds.check_form(path)
            assert feeds.check(path, feeds.by_delta_rs(path), 0, max(feeds.log(path)), key) > 0, f"{name} has no change data at all"
        then = os.path.join(folder, "then")
        tain("replay", lake, "--as-of", last_epoch(lake)["position"], "--to", then, check=0)
        assert_same_as_postgres(pg, then, *tables)


def test_columns_renamed_and_dropped(folder):
    rng = random.Random(SEED + 2)
    print(f"  seed {SEED}")
    with Postgres(folder) as pg:
        lake = os.path.join(folder, "lake")
        postgres_setup(pg)
        shapes = {5: "alter table orders rename column v to \"title of it\"", 10: "alter table orders drop column big", 15: "alter table orders alter column n type numeric(20,4)",
                  20: "alter table orders add column c int default 7"}

        def change(i):
            if i in shapes:
                pg.sql(shapes[i])
            column = '"title of it"' if i >= 5 else "v"
            pg.sql(f"begin; update orders set {column} = 'touched {i}' where id % 50 = {rng.randrange(50)}; delete from orders where id = {rng.randrange(1, 401)};"
                   f"insert into orders (id, {column}) values ({10**10 + i}, 'each'); update orders set id = {rng.randrange(10**6, 10**9)} where id = {rng.randrange(1, 401)}; commit")

        with Background("mirror", pg.url(), lake, "--cdf", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="the first epoch")
            follow(lake, m, change, 25)
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.orders")
        assert len(feeds.segments(table_folder(lake, "public.orders"))) >= 4
        check_all(lake, {"public.orders": ["id"]})


def test_killed_and_switched(folder):
    """Killed at each point that lies between change data and the record; switched off and on again."""
    rng = random.Random(SEED + 3)
    print(f"  seed {SEED}")
    points = ["feed.written", "delta.dv_written", "delta.before_link", "delta.committed", "epoch.table_committed", "epoch.before_record", "epoch.recorded"]
    with Postgres(folder) as pg:
        lake = os.path.join(folder, "lake")
        postgres_setup(pg)
        tain("mirror", pg.url(), lake, "--once", "--cdf", check=0)
        orders = table_folder(lake, "public.orders")
        for nth, point in enumerate(points * 2):
            for i in range(3):
                pg.sql(postgres_step(rng, nth * 10 + i))
            r = tain("mirror", pg.url(), lake, "--once", "--freshness", "0ms", env={"TAIN_FAULT": f"{point}:{1 + nth // len(points)}"})
            assert r.code == -signal.SIGKILL, f"{point} was not passed: {r}"
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.orders", "public.named", "public.loose")
        check_all(lake, {"public.orders": ["id"], "public.named": ["a", "b"], "public.loose": []})
        tain("mirror", pg.url(), lake, "--once", "--no-cdf", check=0)
        off = max(feeds.log(orders))
        pg.sql("update orders set v = 'unseen'")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert not feeds.member(feeds.log(orders)[max(feeds.log(orders))], "cdc")
        try:
            feeds.by_delta_rs(orders, off)
            raise AssertionError("delta-rs read a feed that is off")
        except Exception as e:
            assert "hange" in str(e), e
        tain("mirror", pg.url(), lake, "--once", "--cdf", check=0)
        on = max(feeds.log(orders))
        pg.sql("update orders set v = 'seen again' where id % 2 = 0")
        tain("mirror", pg.url(), lake, "--once", check=0)
        last = max(feeds.log(orders))
        feeds.check(orders, feeds.by_delta_rs(orders, on), on, last, ["id"])


if __name__ == "__main__":
    main(globals())
