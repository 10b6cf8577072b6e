#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other programs write to mirrored tables while the mirror follows under load: delta-rs does whatever it can do to
a table, each time to one of its own. Each is rebased upon and right, or that table fails with a reason and a remedy which
mends it; the others never notice. What comes of each stands in doc/readers.md, "Writing to a mirrored table"."""
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (Background, Postgres, Skip, compare_rows, lake_status, last_epoch, main, parse_text, read_delta, table_folder,  # noqa: E402
                     tain, wait_until)

COLUMNS = ("id", "n", "v")
FOLLOWS, REPAIR = "follows", "repair"  # else: fails with those words


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

    def held(self):
        return self.gate

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join()


def insist(load, act, *args):
    """Under load; if that lost the race for a version, while nothing comes."""
    try:
        return act(*args)
    except Exception as problem:
        if not any(word in str(problem) for word in ("oncurrent", "conflict", "Conflict", "onflicting", "transaction failed", "ommit failed")):
            raise
    with load.held():
        return act(*args)


# --- what comes of it -----------------------------------------------------------------------------------------------


def compare(pg, lake, name):
    """The source's columns are all there, with its rows; columns that others added stand behind them."""
    columns, types, rows = read_delta(table_folder(lake, name))
    assert tuple(columns[:3]) == COLUMNS, (name, columns)
    want = [tuple(parse_text(v, t) for v, t in zip(r, types)) for r in pg.rows(name, COLUMNS)]
    return compare_rows(want, [r[:3] for r in rows], name)


def table_states(lake):
    return {t["name"]: t for t in lake_status(lake)["tables"]}


def finish(pg, lake, m, load, outcomes):
    """Everything has come; what each table should be, and is mended to."""
    load.step()
    load.step()
    last = pg.sql("select pg_current_wal_lsn()")
    wait_until(lambda: m.process.poll() is not None or pg.sql(f"select bool_and(confirmed_flush_lsn >= '{last}') from pg_replication_slots") == "t",
               seconds=120, what="it has caught up")
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
    pg.sql(";".join(f"update {n} set n = -n where id % 3 = 0; delete from {n} where id % 7 = 0" for n in outcomes))
    tain("mirror", pg.url(), lake, "--once", check=0)
    for name in outcomes:
        compare(pg, lake, name)
    assert {t["status"] for t in lake_status(lake)["tables"]} == {"Replicating"}, lake_status(lake)


def follow(folder, operations, act):
    """act(load, name, path, what) does each operation to its table."""
    lake = os.path.join(folder, "lake")
    wanted = os.environ.get("OPERATIONS", "").split(",") if os.environ.get("OPERATIONS") else operations
    operations = {n: operations[n] for n in wanted if n in operations}
    names, undone = {f"public.t_{n}": n for n in operations}, {}
    with Postgres(folder) as pg:
        for name in names:
            pg.sql(f"create table {name} (id int primary key, n int, v text); insert into {name} select i, i, 'v' || i from generate_series(1, 300) i")
        with Background("mirror", pg.url(), lake, "--freshness", "50ms") as m:
            wait_until(lambda: last_epoch(lake) and len(table_states(lake)) == len(names), what="first epoch")
            with Load(pg, list(names)) as load:
                for name, n in names.items():
                    begun = load.round
                    wait_until(lambda: load.round > begun or load.trouble, what="load")
                    try:
                        act(load, name, table_folder(lake, name), operations[n][0])
                    except Exception as problem:
                        undone[name] = str(problem)[:400]
                    assert m.process.poll() is None, f"{name}: {m.output()}"
                    if os.environ.get("VERBOSE"):
                        print(f"  {name} {undone.get(name, '')}", flush=True)
            assert not load.trouble and not undone, (load.trouble, undone)
            finish(pg, lake, m, load, {name: operations[n][1] for name, n in names.items()})


def test_delta_rs(folder):
    import deltalake

    def act(load, name, path, what):
        insist(load, lambda: what(deltalake.DeltaTable(path)))
    follow(folder, delta_rs(), act)


if __name__ == "__main__":
    main(globals())
