#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PostgreSQL's schema changes: while the mirror follows, and while it does not run. The lake ends as the source is."""
import os

from harness import *


def mirrored(pg, lake, *args, env=None):
    return tain("mirror", pg.url(), lake, "--once", *args, env=env, check=0)


PARTS = """create table {t} (id int, g int, primary key (id, g)) partition by list (g);
create table {t}_1 partition of {t} for values in (1); insert into {t} values (1, 1);"""

# name: (before, change, whether the table must be read again)
CHANGES = {
    "added": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} add x text; insert into {t} values (2, 6, 'x');", False),
    "dropped": ("create table {t} (id int primary key, n int, x int); insert into {t} values (1, 5, 6);", "alter table {t} drop n; insert into {t} values (2, 7);", False),
    "renamed": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} rename n to x; insert into {t} values (2, 7);", False),
    "swapped": ("create table {t} (id int primary key, n int, x int); insert into {t} values (1, 5, 6);",
                "alter table {t} rename n to y; alter table {t} rename x to n; alter table {t} rename y to x; insert into {t} values (2, 7, 8);", False),
    "made_anew": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} drop n; alter table {t} add n int;", False),
    "computed": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} alter n type int using n * 2;", True),
    "defaulted": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} add d int default 7; insert into {t} values (2, 6);", None),
    "volatile": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "alter table {t} add d float8 default random();", True),
    "plain_now": ("create table {t} (id int primary key, n int, g int generated always as (n * 2) stored); insert into {t} (id, n) values (1, 5);", "alter table {t} alter g drop expression;", True),
    "attached": (PARTS + "create table {t}_2 (id int not null, g int not null); insert into {t}_2 values (2, 2);", "alter table {t} attach partition {t}_2 for values in (2);", True),
    "detached": (PARTS, "alter table {t} detach partition {t}_1; drop table {t}_1;", False),
    "leafless": (PARTS, "drop table {t}_1;", False),
    "part_emptied": (PARTS, "truncate {t}_1;", True),
    "parted": (PARTS, "create table {t}_2 partition of {t} for values in (2); insert into {t} values (2, 2);", False),
    "relabelled": ("create type e_{t} as enum ('a', 'b'); create table {t} (id int primary key, e e_{t}); insert into {t} values (1, 'a');", "alter type e_{t} rename value 'a' to 'aaa';", True),
    "widened": ("create table {t} (id int primary key, n int, r real); insert into {t} values (1, 5, 0.1);", "alter table {t} alter n type bigint, alter r type float8; insert into {t} values (2, 5000000000, 0.1);", None),
    "rekeyed": ("create table {t} (id int primary key, n int not null); insert into {t} values (1, 5), (2, 6);",
                "alter table {t} drop constraint {t}_pkey, add primary key (n); update {t} set id = 9 where n = 5; delete from {t} where n = 6;", False),
    "vacuumed": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "vacuum full {t};", False),
    "emptied": ("create table {t} (id int primary key, n int); insert into {t} values (1, 5);", "truncate {t}; insert into {t} values (3, 3);", False),
}


def prepare(pg):
    for name, (before, _, _) in CHANGES.items():
        pg.sql(before.format(t=name))


def change_all(pg):
    for name, (_, change, _) in CHANGES.items():
        for statement in filter(str.strip, change.split(";")):
            pg.sql(statement.format(t=name))


def assert_all(pg, lake, said):
    assert_same_as_postgres(pg, lake, *[f"public.{name}" for name in CHANGES])
    for name, (_, _, again) in CHANGES.items():
        loaded = f"public.{name}:" in said
        assert again is None or loaded == again, f"{name}: {'read again' if loaded else 'not read again'}\n{said}"


def test_changes_while_stopped(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        prepare(pg)
        mirrored(pg, lake)
        change_all(pg)
        r = mirrored(pg, lake)
        assert_all(pg, lake, r.out + r.err)
        again = mirrored(pg, lake)
        assert "loaded again" not in again.out + again.err, again
        assert tain("verify", pg.url(), lake).code == 0


def test_changes_while_following(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        prepare(pg)
        pg.sql("create table tail (id int primary key)")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            change_all(pg)
            pg.sql("alter table tail add looked int")
            wait_until(lambda: "looked" in read_delta(table_folder(lake, "public.tail"))[0], 120, "a look at the catalog")
            assert m.stop() == 0, m.output()
            said = m.output()
        r = mirrored(pg, lake)  # labels of an enum are seen by looks only, and the last one may have been before
        assert_all(pg, lake, said + r.out + r.err)


def shown(lake, table):
    columns, _, rows = read_delta(table_folder(lake, table))
    return columns, sorted(rows, key=lambda r: r[0])


def test_dropped_columns_that_are_kept(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key, n int, c text); insert into t values (1, 5, 'one'), (2, 6, 'two'), (3, 7, repeat('three', 3000)); "
               "create table u (id int primary key, n int, c text); insert into u values (1, 5, 'one')")
        mirrored(pg, lake)
        set_policies(lake, {"dropped_column": "keep", "columns": {"public.u.c": {"dropped_column": "drop"}}})
        pg.sql("alter table t drop c; alter table u drop c, drop n; update t set n = 60 where id = 2; insert into t values (4, 8)")
        said = mirrored(pg, lake).err
        assert "loaded again" not in said, said
        rows = [(1, 5, "one"), (2, 60, None), (3, 7, "three" * 3000), (4, 8, None)]
        assert shown(lake, "public.t") == (["id", "n", "c"], rows), shown(lake, "public.t")
        assert shown(lake, "public.u") == (["id", "n"], [(1, 5)]), shown(lake, "public.u")
        assert tain("verify", pg.url(), lake).code == 0
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running", what="running")
            pg.sql("alter table t add c text; update t set c = 'new' where id = 4")
            wait_until(lambda: shown(lake, "public.t")[1][3][2] == "new", 60, "another column of that name")
            pg.sql("alter table t drop n, add \"C\" int; delete from t where id = 2")
            wait_until(lambda: len(shown(lake, "public.t")[1]) == 3, 60, "the delete")
            assert m.stop() == 0, m.output()
            assert "loaded again" not in m.output(), m.output()
        columns, rows = ["id", "c", "C_2", "c_dropped", "n"], [(1, None, None, "one", 5), (3, None, None, "three" * 3000, 7), (4, "new", None, None, 8)]
        assert shown(lake, "public.t") == (columns, rows), shown(lake, "public.t")
        mirrored(pg, lake, "--repair")
        tain("table", "optimize", table_folder(lake, "public.t"), check=0)
        assert shown(lake, "public.t") == (columns, rows), shown(lake, "public.t")
        assert tain("query", lake, "select c_dropped from public.t where id = 1", "--format", "csv", check=0).out.split() == ["c_dropped", "one"]
        assert tain("verify", pg.url(), lake).code == 0
        mirrored(pg, lake, "--resync", "public.t")
        assert shown(lake, "public.t") == (columns, [(*r[:3], None, None) for r in rows]), shown(lake, "public.t")
        set_policies(lake, {"dropped_column": "stay"})
        assert tain("mirror", pg.url(), lake, "--once").code == 3
        assert "must be drop or keep" in tain("verify", pg.url(), lake).err


def test_a_publication_that_shows_less(folder):
    lake = os.path.join(folder, "lake")
    name = None
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, n int); insert into a values (1, 5); create table b (id int primary key, n int); insert into b values (1, 5)")
        mirrored(pg, lake)
        name = pg.sql("select pubname from pg_publication")
        pg.sql(f"alter publication {name} drop table a")
        pg.sql("update a set n = 6")
        r = mirrored(pg, lake)
        assert "public.a:" in r.out + r.err and "public.b:" not in r.out + r.err, r
        assert_same_as_postgres(pg, lake, "public.a", "public.b")
        pg.sql(f"alter publication {name} set table a where (id < 10), b")
        pg.sql("insert into a values (100, 1)")
        pg.sql(f"alter publication {name} set table a, b")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running", what="running")
            pg.sql(f"alter publication {name} set (publish = 'insert')")
            pg.sql("update a set n = 7")
            assert m.process.wait(30) == 3, m.output()
            assert "does not publish every kind of change" in m.output(), m.output()
        pg.sql(f"alter publication {name} set (publish = 'insert, update, delete, truncate')")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.a", "public.b")


KEYLESS = {  # how a table can lose what identifies its rows, and have it again
    "unkeyed": ("create table {t} (id int primary key, n int not null)", "alter table {t} drop constraint {t}_pkey", "alter table {t} add primary key (id)"),
    "columnless": ("create table {t} (id int primary key, n int not null)", "alter table {t} drop if exists id, replica identity default", "alter table {t} replica identity full"),
    "indexless": ("create table {t} (id int not null, n int not null); create unique index {t}_u on {t} (id); alter table {t} replica identity using index {t}_u",
                  "drop index {t}_u", "create unique index {t}_u on {t} (id); alter table {t} replica identity using index {t}_u"),
    "silent": ("create table {t} (id int primary key, n int not null)", "alter table {t} replica identity nothing", "alter table {t} replica identity default"),
    "in_parts": ("create table {t} (id int, n int, primary key (id)) partition by range (id); create table {t}_1 partition of {t} for values from (0) to (99)",
                 "alter table {t}_1 replica identity nothing", "alter table {t}_1 replica identity default"),
}


def each_keyless(pg, *statements, together=False):
    """The statements, in which {lose} and {regain} are those of the table, one transaction each unless `together`."""
    for name, (_, lose, regain) in KEYLESS.items():
        texts = [s.format(t=name, lose=lose.format(t=name), regain=regain.format(t=name)) for s in statements]
        for text in ["begin; " + "; ".join(texts) + "; commit"] if together else texts:
            pg.sql(text)


def standing(lake):
    return {t["name"]: t for t in (lake_status(lake) or {"tables": []})["tables"]}


def assert_refused(lake):
    for name in KEYLESS:
        t = standing(lake)[f"public.{name}"]
        assert t["status"] != "Replicating" and t["reason"] and "REPLICA IDENTITY" in t["remedy"], t


def keyless_source(pg):
    for name, (before, _, _) in KEYLESS.items():
        pg.sql(before.format(t=name) + f"; insert into {name} select i, i from generate_series(1, 9) i")
    pg.sql("create table other (id int primary key); insert into other values (1)")


def all_replicating(lake):
    return all(standing(lake).get(f"public.{name}", {}).get("status") == "Replicating" for name in KEYLESS)


def names():
    return [f"public.{name}" for name in KEYLESS]


def test_updates_work_while_a_table_has_no_key(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        keyless_source(pg)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: all_replicating(lake), what="first content")
            each_keyless(pg, "{lose}", "update {t} set n = n + 100 where n < 5", "delete from {t} where n = 6")
            wait_until(lambda: not any(standing(lake)[n]["status"] == "Replicating" for n in names()), what="tables without key told")
            assert_refused(lake)
            each_keyless(pg, "{regain}", "update {t} set n = n + 1000 where n > 100")
            wait_until(lambda: all_replicating(lake), what="tables taken in again")
            each_keyless(pg, "update {t} set n = n + 1 where n > 7")
            assert m.stop() == 0, m.output()
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.other", *names())


def test_a_key_changes_within_a_transaction(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        keyless_source(pg)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: all_replicating(lake), what="first content")
            each_keyless(pg, "{lose}", "update {t} set n = n + 100", "{regain}", together=True)
            pg.sql("begin; alter table other drop constraint other_pkey; update other set id = 2; rollback")
            each_keyless(pg, "update {t} set n = n + 1 where n > 104")
            assert m.stop() == 0, m.output()
            assert "public.other" not in m.output(), m.output()
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.other", *names())


def test_keys_are_lost_while_stopped(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        keyless_source(pg)
        mirrored(pg, lake)
        each_keyless(pg, "{lose}", "update {t} set n = n + 100")
        mirrored(pg, lake)
        assert_refused(lake)
        each_keyless(pg, "update {t} set n = n + 1 where n > 104", "{regain}")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.other", *names())
        each_keyless(pg, "{lose}", "update {t} set n = n + 100", "{regain}", "update {t} set n = n + 1 where n < 205")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.other", *names())


def test_a_key_comes_again_after_the_mirror_stopped(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        keyless_source(pg)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: all_replicating(lake), what="first content")
            each_keyless(pg, "{lose}", "update {t} set n = n + 100")
            wait_until(lambda: not any(standing(lake)[n]["status"] == "Replicating" for n in names()), what="tables without key told")
            m.stop()
        each_keyless(pg, "{regain}", "update {t} set n = n + 1 where n > 104")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.other", *names())


if __name__ == "__main__":
    main(globals())
