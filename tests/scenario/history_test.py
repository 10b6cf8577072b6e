#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tain mirror --history and tain replay: what the source had at any moment comes back, every change is there once, also
when the mirror was killed at every point. SEED repeats a run."""
import collections
import csv
import io
import os
import random
import re
import signal
import sqlite3

import storm_test
from harness import *

SEED = int(os.environ.get("SEED") or 41)
POINTS = re.findall(r'TAIN_FAULT_POINT\(\w+,\s*"([^"]+)"\)', open(os.path.join(ROOT, "src/base/fault.def")).read())
TABLES = ("public.t", "public.loose", "public.pair")


def replayed(lake, when, folder):
    """Tables as of then, read by delta-rs: name -> (columns, rows)."""
    to = os.path.join(folder, "then-" + re.sub(r"\W", "-", str(when)))
    told = json.loads(tain("replay", lake, "--as-of", when, "--to", to, "--json", check=0).out)
    assert told["folder"] == to
    state = {}
    for t in told["tables"]:
        columns, _, rows = read_delta(table_folder(to, t["name"]))
        assert len(rows) == t["rows"], t
        state[t["name"]] = (columns, rows)
    shutil.rmtree(to)
    return state


def as_texts(rows):
    return collections.Counter(tuple(None if v is None else str(v) for v in r) for r in rows)


def history_rows(lake, name):
    columns, _, rows = read_delta(table_folder(lake, name + "__history"))
    return [dict(zip(columns, r)) for r in rows]


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


class Source:
    """What is done to a PostgreSQL source, and what it had after each transaction."""

    def __init__(self, pg, rng):
        self.pg, self.rng, self.states, self.next = pg, rng, [], 1000
        pg.sql("create table t (id bigint primary key, n int, v text, big text); alter table t alter big set storage external;"
               "create table loose (a int, b text); alter table loose replica identity full;"
               "create table pair (x int, y text, n numeric(10,2), primary key (x, y))")
        pg.sql("insert into t select i, i, 'v' || i, repeat(md5(i::text), 120) from generate_series(1, 60) i;"
               "insert into loose select i % 5, 'same' from generate_series(1, 30) i; insert into pair select i, 'y', i from generate_series(1, 30) i")

    def statement(self):
        r = self.rng
        self.next += 1
        return r.choice([
            f"insert into t (id, n, big) values ({self.next}, {r.randrange(99)}, repeat('{self.next}', 900))",
            f"update t set n = n + 1 where id in (select id from t order by md5(id::text || {self.next}) limit 3)",
            f"update t set big = repeat('{self.next}', 700) where id = (select min(id) from t)",
            f"update t set id = {self.next} where id = (select min(id) from t)",
            f"delete from t where id = (select max(id) from t)",
            f"insert into loose values ({r.randrange(5)}, 'same')",
            f"delete from loose where ctid = (select ctid from loose limit 1)",
            f"update loose set b = 'other' where ctid = (select max(ctid) from loose)",
            f"update pair set n = n + 0.5 where x % 4 = {r.randrange(4)}",
            f"update pair set y = y || 'z' where x = {r.randrange(30)}",
            f"delete from pair where x = {r.randrange(30)}",
            f"insert into pair (x, y) values ({self.next}, 'y')",
        ])

    def do(self, *statements):
        self.pg.sql("begin; " + "; ".join(statements) + "; commit")
        state = {}
        for name in TABLES:
            columns = self.pg.sql(f"select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = '{name}'::regclass and attnum > 0 and not attisdropped").split(",")
            state[name] = (columns, self.pg.rows(name, columns))
        at, time = self.pg.sql("select pg_current_wal_insert_lsn(), to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").split("|")
        self.states.append((at, time, state))


def compare_state(want, have, what):
    for name, (columns, rows) in want.items():
        got_columns, got = have[name]
        assert got_columns == columns, f"{what}, {name}: {got_columns} instead of {columns}"
        a, b = as_texts(rows), as_texts(got)
        assert a == b, f"{what}, {name}: only in the source {list((a - b).items())[:2]}, only in the replay {list((b - a).items())[:2]}"


def queried(lake, name, when):
    """Rows by column, NULL as an empty text."""
    rows = list(csv.DictReader(io.StringIO(tain("query", lake, f"select * from {name}", "--as-of", when, "--format", "csv", check=0).out)))
    return collections.Counter(tuple(sorted(row.items())) for row in rows)


def compare_with_query(lake, folder, epochs):
    for n in epochs:
        for name, (columns, rows) in replayed(lake, n, folder).items():
            got = collections.Counter(tuple(sorted((c, "" if v is None else str(v)) for c, v in zip(columns, row))) for row in rows)
            want = queried(lake, name, n)
            assert want == got, f"epoch {n}, {name}: only by query {list((want - got).items())[:2]}, only by replay {list((got - want).items())[:2]}"


def records(lake):
    folder = os.path.join(lake, "_tain", "epochs")
    return [json.load(open(os.path.join(folder, n))) for n in sorted(os.listdir(folder)) if re.fullmatch(r"\d{20}\.json", n)]


def test_postgres_any_moment(folder):
    rng = random.Random(SEED)
    print(f"  seed {SEED}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        source = Source(pg, rng)
        ddl = {12: "truncate loose", 20: "alter table t add column d int default 7", 25: "truncate t", 30: "alter table pair add column e text",
               36: "alter table t rename column v to w", 42: "alter table t alter n type bigint", 48: "alter table pair drop column n",
               54: "truncate pair"}
        with Background("mirror", pg.url(), lake, "--history", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="loaded")
            for i in range(60):
                statements = [source.statement() for _ in range(rng.randrange(1, 6))]
                if i >= 48:
                    statements = [s for s in statements if "pair set n" not in s] or ["select 1"]
                source.do(*([ddl[i]] if i in ddl else statements))
                if rng.random() < 0.15:
                    wait_until(lambda: last_epoch(lake)["source_commit_time"], what="an epoch")
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", "--history", check=0)
        for at, time, state in rng.sample(source.states, 8) + source.states[-1:]:
            compare_state(state, replayed(lake, at, folder), f"position {at}")
        for at, time, state in rng.sample(source.states, 4):
            compare_state(state, replayed(lake, time, folder), f"time {time}")
        epochs = [e["epoch"] for e in records(lake)]
        compare_with_query(lake, folder, rng.sample(epochs, min(5, len(epochs))))
        assert_same_as_postgres(pg, lake, *TABLES)
        assert tain("verify", pg.url(), lake).code == 0
        check_history_by_others(lake, len(source.states))


def newest_position(lake):
    """A table that was loaded last may be in no record yet."""
    found = [last_epoch(lake)["position"]]
    for folder, names, _ in os.walk(os.path.join(lake, "Tables")):
        if "_delta_log" in names and folder.endswith("__history"):
            columns, _, rows = read_delta(folder)
            found += [r[columns.index("__tain_position")] for r in rows]
    return max(found)


def test_storm_at_its_end(folder):
    """Random schema changes, restarts and kills: the history gives back what the source has at the end."""
    seed = SEED + 3
    print(f"  seed {seed}")
    with Postgres(folder) as pg:
        lake = os.path.join(folder, "lake")
        storm = storm_test.Storm(pg, random.Random(seed), "postgres")
        storm.begin()
        with storm_test.Follower(pg, lake, "postgres") as follower:
            follower.arguments += ("--history",)
            follower.start()
            wait_until(follower.runs, 60, "the mirror runs")
            storm_test.blow(storm, follower, int(os.environ.get("STORM_STEPS") or 50), 0.1)
            if follower.process:
                wait_until(follower.answers, 60, "the mirror can be stopped")
            follower.stop()
            said = follower.output() + repr(tain("mirror", pg.url(), lake, "--once", check=0))
        storm_test.compare_end(storm, lake, said)
        to = os.path.join(folder, "then")
        told = json.loads(tain("replay", lake, "--as-of", newest_position(lake), "--to", to, "--json", check=0).out)
        names = {t["name"] for t in told["tables"]}
        for name in storm.tables.keys() - storm.keyless():
            assert name in names, f"{name} has no history\n{said}\n{storm.story(name, [storm.tables])}"
            found = storm_test.difference(storm.tables, name, storm_test.folder_of(to, name), None)
            assert not found, f"{name}: {found}\n{said}\n{storm.story(name, [storm.tables])}"


def check_history_by_others(lake, transactions):
    """Read by delta-rs, and its files by DuckDB."""
    import duckdb
    from deltalake import DeltaTable
    folder = table_folder(lake, "public.t__history")
    columns, _, rows = read_delta(folder)
    assert columns[-5:] == ["__tain_operation", "__tain_position", "__tain_transaction", "__tain_commit_time", "__tain_order"], columns
    operation, order, xid, time = (columns.index("__tain_" + c) for c in ("operation", "order", "transaction", "commit_time"))
    seen = collections.Counter(r[operation] for r in rows)
    assert {"snapshot", "insert", "update", "delete", "key_delete", "key_insert", "truncate", "reload"} >= set(seen) >= {"snapshot", "insert", "update"}, seen
    assert len({r[order] for r in rows}) == len(rows), "an order number came twice"
    streamed = [r for r in rows if r[operation] not in ("snapshot", "reload")]
    assert all(r[xid] and r[time] for r in streamed)
    deleted = [r for r in rows if r[operation] == "delete"]
    assert all(r[columns.index("big")] for r in deleted), "a deleted row is not there as it was"
    assert 1 < len({r[xid] for r in streamed}) <= transactions
    t = DeltaTable(folder)
    assert t.metadata().configuration["delta.appendOnly"] == "true"
    names = [a["path"] for a in t.get_add_actions(flatten=True).to_pylist()] if hasattr(t.get_add_actions(flatten=True), "to_pylist") else None
    paths = [os.path.join(folder, n) for n in names] if names else t.file_uris()
    n = duckdb.sql(f"select count(*) from read_parquet({paths!r}, union_by_name = true)").fetchone()[0]
    assert n == len(rows), (n, len(rows))


def test_a_first_load_is_read_once(folder):
    lake, db = os.path.join(folder, "lake"), os.path.join(folder, "shop.db")
    c = sqlite3.connect(db, isolation_level=None)
    c.execute("create table a (id integer primary key, v text)")
    c.execute("insert into a values (1, 'one')")
    r = tain("mirror", db, lake, "--once", "--history", check=0)
    assert "loaded from the beginning" not in r.out + r.err, r
    assert [row["__tain_operation"] for row in history_rows(lake, "main.a")] == ["snapshot"]


def test_a_moment_that_is_not_kept(folder):
    lake = os.path.join(folder, "lake")
    db = os.path.join(folder, "shop.db")
    c = sqlite3.connect(db, isolation_level=None)
    c.execute("create table a (id integer primary key, v text)")
    c.execute("insert into a values (1, 'one')")
    tain("mirror", db, lake, "--once", check=0)
    r = tain("replay", lake, "--as-of", "2020-01-01", check=3)
    assert "holds no history" in r.err and "--history" in r.err, r
    tain("mirror", db, lake, "--once", "--history", check=0)
    r = tain("replay", lake, "--as-of", "2020-01-01", check=3)
    assert "begins later" in r.err and "name a moment from" in r.err, r
    r = tain("replay", lake, "--as-of", "2999-01-01T00:00:00Z", check=3)
    assert "behind the end" in r.err, r
    r = tain("replay", lake, "--as-of", "yesterday at noon", check=3)
    assert "neither" in r.err, r
    n = last_epoch(lake)["epoch"]
    r = tain("replay", lake, "--as-of", n, check=0)
    assert f"{lake}.as-of-{n}" in r.out, r
    assert read_delta(table_folder(f"{lake}.as-of-{n}", "main.a"))[2] == [(1, "one")]
    r = tain("replay", lake, "--as-of", n, check=3)
    assert "is there already" in r.err, r
    assert tain("replay", lake).code == 2


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_sqlite_any_epoch(folder):
    rng = random.Random(SEED + 1)
    print(f"  seed {SEED + 1}")
    db, lake = os.path.join(folder, "shop.db"), os.path.join(folder, "lake")
    c = sqlite3.connect(db, isolation_level=None)
    c.executescript("create table a (id integer primary key, v text, n integer); create table keyless (x integer, y text);")
    c.executemany("insert into a values (?, ?, ?)", [(i, f"v{i}", i) for i in range(80)])
    states = {}
    for i in range(14):
        tain("mirror", db, lake, "--once", "--history", "--freshness", "0ms", check=0)
        states[last_epoch(lake)["epoch"]] = [c.execute(f"select * from {t}").fetchall() for t in ("a", "keyless")]
        if i == 9:
            c.execute("alter table a add column extra text default 'given'")
        for _ in range(rng.randrange(1, 12)):
            k = rng.randrange(100)
            c.execute(*rng.choice([("insert or replace into a (id, v, n) values (?, ?, ?)", (k, f"new{k}", i)), ("delete from a where id = ?", (k,)),
                                   ("update a set id = id + 1000 where id = ?", (k,)), ("insert into keyless values (?, 'same')", (k % 3,)),
                                   ("delete from keyless where rowid = (select min(rowid) from keyless)", ()), ("update keyless set y = 'other' where rowid % 3 = ?", (k % 3,))]))
    for n, (a, keyless) in states.items():
        have = replayed(lake, n, folder)
        assert as_texts(a) == as_texts(have["main.a"][1]), f"epoch {n}: {as_texts(a) - as_texts(have['main.a'][1])} {as_texts(have['main.a'][1]) - as_texts(a)}"
        assert as_texts(keyless) == as_texts(have["main.keyless"][1]), f"epoch {n}"
    compare_with_query(lake, folder, rng.sample(sorted(states), 4))
    tain("mirror", db, lake, "--once", "--history", check=0)
    assert tain("verify", db, lake).code == 0


# --- within a retention -------------------------------------------------------------------------------------------------


def properties_of(lake, name):
    from deltalake import DeltaTable
    return DeltaTable(table_folder(lake, name + "__history")).metadata().configuration


def horizon(lake):
    return max(json.loads(properties_of(lake, n).get("tain.horizon", '{"at": ""}'))["at"] for n in TABLES)


def file_actions(lake, name, version):
    path = os.path.join(table_folder(lake, name + "__history"), "_delta_log", f"{version:020d}.json")
    actions = [json.loads(line) for line in open(path)]
    return {kind: [a[kind] for a in actions if kind in a] for kind in ("add", "remove", "metaData")}


def check_commit_that_forgets(lake, name):
    """It removes data, and appends none."""
    from deltalake import DeltaTable
    versions = [c["version"] for c in DeltaTable(table_folder(lake, name + "__history")).history() if c["operation"] == "DELETE"]
    assert versions, name
    for version in versions:
        actions = file_actions(lake, name, version)
        assert actions["remove"] and all(r["dataChange"] for r in actions["remove"]), version
        assert not any(a["dataChange"] for a in actions["add"]), version
        assert "tain.horizon" in actions["metaData"][0]["configuration"], version


def milliseconds_since(pg, time):
    return int(float(pg.sql(f"select extract(epoch from clock_timestamp() - '{time}') * 1000")))


def check_kept(source, lake, folder):
    """What the source had at each moment that is not forgotten, and that the others are refused."""
    first, kept = horizon(lake), [s for s in source.states if canonical_lsn(s[0]) >= horizon(lake)]
    forgotten = [s for s in source.states if canonical_lsn(s[0]) < first]
    for at, time, state in random.Random(SEED).sample(kept, min(6, len(kept))) + kept[:1]:
        compare_state(state, replayed(lake, at, folder), f"position {at}, horizon {first}")
    if kept:
        compare_state(kept[0][2], replayed(lake, kept[0][1], folder), f"time {kept[0][1]}, horizon {first}")
    for when in (forgotten[-1][:2] if forgotten else ()):
        r = tain("replay", lake, "--as-of", when, "--to", os.path.join(folder, "never"))
        assert r.code == 3 and "begins later" in r.err and "name a moment from" in r.err, r
    return len(kept), len(forgotten)


def canonical_lsn(text):
    high, low = text.split("/")
    return f"{int(high, 16):08X}/{int(low, 16):08X}"


def live_rows(pg, name):
    return int(pg.sql(f"select count(*) from {name}"))


def versions(lake, name):
    return [r for r in history_rows(lake, name) if r["__tain_operation"] not in ("reload", "truncate")]


def test_retention(folder):
    rng = random.Random(SEED)
    print(f"  seed {SEED}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        source = Source(pg, rng)
        ddl = {8: "truncate loose", 12: "alter table t add column d int default 7", 20: "alter table t rename column v to w"}
        with Background("mirror", pg.url(), lake, "--history", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="loaded")
            for i in range(30):
                source.do(*([ddl[i]] if i in ddl else [s for s in (source.statement() for _ in range(4)) if i < 20 or "into t" not in s]))
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert properties_of(lake, "public.t")["delta.appendOnly"] == "true"
        before = {n: len(versions(lake, n)) for n in TABLES}
        for state in (10, 22):
            retention = milliseconds_since(pg, source.states[state][1])
            tain("mirror", pg.url(), lake, "--once", "--history-retention", f"{retention}ms", check=0)
            kept, forgotten = check_kept(source, lake, folder)
            print(f"  {kept} moments are kept, {forgotten} forgotten")
            assert kept >= 29 - state and forgotten > state - 6, (kept, forgotten, horizon(lake))
            assert all(len(versions(lake, n)) < before[n] for n in TABLES), before
            before = {n: len(versions(lake, n)) for n in TABLES}
        tain("mirror", pg.url(), lake, "--once", "--history-retention", "0s", check=0)
        for name in TABLES:
            check_commit_that_forgets(lake, name)
            assert len(versions(lake, name)) == live_rows(pg, name), name
            assert properties_of(lake, name)["delta.appendOnly"] == "false"
            assert properties_of(lake, name)["delta.deletedFileRetentionDuration"] == "interval 1 day"
            assert tain("table", "vacuum", table_folder(lake, name + "__history"), "--retention", "0s", check=0)
            assert len(versions(lake, name)) == live_rows(pg, name), name
        assert_same_as_postgres(pg, lake, *TABLES)
        source.do("insert into t (id, n) values (5000, 1)")
        tain("mirror", pg.url(), lake, "--once", "--history-retention", "", check=0)
        compare_state(source.states[-1][2], replayed(lake, source.states[-1][0], folder), "for ever again")
        assert properties_of(lake, "public.t")["delta.appendOnly"] == "true"
        assert tain("verify", pg.url(), lake).code == 0


def test_forgets_while_it_follows(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v int); insert into a select i, 0 from generate_series(1, 100) i")
        with Background("mirror", pg.url(), lake, "--history", "--history-retention", "1s", "--freshness", "0ms") as m:
            wait_until(lambda: last_epoch(lake), what="loaded")
            pg.sql("update a set v = 1")
            wait_until(lambda: all(r["v"] == 1 for r in history_rows(lake, "public.a")), what="the first versions are forgotten")
            pg.sql("update a set v = 2; delete from a where id > 50")
            wait_until(lambda: len(history_rows(lake, "public.a")) == 50, what="what was deleted is forgotten")
            assert m.stop() == 0, m.output()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.a")
        assert replayed(lake, last_epoch(lake)["epoch"], folder)["public.a"][1].__len__() == 50


def test_killed_while_it_forgets(folder):
    points = ("prune.written", "prune.committed", "merge.written", "delta.before_link", "delta.committed", "epoch.table_committed", "history.committed")
    reached = set()
    with Postgres(folder) as pg:
        pg.sql("create table k (id bigint primary key, v int); create table loose (a int); alter table loose replica identity full;"
               "insert into k select i, 0 from generate_series(1, 50) i; insert into loose select i % 3 from generate_series(1, 30) i")
        lake = os.path.join(folder, "lake")
        tain("mirror", pg.url(), lake, "--once", "--history", check=0)
        for n, point in enumerate(points):
            for nth in (1, 2):
                pg.sql(f"update k set v = v + 1 where id % 2 = {n % 2}; delete from k where id = {n * 2 + nth}; insert into k values ({1000 + 2 * n + nth}, 0);"
                       "delete from loose where ctid = (select min(ctid) from loose); insert into loose values (1)")
                tain("mirror", pg.url(), lake, "--once", "--history-retention", "", check=0)
                r = tain("mirror", pg.url(), lake, "--once", "--history-retention", "0s", env={"TAIN_FAULT": f"{point}:{nth}"})
                assert r.code in (0, -signal.SIGKILL), f"{point}: {r}"
                reached |= {point} if r.code else set()
                have = replayed(lake, last_epoch(lake)["position"], folder)
                want = {name: (["id", "v"] if name.endswith("k") else ["a"], pg.rows(name, ["id", "v"] if name.endswith("k") else ["a"])) for name in ("public.k", "public.loose")}
                compare_state(want, have, f"{point}:{nth}")
        for _ in range(2):
            tain("mirror", pg.url(), lake, "--once", "--history-retention", "0s", check=0)
        assert {name: len(versions(lake, name)) for name in ("public.k", "public.loose")} == {name: live_rows(pg, name) for name in ("public.k", "public.loose")}
        compare_state(want, replayed(lake, last_epoch(lake)["position"], folder), "at the end")
    print(f"  died at {', '.join(sorted(reached))}")
    assert reached >= {"prune.written", "prune.committed", "delta.before_link"}, reached


# --- killed -------------------------------------------------------------------------------------------------------------




def check_once(lake, tokens, loaded, what):
    """Every value that was ever written is in one version; rows that were loaded are there once."""
    rows = history_rows(lake, "public.k")
    written = collections.Counter(r["v"] for r in rows if r["__tain_operation"] in ("insert", "update"))
    assert written == collections.Counter(tokens), f"{what}: {written - collections.Counter(tokens)} {collections.Counter(tokens) - written}"
    snapshot = collections.Counter(r["id"] for r in rows if r["__tain_operation"] == "snapshot")
    assert snapshot == collections.Counter(loaded), f"{what}: {snapshot - collections.Counter(loaded)} {collections.Counter(loaded) - snapshot}"
    assert len({r["__tain_order"] for r in rows}) == len(rows), what


def test_postgres_killed_at_every_point(folder):
    points = [p for p in POINTS if p.split(".")[0] in ("history", "epoch", "delta", "snapshot")]
    print(f"  {len(points)} points")
    reached = set()
    with Postgres(folder) as pg:
        pg.sql("create table k (id bigint primary key, v text); create table other (id bigint primary key, v text)")
        token = iter(range(1, 10**6))

        def write(n, told):
            for _ in range(n):
                a = [f"w{next(token)}" for _ in range(3)]
                k = 1000 + next(token)
                pg.sql(f"begin; insert into k values ({k}, '{a[0]}'); update k set v = '{a[1]}' where id = {k}; insert into other values ({k}, 'x'); commit;"
                       f"update k set v = '{a[2]}' where id = (select min(id) from k); delete from other where id = {k}")
                told += a

        for point, first in [(p, p.startswith("snapshot")) for p in points] + [("history.committed", True), ("delta.committed", True)]:
            lake = os.path.join(folder, f"lake-{re.sub(r'[^a-z]', '-', point)}-{first}")
            tokens = []
            pg.sql("truncate k, other; insert into k select i, 'old' from generate_series(1, 20) i")
            if not first:
                tain("mirror", pg.url(), lake, "--once", "--history", check=0)
                write(3, tokens)
            for nth in (1, 2):
                r = tain("mirror", pg.url(), lake, "--once", "--freshness", "0ms", "--history", env={"TAIN_FAULT": f"{point}:{nth}"})
                assert r.code in (0, -signal.SIGKILL), f"{point}: {r}"
                if r.code:
                    reached.add(point)
                if first:
                    break
                write(2, tokens)
            tain("mirror", pg.url(), lake, "--once", "--history", check=0)
            assert_same_as_postgres(pg, lake, "public.k", "public.other")
            check_once(lake, tokens, range(1, 21), point)
            compare_state({"public.k": (["id", "v"], pg.rows("public.k", ["id", "v"]))}, replayed(lake, last_epoch(lake)["epoch"], folder), point)
            tain("mirror", pg.url(), lake, "--remove", check=0)
    print(f"  died at {len(reached)}: {', '.join(sorted(reached))}")
    assert reached >= {"history.committed", "epoch.table_committed", "epoch.before_record", "epoch.recorded", "snapshot.table_committed"}, reached


def test_history_moves_with_its_table(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); create table b (id int primary key, v text); insert into a values (1, 'a'); insert into b values (1, 'b')")
        tain("mirror", pg.url(), lake, "--once", "--history", check=0)
        with Background("mirror", pg.url(), lake, "--history", "--freshness", "0ms") as m:
            before = storm_test.lsn(pg.sql("select pg_current_wal_insert_lsn()"))
            pg.sql("begin; alter table a rename to c; alter table b rename to a; alter table c rename to b; insert into a values (2, 'b2'); insert into b values (2, 'a2'); commit")
            wait_until(lambda: storm_test.lsn(last_epoch(lake)["position"]) > before, what="exchanged")
            have = {n: {r["v"] for r in history_rows(lake, n)} for n in ("public.a", "public.b")}
            assert have == {"public.a": {"b", "b2"}, "public.b": {"a", "a2"}}, have
            assert m.stop() == 0, m.output()
        pg.sql("alter table a rename to far; insert into far values (3, 'b3')")
        tain("mirror", pg.url(), lake, "--once", "--history", check=0)
        assert {r["v"] for r in history_rows(lake, "public.far")} == {"b", "b2", "b3"}
        assert not os.path.exists(table_folder(lake, "public.a__history"))
        names = {t["name"] for t in lake_status(lake)["tables"]}
        assert names == {"public.b", "public.far"}, names


def test_small_files_of_a_history_are_merged(folder):
    db, lake = os.path.join(folder, "shop.db"), os.path.join(folder, "lake")
    c = sqlite3.connect(db, isolation_level=None)
    c.execute("create table a (id integer primary key, v text)")
    with Background("mirror", db, lake, "--history", "--freshness", "0ms") as m:
        wait_until(lambda: last_epoch(lake), what="loaded")
        for i in range(40):
            before = last_epoch(lake)["epoch"]
            c.execute("insert into a values (?, 'x')", (i,))
            wait_until(lambda: last_epoch(lake)["epoch"] > before, what="an epoch")
        from deltalake import DeltaTable
        wait_until(lambda: len(DeltaTable(table_folder(lake, "main.a__history")).file_uris()) < 16, what="merged")
        assert m.stop() == 0, m.output()
    rows = history_rows(lake, "main.a")
    assert sorted(r["id"] for r in rows if r["__tain_operation"] == "insert") == list(range(40))
    assert replayed(lake, last_epoch(lake)["epoch"], folder)["main.a"][1].__len__() == 40


if __name__ == "__main__":
    main(globals())
