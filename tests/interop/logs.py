#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""logs.py [CASE...]: logs made by hand, with the liberties and the mistakes of other writers, read by tain (`tain query`), Delta
Kernel and Spark.

What tain reads must be the rows that the case says, and every engine that reads the table must agree, unless the case says
that it does not, and why. What tain refuses it must refuse with the words of the case, which name the place. TAIN is the
program; TAIN_INTEROP_SKIP as in matrix.py. ENGINES=kernel asks that one alone. VERBOSE=1 prints what each made of each. The last line counts."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import handmade  # noqa: E402
import matrix  # noqa: E402
from handmade import HandMade, SCHEMA, compact, ids  # noqa: E402

TAIN = os.environ.get("TAIN", str(matrix.ROOT / "build/tain"))
CASES = {}


def reads(*rows, **differ):
    """The ids that are there. differ: engine="why it reads something else"."""
    return lambda make: CASES.setdefault(make.__name__, (make, sorted(i for r in rows for i in r), None, differ))


def refuses(text):
    return lambda make: CASES.setdefault(make.__name__, (make, None, text, {}))


ALL = ids(0)
KEPT = [i for i in ids(0) if i not in (3, 7)]


def begun(t):
    """A table of one file, as versions 0 and 1."""
    t.head()
    a = t.data(0)
    t.commit(a)
    return a


def deleted(t, rows=(3, 7), **more):
    a = begun(t)
    t.commit(t.remove(a), t.with_vector(a, t.vector(rows, **more)))
    return a


# --- actions --------------------------------------------------------------------------------------------------------


@refuses("00000000000000000002.json")
def two_metadata_in_one_commit(t):
    begun(t)
    t.commit(t.metadata(), t.metadata(name="again"))


@refuses("00000000000000000002.json")
def two_protocols_in_one_commit(t):
    begun(t)
    t.commit(t.protocol(), t.protocol(writers=("appendOnly",)))


@reads(ALL)
def remove_without_add(t):
    begun(t)
    t.commit({"remove": {"path": "part-77.parquet", "deletionTimestamp": 1, "dataChange": True}})


@reads(ALL)
def added_twice(t):
    a = begun(t)
    t.commit(a)


@reads(ALL)
def added_twice_in_one_commit(t):
    t.head()
    a = t.data(0)
    t.commit(a, a)


@refuses("00000000000000000002.json")
def added_and_removed_in_one_commit(t):
    a = begun(t)
    t.commit(t.remove(a), a)


@reads(ALL, ids(1))
def no_data_change(t):
    a = begun(t)
    b = t.data(1, dataChange=False)
    t.commit(t.remove(a, dataChange=False), t.data(0, name="again.parquet", dataChange=False), b)


@reads(ALL)
def transactions_out_of_order(t):
    begun(t)
    t.commit({"txn": {"appId": "x", "version": 9, "lastUpdated": 5}})
    t.commit({"txn": {"appId": "x", "version": 3, "lastUpdated": 4}})


@reads(ALL)
def unknown_actions(t):
    begun(t)
    t.commit({"unheardOf": {"path": "part-0.parquet"}}, {"cdc": {"path": "_change_data/x", "partitionValues": {}, "size": 1, "dataChange": False}},
             {"domainMetadata": {"domain": "d", "configuration": "{}", "removed": False}})


@reads(ALL)
def no_commit_info(t):
    t.commit(t.protocol(), t.metadata(), t.data(0), info=False)


@reads(ALL)
def in_commit_timestamps(t):
    t.commit({"commitInfo": {"timestamp": 5, "inCommitTimestamp": 7, "operation": "CREATE TABLE", "operationParameters": {}}},
             t.protocol(writers=("inCommitTimestamp",)), t.metadata(configuration={"delta.enableInCommitTimestamps": "true"}), info=False)
    t.commit({"commitInfo": {"timestamp": 5, "inCommitTimestamp": 8, "operation": "WRITE", "operationParameters": {}}}, t.data(0), info=False)


# --- text -----------------------------------------------------------------------------------------------------------


def lines(*actions, end="\n"):
    return "".join(compact(a) + end for a in actions)


@reads(ALL)
def carriage_returns(t):
    t.head()
    t.text(lines(t.data(0), end="\r\n"))


@reads(ALL, kernel="it takes an empty line for damage")
def empty_lines(t):
    t.head()
    t.text("\n" + lines(t.data(0)) + "\n\n")


@reads(ALL)
def no_final_newline(t):
    t.head()
    t.text(lines(t.data(0)).rstrip("\n"))


@reads(ALL)
def spaces_in_json(t):
    t.head()
    t.text(json.dumps(t.data(0), separators=(" , ", " : ")) + "\n")


@refuses("00000000000000000001.json line 2")
def torn_line(t):
    t.head()
    t.text(lines(t.data(0)) + lines(t.data(1))[:40])


@refuses("00000000000000000001.json is empty")
def empty_commit(t):
    t.head()
    t.text("")


@refuses("00000000000000000001.json line 1")
def not_json(t):
    t.head()
    t.text("add part-0.parquet\n")


@refuses("00000000000000000001.json line 1")
def numbers_as_texts(t):
    t.head()
    a = t.data(0)
    a["add"]["size"] = str(a["add"]["size"])
    t.text(lines(a))


# --- the sequence of commits ----------------------------------------------------------------------------------------


@refuses("has version 3 but not version 2")
def gap(t):
    begun(t)
    t.version = 3
    t.commit(t.data(1))


@refuses("begins at version 1")
def no_beginning(t):
    begun(t)
    t.drop(0)


@reads(ALL)
def strange_names_in_the_log(t):
    begun(t)
    for name in ("00000000000000000002.json.tmp", ".00000000000000000002.json.crc", "00000000000000000001.crc"):
        open(os.path.join(t.log, name), "w").close()


@reads(ALL, ids(1))
def compacted_log(t):
    a = begun(t)
    b = t.data(1)
    t.commit(b)
    with open(os.path.join(t.log, f"{1:020d}.{2:020d}.compacted.json"), "w") as f:
        f.write(lines(a, b))


@refuses("no metaData")
def no_metadata(t):
    t.commit(t.protocol(), t.data(0))


@refuses("no protocol")
def no_protocol(t):
    t.commit(t.metadata(), t.data(0))


# --- protocol -------------------------------------------------------------------------------------------------------


@refuses("without readerFeatures")
def no_feature_lists(t):
    t.commit({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7}}, t.metadata(), t.data(0))


@refuses("futureFeature")
def unknown_reader_feature(t):
    t.head(t.data(0), features=("futureFeature",))


@reads(ALL)
def unknown_writer_feature(t):
    t.head(t.data(0), writers=("futureFeature",))


@refuses("reader version 4")
def newer_reader_version(t):
    t.head(t.data(0), reader=4)


@refuses("deletionVectors")
def vector_without_the_feature(t):
    t.head(reader=1, writer=2)
    a = t.data(0)
    t.commit(a)
    t.commit(t.remove(a), t.with_vector(a, t.vector([3, 7])))


# --- deletion vectors -----------------------------------------------------------------------------------------------


@reads(KEPT)
def vector(t):
    deleted(t)


@reads(KEPT)
def vector_without_number_of_rows(t):
    t.head()
    a = t.data(0, stats=None)
    t.commit(a)
    t.commit(t.remove(a), t.with_vector(a, t.vector([3, 7])))


@reads(KEPT)
def vector_inline(t):
    a = begun(t)
    payload = handmade.bitmap([3, 7])
    padded = payload + b"\0" * (-len(payload) % 4)
    t.commit(t.remove(a), t.with_vector(a, {"storageType": "i", "pathOrInlineDv": handmade.z85(padded), "sizeInBytes": len(payload), "cardinality": 2}))


@reads(KEPT)
def vector_by_absolute_path(t):
    a = begun(t)
    t.vector([3, 7])
    name = next(n for n in os.listdir(t.folder) if n.endswith(".bin"))
    payload = handmade.bitmap([3, 7])
    t.commit(t.remove(a), t.with_vector(a, {"storageType": "p", "pathOrInlineDv": f"file://{t.folder}/{name}", "offset": 1, "sizeInBytes": len(payload), "cardinality": 2}))


@refuses("where the log says 3")
def vector_of_wrong_cardinality(t):
    deleted(t, cardinality=3)


@refuses("where the log says")
def vector_of_wrong_size(t):
    deleted(t, sizeInBytes=len(handmade.bitmap([3, 7])) - 4)


@refuses("checksum")
def vector_of_wrong_checksum(t):
    deleted(t, crc=12345)


@refuses("part-0.parquet")
def vector_beyond_the_rows(t):
    deleted(t, rows=(3, 70))


@refuses("missing")
def vector_file_missing(t):
    deleted(t)
    for name in os.listdir(t.folder):
        if name.endswith(".bin"):
            os.unlink(os.path.join(t.folder, name))


@refuses("added again while it is live with another deletion vector")
def vector_forgotten_by_the_remove(t):
    a = deleted(t)
    t.commit(t.remove(a), t.with_vector(a, t.vector([3, 7, 8])))


@refuses("added again while it is live with another deletion vector")
def vector_without_remove(t):
    a = begun(t)
    t.commit(t.with_vector(a, t.vector([3, 7])))


# --- statistics -----------------------------------------------------------------------------------------------------


@reads(ALL)
def no_statistics(t):
    t.head(t.data(0, stats=None))


@reads(ALL)
def statistics_that_are_no_json(t):
    t.head(t.data(0, stats="{\"numRecords\":"))


@reads(ALL)
def statistics_of_wrong_types(t):
    t.head(t.data(0, stats=compact({"numRecords": "ten", "minValues": {"id": "a"}, "maxValues": {"id": []}, "nullCount": 7})))


@reads(ALL)
def statistics_of_unknown_columns(t):
    t.head(t.data(0, stats=compact({"numRecords": 10, "minValues": {"other": 1}, "maxValues": {"other": 1}, "nullCount": {"other": 0}, "more": {}})))


# --- paths, files ---------------------------------------------------------------------------------------------------


@reads(ALL)
def encoded_path(t):
    a = t.data(0, name="a b%c.parquet")
    a["add"]["path"] = "a%20b%25c.parquet"
    t.head(a)


@reads(ALL)
def path_in_folders(t):
    t.head(t.data(0, name="x/y=z/part.parquet"))


@reads(ALL)
def absolute_path(t):
    a = t.data(0)
    a["add"]["path"] = f"file://{t.folder}/part-0.parquet"
    t.head(a)


@reads(ALL)
def path_outside(t):
    a = t.data(0, name="../elsewhere.parquet")
    a["add"]["path"] = "file://" + os.path.join(os.path.dirname(t.folder), "elsewhere.parquet")
    t.head(a)


@refuses("part-0.parquet")
def path_on_another_store(t):
    a = t.data(0)
    a["add"]["path"] = "s3://bucket/part-0.parquet"
    t.head(a)


@refuses("part-0.parquet")
def file_missing(t):
    t.head(t.data(0))
    os.unlink(os.path.join(t.folder, "part-0.parquet"))


@refuses("part-0.parquet")
def file_cut_short(t):
    t.head(t.data(0))
    os.truncate(os.path.join(t.folder, "part-0.parquet"), 200)


@reads(ALL)
def columns_in_another_order(t):
    import pyarrow as pa
    t.head(t.data(0, table=pa.table({"more": [1] * 10, "v": [f"v{i}" for i in ALL], "id": pa.array(ALL, pa.int64())})))


@reads(ALL)
def columns_in_another_case(t):
    import pyarrow as pa
    t.head(t.data(0, table=pa.table({"ID": pa.array(ALL, pa.int64()), "V": [f"v{i}" for i in ALL]})))


@refuses("differ")
def columns_equal_but_for_case(t):
    schema = json.loads(json.dumps(SCHEMA))
    schema["fields"].append({"name": "ID", "type": "long", "nullable": True, "metadata": {}})
    t.commit(t.protocol(), t.metadata(schema), t.data(0))


@refuses("partition")
def partitioned(t):
    schema = json.loads(json.dumps(SCHEMA))
    schema["fields"].append({"name": "p", "type": "string", "nullable": True, "metadata": {}})
    t.commit(t.protocol(), t.metadata(schema, partitions=["p"]), t.data(0, partitionValues={"p": "a b"}))


@refuses("partition")
def partition_value_missing(t):
    schema = json.loads(json.dumps(SCHEMA))
    schema["fields"].append({"name": "p", "type": "string", "nullable": True, "metadata": {}})
    t.commit(t.protocol(), t.metadata(schema, partitions=["p"]), t.data(0))


# --- checkpoints ----------------------------------------------------------------------------------------------------


def two_files(t):
    """Versions 0 to 2; the actions of a checkpoint at 2."""
    a = begun(t)
    b = t.data(1)
    t.commit(b)
    return [t.protocol(), t.metadata(), a, b]


def checkpointed(t, clean=True, **more):
    actions = two_files(t)
    t.checkpoint(2, actions, **more)
    if clean:
        t.drop(0, 1)
    return actions


@reads(ALL, ids(1))
def checkpoint(t):
    checkpointed(t)


@reads(ALL, ids(1), ids(2))
def checkpoint_and_commits_behind_it(t):
    checkpointed(t)
    t.commit(t.data(2))


@reads(ALL, ids(1))
def checkpoint_without_hint(t):
    checkpointed(t, hint=False)


@reads(ALL, ids(1))
def hint_is_garbage(t):
    checkpointed(t)
    t.hint("{\"version\":")


@reads(ALL, ids(1), ids(2))
def hint_behind(t):
    actions = checkpointed(t, clean=False)
    c = t.data(2)
    t.commit(c)
    t.checkpoint(3, [*actions, c], hint=False)


@reads(ALL, ids(1))
def hint_names_a_missing_checkpoint(t):
    two_files(t)
    t.hint({"version": 2, "size": 4})


@reads(ALL, ids(1))
def hint_beyond_the_log(t):
    checkpointed(t)
    t.hint({"version": 9, "size": 4})


@reads(ALL, ids(1))
def hint_of_wrong_checksum(t):
    checkpointed(t)
    t.hint({"version": 2, "size": 4, "checksum": "00000000000000000000000000000000"})


def parts(t, missing=None):
    actions = two_files(t)
    for i, some in ((1, actions[:3]), (2, actions[3:])):
        if i != missing:
            t.checkpoint(2, some, name=f"checkpoint.{i:010d}.{2:010d}.parquet", hint=False)
    t.hint({"version": 2, "size": 4, "parts": 2})


@reads(ALL, ids(1))
def checkpoint_in_parts(t):
    parts(t)
    t.drop(0, 1)


@reads(ALL, ids(1))
def checkpoint_part_missing(t):
    parts(t, missing=2)


@refuses("has no checkpoint")
def checkpoint_part_and_log_missing(t):
    parts(t, missing=1)
    t.drop(0, 1)


@refuses("00000000000000000002.checkpoint.parquet")
def checkpoint_is_garbage(t):
    checkpointed(t)
    with open(os.path.join(t.log, f"{2:020d}.checkpoint.parquet"), "w") as f:
        f.write("PAR1 nothing PAR1")


@reads(ALL, ids(1), kernel="it takes a struct of nulls for a vector", spark="likewise")
def checkpoint_with_vectors_of_nulls(t):
    checkpointed(t, dv_nulls=True)


@reads(ALL, ids(1))
def checkpoint_with_typed_statistics_only(t):
    checkpointed(t, parsed=True)


@reads(ids(1))
def checkpoint_with_tombstones(t):
    """Expired ones, and one without a time."""
    actions = two_files(t)
    a = actions.pop(2)
    t.commit(t.remove(a))
    t.checkpoint(3, [*actions, t.remove(a), {"remove": {"path": "gone.parquet", "dataChange": False}}])
    t.drop(0, 1, 2)


@reads(KEPT, ids(1))
def checkpoint_with_vector(t):
    actions = two_files(t)
    a = actions[2]
    kept = t.with_vector(a, t.vector([3, 7]))
    t.commit(t.remove(a), kept)
    t.checkpoint(3, [*actions[:2], kept, actions[3], t.remove(a)])
    t.drop(0, 1, 2)


@refuses("no protocol")
def checkpoint_without_protocol(t):
    actions = two_files(t)
    t.checkpoint(2, actions[1:])
    t.drop(0, 1)


def with_sidecar(t, name):
    actions = two_files(t)
    actions[0] = t.protocol(features=("deletionVectors", "v2Checkpoint"))
    t.version = 0
    t.commit(actions[0], actions[1])
    t.version = 3
    t.checkpoint(2, actions[2:], name="x", hint=False)
    os.makedirs(os.path.join(t.log, "_sidecars"))
    side = os.path.join(t.log, "_sidecars", "side.parquet")
    shutil.move(os.path.join(t.log, f"{2:020d}.x"), side)
    sidecar = {"sidecar": {"path": "side.parquet", "sizeInBytes": os.path.getsize(side), "modificationTime": 1}}
    top = [{"checkpointMetadata": {"version": 2}}, *actions[:2], sidecar]
    if name.endswith(".json"):
        with open(os.path.join(t.log, f"{2:020d}.{name}"), "w") as f:
            f.write(lines(*top))
    else:
        t.checkpoint(2, top, name=name, hint=False)
    t.drop(0, 1)


@refuses("version 2")
def checkpoint_of_version_2(t):
    with_sidecar(t, "checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet")


@refuses("version 2")
def checkpoint_of_version_2_as_json(t):
    with_sidecar(t, "checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json")


@refuses("v2Checkpoint")
def checkpoint_of_version_2_beside_the_log(t):
    t.head(t.data(0), features=("v2Checkpoint",))


@refuses("00000000000000000002.checkpoint.parquet")
def checkpoint_of_version_2_by_the_old_name(t):
    with_sidecar(t, "checkpoint.parquet")


# --- running --------------------------------------------------------------------------------------------------------


def by_tain(lake):
    """(rows as canonical texts, None) or (None, what it said)."""
    run = subprocess.run([TAIN, "query", lake, "--format", "json", "select id, v from t"], capture_output=True, text=True, timeout=120)
    if run.returncode < 0:
        return None, f"killed by signal {-run.returncode}"
    if run.returncode:
        return None, run.stderr.strip()
    return sorted(compact([str(r["id"]), r["v"]]) for r in json.loads(run.stdout)), None


def by_others(cases):
    """{engine: {case: rows or exception}} of those that are there."""
    answers = {}
    for name in os.environ.get("ENGINES", "kernel,spark").split(","):
        try:
            engine = matrix.engines.open_engine(name)
        except matrix.engines.Unavailable as problem:
            if matrix.missing(name, problem)[1]:
                raise SystemExit(1)
            continue
        results = engine.read_all([(folder, []) for _, folder in cases])
        answers[name] = {case: r if isinstance(r, Exception) else sorted(compact(json.loads(row)[:2]) for row in r[1])
                         for (case, _), r in zip(cases, results)}
    return answers


def wanted_rows(wanted):
    return sorted(compact([str(i), f"v{i}"]) for i in wanted)


def judge_tain(case, rows, said):
    """What is wrong with tain's answer, or None."""
    _, wanted, text, _ = CASES[case]
    if text is not None:
        if rows is not None:
            return f"read {len(rows)} rows instead of refusing ({text})"
        return None if text in said else f"does not say \"{text}\": {said}"
    if rows is None:
        return f"refused: {said}"
    return None if rows == wanted_rows(wanted) else f"read {rows[:3]}... ({len(rows)} rows) instead of {len(wanted)} rows"


def judge_other(case, engine, answer):
    """What is wrong with an engine that reads something else than tain does, or None."""
    _, wanted, _, differ = CASES[case]
    if wanted is None:
        return None
    same = not isinstance(answer, Exception) and answer == wanted_rows(wanted)
    if engine in differ:
        return f"agrees now: take it out ({differ[engine]})" if same else None
    if isinstance(answer, Exception):
        return None if engine in differ else f"refuses: {str(answer)[:300]}"
    return None if same else f"reads {len(answer)} rows, not {len(wanted)}"


def shown(answer):
    return f"refused: {str(answer).splitlines()[0][:150]}" if isinstance(answer, Exception) else f"{len(answer)} rows"


def main():
    names = sys.argv[1:] or list(CASES)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="tain-logs-") as root:
        cases = [(name, os.path.join(root, name, "Tables/main/t")) for name in names]
        for name, folder in cases:
            CASES[name][0](HandMade(folder))
        others = by_others(cases)
        for name, _ in cases:
            rows, said = by_tain(os.path.join(root, name))
            wrong = [f"tain {w}" for w in [judge_tain(name, rows, said)] if w]
            wrong += [f"{e} {w}" for e, answers in others.items() for w in [judge_other(name, e, answers[name])] if w]
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"FAIL {name}: " + "; ".join(wrong), flush=True)
            if os.environ.get("VERBOSE"):
                print(f"{name}: tain {said.splitlines()[-1][-200:] if said else f'{len(rows)} rows'}; "
                      + "; ".join(f"{e} {shown(a[name])}" for e, a in others.items()), flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
