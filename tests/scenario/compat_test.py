#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Profile compat: tables without deletion vectors, for readers that refuse them; and from one profile to the other.

What is looked at is what such readers see: the log's protocol, and rows as they read them."""
import glob
import os
import random
import re
import signal
import sqlite3
import threading

from harness import *

SEED = int(os.environ.get("SEED", "20261121"))


# --- what a lake's log says ---------------------------------------------------------------------------------------


def log_of(lake, name):
    """(file name, actions) of each commit that the log has."""
    for path in sorted(glob.glob(os.path.join(table_folder(lake, name), "_delta_log", "*.json"))):
        yield os.path.basename(path), [json.loads(line) for line in open(path)]


def protocol_of(lake, name):
    from deltalake import DeltaTable
    p = DeltaTable(table_folder(lake, name)).protocol()
    return p.min_reader_version, p.min_writer_version, sorted(p.reader_features or [])


def traces(lake, name):
    """Commits that speak of a vector."""
    return [file for file, actions in log_of(lake, name) if any("deletionVector" in a.get(kind, {}) for a in actions for kind in ("add", "remove"))]


def assert_compat(lake, *names, protocol=(1, 2, [])):
    for name in names:
        assert protocol_of(lake, name) == protocol, (name, protocol_of(lake, name))
        assert not traces(lake, name), (name, traces(lake, name))


# --- readers ------------------------------------------------------------------------------------------------------


def by_pyarrow(folder):
    from deltalake import DeltaTable
    t = DeltaTable(folder).to_pyarrow_table()
    return t.column_names, rows_of(t)


def by_polars(folder):
    import polars
    t = polars.read_delta(folder).to_arrow()
    return t.column_names, rows_of(t)


def by_duckdb(folder):
    sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
    import engines
    t = engines.DuckDb().connection.sql(f"from delta_scan('{folder}')").to_arrow_table()
    return t.column_names, rows_of(t)


def rows_of(table):
    return list(zip(*[c.to_pylist() for c in table.columns])) if table.num_columns else []


def assert_readers_agree(lake, *names):
    """Each reader that refuses vectors, or not, has the rows that delta-rs has by SQL."""
    for name in names:
        folder = table_folder(lake, name)
        columns, _, rows = read_delta(folder)
        for reader in (by_pyarrow, by_polars, by_duckdb):
            other, theirs = reader(folder)
            assert other == columns, (reader.__name__, other, columns)
            compare_rows(rows, theirs, f"{name} {reader.__name__}")


def checksum(folder, engine):
    """Of a table as an engine of tests/interop reads it; None: it is not installed."""
    if engine in ("kernel", "spark") and not os.path.isdir(os.path.join(ROOT, ".cache/interop", engine, "jars")):
        return None
    p = subprocess.run([sys.executable, os.path.join(ROOT, "tests/interop/read_delta.py"), engine, folder, "--checksum"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 0, p.stderr[-2000:]
    return p.stdout


# --- a source that changes ----------------------------------------------------------------------------------------


def setup(pg):
    pg.sql("""create table keyed (id bigint primary key, n int, v text, at timestamp default '2026-01-31 12:00');
              create table keyless (x int, y text); alter table keyless replica identity full;
              create table parts (id int, region int, v text, primary key (id, region)) partition by list (region);
              create table parts_1 partition of parts for values in (1); create table parts_2 partition of parts for values in (2);
              insert into keyed select i, i % 7, 'row ' || i from generate_series(1, 5000) i;
              insert into keyless select i % 50, 'same' from generate_series(1, 500) i;
              insert into parts select i, 1 + i % 2, 'p' || i from generate_series(1, 1000) i""")


TABLES = ("public.keyed", "public.keyless", "public.parts")


def changes(rng, n):
    made = []
    for _ in range(n):
        k, m = rng.randrange(1, 6000), rng.randrange(10_000, 10**8)
        made.append(rng.choice([
            f"update keyed set n = n + 1, v = 'touched {m}' where id = {k};",
            f"update keyed set n = -1 where id % 100 = {k % 100};",
            f"delete from keyed where id = {k};",
            f"insert into keyed values ({m}, {k}, repeat('x', {k % 300})) on conflict do nothing;",
            f"update keyed set id = {m} where id = {k} and not exists (select from keyed where id = {m});",
            f"begin; delete from keyed where id between {k} and {k + 20}; insert into keyed select i, 0, 'again' from generate_series({k}, {k + 20}) i; commit;",
            f"delete from keyless where ctid in (select ctid from keyless where x = {k % 50} limit 2);",
            f"insert into keyless values ({k % 50}, 'same'), ({k % 50}, null);",
            f"update parts set v = 'moved', region = 3 - region where id = {k % 1000};",
            f"update parts set v = v || '.' where id % 97 = {k % 97};",
        ]))
    return "\n".join(made)


def ddl(pg, rng):
    pg.sql("alter table keyed add column extra int default 7")
    pg.sql(changes(rng, 10), check=False)
    pg.sql("truncate keyless; insert into keyless values (1, 'after'), (2, 'after'); delete from keyless where x = 2")
    pg.sql(changes(rng, 10), check=False)
    pg.sql("alter table parts detach partition parts_2; update parts_2 set v = 'alone'")
    pg.sql("alter table parts attach partition parts_2 for values in (2)")
    pg.sql(changes(rng, 10), check=False)


def mirror(pg, lake, *args, **kwargs):
    return tain("mirror", pg.url(), lake, *args, **kwargs)


def assert_equal(pg, lake):
    assert_same_as_postgres(pg, lake, *TABLES)
    assert tain("verify", pg.url(), lake).code == 0


# --- tests --------------------------------------------------------------------------------------------------------


def test_postgres_follows_without_vectors(folder):
    rng = random.Random(SEED)
    print(f"  seed {SEED}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        said = mirror(pg, lake, "--once", "--profile", "compat", check=0)
        assert "timestamp without time zone" in said.err + said.out, said
        for _ in range(6):
            pg.sql(changes(rng, 30), check=False)
            mirror(pg, lake, "--once", "--freshness", "0ms", check=0) # the lake keeps the profile
            assert_compat(lake, *TABLES)
            assert_equal(pg, lake)
        ddl(pg, rng)
        with Background("mirror", pg.url(), lake, "--freshness", "0ms") as m:
            for _ in range(20):
                pg.sql(changes(rng, 10), check=False)
            assert m.stop() == 0, m.output()
        mirror(pg, lake, "--once", check=0)
        assert_equal(pg, lake)
        assert_compat(lake, *TABLES)
        assert_readers_agree(lake, *TABLES)
        for name in TABLES:
            want = checksum(table_folder(lake, name), "deltalake")
            assert want and checksum(table_folder(lake, name), "kernel") in (want, None)
        assert tain("table", "optimize", table_folder(lake, TABLES[0]), check=0)
        assert tain("table", "vacuum", table_folder(lake, TABLES[0]), "--retention", "0s", check=0)
        pg.sql(changes(rng, 30), check=False)
        mirror(pg, lake, "--once", check=0) # another program was there
        mirror(pg, lake, "--once", "--repair", check=0)
        mirror(pg, lake, "--once", "--resync", "public.parts", check=0)
        pg.sql(changes(rng, 30), check=False)
        mirror(pg, lake, "--once", check=0)
        assert_equal(pg, lake)
        assert_compat(lake, *TABLES)


MAPPED = (3, 7, ["columnMapping"])


def test_mapped_columns_are_refused_and_not_misread(folder):
    """A reader that does not know column mapping must see that there is some: by versions alone delta-rs's other way reads NULL."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        pg.sql('create table "odd" (id int primary key, "a b" text); insert into odd values (1, \'x\')')
        mirror(pg, lake, "--once", "--profile", "compat", check=0)
        assert_compat(lake, "public.odd", protocol=MAPPED)
        pg.sql("alter table keyed rename column v to label; update keyed set n = 5 where id < 100; alter table parts drop column v")
        mirror(pg, lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, *TABLES, "public.odd")
        assert_compat(lake, "public.keyed", "public.parts", protocol=MAPPED)
        for name in ("public.keyed", "public.odd"):
            for reader in (by_pyarrow, by_polars):
                try:
                    reader(table_folder(lake, name))
                except Exception as problem:
                    assert "columnMapping" in str(problem), problem
                else:
                    raise AssertionError(f"{reader.__name__} reads {name}")
        assert_compat(lake, "public.keyless")


def assert_newest_record_is_true(lake):
    for name in TABLES:
        assert as_of_newest(lake, name).code == 0, as_of_newest(lake, name)


def as_of_newest(lake, name):
    return tain("query", lake, f"select count(*) from {name}", "--as-of", last_epoch(lake)["epoch"])


def test_a_record_follows_the_lowering(folder):
    """Also while nothing comes from the source."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table a (id int primary key, v text); insert into a select i, 'x' from generate_series(1, 1000) i")
        tain("mirror", pg.url(), lake, "--once", check=0)
        pg.sql("delete from a where id % 7 = 0")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert protocol_of(lake, "public.a")[2] == ["deletionVectors"]
        with Background("mirror", pg.url(), lake, "--profile", "compat") as m:
            wait_until(lambda: protocol_of(lake, "public.a") == (1, 2, []), what="lowered")
            wait_until(lambda: as_of_newest(lake, "public.a").code == 0, what="a record that names a version which is there")
            assert m.stop() == 0, m.output()
        assert as_of_newest(lake, "public.a").code == 0


def test_from_default_and_back(folder):
    """What it takes is not read from the source: its log must not even have been asked for."""
    rng = random.Random(SEED + 1)
    lake = os.path.join(folder, "lake")
    names = ("public.keyless", "public.parts")
    with Postgres(folder) as pg:
        setup(pg)
        mirror(pg, lake, "--once", check=0)
        for _ in range(3):
            pg.sql(changes(rng, 60), check=False)
            mirror(pg, lake, "--once", check=0)
        assert all(protocol_of(lake, n)[2] == ["deletionVectors"] for n in names), [protocol_of(lake, n) for n in names]
        assert traces(lake, "public.parts")
        version = last_version(lake, "public.parts")
        pg.sql(changes(rng, 30), check=False)
        r = mirror(pg, lake, "--once", "--profile", "compat", check=0)
        assert "public.keyed" in r.err + r.out and "loaded again" in r.err + r.out, r # timestamps are of another type now
        assert not any(re.search(rf"{n}.*loaded again", r.err + r.out) for n in names), r
        assert_compat(lake, *TABLES)
        assert_equal(pg, lake)
        assert_readers_agree(lake, *TABLES)
        assert last_version(lake, "public.parts") > version
        assert_newest_record_is_true(lake)
        pg.sql(changes(rng, 60), check=False)
        mirror(pg, lake, "--once", check=0)
        assert_compat(lake, *TABLES)
        assert_equal(pg, lake)
        r = mirror(pg, lake, "--once", "--profile", "default", check=0)
        assert "loaded again" not in r.err + r.out, r
        assert_compat(lake, *TABLES) # nothing was deleted yet
        pg.sql("delete from parts where id < 10; delete from keyless where x = 3; update keyed set n = 0 where id < 10")
        mirror(pg, lake, "--once", check=0)
        assert all(protocol_of(lake, n) == (3, 7, ["deletionVectors"]) for n in TABLES), [protocol_of(lake, n) for n in TABLES]
        assert all(traces(lake, n) for n in TABLES)
        assert_equal(pg, lake)


def last_version(lake, name):
    from deltalake import DeltaTable
    return DeltaTable(table_folder(lake, name)).version()


def test_there_and_back_under_load(folder):
    """Every reader that comes by meanwhile finds a whole table."""
    rng = random.Random(SEED + 2)
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        pg.sql("create table pairs (id bigint primary key, n int, v text); insert into pairs select i, 0, 'row ' || i from generate_series(1, 20000) i")
        script = os.path.join(folder, "load.sql")
        open(script, "w").write("\\set a random(1, 20000)\n\\set b random(1, 20000)\nbegin;\nupdate pairs set n = n - 1 where id = :a;\nupdate pairs set n = n + 1 where id = :b;\ncommit;\n")
        mirror(pg, lake, "--once", check=0)
        load = pg.pgbench("-n", "-f", script, "-c", "1", "-R", "50", "-T", "600")
        table, stop, seen, problems = table_folder(lake, "public.pairs"), threading.Event(), collections.Counter(), []

        def look():
            while not stop.is_set():
                try:
                    columns, _, rows = read_delta(table)
                except Exception as problem: # a log that is being made shorter: the next look must find it
                    seen["refused"] += 1
                    problems.append(str(problem)[:200])
                    continue
                seen["read"] += 1
                if len(rows) != 20000 or sum(r[columns.index("n")] for r in rows):
                    seen["wrong"] += 1

        looking = threading.Thread(target=look)
        looking.start()
        try:
            for profile in ("compat", "default", "compat", "default", "compat"):
                with Background("mirror", pg.url(), lake, "--freshness", "20ms", "--profile", profile) as m:
                    wanted = (1, 2, []) if profile == "compat" else (3, 7, ["deletionVectors"])
                    wait_until(lambda: m.process.poll() is not None or protocol_now(lake, "public.pairs") == wanted, 60, f"profile {profile}")
                    before = last_epoch(lake)["epoch"]
                    wait_until(lambda: last_epoch(lake)["epoch"] > before + 20 or m.process.poll() is not None, 60, "epochs")
                    if rng.random() < 0.5:
                        m.process.kill()
                        m.process.wait()
                    else:
                        assert m.stop() == 0, m.output()
        finally:
            stop.set()
            looking.join()
            load.terminate()
            load.wait()
        print(f"  {dict(seen)} {problems[:2]}")
        assert seen["read"] > 20 and not seen["wrong"] and seen["refused"] <= 10, seen
        mirror(pg, lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.pairs")
        assert tain("verify", pg.url(), lake).code == 0
        assert_compat(lake, "public.pairs")


def protocol_now(lake, name):
    try:
        return protocol_of(lake, name)
    except Exception:
        return None # its log is being made shorter


# Where the profile makes a difference: crash_test walks all.
POINTS = ("copyonwrite.written", "delta.before_link", "delta.committed", "epoch.before_record", "merge.written", "merge.committed",
          "lower.forgotten", "lower.committed")


def test_sqlite_killed_at_every_point(folder):
    rng = random.Random(SEED + 3)
    db = os.path.join(folder, "shop.db")
    c = sqlite3.connect(db, isolation_level=None)
    c.executescript("create table a (id integer primary key, v text, w text); create table keyless (x integer, y text); begin;")
    c.executemany("insert into a values (?, ?, ?)", [(i, f"v{i}", "w" * (i % 50)) for i in range(8000)])
    c.executemany("insert into keyless values (?, 'same')", [(i % 20,) for i in range(300)])
    c.execute("commit")

    def change():
        for _ in range(15):
            k = rng.randrange(9000)
            c.execute(*rng.choice([("insert or replace into a values (?, 'new', null)", (k,)), ("delete from a where id between ? and ?", (k, k + 5)), ("update a set v = v || '!' where id = ?", (k,)),
                                   ("insert into keyless values (?, 'same')", (k % 20,)), ("delete from keyless where rowid in (select rowid from keyless where x = ? limit 1)", (k % 20,))]))

    reached = set()
    for point in POINTS:
        lake = os.path.join(folder, "lake-" + re.sub(r"\W", "-", point))
        late = point.startswith("lower")
        tain("mirror", db, lake, "--once", "--profile", "default" if late else "compat", check=0)
        for _ in range(3):
            change()
            r = tain("mirror", db, lake, "--once", "--freshness", "0ms", *(["--profile", "compat"] if late else []), env={"TAIN_FAULT": point})
            assert r.code in (0, -signal.SIGKILL), f"{point}: {r}"
            if r.code:
                reached.add(point)
        change()
        tain("mirror", db, lake, "--once", check=0)
        for table in ("a", "keyless"):
            columns, _, rows = read_delta(table_folder(lake, "main." + table))
            compare_rows(c.execute(f"select {', '.join(columns)} from {table}").fetchall(), rows, f"{point}: {table}")
        assert_compat(lake, "main.a", "main.keyless")
        assert tain("verify", db, lake).code == 0, point
        tain("mirror", db, lake, "--remove", check=0)
    print(f"  died at {', '.join(sorted(reached))}")
    assert reached >= {"copyonwrite.written", "delta.before_link", "delta.committed", "epoch.before_record", "lower.committed", "lower.forgotten"}, reached


def test_postgres_killed_at_any_moment(folder):
    rng = random.Random(SEED + 4)
    print(f"  seed {SEED + 4}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        for i in range(15):
            fault = {"TAIN_FAULT": f"copyonwrite.written:{rng.randrange(1, 6)}"} if i % 3 == 0 else {}
            with Background("mirror", pg.url(), lake, "--freshness", "0ms", "--profile", "compat", env=fault) as m:
                for _ in range(rng.randrange(2, 8)):
                    pg.sql(changes(rng, 5), check=False)
                m.process.kill()
                m.process.wait()
        mirror(pg, lake, "--once", check=0)
        assert_equal(pg, lake)
        assert_compat(lake, *TABLES)


if __name__ == "__main__":
    main(globals())
