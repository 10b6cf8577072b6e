#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other programs write to mirrored tables while the mirror follows under load: Spark and delta-rs do whatever they can do
to a table, each time to one of its own. Each is rebased upon and right, or that table fails with a reason and a remedy which
mends it; the others never notice. What comes of each stands in doc/readers.md, "Writing to a mirrored table"."""
import contextlib
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (Background, Postgres, ROOT, Skip, compare_rows, lake_status, last_epoch, main, parse_text, read_delta, table_folder,  # noqa: E402
                     tain, wait_until)

COLUMNS = ("id", "n", "v")
TRIES = 10
FOLLOWS, REPAIR = "follows", "repair"  # else: fails with those words
MAPPED = "alter table {t} set tblproperties ('delta.columnMapping.mode' = 'name')"
REGISTERED = "create table {name} using delta location '{path}'"

SPARK = {
    "optimize": (["optimize {t}"], FOLLOWS),
    "zorder": (["optimize {t} zorder by (n)"], FOLLOWS),
    "purge": (["reorg table {t} apply (purge)"], FOLLOWS),
    "vacuum": (["vacuum {t}"], FOLLOWS),
    "set_property": (["alter table {t} set tblproperties ('mine' = 'yes', 'delta.logRetentionDuration' = 'interval 3 days', "
                      "'delta.deletedFileRetentionDuration' = 'interval 2 days')"], FOLLOWS),
    "unset_property": (["alter table {t} unset tblproperties ('delta.checkpointInterval', 'tain.identity')"], FOLLOWS),
    "change_feed": (["alter table {t} set tblproperties ('delta.enableChangeDataFeed' = 'true')"], FOLLOWS),
    "harmless_feature": (["alter table {t} set tblproperties ('delta.feature.domainMetadata' = 'supported')"], FOLLOWS),
    "comment": (["comment on table {t} is 'ours'", "alter table {t} alter column n comment 'a number'"], FOLLOWS),
    "default_value": (["alter table {t} set tblproperties ('delta.feature.allowColumnDefaults' = 'supported')", "alter table {t} alter column n set default 7"], FOLLOWS),
    "add_column": (["alter table {t} add columns (z int)", "update {t} set z = 1 where id % 2 = 0"], REPAIR),
    "add_column_first": (["alter table {t} add columns (z int first)"], FOLLOWS),
    "add_nested_columns": (["alter table {t} add columns (s struct<a: int, b: array<string>>, m map<string, int>)"], FOLLOWS),
    "add_variant_column": (["alter table {t} add columns (x variant)"], "variant"),
    "move_column": (["alter table {t} alter column v first"], FOLLOWS),
    "rename_column": ([MAPPED, "alter table {t} rename column v to w"], FOLLOWS),
    "drop_column": ([MAPPED, "alter table {t} drop column v"], FOLLOWS),
    "drop_key_column": ([MAPPED, "alter table {t} drop column id"], FOLLOWS),
    "cluster": (["alter table {t} cluster by (id)", "optimize {t} full"], FOLLOWS),
    "clone": (["create table delta.`{path}_clone` shallow clone {t}"], FOLLOWS),
    "delete_rows": (["delete from {t} where id <= 40"], REPAIR),
    "update_rows": (["update {t} set n = -1 where id between 30 and 60"], REPAIR),
    "merge_rows": (["merge into {t} as t using (select 5000 + id as id, 1 as n, 'merged' as v from range(9)) as s on t.id = s.id "
                    "when matched then update set * when not matched then insert *"], REPAIR),
    "merge_more_columns": (["merge with schema evolution into {t} as t using (select 5000 + id as id, 1 as n, 'merged' as v, 2 as z from range(9)) as s "
                            "on t.id = s.id when matched then update set * when not matched then insert *"], REPAIR),
    "truncate": (["truncate table {t}"], REPAIR),
    "insert_rows": (["insert into {t} values (6000, 1, 'inserted')"], REPAIR),
    "overwrite_rows": (["insert overwrite {t} values (7000, 1, 'overwritten')"], REPAIR),
    "restore": (["restore table {t} to version as of 0"], REPAIR),
    "check": (["alter table {t} add constraint positive check (id > 0)"], "check constraint \"positive\""),
    "append_only": (["alter table {t} set tblproperties ('delta.appendOnly' = 'true')"], "append-only"),
    "row_tracking": (["alter table {t} set tblproperties ('delta.enableRowTracking' = 'true')"], "rowTracking"),
    "in_commit_timestamps": (["alter table {t} set tblproperties ('delta.enableInCommitTimestamps' = 'true')"], "in-commit timestamps"),
    "checkpoint_v2": (["alter table {t} set tblproperties ('delta.checkpointPolicy' = 'v2')"], "v2Checkpoint"),
    "widen_type": (["alter table {t} set tblproperties ('delta.enableTypeWidening' = 'true')", "alter table {t} alter column n type bigint"], "typeWidening"),
    "drop_vectors": (["alter table {t} drop feature deletionVectors"], FOLLOWS),
    "replace": ([REGISTERED, "create or replace table {name} (id int, n int, v string) using delta location '{path}'"], "replaced"),
    "replace_by_others": ([REGISTERED, "create or replace table {name} using delta location '{path}' as select 'x' as a"], "replaced"),
}
# One of each kind, and what may come out otherwise when it is found later; OPERATIONS=all.
USUAL = ("optimize", "vacuum", "add_column", "add_nested_columns", "rename_column", "drop_key_column", "cluster", "clone", "merge_more_columns", "restore",
         "row_tracking", "widen_type", "replace")
USUAL_LATER = ("unset_property", "add_variant_column", "rename_column", "drop_key_column", "merge_more_columns", "checkpoint_v2", "replace")


def delta_rs():
    """name: (what is done to a DeltaTable, outcome)."""
    try:
        import deltalake
        import pyarrow as pa
    except ImportError as e:
        raise Skip(str(e))
    rows = lambda first, names=COLUMNS: pa.table(dict(zip(names, ([first, first + 1], pa.array([1, 2], pa.int32()), ["x", "y"])))).cast(
        pa.schema([(names[0], pa.int32()), (names[1], pa.int32()), (names[2], pa.string())]))
    more = lambda first: rows(first).append_column("z", pa.array([1, 2], pa.int32()))
    return {
        "compact": (lambda t: t.optimize.compact(), FOLLOWS),
        "z_order": (lambda t: t.optimize.z_order(["n"]), FOLLOWS),
        "vacuum": (lambda t: t.vacuum(dry_run=False), FOLLOWS),
        "create_checkpoint": (lambda t: t.create_checkpoint(), FOLLOWS),
        "cleanup_metadata": (lambda t: t.cleanup_metadata(), FOLLOWS),
        "set_properties": (lambda t: t.alter.set_table_properties({"delta.logRetentionDuration": "interval 3 days"}), FOLLOWS),
        "add_columns": (lambda t: t.alter.add_columns(deltalake.Field("z", deltalake.schema.PrimitiveType("integer"))), FOLLOWS),
        "delete_rows": (lambda t: t.delete("id <= 40"), REPAIR),
        "update_rows": (lambda t: t.update({"n": "-1"}, predicate="id > 30 and id < 60"), REPAIR),
        "merge_rows": (lambda t: t.merge(rows(5000), "s.id = t.id", source_alias="s", target_alias="t").when_matched_update_all()
                       .when_not_matched_insert_all().execute(), REPAIR),
        "append": (lambda t: deltalake.write_deltalake(t, rows(6000), mode="append"), REPAIR),
        "append_more_columns": (lambda t: deltalake.write_deltalake(t, more(6000), mode="append", schema_mode="merge"), REPAIR),
        "overwrite": (lambda t: deltalake.write_deltalake(t, rows(7000), mode="overwrite"), REPAIR),
        "overwrite_columns": (lambda t: deltalake.write_deltalake(t, rows(7000, ("a", "b", "c")), mode="overwrite", schema_mode="overwrite"), REPAIR),
        "restore": (lambda t: t.restore(0), REPAIR),
        "check": (lambda t: t.alter.add_constraint({"positive": "id > 0"}), "check constraint \"positive\""),
        "append_only": (lambda t: t.alter.set_table_properties({"delta.appendOnly": "true"}), "append-only"),
    }


def wait_confirmed(pg, ended=lambda: False):
    """Until all that has happened is in the lake, or that has ended which puts it there."""
    last = pg.sql("select pg_current_wal_lsn()")
    wait_until(lambda: ended() or pg.sql(f"select bool_and(confirmed_flush_lsn >= '{last}') from pg_replication_slots") == "t", seconds=120, what="it has caught up")


# --- load -----------------------------------------------------------------------------------------------------------


class Load:
    """Changes to all tables, transaction after transaction; `with load.held()` none comes in between."""

    def __init__(self, pg, names):
        self.pg, self.names, self.round, self.trouble = pg, names, 0, None
        self.ended, self.gate = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self.run)

    def statements(self):
        i = self.round
        for name in self.names:
            yield (f"update {name} set n = {i} where id % 12 = {i % 12}; delete from {name} where id = {i % 250 + 1};"
                   f"insert into {name} values ({1000 + i}, {'null' if i % 3 == 0 else i}, 'new'), ({i % 250 + 1}, 7, 'back')")

    def step(self):
        with self.gate:
            self.round += 1
            self.pg.sql("begin;" + ";".join(self.statements()) + "; commit")

    def run(self):
        try:
            while not self.ended.wait(0.7):  # between transactions of a source at work
                self.step()
        except Exception as problem:  # psql's words, for the test to say
            self.trouble = problem

    def goes_on(self):
        """Waits for a transaction more, if there are any."""
        begun = self.round
        wait_until(lambda: self.round > begun or self.trouble or not self.thread.is_alive(), what="load")

    @contextlib.contextmanager
    def held(self):
        with self.gate:
            wait_confirmed(self.pg)
            yield

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join()


def is_conflict(problem):
    return any(word in str(problem) for word in ("oncurrent", "conflict", "Conflict", "onflicting", "transaction failed", "ommit failed"))


def insist(load, act, *args):
    """Under load; if that loses the race for a version, while nothing comes, until the mirror's upkeep has come to rest as well."""
    try:
        return act(*args)
    except Exception as problem:
        if not is_conflict(problem):
            raise
    with load.held():
        for left in reversed(range(TRIES)):
            try:
                return act(*args)
            except Exception as problem:
                if not left or not is_conflict(problem):
                    raise


# --- what comes of it -----------------------------------------------------------------------------------------------


def compare(pg, lake, name):
    """The source's columns are all there, with its rows; columns that others added stand behind them."""
    columns, types, rows = read_delta(table_folder(lake, name))
    assert tuple(columns[:3]) == COLUMNS, (name, columns)
    want = [tuple(parse_text(v, t) for v, t in zip(r, types)) for r in pg.rows(name, COLUMNS)]
    return compare_rows(want, [r[:3] for r in rows], name)


SUMS = "count(*), sum(id), sum(id * coalesce(n, 0)), sum(id * length(v)), min(v), max(v)"


def compare_sums(pg, lake, names, ask):
    """As another engine reads every table in the end. ask: an SQL statement -> rows, with | between values."""
    want = pg.sql(" union all ".join(f"select '{n}', {SUMS} from {n}" for n in names))
    got = ask(" union all ".join(f"select '{n}', {SUMS} from delta.`{table_folder(lake, n)}`" for n in names))
    assert sorted(got) == sorted(want.split("\n")), sorted({*got} ^ {*want.split("\n")})


def table_states(lake):
    return {t["name"]: t for t in lake_status(lake)["tables"]}


def finish(pg, lake, m, load, outcomes):
    """Everything has come; what each table should be, and is mended to."""
    load.step()
    load.step()
    wait_confirmed(pg, lambda: m.process.poll() is not None)
    assert m.process.poll() is None, m.output()
    wrong = {}
    wait_until(lambda: not wrong_states(lake, outcomes, wrong) or m.process.poll() is not None, seconds=20, what=wrong)
    for name, outcome in outcomes.items():
        if outcome == FOLLOWS:
            compare(pg, lake, name)
    assert m.stop() == 0, m.output()
    mend(pg, lake, outcomes)


def wrong_states(lake, outcomes, wrong):
    """What is not as it should be, table by table, into wrong."""
    states = table_states(lake)
    wrong.clear()
    wrong.update({name: w for name, outcome in outcomes.items() for w in [judge(name, outcome, states[name])] if w})
    return wrong


def judge(name, outcome, state):
    """What is wrong, or None."""
    said = f"{state['status']} {state['reason']} ({state['remedy']}) {state['warnings']}"
    if outcome not in (FOLLOWS, REPAIR):
        good = state["status"] == "Failed" and outcome in state["reason"] and f"--resync {name}" in state["remedy"]
        return None if good else f"not failed with {outcome}: {said}"
    if state["status"] != "Replicating":
        return said
    if outcome == REPAIR and not any(w["code"] == "foreign_commit" for w in state["warnings"]):
        return f"it is not said that another program was there: {said}"
    return None


def mend(pg, lake, outcomes):
    """Remedies: --resync of what failed, --repair of what differs."""
    failed = [n for n, o in outcomes.items() if o not in (FOLLOWS, REPAIR)]
    if failed:
        tain("mirror", pg.url(), lake, "--once", "--resync", ",".join(failed), check=0)
        for name in failed:
            compare(pg, lake, name)
    tain("mirror", pg.url(), lake, "--once", "--repair", check=0)
    for old, new in ("v", "w"), ("w", "v"):  # the source's own changes go on
        pg.sql(";".join(f"update {n} set n = -n where id % 3 = 0; alter table {n} rename {old} to {new}; delete from {n} where id % 7 = 0" for n in outcomes))
        tain("mirror", pg.url(), lake, "--once", check=0)
    for name in outcomes:
        compare(pg, lake, name)
    assert {t["status"] for t in lake_status(lake)["tables"]} == {"Replicating"}, lake_status(lake)


def chosen(operations, usual):
    wanted = os.environ.get("OPERATIONS", "").split(",")
    names = usual if wanted == [""] else operations if wanted == ["all"] else wanted
    return {n: operations[n] for n in names if n in operations}


def make_tables(pg, names):
    for name in names:
        pg.sql(f"create table {name} (id int primary key, n int, v text); insert into {name} select i, i, 'v' || i from generate_series(1, 300) i")


def do_all(lake, load, operations, act):
    """act(load, name, path, what) does each operation to its table. Returns {name: why} of what could not be done."""
    undone = {}
    for n, (what, _) in operations.items():
        name, started = table_name(n), time.monotonic()
        load.goes_on()
        try:
            act(load, name, table_folder(lake, name), what)
        except Exception as problem:
            undone[name] = str(problem)[:400]
        if os.environ.get("VERBOSE"):
            print(f"  {name} {time.monotonic() - started:.1f} s {undone.get(name, '')}", flush=True)
    return undone


def table_name(operation):
    return f"public.t_{operation}"


def settle(pg, lake, m, load, operations, undone):
    finish(pg, lake, m, load, {table_name(n): outcome for n, (_, outcome) in operations.items() if table_name(n) not in undone})
    assert not undone, undone


def follow(folder, operations, act, look=None):
    """Under load. look(pg, lake, names) in the end."""
    lake = os.path.join(folder, "lake")
    names = [table_name(n) for n in operations]
    with Postgres(folder) as pg:
        make_tables(pg, names)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake) and len(table_states(lake)) == len(names), what="first epoch")
            with Load(pg, names) as load:
                undone = do_all(lake, load, operations, act)
            assert not load.trouble, load.trouble
            settle(pg, lake, m, load, operations, undone)
        if look:
            look(pg, lake, names)


def find(folder, operations, act, look=None):
    """While no mirror runs."""
    lake = os.path.join(folder, "lake")
    names = [table_name(n) for n in operations]
    with Postgres(folder) as pg:
        make_tables(pg, names)
        load = Load(pg, names)
        for _ in range(3):
            tain("mirror", pg.url(), lake, "--once", check=0)
            load.step()
        undone = do_all(lake, load, operations, act)
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            settle(pg, lake, m, load, operations, undone)
        if look:
            look(pg, lake, names)


def open_spark():
    sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
    import engines
    try:
        return engines.open_engine("spark").session()
    except engines.Unavailable as problem:
        if engines.may_lack("spark"):
            raise Skip(str(problem))
        raise


def by_spark(folder, how, usual):
    with open_spark() as spark:
        def act(load, name, path, statements):
            for s in statements:
                insist(load, spark.run, s.format(t=f"delta.`{path}`", path=path, name=name.split(".")[1]))
        how(folder, chosen(SPARK, usual), act, lambda pg, lake, names: compare_sums(pg, lake, names, spark.run))


def by_delta_rs(folder, how):
    import deltalake

    def act(load, name, path, what):
        insist(load, lambda: what(deltalake.DeltaTable(path)))
    operations = delta_rs()
    how(folder, chosen(operations, operations), act)


def test_spark(folder):
    by_spark(folder, follow, USUAL)


def test_spark_while_no_mirror_runs(folder):
    by_spark(folder, find, USUAL_LATER)


def test_delta_rs(folder):
    by_delta_rs(folder, follow)


def test_delta_rs_while_no_mirror_runs(folder):
    by_delta_rs(folder, find)


if __name__ == "__main__":
    main(globals())
