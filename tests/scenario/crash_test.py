#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SIGKILL at every named fault point, and at any moment under load: afterwards the mirror is equal and no row is doubled."""
import os
import random
import re
import shutil
import signal
import time

from harness import *

SEED = int(os.environ.get("SEED", "20260101"))
POINTS = re.findall(r'TAIN_FAULT_POINT\(\w+,\s*"([^"]+)"\)', open(os.path.join(ROOT, "src/base/fault.def")).read())
# of loads in several parts: snapshot_test.py comes by them
OF_PARTS = {"snapshot." + p for p in ("planned", "recorded", "read", "staged", "replayed", "forgotten")}
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "40"))


def change(pg, rng, n):
    """A few transactions over two tables whose sums must agree at every epoch."""
    statements = []
    for _ in range(n):
        a, b, amount = rng.randrange(1, 400), rng.randrange(1, 400), rng.randrange(1, 100)
        new = rng.randrange(1000, 10**9)
        statements.append(rng.choice([
            f"begin; update left_side set n = n - {amount} where id = {a}; update right_side set n = n + {amount} where id = {b}; commit;",
            f"begin; insert into left_side values ({new}, {amount}, 'new') on conflict do nothing; insert into right_side values ({new}, {-amount}, repeat('x', 100)) on conflict do nothing; commit;",
            f"begin; with d as (delete from left_side where id = {a} returning n) insert into right_side select {new}, coalesce(sum(n), 0), 'moved' from d on conflict do nothing; commit;",
            f"update right_side set id = {new} where id = {a};",
            f"begin; delete from left_side; rollback;",
            f"begin; update right_side set v = 'touched {new}' where id % 7 = {a % 7}; commit;",
        ]))
    pg.sql("\n".join(statements), check=False)


def setup(pg):
    pg.sql("create table left_side (id bigint primary key, n bigint, v text); create table right_side (id bigint primary key, n bigint, v text);"
           "insert into left_side select i, 1000, 'l' from generate_series(1, 400) i; insert into right_side select i, -1000, 'r' from generate_series(1, 400) i")


def test_postgres_killed_at_every_point(folder):
    rng = random.Random(SEED)
    print(f"  seed {SEED}, {len(POINTS)} points")
    with Postgres(folder) as pg:
        setup(pg)
        reached = set()
        for point in POINTS:
            lake = os.path.join(folder, "lake-" + re.sub(r"\W", "-", point))
            first = point.startswith("snapshot")
            if not first:
                tain("mirror", pg.url(), lake, "--once", check=0)
            for nth in (1, 3):
                change(pg, rng, 10)
                r = tain("mirror", pg.url(), lake, "--once", "--freshness", "0ms", env={"TAIN_FAULT": f"{point}:{nth}"})
                assert r.code in (0, -signal.SIGKILL), f"{point}: {r}"
                if r.code:
                    reached.add(point)
                change(pg, rng, 5)
                if first:
                    break
            tain("mirror", pg.url(), lake, "--once", check=0)
            assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
            tain("mirror", pg.url(), lake, "--remove", check=0)
        print(f"  died at {len(reached)}: {', '.join(sorted(reached))}")
        must = {p for p in POINTS if p.split(".")[0] in ("snapshot", "epoch") or p in ("delta.before_link", "delta.committed")}
        must -= OF_PARTS
        assert must <= reached, f"never reached: {sorted(must - reached)}"


def test_postgres_killed_in_upkeep(folder):
    """Points that are passed only after many epochs: merging files, checkpoints, index runs and their merging."""
    rng = random.Random(SEED + 3)
    points = [p for p in POINTS if p.startswith(("merge.", "index.")) or p == "delta.checkpoint"]
    print(f"  seed {SEED + 3}, {', '.join(points)}")
    with Postgres(folder) as pg:
        setup(pg)
        lake = os.path.join(folder, "lake")
        tain("mirror", pg.url(), lake, "--once", check=0)
        script = os.path.join(folder, "load.sql")
        open(script, "w").write("\\set k random(1000, 1000000000)\n\\set a random(1, 400)\nbegin;\n"
                                "update left_side set n = n - 1 where id = :a;\nupdate right_side set n = n + 1 where id = :a;\n"
                                "insert into left_side select :k + i, 1, 'x' from generate_series(1, 300) i on conflict do nothing;\n"
                                "insert into right_side select :k + i, -1, 'x' from generate_series(1, 300) i on conflict do nothing;\ncommit;\n")
        reached = set()
        for point in points:
            with Background("mirror", pg.url(), lake, "--freshness", "0ms", env={"TAIN_FAULT": point}) as m:
                load = pg.pgbench("-n", "-f", script, "-c", "1", "-R", "60", "-T", "120")
                try:
                    code = m.process.wait(60)
                    assert code == -signal.SIGKILL, m.output()
                    reached.add(point)
                except subprocess.TimeoutExpired:
                    pass
                finally:
                    load.terminate()
                    load.wait()
            tain("mirror", pg.url(), lake, "--once", check=0)
            assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
        print(f"  died at {', '.join(sorted(reached))}")
        assert reached >= {"merge.written", "merge.committed", "delta.checkpoint", "index.run_written"}, reached
        assert_sums_agree(lake, 20)


def test_postgres_killed_at_any_moment_under_load(folder):
    rng = random.Random(SEED + 1)
    print(f"  seed {SEED + 1}, {ROUNDS} rounds")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        script = os.path.join(folder, "load.sql")
        open(script, "w").write(
            "\\set a random(1, 400)\n\\set b random(1, 400)\n\\set n random(1, 50)\n\\set k random(1000, 1000000000)\n"
            "begin;\nupdate left_side set n = n - :n where id = :a;\nupdate right_side set n = n + :n where id = :b;\n"
            "insert into left_side values (:k, 5, 'x') on conflict do nothing;\ninsert into right_side values (:k, -5, 'y') on conflict do nothing;\ncommit;\n")
        load = pg.pgbench("-n", "-f", script, "-c", "2", "-T", "600", "-R", "400")
        try:
            for i in range(ROUNDS):
                with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
                    before = (last_epoch(lake) or {"epoch": 0})["epoch"]
                    kind = rng.random()
                    if kind < 0.7:
                        wait_until(lambda: (last_epoch(lake) or {"epoch": 0})["epoch"] >= before + rng.randrange(1, 6) or m.process.poll() is not None, what="epochs")
                    else:
                        try:
                            m.process.wait(rng.uniform(0.02, 0.4))
                        except subprocess.TimeoutExpired:
                            pass
                    assert m.process.poll() is None, m.output()
                    m.process.kill()
                    m.process.wait()
        finally:
            load.terminate()
            load.wait()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
        assert tain("verify", pg.url(), lake).code == 0
        assert_sums_agree(lake)


def assert_sums_agree(lake, most=60):
    """At every epoch the two tables together are a state the source had: their sums cancel out."""
    folder = os.path.join(lake, "_tain", "epochs")
    versions, checked = {}, 0
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"\d{20}\.json", n))
    for n in names:
        record = json.load(open(os.path.join(folder, n)))
        for table, t in record["tables"].items():
            versions[table] = t["version"]
        if len(versions) < 2 or checked >= most or not record["tables"]:
            continue
        total = 0
        for table, version in versions.items():
            columns, _, rows = read_delta(table_folder(lake, table), version)
            total += sum(r[columns.index("n")] for r in rows)
        assert total == 0, f"epoch {record['epoch']}: sums differ by {total}"
        checked += 1
    assert checked > 0


def test_sqlite_killed_at_every_point(folder):
    import sqlite3
    rng = random.Random(SEED + 2)
    print(f"  seed {SEED + 2}")
    db = os.path.join(folder, "shop.db")
    c = sqlite3.connect(db, isolation_level=None)
    c.executescript("create table a (id integer primary key, v text); create table b (k text primary key, n real) without rowid; create table keyless (x, y text)")
    c.executemany("insert into a values (?, ?)", [(i, f"v{i}") for i in range(500)])

    def change():
        for _ in range(10):
            k = rng.randrange(1000)
            c.execute(*rng.choice([("insert or replace into a values (?, ?)", (k, "new")), ("delete from a where id = ?", (k,)),
                                   ("insert or replace into b values (?, ?)", (str(k), k / 3)), ("delete from b where k < ?", (str(k),)),
                                   ("insert into keyless values (?, ?)", (k % 5, "same")), ("delete from keyless where x = ?", (k % 5,))]))

    for point in POINTS:
        lake = os.path.join(folder, "lake-" + re.sub(r"\W", "-", point))
        if not point.startswith("snapshot"):
            tain("mirror", db, lake, "--once", check=0)
        change()
        r = tain("mirror", db, lake, "--once", "--freshness", "0ms", env={"TAIN_FAULT": point})
        assert r.code in (0, -signal.SIGKILL), f"{point}: {r}"
        change()
        tain("mirror", db, lake, "--once", check=0)
        for table in ("a", "b", "keyless"):
            columns, types, rows = read_delta(table_folder(lake, "main." + table))
            want = [tuple(str(v) if at_string(t) and v is not None and not isinstance(v, str) else v for v, t in zip(row, types))
                    for row in c.execute(f"select {', '.join(columns)} from {table}")]
            compare_rows(want, rows, f"{point}: {table}")
        tain("mirror", db, lake, "--remove", check=0)


def at_string(t):
    import pyarrow.types as at
    return at.is_string(t) or at.is_large_string(t) or at.is_string_view(t)


# --- log cleanup and vacuum -----------------------------------------------------------------------------------------


def grow_old(folder):
    """With files in it that no version names."""
    for i in range(7):
        open(os.path.join(folder, f"left-{i}.parquet"), "w").close()
    days_ago = time.time() - 10 * 86400
    for path, _, names in os.walk(folder):
        for name in names:
            os.utime(os.path.join(path, name), (days_ago, days_ago))


def killed_again_and_again(folder, fault, work, content):
    """{copy of the table's folder: rows} after each kill, and after the end."""
    copies = {}
    while True:
        r = work({"TAIN_FAULT": fault})
        assert r.code in (0, -signal.SIGKILL), f"{fault}: {r}"
        copy = f"{folder}-{fault.split(':')[0]}-{len(copies)}"
        shutil.copytree(folder, copy)
        copies[copy] = content()
        if r.code == 0:
            assert len(copies) > 2, f"{fault} killed {len(copies) - 1} times"
            return copies


def read_by_all(folders):
    """(engine, folder, columns and rows) for each, by every engine that is there."""
    sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
    import engines
    for name in ("deltalake", "duckdb", "polars", "kernel", "spark"):
        if name in engines.permitted():
            continue
        engine = engines.open_engine(name)
        answers = engine.read_all([(f, []) for f in folders]) if name in ("kernel", "spark") else map(engine.read, folders)
        for f, answer in zip(folders, answers):
            assert not isinstance(answer, Exception), f"{name}: {f}: {answer}"
            yield name, f, answer[:2]


def test_killed_while_cleaning_is_read_by_all(folder):
    """Of a log and of garbage some is removed: whatever is left is a table, and the next run takes the rest."""
    import deltalake
    import sqlite3
    db, lake = os.path.join(folder, "shop.db"), os.path.join(folder, "lake")
    c = sqlite3.connect(db, isolation_level=None)
    c.executescript("create table a (id integer primary key, v text)")
    c.executemany("insert into a values (?, ?)", [(i, f"v{i}") for i in range(500)])
    for i in range(8):
        c.executescript(f"delete from a where id % 50 = {i}; update a set v = 'new' where id % 50 = {i + 10}")
        tain("mirror", db, lake, "--once", check=0)
    table = table_folder(lake, "main.a")
    deltalake.DeltaTable(table).alter.set_table_properties({"delta.checkpointInterval": "1"})
    tain("table", "optimize", table, check=0)
    grow_old(table)

    def clean(env):
        """A checkpoint is due behind the next commit, and the log is cleaned behind that."""
        c.execute("insert into a (v) values ('more')")
        return tain("mirror", db, lake, "--once", env=env)

    def content():
        return sorted(json.dumps([str(i), v], separators=(",", ":")) for i, v in c.execute("select id, v from a"))

    states = killed_again_and_again(table, "delta.log_removed:3", clean, content)
    states |= killed_again_and_again(table, "delta.garbage_removed:3", lambda env: tain("table", "vacuum", table, "--retention", "1h", env=env), content)
    for name, f, (columns, rows) in read_by_all(list(states)):
        assert list(columns) == ["id", "v"], f"{name}: {f}: {columns}"
        assert sorted(rows) == states[f], f"{name}: {f}: {len(rows)} rows, not {len(states[f])}"
    assert not any("left-" in name for name in os.listdir(table))
    old = [n for n in os.listdir(os.path.join(table, "_delta_log")) if n[:20].isdigit() and int(n[:20]) < 8]
    assert not old, old


if __name__ == "__main__":
    main(globals())
