#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Partitions of PostgreSQL tables that are detached or dropped: their rows go, and no others, without the table being read again. Of those that come
with rows, or are truncated alone, only they are read."""
import os

from harness import *
from storm_test import make_plain

# name: (partition key, its columns, bounds of the first and of the second partition, values of the first and the second, whether
# the table must be read again because its bounds cannot be told in the lake)
SCHEMES = {
    "numbers": ("range (k)", "k bigint", "from (-5) to (10)", "from (10) to (20)", ["-5", "9"], ["10", "19"], False),
    "days": ("range (k)", "k date", "from (minvalue) to ('2024-01-01')", "from ('2024-01-01') to (maxvalue)", ["'0001-01-01'", "'2023-12-31'"], ["'2024-01-01'"], False),
    "moments": ("range (k)", "k timestamptz", "from ('2024-01-01 00:00:00+03') to ('2024-01-02')", "from ('2024-01-02') to ('2024-01-03')",
                ["'2024-01-01 00:00:00+03'", "'2024-01-01 23:59:59.999999+00'"], ["'2024-01-02 00:00:00+00'"], False),
    "pairs": ("range (k, l)", "k int, l numeric(6,2)", "from (1, 0.5) to (2, minvalue)", "from (2, minvalue) to (3, 7)", ["1, 0.5", "1, 99.99"], ["2, -1", "3, 6.99"], False),
    "words": ("list (k)", "k text", "in ('it''s', 'ä, b)')", "in ('null', 'x')", ["'it''s'", "'ä, b)'"], ["'null'", "'x'"], False),
    "truths": ("list (k)", "k bool", "in (true)", "in (false)", ["true"], ["false"], False),
    "ids": ("range (k)", "k uuid", "from ('00000000-0000-0000-0000-000000000000') to ('80000000-0000-0000-0000-000000000000')",
            "from ('80000000-0000-0000-0000-000000000000') to (maxvalue)", ["'12345678-0000-0000-0000-000000000000'"], ["'f2345678-0000-0000-0000-000000000000'"], False),
    "texts": ("range (k)", "k text", "from ('a') to ('m')", "from ('m') to ('z')", ["'b'"], ["'n'"], True),
    "hashes": ("hash (k)", "k int", "with (modulus 1, remainder 0)", None, ["1", "2"], [], True),
    "computed": ("list ((k % 2))", "k int", "in (0)", "in (1)", ["4"], ["5"], True),
}
UNKEYED = {"texts", "computed"}  # a key must have every column of the bounds, and has no expressions


def create(pg, name):
    by, columns, first, second, ours, theirs, _ = SCHEMES[name]
    keys = ", ".join(c.split()[0] for c in columns.split(", "))
    pg.sql(f"create table {name} (id int, {columns}, n text{'' if name in UNKEYED else f', primary key (id, {keys})'}) partition by {by}")
    if name in UNKEYED:
        pg.sql(f"alter table {name} replica identity full")
    for part, bounds in (("one", first), ("two", second)):
        if bounds:
            pg.sql(f"create table {name}_{part} partition of {name} for values {bounds}")
            pg.sql(f"alter table {name}_{part} replica identity {'full' if name in UNKEYED else 'default'}")
    fill(pg, name, 0, ours + theirs)


def fill(pg, name, first, values):
    pg.sql("; ".join(f"insert into {name} values ({first + i}, {v}, 'row {first + i}')" for i, v in enumerate(values)))


def names():
    return [f"public.{name}" for name in SCHEMES]


def assert_all(pg, lake, said):
    assert_same_as_postgres(pg, lake, *names())
    for name, scheme in SCHEMES.items():
        assert (f"public.{name}:" in said) == scheme[-1], f"{name}\n{said}"


def once(pg, lake):
    r = tain("mirror", pg.url(), lake, "--once")
    return r.out + r.err


def test_detached_while_stopped(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        for name in SCHEMES:
            create(pg, name)
        once(pg, lake)
        for name, scheme in SCHEMES.items():
            pg.sql(f"alter table {name} detach partition {name}_one; insert into {name}_one select * from {name}_one where false")
            if scheme[3]:
                fill(pg, name, 100, scheme[5])
        assert_all(pg, lake, once(pg, lake))
        assert "loaded again" not in once(pg, lake)
        assert tain("verify", pg.url(), lake).code == 0


def test_dropped_while_following(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        for name in SCHEMES:
            create(pg, name)
        pg.sql("create table tail (id int primary key)")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            for name, scheme in SCHEMES.items():  # with rows before and behind it in the same transaction, and another in its place
                again = f"create table {name}_three partition of {name} for values {scheme[2]}; alter table {name}_three replica identity {'full' if name in UNKEYED else 'default'}"
                rows = "; ".join(f"insert into {name} values (200 + {i}, {v}, 'later')" for i, v in enumerate(scheme[4]))
                pg.sql(f"begin; insert into {name} select id + 50, {', '.join(c.split()[0] for c in scheme[1].split(', '))}, 'before' from {name}; drop table {name}_one; {again}; {rows}; commit")
            pg.sql("alter table tail add looked int")
            wait_until(lambda: "looked" in read_delta(table_folder(lake, "public.tail"))[0], 120, "a look at the catalog")
            assert m.stop() == 0, m.output()
            said = m.output()
        assert_all(pg, lake, said + once(pg, lake))


def test_levels_and_what_is_attached_again(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("""create table t (n text, region text, day date, id int, primary key (region, day, id)) partition by list (region);
                  create table t_eu (day date, id int, region text, n text, primary key (region, day, id)) partition by range (day);
                  alter table t attach partition t_eu for values in ('de', 'fr');
                  create table t_eu_1 partition of t_eu for values from ('2024-01-01') to ('2024-02-01');
                  create table t_eu_2 partition of t_eu for values from ('2024-02-01') to ('2024-03-01');
                  create table t_rest partition of t default;
                  insert into t select 'x', r, d::date, i from unnest(array['de', 'fr', 'us']) r, generate_series('2024-01-01', '2024-02-28', interval '1 day') d, generate_series(1, 5) i""")
        once(pg, lake)
        pg.sql("alter table t_eu detach partition t_eu_1")
        said = once(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        assert "public.t:" not in said, said
        pg.sql("drop table t_eu")
        said = once(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        assert "public.t:" not in said, said
        pg.sql("delete from t_eu_1 where region = 'fr'; alter table t attach partition t_eu_1 for values in ('de')")
        once(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        pg.sql("alter table t detach partition t_rest")  # the default one is what the others are not
        said = once(pg, lake)
        assert_same_as_postgres(pg, lake, "public.t")
        assert "public.t:" in said, said


# --- each partition a table --------------------------------------------------------------------------------------------

LEAVES = """create table t (n text, id int, k int, primary key (k, id)) partition by range (k);
            create table t_low partition of t for values from (0) to (100);
            create table t_high (k int not null, n text, gone int, id int not null, primary key (k, id)); alter table t_high drop gone;
            alter table t attach partition t_high for values from (100) to (200);
            create table t_sub partition of t for values from (200) to (300) partition by list (id);
            create table t_sub_one partition of t_sub for values in (1); create table t_sub_rest partition of t_sub default;
            create table "Aside" (k int not null, id int not null, n text, primary key (k, id));
            insert into "Aside" values (310, 1, 'came with it'), (311, 1, 'this one, too');
            insert into t select 'row ' || i, i % 3, i from generate_series(0, 299, 7) i"""
# statements, the partitions there are then
LEAF_CHANGES = [
    ("update t set n = n || '!' where k % 2 = 0; update t set k = k + 100 where k < 50; delete from t where k > 280", None),
    ("truncate t_low; insert into t values ('after', 1, 5)", None),
    ("begin; insert into t values ('before', 9, 120); truncate t_high; insert into t values ('then', 9, 121); commit", None),
    ("create table t_new partition of t for values from (300) to (310); insert into t values ('new', 1, 305)", {"t_new": True}),
    ('alter table t attach partition "Aside" for values from (310) to (320); insert into t values (\'behind\', 2, 312)', None),
    ("alter table t add more int default 7; insert into t (k, id, more) values (6, 6, 8), (130, 6, 8), (315, 6, 8)", None),
    ("alter table t detach partition t_low; update t_low set n = 'by itself'; insert into t_low values ('own', 77, 77, 1)", None),
    ("drop table t_high", {"t_high": False}),
    ("truncate t; insert into t values ('last', 1, 201), ('last', 2, 202), ('last', 1, 314)", None),
]


def test_each_partition_a_table(folder, version=None, triggers=True):
    lake = os.path.join(folder, "lake")
    with Postgres(folder, version=version) as pg:
        pg.sql(LEAVES)
        if not triggers:
            pg.sql("create role plain login replication in role pg_read_all_data; grant create on database shop to plain; alter schema public owner to plain;"
                   + "; ".join(f'alter table "{t}" owner to plain' for t in ("t", "t_low", "t_high", "t_sub", "t_sub_one", "t_sub_rest", "Aside")))
        url = pg.url() if triggers else pg.url("plain")
        there = {"t_low", "t_high", "t_sub_one", "t_sub_rest", "Aside"}
        with Background("mirror", url, lake, "--freshness", "50ms", "--partitions", "leaf") as m:
            for sql, news in LEAF_CHANGES:
                wait_until(lambda: {t["name"] for t in lake_status(lake)["tables"] if t["status"] == "Replicating"} >= {f"public.{t}" for t in there}
                           if lake_status(lake) else None, 60, f"{there}")
                pg.sql(sql if triggers or sql.startswith("begin") else f"set role plain; {sql}")
                there |= {t for t, come in (news or {}).items() if come}
                there -= {t for t, come in (news or {}).items() if not come}
            tables = [f"public.{t}" for t in there]
            wait_until(lambda: all_same(pg, lake, tables), 60, "all changes")
            assert m.stop() == 0, m.output()
            assert "loaded again" not in m.output(), m.output()
        assert not os.path.exists(table_folder(lake, "public.t")) and not os.path.exists(table_folder(lake, "public.t_sub"))
        assert_same_as_postgres(pg, lake, *tables)
        assert tain("verify", url, lake).code == 0
        r = tain("mirror", url, lake, "--once", "--partitions", "root", check=3)
        assert "by partition" in r.err and "another lake" in r.err, r.err
        assert "loaded again" not in tain("mirror", url, lake, "--once", check=0).err


def all_same(pg, lake, tables):
    try:
        return assert_same_as_postgres(pg, lake, *tables)
    except (AssertionError, FileNotFoundError):
        return None


def test_each_partition_a_table_without_event_triggers(folder):
    test_each_partition_a_table(folder, triggers=False)


def test_each_partition_a_table_by_an_older_server(folder):
    test_each_partition_a_table(folder, version=13)


def test_check_of_partitions(folder):
    with Postgres(folder) as pg:
        pg.sql(LEAVES)
        out = tain("check", pg.url(), "--partitions", "leaf", check=0).out
        assert "public.t_sub_one" in out and "public.t " not in out and "public.t_sub " not in out, out
        assert "it is mirrored partition by partition" in tain("check", pg.url(), "--partitions", "leaf", "--tables", "public.t", check=1).out
        pg.sql("create publication tain_p for all tables with (publish_via_partition_root = true)")
        out = tain("check", pg.url(), "--partitions", "leaf", "--name", "p", check=1).out
        assert "publish_via_partition_root = false" in out, out


PARTS = """create table t (k int, id int, n text, primary key (k, id)) partition by range (k);
           create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (20);
           insert into t select k, i, repeat('x', 20) from generate_series(0, 19) k, generate_series(1, 500) i;
           create table p (n text, id int not null, k int not null, primary key (k, id));
           create table tail (id int primary key)"""
FILL = "insert into p select 'before', i, k from generate_series(20, 29) k, generate_series(1, 300) i"
WRITES = """do $$ begin for i in 1..40 loop
              insert into t values (5, {n}0000 + i, 'new'), (15, {n}0000 + i, 'new'); update t set n = 'changed {n}' where id = i; delete from t where id = 60 + 40 * {n} + i;
              update t set k = 13, id = {n}5000 + i where k = 3 and id = 300 + 40 * {n} + i; commit;
            end loop; end $$"""
IN_PART = "insert into t select {k}, 90000 + i, 'behind' from generate_series(1, 50) i; update t set n = 'again' where k = {k} and id % 2 = 0; delete from t where k = {k} and id % 7 = 0; update t set k = 5, id = id + 100000 where k = {k} and id % 11 = 0"


def looked(pg, lake, column):
    """What looks find by now is applied."""
    pg.sql(f"alter table tail add {column} int")
    wait_until(lambda: column in read_delta(table_folder(lake, "public.tail"))[0], 120, "a look at the catalog")


def scans(pg, table):
    return int(pg.sql(f"select seq_scan from pg_stat_user_tables where relname = '{table}'"))


def prepare(pg, before, user="postgres"):
    if user != "postgres":
        make_plain(pg)
    pg.sql(PARTS, user=user)
    pg.sql(before, user=user)
    pg.sql("analyze")


def read_alone(folder, pg, before, change, k, reason, user="postgres"):
    lake = os.path.join(folder, "lake")
    prepare(pg, before, user)
    with Background("mirror", pg.url(user), lake, "--freshness", "50ms") as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        looked(pg, lake, "one")
        pg.sql(WRITES.format(n=1))
        pg.sql(change)
        pg.sql(WRITES.format(n=2))
        pg.sql(IN_PART.format(k=k))
        looked(pg, lake, "two")
        wait_until(lambda: "are read again" in m.output() or "loaded again" in m.output(), 60, "reading again")
        pg.sql(WRITES.format(n=3))
        looked(pg, lake, "three")
        wait_until(lambda: [t for t in lake_status(lake)["tables"] if t["name"] == "public.t"][0]["status"] == "Replicating", 60, "it is followed")
        assert m.stop() == 0, m.output()
        said = m.output()
    assert tain("mirror", pg.url(user), lake, "--once").code == 0
    assert_same_as_postgres(pg, lake, "public.t")
    assert tain("verify", pg.url(user), lake).code == 0
    if "attached" in reason and int(pg.sql("show server_version_num")) < 150000:
        return  # such servers do not see in a stream that partitions come: it is loaded
    assert f"public.t: {reason}; its rows are read again" in said, said
    assert "public.t: " not in said.replace(f"public.t: {reason}; its rows are read again", ""), said


def test_attached_with_rows(folder):
    with Postgres(folder) as pg:
        read_alone(folder, pg, FILL, "alter table t attach partition p for values from (20) to (30)", 25, "a partition was attached with rows in it")


def test_truncated_alone(folder):
    with Postgres(folder) as pg:
        read_alone(folder, pg, "select 1", "update t set n = 'gone' where k = 15; truncate t2", 15, "partition t2 was truncated or rewritten")


def test_read_alone_though_nothing_tells(folder):
    for i, (before, change, k, reason) in enumerate([(FILL, "alter table t attach partition p for values from (20) to (30)", 25, "a partition was attached with rows in it"),
                                                     ("select 1", "truncate t2", 15, "partition t2 was truncated or rewritten")]):
        part = os.path.join(folder, str(i))
        os.makedirs(part)
        os.chmod(part, 0o755)
        with Postgres(part) as pg:
            read_alone(part, pg, before, change, k, reason, "plain")


def test_others_are_not_read(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        if int(pg.sql("show server_version_num")) < 150000:
            return
        prepare(pg, FILL)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake), what="first epoch")
            looked(pg, lake, "one")
            then = scans(pg, "t1"), scans(pg, "t2")
            pg.sql("alter table t attach partition p for values from (20) to (30)")  # which reads p to check it
            wait_until(lambda: len(read_delta(table_folder(lake, "public.t"))[2]) == 13000, 60, "its rows")
            looked(pg, lake, "two")
            assert (scans(pg, "t1"), scans(pg, "t2")) == then, m.output()
            assert m.stop() == 0, m.output()
        assert_same_as_postgres(pg, lake, "public.t")


def test_killed_meanwhile(folder):
    for i, point in enumerate(["snapshot.begun", "snapshot.chunk", "snapshot.read", "snapshot.staged", "snapshot.replayed"]):
        part = os.path.join(folder, str(i))
        lake = os.path.join(part, "lake")
        os.makedirs(part)
        os.chmod(part, 0o755)
        with Postgres(part) as pg:
            if int(pg.sql("show server_version_num")) < 150000:
                return
            prepare(pg, FILL)
            once(pg, lake)
            with Background("mirror", pg.url(), lake, "--freshness", "50ms", env={"TAIN_FAULT": point}) as m:
                wait_until(lambda: last_epoch(lake), what="first epoch")
                pg.sql(WRITES.format(n=1))
                pg.sql("alter table t attach partition p for values from (20) to (30)")
                pg.sql(IN_PART.format(k=25))
                assert m.process.wait(60) == -signal.SIGKILL
            pg.sql(WRITES.format(n=2))
            once(pg, lake)
            assert_same_as_postgres(pg, lake, "public.t")
            assert tain("verify", pg.url(), lake).code == 0


if __name__ == "__main__":
    main(globals())
