#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PostgreSQL mirrored: first content, changes, every type, TRUNCATE, TOAST, key changes, large and rolled-back transactions."""
import json
import os

from harness import *

TYPES = """
create type mood as enum ('sad', 'ok', 'glad');
create table types (
  id bigint primary key, i2 smallint, i4 integer, i8 bigint, n numeric(12,3), n38 numeric(38,10), nfree numeric, r real, d double precision,
  b boolean, t text, v varchar(40), c char(5), bin bytea, day date, ts timestamp, tz timestamptz, tm time, iv interval, u uuid,
  j json, jb jsonb, m mood, ip inet, net cidr, mac macaddr, ia int[], ta text[], na numeric(10,2)[], tsa timestamp[], o oid, ttz timetz,
  p point, rng int4range, bits bit(5), x xml, mon money, vb varbit, ts3 timestamp(3), "Odd Name" text, empty text);
"""
ROW = """({id}, -32768, 2147483647, -9223372036854775808, 123456789.125, 1234567890123456789012345678.0123456789, 3.141592653589793238462643383279502884197,
 1.5, -0.1, true, E'tab\\tquote" \\u00e9 \\U0001F600\\nline', 'v', 'ab', '\\x00ff10', '2024-02-29', '2026-01-31 12:34:56.789012', '1969-12-31 23:59:59.999999+02',
 '23:59:59.5', '1 year 2 mons -3 days 04:05:06.7', '6d3c0c1e-7f0e-4a53-9d0b-0c2b7a3f1c11', '{{"a": [1, 2.50]}}', '{{"b": null, "a": "x"}}', 'glad',
 '192.168.1.5', '10.0.0.0/8', '08:00:2b:01:02:03', '{{1,NULL,3}}', '{{"a,b",NULL,"c\\"d"}}', '{{1.50,2.25}}', '{{"2026-01-01 00:00:00"}}', 4294967295, '12:00:00+02',
 '(1,2)', '[1,10)', B'10101', '<a/>', 12.34, B'101', '2026-01-31 12:34:56.789', 'odd', '')"""


def mirrored(pg, lake, *args):
    return tain("mirror", pg.url(), lake, "--once", *args, check=0)


def test_first_content_and_changes(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a select i, 'row ' || i from generate_series(1, 1000) i;"
               "create schema s2; create table s2.b (k1 text, k2 int, v numeric(10,2), primary key (k1, k2)); insert into s2.b values ('x', 1, 1.5), ('y', 2, null);"
               "create table empty (id int primary key)")
        mirrored(pg, lake)
        assert assert_same_as_postgres(pg, lake, "public.a", "s2.b", "public.empty") == 1002
        pg.sql("update a set v = 'changed' where id % 10 = 0; delete from a where id % 7 = 0; insert into a values (5000, null);"
               "update s2.b set k2 = 3 where k1 = 'x'; delete from s2.b where k1 = 'y'; insert into s2.b values ('z', 9, 0.01)")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.a", "s2.b", "public.empty")
        assert tain("verify", pg.url(), lake).code == 0
        assert tain("query", lake, "select (select count(*) from a), (select count(*) from s2.b)", "--format", "csv", check=0).out.splitlines()[1] == "859,2"
        assert "s2.b" in tain("query", lake, "select * from b", check=3).err
        epoch = last_epoch(lake)
        mirrored(pg, lake)  # nothing to do: no reload, no data commit
        assert last_epoch(lake)["tables"] == {} or last_epoch(lake)["epoch"] == epoch["epoch"], last_epoch(lake)


def test_every_type(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql(TYPES + "insert into types values " + ROW.format(id=1) + ", " + ROW.format(id=2) + "; insert into types (id) values (3)")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.types")
        pg.sql("insert into types values " + ROW.format(id=4) + "; insert into types (id) values (5); update types set t = 'new', ia = '{}' where id = 1;"
               "update types set i4 = null, n = -0.001 where id = 2; delete from types where id = 3; update types set id = 30 where id = 5")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.types")
        assert tain("verify", pg.url(), lake).code == 0


def test_values_that_no_delta_type_holds(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table v (id int primary key, d date, ts timestamptz, n numeric(10,2), nf numeric);"
               "insert into v values (1, 'infinity', '-infinity', 'NaN', 'NaN'), (2, '12345-01-01', '12345-01-01', 1, 'Infinity'), (3, '0044-03-15 BC', '2026-01-01', 2, 3)"
               if int(pg.sql("show server_version_num")) >= 140000 else "select 1")
        mirrored(pg, lake)
        pg.sql("insert into v values (4, 'infinity', 'infinity', 'NaN', 'NaN')")
        mirrored(pg, lake)
        names, _, rows = read_delta(table_folder(lake, "public.v"))
        got = {r[0]: dict(zip(names, r)) for r in rows}
        assert got[1]["d"] is None and got[1]["ts"] is None and got[1]["n"] is None and got[1]["nf"] == "NaN", got[1]
        assert got[2]["d"] is None and got[2]["nf"] == "Infinity" and got[3]["d"] is None, got
        warnings = lake_status(lake)["tables"][0]["warnings"]
        counts = {}
        for w in warnings:
            counts[w["column"]] = counts.get(w["column"], 0) + w["count"]
        assert counts == {"d": 4, "ts": 3, "n": 2}, warnings


def test_unchanged_toast(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table toast (id int primary key, n int, big text, big2 text); alter table toast alter big set storage external, alter big2 set storage external;"
               "insert into toast select i, 0, repeat(md5(i::text), 300), repeat('é' || i, 2000) from generate_series(1, 50) i")
        mirrored(pg, lake)
        pg.sql("update toast set n = n + 1; update toast set n = n + 1 where id < 20; update toast set id = id + 1000 where id > 40;"
               "begin; update toast set big = 'short' where id = 5; update toast set n = 77 where id = 5; update toast set n = 78 where id = 6; commit;"
               "insert into toast values (900, 1, repeat('abc', 5000), null); update toast set n = 2 where id = 900")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.toast")


def test_truncate_and_rollback(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table p (id int primary key); create table c (id int primary key, p int references p); create table d (id int primary key);"
               "insert into p select generate_series(1, 100); insert into c select i, i from generate_series(1, 100) i; insert into d select generate_series(1, 10)")
        mirrored(pg, lake)
        pg.sql("truncate p cascade; insert into p values (7), (8); begin; insert into d values (100); rollback;"
               "begin; insert into d values (101); savepoint s; insert into d values (102); update d set id = 500 where id = 1; rollback to s; insert into d values (103); commit;"
               "begin; insert into c values (1, 7); truncate c; insert into c values (2, 8); commit")
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.p", "public.c", "public.d")


def test_large_streamed_transactions(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, logical_decoding_work_mem="'64kB'") as pg:
        pg.sql("create table big (id int primary key, v text, n int); insert into big select i, 'v' || i, 0 from generate_series(1, 30000) i")
        mirrored(pg, lake)
        pg.sql("begin; update big set n = 1; savepoint a; update big set v = 'gone'; delete from big where id < 1000; rollback to a;"
               "insert into big select i, 'w', 2 from generate_series(40001, 60000) i; savepoint b; delete from big where id > 59000; commit;"
               "begin; delete from big; rollback; begin; update big set n = n + 1 where id % 2 = 0; commit")
        mirrored(pg, lake, "--memory", "40MiB")
        assert_same_as_postgres(pg, lake, "public.big")


def test_follows_pgbench(folder):
    lake = os.path.join(folder, "lake")
    tables = ["public.pgbench_accounts", "public.pgbench_branches", "public.pgbench_tellers"]
    with Postgres(folder) as pg:
        assert pg.pgbench("-i", "-q", "-s", "2").wait(120) == 0
        pg.sql("alter table pgbench_history add primary key (tid, bid, aid, mtime, delta)", check=False)
        pg.sql("alter table pgbench_history replica identity full")
        with Background("mirror", pg.url(), lake, "--freshness", "100ms", "--exclude", "public.pgbench_history") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            bench = pg.pgbench("-c", "4", "-T", "5", "-n")
            assert bench.wait(60) == 0, bench.stderr.read()
            end = pg.sql("select pg_current_wal_lsn()")
            pg.sql("update pgbench_branches set filler = 'end'")
            wait_until(lambda: ("end" in str(read_delta(table_folder(lake, "public.pgbench_branches"))[2])), what="last change in the lake")
            assert m.stop() == 0, m.output()
        mirrored(pg, lake, "--exclude", "public.pgbench_history")
        assert_same_as_postgres(pg, lake, *tables)
        assert tain("verify", pg.url(), lake, "--exclude", "public.pgbench_history").code == 0


def test_columns_change_while_following(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table ddl (id int primary key, a text, b int); insert into ddl values (1, 'x', 1), (2, 'y', 2); create table other (id int primary key)")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for i, ddl in enumerate(["alter table ddl add column c text", "alter table ddl rename column a to a2", "alter table ddl drop column b",
                                     "alter table ddl add column d int not null default 7", "alter table ddl alter column c type varchar(100)"]):
                pg.sql(f"insert into other values ({i}); insert into ddl (id) values ({100 + i}); {ddl}; insert into ddl (id) values ({200 + i}); update ddl set c = 'after {i}' where id = 1")
            pg.sql("insert into other values (1000)")
            wait_until(lambda: (1000,) in read_delta(table_folder(lake, "public.other"))[2], what="last change in the lake")
            assert m.stop() == 0, m.output()
        mirrored(pg, lake)
        assert_same_as_postgres(pg, lake, "public.ddl", "public.other")


def test_many_small_commits_leave_few_files(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table t (id int primary key, n int); insert into t select i, 0 from generate_series(1, 1000) i")
        with Background("mirror", pg.url(), lake, "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            script = os.path.join(folder, "script.sql")
            open(script, "w").write("\\set a random(1, 1000)\nupdate t set n = n + 1 where id = :a;\n")
            assert pg.pgbench("-n", "-f", script, "-t", "1500", "-R", "400", "-c", "1").wait(120) == 0
            pg.sql("insert into t values (100000, 1)")
            wait_until(lambda: (100000, 1) in read_delta(table_folder(lake, "public.t"))[2], what="last change in the lake")
            assert m.stop() == 0, m.output()
        assert_same_as_postgres(pg, lake, "public.t")
        from deltalake import DeltaTable
        t = DeltaTable(table_folder(lake, "public.t"))
        assert t.version() > 100, t.version()
        assert len(t.file_uris()) <= 48, len(t.file_uris())


if __name__ == "__main__":
    main(globals())
