#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SQLite files mirrored: first content, changes through the key log, oddities of its types, polling, trouble with the file."""
import os
import random
import shutil
import sqlite3
import subprocess
import sys

from harness import *


def connect(path, journal="wal"):
    c = sqlite3.connect(path, isolation_level=None)
    c.execute(f"pragma journal_mode = {journal}")
    c.execute("pragma synchronous = off")  # a test need not survive a power cut
    return c


def assert_same(c, lake, *tables):
    for t in tables:
        columns, types, rows = read_delta(table_folder(lake, "main." + t))
        quoted = ", ".join('"' + n + '"' for n in columns)
        want = [tuple(in_type(v, ty) for v, ty in zip(r, types)) for r in c.execute(f'select {quoted} from "{t}"')]
        compare_rows(want, rows, t)


def in_type(v, type_):
    """A column whose values disagree is text: numbers in SQLite's text, blobs as hex."""
    import pyarrow.types as at
    if v is not None and (at.is_string(type_) or at.is_large_string(type_) or at.is_string_view(type_)):
        return v.hex().upper() if isinstance(v, bytes) else v if isinstance(v, str) else str(v)
    return float(v) if v is not None and at.is_floating(type_) else v


def once(db, lake, *args, code=0):
    return tain("mirror", db, lake, "--once", *args, check=code)


def test_first_content_and_changes(folder):
    for journal in ("wal", "delete"):
        db, lake = os.path.join(folder, journal + ".db"), os.path.join(folder, "lake-" + journal)
        c = connect(db, journal)
        c.executescript("create table a (id integer primary key, v text, r real, b blob);"
                        "create table composite (x text not null, y int not null, z text, primary key (y, x)) without rowid;"
                        "create table keyless (v text, n int); create table u (id integer primary key, email text unique);"
                        "create table empty (id integer primary key)")
        c.executemany("insert into a values (?, ?, ?, ?)", [(i, f"row {i}", i / 3, bytes([i % 256])) for i in range(1000)])
        c.executemany("insert into composite values (?, ?, ?)", [(f"k{i}", i % 7, "z") for i in range(100)])
        c.executemany("insert into keyless values (?, ?)", [("same", 1)] * 5 + [("other", None)])
        c.execute("insert into u values (1, 'a'), (2, 'b'), (3, 'c')")
        r = once(db, lake)
        assert "trigger" in r.err, "naming a file is consent, and what is made is said: " + r.err
        assert_same(c, lake, "a", "composite", "keyless", "u", "empty")
        c.executescript("update a set v = 'new' where id % 10 = 0; delete from a where id % 7 = 0; update a set id = id + 5000 where id % 100 = 3;"
                        "insert into a values (9999, null, null, null); insert or replace into u values (9, 'a'); update or replace u set email = 'b' where id = 3;"
                        "replace into composite values ('k1', 1, 'replaced'); delete from composite where y = 5;"
                        "delete from keyless where rowid = 2; update keyless set n = 7 where rowid = 3; insert into keyless values ('same', 1);"
                        "begin; delete from a; rollback; begin; insert into empty values (1), (2); delete from empty where id = 1; commit")
        once(db, lake)
        assert_same(c, lake, "a", "composite", "keyless", "u", "empty")
        assert tain("verify", db, lake).code == 0
        c.execute("update a set v = 'not mirrored' where id = 1")
        v = tain("verify", db, lake)
        assert v.code == 1 and "not mirrored" in v.out, v


def test_types_that_disagree(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, i integer, r real, n numeric, any, d date)")
    rows = [(1, 1, 1.5, 10, b"\x00\xff", "2026-01-01"), (2, "text in an integer column", 2, "1.50", 3.25, 20260101), (3, None, None, None, None, None)]
    c.executemany("insert into t values (?, ?, ?, ?, ?, ?)", rows)
    c.executescript("create table later (id integer primary key, i integer); insert into later values (1, 1);"
                    "create table of_blobs (k int not null primary key, v text); insert into of_blobs values (x'00ff', 'a key told as text'), (x'01', null)")
    once(db, lake)
    assert_same(c, lake, "t", "later", "of_blobs")
    c.execute("update of_blobs set k = x'02' where k = x'01'")
    c.execute("insert into later values (2, 'no longer a number')")
    r = once(db, lake)
    assert_same(c, lake, "t", "later", "of_blobs")
    assert "main.later" in r.err, r


def test_shape_changes(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, v text); insert into t values (1, 'x'); create table other (id integer primary key)")
    with Background("mirror", db, lake, "--freshness", "20ms") as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        for i, ddl in enumerate(["alter table t add column a int", "alter table t add column b int not null default 5", "alter table t rename column v to w",
                                 "alter table t drop column a", "create table born (id integer primary key, v text)"]):
            c.executescript(f"insert into t (id) values ({i + 10}); {ddl}; insert into t (id) values ({i + 20}); insert into other values ({i})")
        c.execute("insert into born values (1, 'hello')")
        wait_until(lambda: os.path.exists(os.path.join(table_folder(lake, "main.born"), "_delta_log", f"{0:020d}.json")) and read_delta(table_folder(lake, "main.born"))[2] == [(1, "hello")], what="new table")
        c.execute("insert into other values (1000)")
        wait_until(lambda: (1000,) in read_delta(table_folder(lake, "main.other"))[2], what="last change")
        assert m.stop() == 0, m.output()
    once(db, lake)
    assert_same(c, lake, "t", "other", "born")


def test_renamed_tables_take_their_folders_along(folder):
    """While followed and while stopped; another table under the old name; names exchanged in one transaction."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, v text); insert into t values (1, 'x'); create table u (id integer primary key, v text);"
                    "insert into u values (1, 'u'); create table bare (a int, b text); insert into bare values (1, 'b'); create table other (id integer primary key)")

    def inode(name):
        path = os.path.join(table_folder(lake, "main." + name), "_delta_log")
        return os.stat(path).st_ino if os.path.exists(path) else None

    def last(n):
        c.execute("insert into other values (?)", (n,))
        wait_until(lambda: (n,) in read_delta(table_folder(lake, "main.other"))[2], what="last change")

    with Background("mirror", db, lake, "--freshness", "20ms") as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        was = {n: inode(n) for n in ("t", "u", "bare")}
        c.executescript("insert into t values (2, 'before'); alter table t rename to moved; insert into moved values (3, 'after'); alter table bare rename to bald;"
                        "insert into bald values (2, 'c')")
        last(1)
        wait_until(lambda: (inode("moved"), inode("bald"), inode("t"), inode("bare")) == (was["t"], was["bare"], None, None), what="folders to move")
        c.executescript("create table t (k text primary key not null); insert into t values ('another')")
        last(2)
        c.executescript("begin; alter table moved rename to x; alter table u rename to moved; alter table x rename to u; insert into u values (4, 'exchanged'); commit")
        last(3)
        wait_until(lambda: (inode("u"), inode("moved")) == (was["t"], was["u"]), what="folders to be exchanged")
        assert m.stop() == 0 and "loaded again" not in m.output(), m.output()
    assert_same(c, lake, "t", "u", "moved", "bald", "other")
    assert not os.path.exists(table_folder(lake, "main.bare"))
    c.executescript("alter table u rename to again; create table u (z int primary key not null); insert into u values (26); insert into again values (5, 'stopped')")
    r = once(db, lake)
    assert inode("again") == was["t"] and "loaded again" not in r.err, r
    assert_same(c, lake, "t", "u", "again", "moved", "bald", "other")
    c.executescript("begin; alter table again rename to x; alter table moved rename to again; alter table x rename to moved; commit; insert into moved values (6, 'v')")
    r = once(db, lake)
    assert (inode("moved"), inode("again")) == (was["t"], was["u"]) and "loaded again" not in r.err, r
    assert_same(c, lake, "t", "u", "again", "moved", "bald", "other")
    tain("verify", db, lake, check=0)


def test_poll_capture_writes_nothing(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, v text); insert into t values (1, 'x'), (2, 'y')")
    before = c.execute("select type, name, sql from sqlite_master order by 2").fetchall()
    with Background("mirror", db, lake, "--capture=poll", "--freshness", "50ms") as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        c.executescript("update t set v = 'z' where id = 1; delete from t where id = 2; insert into t values (3, 'w')")
        wait_until(lambda: sorted(read_delta(table_folder(lake, "main.t"))[2]) == [(1, "z"), (3, "w")], what="changes")
        assert m.stop() == 0, m.output()
    assert c.execute("select type, name, sql from sqlite_master order by 2").fetchall() == before


def test_poll_capture_is_remembered_beside_the_lake(folder):
    """What columns have held is known to verify as well; and --remove leaves nothing of it."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, n int); insert into t values (1, 'text')")
    once(db, lake, "--capture=poll")
    c.execute("update t set n = 3")
    once(db, lake)
    assert_same(c, lake, "t")
    tain("verify", db, lake, check=0)
    kept = lambda: [n for _, _, names in os.walk(lake) for n in names if ".shadow" in n]
    assert kept(), "nothing was remembered"
    tain("mirror", db, lake, "--remove", check=0)
    assert not kept(), kept()


def test_columns_changed_while_stopped(folder):
    """Loaded again once, not at every start."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, a text, b text); insert into t values (1, 'a', 'b')")
    once(db, lake)
    for change in ("alter table t drop column b", "alter table t add column b text default 'c'", "alter table t drop column b; alter table t add column b text default 'c'"):
        c.executescript(change)
        once(db, lake)
        assert_same(c, lake, "t")
    for i in range(2):
        assert "loaded again" not in once(db, lake).err
    assert_same(c, lake, "t")


def test_dropped_columns_that_are_kept(folder):
    """Dropped while followed, while stopped, and before the mirror could say so."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    shown = lambda name: (lambda columns, _, rows: (columns, sorted(rows)))(*read_delta(table_folder(lake, name)))
    c = connect(db)
    c.executescript("create table t (id integer primary key, n int, c text, d real); insert into t values (1, 5, 'one', 1.5), (2, 6, 'two', 2.5), (3, 7, 'three', 3.5);"
                    "create table other (id integer primary key, c text); insert into other values (1, 'a')")
    once(db, lake)
    set_policies(lake, {"dropped_column": "keep", "columns": {"main.other.c": {"dropped_column": "drop"}}})
    c.executescript("alter table t drop column c")
    for fault in ("epoch.before_write", "epoch.table_committed", "epoch.recorded"):
        tain("mirror", db, lake, "--once", env={"TAIN_FAULT": fault})
    once(db, lake)
    assert shown("main.t") == (["id", "n", "d", "c"], [(1, 5, 1.5, "one"), (2, 6, 2.5, "two"), (3, 7, 3.5, "three")]), shown("main.t")
    with Background("mirror", db, lake, "--freshness", "20ms") as m:
        wait_until(lambda: (lake_status(lake) or {}).get("status") == "Running", what="running")
        c.executescript("alter table t drop column n; update t set d = 9 where id = 2")
        wait_until(lambda: (2, 9.0, None, None) in shown("main.t")[1], what="the first drop")
        c.executescript("alter table t add column c text; insert into t values (4, 4.5, 'new')")
        wait_until(lambda: len(shown("main.t")[1]) == 4, what="another column of that name")
        c.executescript("alter table other drop column c; insert into other values (2)")
        wait_until(lambda: shown("main.other") == (["id"], [(1,), (2,)]), what="the second drop")
        assert m.stop() == 0, m.output()
        assert "loaded again" not in m.output(), m.output()
    rows = [(1, 1.5, None, "one", 5), (2, 9.0, None, None, None), (3, 3.5, None, "three", 7), (4, 4.5, "new", None, None)]
    assert shown("main.t") == (["id", "d", "c", "c_dropped", "n"], sorted(rows)), shown("main.t")
    tain("verify", db, lake, check=0)
    c.executescript("alter table t drop column d; alter table t rename column c to d")  # whose name is whose is not known
    assert "loaded again" in once(db, lake).err
    assert shown("main.t")[0][:2] == ["id", "d"], shown("main.t")
    assert [r[:2] for r in shown("main.t")[1]] == [(1, None), (2, None), (3, None), (4, "new")], shown("main.t")
    tain("verify", db, lake, check=0)


def test_remove_takes_everything_back(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, e text unique); insert into t values (1, 'x')")
    before = c.execute("select type, name, sql from sqlite_master order by 2").fetchall()
    once(db, lake)
    assert c.execute("select type, name, sql from sqlite_master order by 2").fetchall() != before
    tain("mirror", db, lake, "--remove", check=0)
    assert c.execute("select type, name, sql from sqlite_master order by 2").fetchall() == before
    tain("mirror", db, lake, "--remove", check=0)


def test_file_restored_to_an_older_state(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db, "delete")
    c.executescript("create table t (id integer primary key, v text); insert into t values (1, 'x')")
    once(db, lake)
    c.close()
    shutil.copy(db, db + ".old")
    c = connect(db, "delete")
    c.execute("insert into t values (2, 'y')")
    once(db, lake)
    c.close()
    shutil.copy(db + ".old", db)
    r = once(db, lake, code=3)
    assert "--resync" in r.err, r
    once(db, lake, "--resync")
    c = connect(db, "delete")
    assert_same(c, lake, "t")


def test_writers_are_not_held_up(folder):
    """A writer that never waits for a lock works beside the mirror."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.execute("pragma busy_timeout = 500")
    c.execute("create table t (id integer primary key, v text)")
    with Background("mirror", db, lake, "--freshness", "10ms") as m:
        wait_until(lambda: last_epoch(lake), what="first epoch")
        for i in range(2000):
            c.execute("insert into t values (?, ?)", (i, "x" * 50))
            if i % 3 == 0:
                c.execute("update t set v = 'y' where id = ?", (i // 2,))
        wait_until(lambda: len(read_delta(table_folder(lake, "main.t"))[2]) == 2000, what="all rows")
        assert m.stop() == 0, m.output()
    assert_same(c, lake, "t")


WRITER = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
c.execute("pragma synchronous = off")
waits, i, end = [], 0, None
while True:
    begin, i = time.monotonic(), i + 1
    statements = ["begin immediate", "insert into small values (null, 'x')", f"update big set n = n + 1 where id = {i * 7919 % 500000}", "commit"]
    while statements:
        try:
            c.execute(statements[0])
            statements.pop(0)
        except sqlite3.OperationalError as e:
            if "locked" not in str(e):
                raise
            time.sleep(0.0005)
    waits.append(time.monotonic() - begin)
    if sys.stdin in __import__("select").select([sys.stdin], [], [], 0.002)[0]:
        break
print(len(waits), max(waits), sorted(waits)[len(waits) * 999 // 1000])
"""


class Writer:
    """Commits small transactions all the time, in a process of its own; a locked file is tried again at once."""

    def __init__(self, db):
        self.process = subprocess.Popen([sys.executable, "-c", WRITER, db], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """The number of its transactions, the longest and the 999th of 1,000, in seconds."""
        n, longest, most = self.process.communicate("stop\n", timeout=60)[0].split()
        return int(n), float(longest), float(most)


def test_writers_wait_for_one_short_transaction(folder):
    """While a large table is loaded, and a large change is followed, with either journal: as without tain, and a little."""
    for journal in ("delete", "wal"):
        for i in range(3):  # a busy machine may stop anybody for a moment, but not each time
            within = writers_wait_little(os.path.join(folder, f"{journal}{i}"), journal)
            if within:
                break
        assert within, journal


def writers_wait_little(folder, journal):
    os.makedirs(folder)
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db, journal)
    c.execute("pragma busy_timeout = 20000")
    c.executescript("create table big (id integer primary key, n int, v text); create table small (id integer primary key, v text);"
                    "with recursive i(x) as (select 1 union all select x + 1 from i where x < 500000) insert into big select x, x, hex(randomblob(30)) from i")
    alone = Writer(db)
    time.sleep(3)  # the time that is measured
    alone = alone.stop()
    beside = Writer(db)
    with Background("mirror", db, lake, "--freshness", "50ms") as m:
        wait_until(lambda: last_epoch(lake), 120, "load")
        loading = beside.stop()
        c.execute("update big set v = 'changed at once' where id <= 150000")
        beside = Writer(db)
        c.execute("insert into small values (1000000000, 'last')")
        wait_until(lambda: (1000000000, "last") in read_delta(table_folder(lake, "main.small"))[2], 120, "the large change")
        following = beside.stop()
        assert m.stop() == 0, m.output()
    print(f"{journal}: transactions, longest, 999th of 1,000: alone {alone}, loading {loading}, following {following}")
    once(db, lake)
    assert_same(c, lake, "big", "small")
    assert min(loading[0], following[0]) > 10
    return max(loading[1], following[1]) <= alone[1] + 0.1


def test_query_status_and_table_commands(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key, v text, r real); insert into t values (1, 'x', 0.5), (2, null, 2)")
    once(db, lake)
    for i in range(12):
        c.execute("insert into t values (?, 'more', 1)", (100 + i,))
        c.execute("delete from t where id = ?", (100 + i - 2,))
        once(db, lake)
    rows = json.loads(tain("query", lake, "select id, v, r from main.t where id < 10 order by id", "--format", "json", check=0).out)
    assert rows == [{"id": 1, "v": "x", "r": 0.5}, {"id": 2, "v": None, "r": 2.0}], rows
    assert tain("query", lake, "select count(*) as n from t", "--format", "csv", check=0).out == "n\n4\n"
    nested = "select [1.50::decimal(9,2), null] as l, {'a': ['x', null], 'b': 'nan'::double} as s, map {'k': true} as m, 'it''s' as v"
    rows = json.loads(tain("query", lake, nested, "--json", check=0).out)
    assert rows == [{"l": [1.5, None], "s": {"a": ["x", None], "b": "nan"}, "m": {"k": True}, "v": "it's"}], rows
    assert tain("query", lake, nested, "--format", "csv", check=0).out == "l,s,m,v\n\"[1.50, NULL]\",\"{'a': [x, NULL], 'b': nan}\",{k=true},it's\n"
    r = tain("query", lake, "select nonsense from main.t")
    assert r.code == 3 and "nonsense" in r.err, r
    status = lake_status(lake)
    assert status["tables"][0]["name"] == "main.t" and status["tables"][0]["rows_replicated"] == 4, status
    t = table_folder(lake, "main.t")
    history = json.loads(tain("table", "history", t, "--json", check=0).out)
    assert [h["version"] for h in history] == list(range(history[0]["version"], -1, -1))[:len(history)], history
    tain("table", "optimize", t, check=0)
    from deltalake import DeltaTable
    assert len(DeltaTable(t).file_uris()) == 1
    assert_same(c, lake, "t")
    tain("table", "vacuum", t, "--dry-run", check=0)
    once(db, lake)
    c.execute("update t set v = 'after' where id = 1")
    once(db, lake)
    assert_same(c, lake, "t")


def test_selection_given_later(folder):
    """What is given counts from then on; what is not given stays as it was."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table a (id integer primary key); create table b (id integer primary key); create table c (id integer primary key)")

    def stored():
        d = json.load(open(os.path.join(lake, "mirroring.json")))["properties"]["tain"]
        return d["tables"], d["exclude"]

    def states():
        return {t["name"]: t["status"] for t in lake_status(lake)["tables"]}

    once(db, lake, "--tables", "main.a,main.b")
    assert states() == {"main.a": "Replicating", "main.b": "Replicating"}, states()
    r = once(db, lake, "--exclude", "b")
    assert "main.b is not mirrored any more: the table is not selected" in r.err, r
    assert stored() == (["main.a", "main.b"], ["b"]) and states()["main.b"] == "Stopped", (stored(), states())
    c.executescript("insert into a values (1); insert into b values (1); insert into c values (1)")
    r = once(db, lake)
    assert states() == {"main.a": "Replicating", "main.b": "Stopped"} and "any more" not in r.err, (states(), r)
    assert_same(c, lake, "a")
    assert read_delta(table_folder(lake, "main.b"))[2] == []
    r = once(db, lake, "--tables", "*", "--exclude", "")
    assert stored() == (["*"], []) and set(states().values()) == {"Replicating"} and len(states()) == 3, (stored(), states())
    assert_same(c, lake, "a", "b", "c")
    r = once(db, lake, "--tables", "ordres", code=3)
    assert "no table would be mirrored" in r.err and stored() == (["*"], []), r
    once(db, lake, "--tables", "")
    assert stored() == ([], []) and len(states()) == 3, (stored(), states())
    tain("verify", db, lake, "--tables", "main.a", check=0)
    assert stored() == ([], [])


def test_globs_that_match_nothing_are_named(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    connect(db).execute("create table a (id integer primary key)")
    said = "no table of the source matches --tables main.ordres, --exclude secrets, 'x*'"
    r = tain("check", db, "--tables", "a,main.ordres", "--exclude", "secrets,x*", check=0)
    assert said in " ".join(r.out.split()), r
    assert said in once(db, lake, "--tables", "a,main.ordres", "--exclude", "secrets,x*").err
    assert "no table of the source matches" not in once(db, lake, "--tables", "a", "--exclude", "").err


def test_capture_given_later(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key); insert into t values (1)")
    once(db, lake, "--capture", "poll")
    assert c.execute("select count(*) from sqlite_master").fetchone() == (1,)
    c.execute("insert into t values (2)")
    once(db, lake, "--capture", "log", "--resync")
    assert c.execute("select count(*) from sqlite_master where type = 'trigger'").fetchone() != (0,), "--capture log was ignored"
    c.execute("insert into t values (3)")
    once(db, lake)
    assert_same(c, lake, "t")
    c.execute("insert into t values (4)")
    r = once(db, lake, "--capture", "poll", "--resync")
    assert "removed" in r.err and c.execute("select name from sqlite_master").fetchall() == [("t",)], (r, c.execute("select name from sqlite_master").fetchall())
    c.execute("insert into t values (5)")
    assert "removed" not in once(db, lake).err
    assert_same(c, lake, "t")


def test_capture_by_comparison_leaves_what_it_cannot_remove(folder):
    """A file that another one keeps locked: what the log left stays until the next start, and that is told."""
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table t (id integer primary key); insert into t values (1)")
    once(db, lake)
    c.executescript("begin immediate; insert into t values (2)")
    r = once(db, lake, "--capture", "poll", "--resync")
    assert "stay" in r.err and "--remove" in r.err, r
    c.execute("commit")
    assert "removed" in once(db, lake).err
    assert_same(c, lake, "t")
    assert c.execute("select name from sqlite_master").fetchall() == [("t",)]


def test_odd_names(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript('create table "odd name; {x}=1" ("id" integer primary key, "a b" text, "x,y" int, "é" text); insert into "odd name; {x}=1" values (1, \'v\', 2, \'w\')')
    once(db, lake)
    c.execute('update "odd name; {x}=1" set "a b" = \'changed\'')
    once(db, lake)
    assert_same(c, lake, "odd name; {x}=1")
    assert tain("verify", db, lake).code == 0
    assert json.loads(tain("query", lake, 'select * from main."odd name; {x}=1"', "--json", check=0).out) == [{"id": 1, "a b": "changed", "x,y": 2, "é": "w"}]


NAMES = ["a", "b", "k2", "u", "n1", "n2"]
SHAPES = ["(id integer primary key, v text, w int)", "(k text, v)", "(x text not null, y int not null, z text, primary key (x, y)) without rowid",
          "(id integer primary key, e text unique, n int default 0)"]
VALUES = ["1", "2", "'x'", "'long' || hex(randomblob(9))", "null", "3.5", "x'00ff'", "7"]


class Storm:
    """Random statements of every kind, each a transaction; what SQLite refuses does not matter."""

    def __init__(self, c, seed):
        self.c, self.random, self.said = c, random.Random(seed), []
        for name, shape in zip(NAMES, SHAPES):
            self.run(f"create table {name}{shape}")

    def run(self, sql):
        self.said.append(sql)
        try:
            self.c.execute(sql)
        except sqlite3.Error as e:
            self.said.append(f"   -- {e}")

    def tables(self):
        return [r[0] for r in self.c.execute("select name from sqlite_master where type = 'table' and name not like '\\_\\_tain%' escape '\\'")]

    def columns(self, table):
        return [(r[1], r[2]) for r in self.c.execute(f"pragma table_info({table})")]

    def create(self):
        name = self.random.choice(NAMES)
        self.run(f"drop table if exists {name}")
        self.run(f"create table {name}{self.random.choice(SHAPES)}")

    def readd(self, table):
        name, type_ = self.columns(table)[-1]
        self.run(f"alter table {table} drop column {name}")
        self.run(f"alter table {table} add column {name} {type_}")

    def steps(self, count):
        """At the end there is a table at least: there is nothing to compare else."""
        for _ in range(count):
            self.step()
        while not self.tables():
            self.create()

    def alter(self, table):
        pick, column = self.random.choice, self.random.choice(self.columns(table))[0]
        self.run(pick([f"alter table {table} rename to {pick(NAMES)}", f"alter table {table} drop column {column}", f"drop table {table}", "vacuum",
                       f"alter table {table} add column c{pick('123')} {pick(['int', 'text', '', 'int default 5'])}",
                       f"alter table {table} rename column {column} to r{pick('123')}", f"drop index if exists i{pick('123')}",
                       f"create unique index if not exists i{pick('123')} on {table}({column})"]))

    def insert(self, table):
        columns = [n for n, _ in self.columns(table)]
        values = [str(self.random.randint(1, 40)) if n == "id" else self.random.choice(VALUES) for n in columns]
        self.run(f"insert or {self.random.choice(['ignore', 'replace'])} into {table}({', '.join(columns)}) values ({', '.join(values)})")

    def change(self, table):
        name, _ = self.random.choice(self.columns(table))
        self.run(f"update or {self.random.choice(['ignore', 'replace'])} {table} set {name} = {self.random.choice(VALUES)} where abs(random()) % 3 = 0")

    def step(self):
        if not self.tables():
            return self.create()
        table, kind = self.random.choice(self.tables()), self.random.random()
        if kind < 0.04:
            self.create()
        elif kind < 0.06:
            self.readd(table)
        elif kind < 0.2:
            self.alter(table)
        elif kind < 0.65:
            self.insert(table)
        elif kind < 0.9:
            self.change(table)
        else:
            self.run(f"delete from {table} where abs(random()) % 4 = 0")


def blow(folder, journal, seed, rounds):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db, journal)
    c.execute("pragma busy_timeout = 20000")
    storm = Storm(c, seed)
    try:
        for i in range(rounds):
            with Background("mirror", db, lake, "--freshness", "20ms") as m:
                wait_until(lambda: "Running" in m.output() or m.process.poll() is not None, what="start")
                storm.steps(150)
                assert m.process.poll() is None, m.output()
                wait_until(lambda: tain("verify", db, lake).code == 0, 60, what="equal while it runs")
                m.stop(storm.random.choice([signal.SIGKILL, signal.SIGINT]))
            storm.steps(storm.random.randint(0, 6))
            once(db, lake)
            tain("verify", db, lake, check=0)
    except AssertionError:
        print(tain("verify", db, lake), tain("status", lake).out, *storm.said[-170:], sep="\n")
        raise


def test_any_change_of_schema_and_kills(folder):
    """SEED repeats it, as far as two processes do the same twice."""
    seed = int(os.environ.get("SEED", time.time()))
    print("seed", seed)
    for journal in ("wal", "delete"):
        sub = os.path.join(folder, journal)
        os.makedirs(sub)
        blow(sub, journal, seed, 2)


def test_demo(folder):
    r = tain("demo", os.path.join(folder, "demo"), check=0, timeout=60)
    assert "equal" in r.out and "revenue" in r.out, r
    tain("demo", os.path.join(folder, "demo"), "--seconds", "1", check=0, timeout=60)


def test_tables_as_of_an_epoch(folder):
    db, lake = os.path.join(folder, "t.db"), os.path.join(folder, "lake")
    c = connect(db)
    c.executescript("create table a (id integer primary key, n int); create table b (id integer primary key, n int); insert into a values (1, 100), (2, 0); insert into b values (1, 0)")
    once(db, lake)
    sums, began = {last_epoch(lake)["epoch"]: (100, 0)}, last_epoch(lake)["committed_at"]
    for i in range(1, 30):
        if i % 3:  # b is not in every epoch
            c.executescript(f"begin; update a set n = n - 1 where id = 1; update b set n = n + 1; {'insert into b values (77, 0);' if i == 10 else ''} commit")
        else:
            c.execute("update a set n = n + 1 where id = 2")
        once(db, lake)
        sums[last_epoch(lake)["epoch"]] = (c.execute("select sum(n) from a").fetchone()[0], c.execute("select sum(n) from b").fetchone()[0])
    assert len(sums) == 30
    for n, expected in sums.items():
        out = tain("query", lake, "select (select sum(n) from a), (select sum(n) from b)", "--as-of", n, "--format", "csv", check=0).out
        assert out.splitlines()[1] == ",".join(map(str, expected)), (n, out, expected)
    c.execute("create table late (id integer primary key)")
    once(db, lake)
    assert tain("query", lake, "select * from late", "--as-of", last_epoch(lake)["epoch"], check=0)
    assert "late" in tain("query", lake, "select * from late", "--as-of", max(sums), check=3).err
    at = tain("query", lake, "select sum(n) from a", "--as-of", "2999-01-01", "--format", "csv", check=0).out
    assert at.splitlines()[1] == str(sums[max(sums)][0])
    r = tain("query", lake, "select 1", "--as-of", "2001-01-01 12:00", check=3)
    assert began in r.err and "remedy" in r.err, r.err
    assert "neither" in tain("query", lake, "select 1", "--as-of", "yesterday", check=3).err
    assert "no epoch 100000" in tain("query", lake, "select 1", "--as-of", "100000", check=3).err


if __name__ == "__main__":
    main(globals())
