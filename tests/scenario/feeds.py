# SPDX-License-Identifier: MIT
"""Change data feeds as delta-rs and Spark read them, held against the versions of the table: what a version says goes was there
in the one before, and that one without what goes and with what comes is this one."""
import collections
import json
import os
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
import canonical  # noqa: E402

THEIRS = ("_change_type", "_commit_version", "_commit_timestamp")
GONE, COME = ("delete", "update_preimage"), ("insert", "update_postimage")


def log(folder):
    """The actions of each version."""
    names = sorted(n for n in os.listdir(os.path.join(folder, "_delta_log")) if n.endswith(".json") and n[:20].isdigit())
    return {int(n[:20]): [json.loads(line) for line in open(os.path.join(folder, "_delta_log", n))] for n in names}


def member(actions, name):
    return [a[name] for a in actions if name in a]


def segments(folder):
    """Versions between changes of the columns, as (first, last, whether columns are mapped)."""
    found, shape, mapped = [], None, False
    versions = log(folder)
    for version, actions in versions.items():
        for m in member(actions, "metaData"):
            if m["schemaString"] != shape:
                shape, mapped = m["schemaString"], "delta.columnMapping.mode" in m["configuration"]
                found.append([version, version, mapped])
        found[-1][1] = version
    return [tuple(s) for s in found]


def by_version(columns, lines):
    changes = collections.defaultdict(list)
    for line in lines:
        row = dict(zip(columns, json.loads(line)))
        changes[int(row["_commit_version"])].append((row["_change_type"], {k: v for k, v in row.items() if k not in THEIRS}))
    return changes


def by_delta_rs(folder, first=0):
    import deltalake
    import pyarrow
    table = pyarrow.table(deltalake.DeltaTable(folder).load_cdf(starting_version=first).read_all())
    return by_version(table.column_names, canonical.rows(table))


def by_spark(requests):
    """For each (folder, first, last); for none where TAIN_INTEROP_SKIP says so."""
    import engines
    if engines.may_lack("spark"):
        print("  not read by Spark, as TAIN_INTEROP_SKIP says")
        return
    spark = engines.open_engine("spark")
    for r in spark.read_all([(f"feed:{first}-{last}:{folder}", []) for folder, first, last in requests]):
        if isinstance(r, Exception):
            raise AssertionError(f"Spark: {r}")
        yield by_version(r[0], r[1])


def content(folder, version):
    import engines
    import pyarrow
    import deltalake
    if version < 0:
        return []
    result = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(folder, version=version)).execute("select * from t")
    table = pyarrow.table(result.read_all()) if hasattr(result, "read_all") else pyarrow.Table.from_batches(result)
    return [dict(zip(table.column_names, json.loads(line))) for line in canonical.rows(table)]


def counted(rows, columns):
    return collections.Counter(json.dumps([r[c] for c in columns]) for r in rows)


def check_version(changes, before, now, columns, what):
    old, new = counted(before, columns), counted(now, columns)
    gone = counted((r for kind, r in changes if kind in GONE), columns)
    come = counted((r for kind, r in changes if kind in COME), columns)
    assert not gone - old, f"{what}: goes, and was not there: {list((gone - old).items())[:3]}"
    then = old - gone + come
    assert then == new, f"{what}: missing {list((new - then).items())[:3]}, too many {list((then - new).items())[:3]}"


def check_pairs(changes, key, what):
    """Each key that goes and comes is an update."""
    keys = {kind: collections.Counter(json.dumps([r[k] for k in key]) for is_, r in changes if is_ == kind) for kind in (*GONE, *COME)}
    assert keys["update_preimage"] == keys["update_postimage"], f"{what}: updates of other keys before than after"
    assert not key or not keys["delete"] & keys["insert"], f"{what}: {keys['delete'] & keys['insert']} goes and comes unpaired"
    assert key or not keys["update_preimage"], f"{what}: updates without a key"


def shapes(folder):
    """Columns of each version, with their types."""
    found, shape = {}, {}
    for version, actions in log(folder).items():
        for m in member(actions, "metaData"):
            shape = {f["name"]: json.dumps(f["type"]) for f in json.loads(m["schemaString"])["fields"]}
        found[version] = shape
    return found


def check(folder, changes, first, last, key=None):
    """key: its columns; []: a table without key; None: not looked at. Returns how many rows changed. Compared are the columns that
    a version has in common with the one before and with the last, whose columns the feed was read with."""
    versions, shape = log(folder), shapes(folder)
    before = content(folder, first - 1)
    for version in range(first, last + 1):
        now = content(folder, version)
        what = f"{os.path.basename(folder)} version {version}"
        columns = sorted(dict(shape[version].items() & shape.get(version - 1, shape[version]).items() & shape[last].items()))
        check_version(changes.get(version, []), before, now, columns, what)
        if key is not None and member(versions[version], "commitInfo")[0]["operation"] in ("MERGE", "DELETE"):
            check_pairs(changes.get(version, []), key, what)
        before = now
    return sum(len(c) for c in changes.values())


def check_form(folder):
    """What Trino demands: a version in which data is removed has change data, and only such a version has."""
    with_change_data = 0
    for version, actions in log(folder).items():
        removes = any(r["dataChange"] for r in member(actions, "remove"))
        files = member(actions, "cdc")
        assert removes == bool(files), f"{folder} version {version}: removes {removes}, change data {files}"
        assert all(os.path.getsize(os.path.join(folder, f["path"])) == f["size"] for f in files)
        assert len(member(actions, "commitInfo")) == 1
        with_change_data += bool(files)
    return with_change_data
