#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mirror at work for a while: readers of several engines find a state of the source at every version, while files are merged,
sorted and checkpointed beneath them."""
import glob
import os
import random
import signal
import threading

from harness import *

SEED = int(os.environ.get("SEED", "20260301"))
EPOCHS = int(os.environ.get("SOAK_EPOCHS", "250"))
ACCOUNTS = 2000
TABLES = ("left_side", "right_side")
LOAD = f"""\\set a random(1, {ACCOUNTS})
\\set b random(1, {ACCOUNTS})
\\set n random(1, 50)
\\set k random(1000, 50000000) * 20
begin;
update left_side set n = n - :n where id = :a;
update left_side set n = n + :n where id = :b;
update right_side set n = n + :n where id = :a;
update right_side set n = n - :n where id = :b;
update left_side set m = m - :n where id = :b;
update right_side set m = m + :n where id = :a;
insert into left_side select :k + i, i % 2 * 2 - 1, 0, 'new' from generate_series(0, 19) i on conflict do nothing;
insert into right_side values (:k, 0, 0, 'new') on conflict do nothing;
delete from left_side where id in (:k, :k + 1);
commit;
"""


def setup(pg):
    """n adds up to nothing within a table at any time; m over both tables together."""
    for t in TABLES:
        pg.sql(f"create table {t} (id bigint primary key, n bigint, m bigint, v text); insert into {t} select i, 0, 0, 'old' from generate_series(1, {ACCOUNTS}) i")


def load(pg, folder, rate):
    script = os.path.join(folder, "soak.sql")
    open(script, "w").write(LOAD)
    return pg.pgbench("-n", "-f", script, "-c", "2", "-R", rate, "-T", "3600", "--random-seed", SEED)


# --- readers -------------------------------------------------------------------------------------------------------------


def by_duckdb():
    import duckdb
    import duckdb_extension_delta
    file = os.path.join(os.path.dirname(duckdb_extension_delta.__file__), f"extensions/v{duckdb.__version__}/delta.duckdb_extension")

    def read(folder):
        c = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
        c.execute(f"load '{file}'")
        return c.execute(f"select count(*), count(distinct id), sum(n) from delta_scan('{folder}')").fetchone()
    return read


def by_delta_rs():
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder

    def read(folder):
        result = QueryBuilder().register("t", DeltaTable(folder)).execute("select count(*), count(distinct id), sum(n) from t")
        table = pa.table(result.read_all()) if hasattr(result, "read_all") else pa.Table.from_batches(result)
        return tuple(c[0].as_py() for c in table.columns)
    return read


def by_polars():
    import polars as pl

    def read(folder):
        return pl.scan_delta(folder).select(pl.len(), pl.col("id").n_unique(), pl.col("n").sum()).collect().row(0)
    return read


class Reader(threading.Thread):
    """Reads the tables in turn until it is told to end; what it found wrong is in `wrong`."""

    def __init__(self, name, make, lake):
        super().__init__(daemon=True)
        self.name, self.lake = name, lake
        try:
            self.read = make()
        except ImportError as e:
            raise Skip(f"{name}: {e}")
        self.ended, self.reads, self.wrong = threading.Event(), 0, None

    def run(self):
        while not self.ended.is_set() and not self.wrong:
            table = "public." + TABLES[self.reads % 2]
            try:
                rows, distinct, total = self.read(table_folder(self.lake, table))
                if rows != distinct or total != 0 or rows < ACCOUNTS:
                    self.wrong = f"{self.name}, {table}: {rows} rows, {distinct} keys, sum {total}"
            except Exception as e:
                self.wrong = f"{self.name}, {table}: {type(e).__name__}: {e}"
            self.reads += 1


class AsOf(Reader):
    """Both tables at one epoch, by tain query."""

    def __init__(self, lake):
        super().__init__("tain query", lambda: None, lake)

    def run(self):
        while not self.ended.is_set() and not self.wrong:
            epoch = last_epoch(self.lake)["epoch"]
            r = tain("query", self.lake, "--as-of", epoch, "--format", "csv", "select (select sum(m) from left_side) + (select sum(m) from right_side)")
            if r.code or r.out.splitlines()[1:] != ["0"]:
                self.wrong = f"epoch {epoch}: {r}"
            self.reads += 1


def commits(lake, table):
    """Operations by version, of commits still in the log."""
    found = {}
    for path in glob.glob(os.path.join(table_folder(lake, table), "_delta_log", "0*.json")):
        with open(path) as f:
            found[int(os.path.basename(path)[:20])] = json.loads(f.readline())["commitInfo"]["operation"]
    return found


def count_operations(lake, operation):
    return sum(op == operation for t in TABLES for op in commits(lake, "public." + t).values())


# --- tests -----------------------------------------------------------------------------------------------------------------


def test_readers_find_a_state_of_the_source_all_the_time(folder):
    print(f"  seed {SEED}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        readers = [Reader("DuckDB", by_duckdb, lake), Reader("delta-rs", by_delta_rs, lake), Reader("Polars", by_polars, lake), AsOf(lake)]
        with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
            working = load(pg, folder, 30)
            try:
                for r in readers:
                    r.start()
                end = last_epoch(lake)["epoch"] + EPOCHS
                wait_until(lambda: any(r.wrong for r in readers) or m.process.poll() is not None or
                           (last_epoch(lake)["epoch"] > end and all(r.reads >= 5 for r in readers)), 300, "readers, and epochs")
            finally:
                for r in readers:
                    r.ended.set()
                working.terminate()
                working.wait()
                for r in readers:
                    r.join(60)
            assert m.process.poll() is None, m.output()
            assert not [r.wrong for r in readers if r.wrong], [r.wrong for r in readers if r.wrong]
            m.stop()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
        merges, checkpoints = count_operations(lake, "OPTIMIZE"), glob.glob(lake + "/Tables/public/*/_delta_log/*.checkpoint.parquet")
        health = {t["name"]: t["health"] for t in lake_status(lake)["tables"]}
        print(f"  {last_epoch(lake)['epoch']} epochs, {merges} merges, {len(checkpoints)} checkpoints; reads: {', '.join(f'{r.name} {r.reads}' for r in readers)}; {health}")
        assert merges >= EPOCHS / 15 and len(checkpoints) >= 2 * (EPOCHS // 100), (merges, checkpoints)
        for name, h in health.items():
            assert h["files"] <= 40 and h["log_tail"] <= 110 and h["score"] >= 40, (name, h)


def test_killed_in_upkeep_again_and_again(folder):
    """At the n-th time that upkeep passes a point, whatever the n; then everything is there once."""
    rng = random.Random(SEED + 1)
    points = ["merge.written", "merge.committed", "delta.checkpoint", "index.run_written"]
    print(f"  seed {SEED + 1}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        tain("mirror", pg.url(), lake, "--once", check=0)
        working = load(pg, folder, 60)
        died = collections.Counter()
        try:
            for point in points * 3:
                nth = 1 if point in ("delta.checkpoint", "index.run_written") else rng.randrange(1, 5)
                with Background("mirror", pg.url(), lake, "--freshness", "0ms", env={"TAIN_FAULT": f"{point}:{nth}"}) as m:
                    try:
                        assert m.process.wait(15) == -signal.SIGKILL, m.output()
                        died[point] += 1
                    except subprocess.TimeoutExpired:
                        pass
        finally:
            working.terminate()
            working.wait()
        print(f"  {dict(died)}")
        assert died["merge.written"] and died["merge.committed"] and died["delta.checkpoint"], died
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
        assert tain("verify", pg.url(), lake).code == 0


def test_sorted_by_another_process_while_a_mirror_follows(folder):
    print(f"  seed {SEED}")
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        pg.sql("insert into left_side select 1000000 + i, 0, i % 7, md5(i::text) from generate_series(1, 300000) i")
        tain("mirror", pg.url(), lake, "--once", check=0)
        left = table_folder(lake, "public.left_side")
        with Background("mirror", pg.url(), lake, "--freshness", "10ms") as m:
            working = load(pg, folder, 40)
            try:
                before = last_epoch(lake)["epoch"]
                wait_until(lambda: last_epoch(lake)["epoch"] > before + 10, what="epochs")
                for options in (["--sort-by", "v,id"], ["--profile", "duckdb"], ["--sort-by", "id", "--profile", "directlake"]):
                    tain("table", "optimize", left, *options, check=0)
                    before = last_epoch(lake)["epoch"]
                    wait_until(lambda: last_epoch(lake)["epoch"] > before + 10 or m.process.poll() is not None, what="epochs")
                for point in ("merge.written", "merge.committed"):
                    assert tain("table", "optimize", left, "--sort-by", "id", env={"TAIN_FAULT": point}).code == -signal.SIGKILL
            finally:
                working.terminate()
                working.wait()
            assert m.process.poll() is None, m.output()
            m.stop()
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")
        assert tain("verify", pg.url(), lake).code == 0
        tain("table", "optimize", left, "--sort-by", "v,id", check=0)
        assert_same_as_postgres(pg, lake, "public.left_side")
        assert_sorted(left)
        r = tain("table", "optimize", left, "--sort-by", "nothing")
        assert r.code == 3 and "nothing" in r.err, r


def assert_sorted(folder):
    from deltalake import DeltaTable
    import pyarrow.parquet as pq
    files = [f.replace("file://", "") for f in DeltaTable(folder).file_uris()]
    assert len(files) == 1, files
    rows = pq.read_table(files[0], columns=["v", "id"])
    pairs = list(zip(rows["v"].to_pylist(), rows["id"].to_pylist()))
    assert pairs == sorted(pairs, key=lambda p: (p[0].encode(), p[1]))


def properties(folder):
    from deltalake import DeltaTable
    return DeltaTable(folder).metadata().configuration


def test_retention_is_the_tables_property(folder):
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        table = table_folder(lake, "public.left_side")

        def kept():
            p = properties(table)
            return p["delta.deletedFileRetentionDuration"], p["delta.logRetentionDuration"]

        tain("mirror", pg.url(), lake, "--once", "--retention", "36h", check=0)
        assert kept() == ("interval 36 hours", "interval 60 hours"), kept()
        pg.sql("update left_side set n = 0 where id = 1")
        tain("mirror", pg.url(), lake, "--once", check=0)
        assert kept() == ("interval 36 hours", "interval 60 hours"), "what was given last holds"
        with Background("mirror", pg.url(), lake, "--retention", "3d") as m:
            wait_until(lambda: kept() == ("interval 3 days", "interval 4 days"), what="the property")
            m.stop()
        set_property(table, "delta.deletedFileRetentionDuration", "interval 9 days")
        with Background("mirror", pg.url(), lake) as m:
            pg.sql("update left_side set n = 0 where id = 2")
            before = last_epoch(lake)["epoch"]
            pg.sql("update left_side set n = 0 where id = 3")
            wait_until(lambda: last_epoch(lake)["epoch"] > before, what="an epoch")
            m.stop()
        assert kept() == ("interval 9 days", "interval 4 days"), "set by hand"
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")


def files_with_vectors(folder):
    """Of a log without a checkpoint."""
    live = {}
    for path in sorted(glob.glob(folder + "/_delta_log/0*.json")):
        actions = [json.loads(line) for line in open(path)]
        for a in actions:
            live.pop(a.get("remove", {}).get("path"), None)
        live.update({a["add"]["path"]: a["add"] for a in actions if "add" in a})
    return [f["size"] for f in live.values() if "deletionVector" in f]


def test_a_table_at_rest_has_no_vectors(folder):
    """There are engines that read all of a table more slowly as soon as one file has a vector."""
    lake = os.path.join(folder, "lake")
    with Postgres(folder) as pg:
        setup(pg)
        table, left_alone = (table_folder(lake, f"public.{t}") for t in TABLES)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake) and "public.right_side" in last_epoch(lake)["tables"], what="first content")
            set_property(left_alone, "delta.autoOptimize.autoCompact", "false")
            for t in TABLES:
                pg.sql(f"update {t} set n = 1 where id % 10 = 0; insert into {t} select 10000 + i, 0, 0, 'new' from generate_series(1, 3000) i")
            wait_until(lambda: files_with_vectors(table) and files_with_vectors(left_alone), what="vectors")
            wait_until(lambda: not files_with_vectors(table), what="rest")
            assert files_with_vectors(left_alone), "merging is left to others"
            pg.sql("update left_side set n = 2 where id % 10 = 1")
            wait_until(lambda: files_with_vectors(table), what="vectors again")
            m.stop()
        kept = files_with_vectors(table)
        with Background("mirror", pg.url(), lake) as m:
            wait_until(lambda: not files_with_vectors(table), what=f"rest after a start, of {kept}")
            m.stop()
        assert_same_as_postgres(pg, lake, "public.left_side", "public.right_side")


def set_property(folder, key, value):
    """As another engine would."""
    log = os.path.join(folder, "_delta_log")
    actions = [json.loads(line) for path in sorted(glob.glob(log + "/0*.json")) for line in open(path)]
    known = [a["metaData"] for a in actions if "metaData" in a][-1]
    known["configuration"][key] = value
    newest = max(int(os.path.basename(p)[:20]) for p in glob.glob(log + "/0*.json"))
    with open(f"{log}/{newest + 1:020d}.json", "x") as f:
        f.write(json.dumps({"commitInfo": {"timestamp": 0, "operation": "SET TBLPROPERTIES"}}) + "\n" + json.dumps({"metaData": known}) + "\n")


if __name__ == "__main__":
    main(globals())
