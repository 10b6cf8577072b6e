#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory does not grow with rows, tables, transactions or values times rows: the peak of a mirror is what an empty one takes, the budget, and
about three times the largest value. The peak is that of anonymous memory, looked at all the time; VmHWM, which misses nothing but
counts mapped files too, is shown beside it."""
import os
import sqlite3
import subprocess
import time

from harness import *

BUDGET = 64 << 20
FIXED = 24 << 20  # pages being read and written, whatever the budget


class Peak:
    """Runs `tain mirror --once` and tells the most memory that it had."""

    def __init__(self, source, lake, *options):
        self.source, self.lake, self.options = source, lake, options

    def run(self):
        p = subprocess.Popen([TAIN, "mirror", self.source, self.lake, "--once", "--memory", "64MiB", *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        peak = self.high_water = 0
        while p.poll() is None:
            anonymous, high_water = self.look(p.pid)
            peak, self.high_water = max(peak, anonymous), max(self.high_water, high_water)
            time.sleep(0.001)
        err = p.stderr.read().decode(errors="replace")
        assert p.returncode == 0, f"exit {p.returncode}: {err[-2000:]}"
        return peak

    @staticmethod
    def look(pid):
        try:
            values = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
            return tuple(int(values[name].split()[0]) * 1024 for name in ("RssAnon", "VmHWM"))
        except (OSError, KeyError):
            return 0, 0

    def base(self):
        """Of a mirror that has next to nothing to do, and what is fixed."""
        self.empty = self.run() + FIXED
        return self

    def assert_bounded(self, what, largest):
        peak = self.run()
        bound = self.empty + BUDGET + 3 * largest
        print(f"        {what}: {peak >> 20} MiB of {bound >> 20} (VmHWM {self.high_water >> 20})", flush=True)
        assert peak <= bound, f"{what}: {peak >> 20} MiB, more than {self.empty >> 20} + {BUDGET >> 20} + 3 * {largest >> 20} MiB"


def lake_answer(lake, table, sql):
    from deltalake import DeltaTable, QueryBuilder
    import pyarrow as pa
    result = QueryBuilder().register("t", DeltaTable(table_folder(lake, table))).execute(sql)
    rows = pa.table(result.read_all()) if hasattr(result, "read_all") else pa.Table.from_batches(result)
    return sorted(zip(*[c.to_pylist() for c in rows.columns]))


def assert_same(pg, lake, columns="id, n, md5(b)"):
    """Compared by checksums: the values are too large to be held twice."""
    want = sorted(tuple(r.split("|")) for r in pg.sql(f"select {columns} from public.lob").splitlines())
    got = sorted(tuple("" if v is None else str(v) for v in r) for r in lake_answer(lake, "public.lob", f"select {columns} from t"))
    assert len(want) > 0 and want == got, f"{len(want)} rows in the source, {len(got)} in the lake; {sorted(set(want) ^ set(got))[:3]}"


def lob(pg, kind="text"):
    pg.sql(f"create table lob (id int primary key, b {kind}, n int); alter table lob alter b set storage external")


def test_values_that_did_not_change(folder):
    mb2 = "repeat(md5(i::text), 62500)"
    with Postgres(folder) as pg:
        lob(pg)
        p = Peak(pg.url(), os.path.join(folder, "lake")).base()
        pg.sql(f"insert into lob select i, {mb2}, 0 from generate_series(1, 240) i")
        p.assert_bounded("240 new rows of 2 MB", 2 << 20)
        pg.sql("update lob set n = 1")
        p.assert_bounded("240 updates in one transaction", 2 << 20)
        pg.sql("do $$ begin for i in 1..240 loop update lob set n = n + 1 where id = i; commit; end loop; end $$")
        p.assert_bounded("240 updates in 240 transactions", 2 << 20)
        pg.sql("update lob set n = n + 1; update lob set id = -id where id % 3 = 0; insert into lob values (1000, 'short', 1); "
               "update lob set b = b || 'x' where id % 5 = 0; update lob set n = -n where id % 5 = 0; delete from lob where id = 7")
        p.assert_bounded("a mixture", 2 << 20)
        assert_same(pg, p.lake)


def test_many_rows_of_some_kilobytes(folder):
    with Postgres(folder) as pg:
        lob(pg)
        p = Peak(pg.url(), os.path.join(folder, "lake")).base()
        pg.sql("insert into lob select i, repeat(md5(i::text), 313), 0 from generate_series(1, 30000) i")
        p.assert_bounded("30,000 rows of 10 kB", 10000)
        pg.sql("update lob set n = id")
        p.assert_bounded("their update", 10000)
        assert_same(pg, p.lake)


def test_one_large_value(folder):
    with Postgres(folder) as pg:
        lob(pg, "bytea")
        p = Peak(pg.url(), os.path.join(folder, "lake")).base()
        pg.sql("insert into lob values (1, (select decode(string_agg(md5(i::text), ''), 'hex') from generate_series(1, 2000000) i), 0)")
        p.assert_bounded("one value of 32 MB", 32 << 20)
        pg.sql("update lob set n = 1")
        p.assert_bounded("an update beside it", 32 << 20)
        pg.sql("insert into lob select i, b, 0 from lob, generate_series(2, 4) i where id = 1")
        p.assert_bounded("three more in one transaction", 32 << 20)
        again = Peak(pg.url(), os.path.join(folder, "again"))
        again.empty = p.empty
        pg.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
        again.assert_bounded("a snapshot of four", 32 << 20)
        assert_same(pg, p.lake)
        assert_same(pg, again.lake)


def test_a_million_rows_in_one_transaction(folder):
    with Postgres(folder) as pg:
        lob(pg)
        p = Peak(pg.url(), os.path.join(folder, "lake")).base()
        pg.sql("insert into lob select i, 'row ' || i, 0 from generate_series(1, 1000000) i")
        p.assert_bounded("a million inserts", 0)
        pg.sql("update lob set n = id % 10")
        p.assert_bounded("a million updates", 0)
        pg.sql("delete from lob where id % 2 = 0")
        p.assert_bounded("half a million deletions", 0)
        want = pg.sql("select count(*), sum(n), sum(id) from lob")
        got = lake_answer(p.lake, "public.lob", "select count(*), sum(n), sum(id) from t")[0]
        assert want == "|".join(map(str, got)), (want, got)


def test_many_tables(folder):
    """What their key indexes gather in memory is bounded for all together: they are loaded, and then every row of each is updated."""
    names = [f"t{i}" for i in range(80)]
    with Postgres(folder) as pg:
        lob(pg)
        p = Peak(pg.url(), os.path.join(folder, "lake")).base()
        for name in names:
            pg.sql(f"create table {name} (id int primary key, n int); insert into {name} select i, 0 from generate_series(1, 40000) i")
        p.assert_bounded("80 new tables of 40,000 rows", 0)
        for name in names:
            pg.sql(f"update {name} set n = id")
        p.assert_bounded("an update of all", 0)
        assert_same_as_postgres(pg, p.lake, *(f"public.{name}" for name in names[::20]))


def with_histories(pg, folder):
    """Of lob and of loose, which has no key."""
    lob(pg)
    pg.sql("create table loose (a int, b text); alter table loose replica identity full")
    return Peak(pg.url(), os.path.join(folder, "lake"), "--history").base()


def assert_forgotten(pg, lake, condition="true"):
    """A version of each row that there is, and no other."""
    for name in ("lob", "loose"):
        versions = lake_answer(lake, f"public.{name}__history", f"select count(*) from t where {condition}")
        assert versions == [(int(pg.sql(f"select count(*) from {name}")),)], (name, versions)


def test_histories(folder):
    """Every version is written beside the table, and forgotten again, within the same bound."""
    with Postgres(folder) as pg:
        p = with_histories(pg, folder)
        pg.sql("insert into lob select i, 'row ' || i, 0 from generate_series(1, 500000) i; insert into loose select i % 1000, 'row ' || i % 5000 from generate_series(1, 150000) i")
        p.assert_bounded("half a million inserts and more", 0)
        pg.sql("update lob set n = id % 10; update loose set a = a + 1")
        p.assert_bounded("their update", 0)
        pg.sql("delete from lob where id % 2 = 0; delete from loose where a % 3 = 0")
        p.assert_bounded("deletions of half of them", 0)
        pg.sql("insert into lob select -i, repeat(md5(i::text), 62500), 0 from generate_series(1, 50) i")
        p.assert_bounded("50 new rows of 2 MB", 2 << 20)
        pg.sql("update lob set n = n + 1 where id < 0; update lob set id = id - 1000 where id < -25")
        p.assert_bounded("their update, and another key", 2 << 20)
        again = Peak(pg.url(), p.lake, "--resync")
        again.empty = p.empty
        again.assert_bounded("a reload", 2 << 20)
        assert_same(pg, p.lake)
        forgets = Peak(pg.url(), p.lake, "--history-retention", "0s")
        forgets.empty = p.empty
        forgets.assert_bounded("all but the present forgotten", 2 << 20)
        assert_forgotten(pg, p.lake, "__tain_operation not in ('reload', 'truncate')")


def test_forgetting_what_was_never_loaded_anew(folder):
    """Without a reload that makes it void at once: each key, and each row of a table without one, is looked for."""
    with Postgres(folder) as pg:
        p = with_histories(pg, folder)
        pg.sql("insert into lob select i, 'row ' || i, 0 from generate_series(1, 800000) i; insert into loose select i, 'row ' || i from generate_series(1, 400000) i")
        p.assert_bounded("new rows", 0)
        pg.sql("update lob set n = 1; delete from lob where id % 3 = 0; delete from loose where a % 2 = 0")
        p.assert_bounded("changes of them", 0)
        p.options = ("--history-retention", "0s")
        p.assert_bounded("forgetting", 0)
        assert_forgotten(pg, p.lake)


def test_sqlite(folder):
    path = os.path.join(folder, "a.db")
    db = sqlite3.connect(path)
    db.execute("create table lob (id integer primary key, b blob, n int)")
    p = Peak(path, os.path.join(folder, "lake")).base()
    db.executemany("insert into lob values (?, ?, 0)", ((i, os.urandom(4 << 20)) for i in range(60)))
    db.commit()
    p.assert_bounded("60 blobs of 4 MB", 4 << 20)
    db.execute("insert into lob values (100, ?, 0)", (os.urandom(32 << 20),))
    db.commit()
    p.assert_bounded("one of 32 MB", 32 << 20)
    db.execute("update lob set n = 1")
    db.commit()
    p.assert_bounded("an update of all", 32 << 20)
    again = Peak(path, os.path.join(folder, "again"))
    again.empty = p.empty
    again.assert_bounded("a load of all", 32 << 20)
    for lake in (p.lake, again.lake):
        got = lake_answer(lake, "main.lob", "select id, n, md5(b) from t")
        import hashlib
        assert got == sorted((i, n, hashlib.md5(b).hexdigest()) for i, b, n in db.execute("select id, b, n from lob")), lake


if __name__ == "__main__":
    main(globals())
