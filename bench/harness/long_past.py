# SPDX-License-Identifier: MIT
"""Run by a Python that has pyarrow: long_past.py FOLDER makes a Delta log of a million versions as retention leaves it, without its data."""
import json
import os
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

VERSION, FILES, REMOVED, TAIL, KEPT = 1_000_000, 10_000, 20_000, 100, 20_000
TEXTS = pa.map_(pa.string(), pa.string())
VECTOR = pa.struct([("storageType", pa.string()), ("pathOrInlineDv", pa.string()), ("offset", pa.int32()), ("sizeInBytes", pa.int32()), ("cardinality", pa.int64())])
SCHEMA = pa.schema([
    ("txn", pa.struct([("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())])),
    ("add", pa.struct([("path", pa.string()), ("partitionValues", TEXTS), ("size", pa.int64()), ("modificationTime", pa.int64()), ("dataChange", pa.bool_()),
                       ("tags", TEXTS), ("deletionVector", VECTOR), ("stats", pa.string())])),
    ("remove", pa.struct([("path", pa.string()), ("deletionTimestamp", pa.int64()), ("dataChange", pa.bool_()), ("extendedFileMetadata", pa.bool_()),
                          ("partitionValues", TEXTS), ("size", pa.int64()), ("deletionVector", VECTOR)])),
    ("metaData", pa.struct([("id", pa.string()), ("name", pa.string()), ("description", pa.string()), ("format", pa.struct([("provider", pa.string()), ("options", TEXTS)])),
                            ("schemaString", pa.string()), ("partitionColumns", pa.list_(pa.string())), ("configuration", TEXTS), ("createdTime", pa.int64())])),
    ("protocol", pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32()), ("readerFeatures", pa.list_(pa.string())), ("writerFeatures", pa.list_(pa.string()))])),
])
COLUMNS = [{"name": f"c{i}", "type": "long", "nullable": True, "metadata": {}} for i in range(10)]
NOW = 1_767_225_600_000


def stats(i):
    bounds = {c["name"]: i * 1000 for c in COLUMNS}
    return json.dumps({"numRecords": 100_000, "minValues": bounds, "maxValues": bounds, "nullCount": {c["name"]: 0 for c in COLUMNS}, "tightBounds": True})


def add(i):
    return {"path": f"part-{uuid.uuid4()}.parquet", "partitionValues": [], "size": 5_000_000 + i, "modificationTime": NOW, "dataChange": False, "stats": stats(i)}


def remove():
    vector = {"storageType": "u", "pathOrInlineDv": uuid.uuid4().hex[:20], "offset": 1, "sizeInBytes": 40, "cardinality": 3}
    return {"path": f"part-{uuid.uuid4()}.parquet", "deletionTimestamp": NOW, "dataChange": False, "extendedFileMetadata": True, "partitionValues": [], "size": 5_000_000, "deletionVector": vector}


def main(folder):
    log = os.path.join(folder, "_delta_log")
    os.makedirs(log)
    metadata = {"id": str(uuid.uuid4()), "format": {"provider": "parquet", "options": []}, "schemaString": json.dumps({"type": "struct", "fields": COLUMNS}),
                "partitionColumns": [], "configuration": [], "createdTime": NOW}
    features = ["deletionVectors"]
    rows = [{"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}}, {"metaData": metadata},
            {"txn": {"appId": "x", "version": VERSION, "lastUpdated": NOW}}, *({"add": add(i)} for i in range(FILES)), *({"remove": remove()} for _ in range(REMOVED))]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), os.path.join(log, f"{VERSION:020d}.checkpoint.parquet"), compression="snappy")
    with open(os.path.join(log, "_last_checkpoint"), "w") as f:
        json.dump({"version": VERSION, "size": len(rows)}, f)
    for version in range(VERSION - KEPT, VERSION + TAIL + 1):
        actions = [{"commitInfo": {"timestamp": NOW, "operation": "WRITE", "operationParameters": {}}}]
        if version > VERSION:
            actions += [{"add": {**add(version), "partitionValues": {}, "dataChange": True}} for _ in range(10)]
        with open(os.path.join(log, f"{version:020d}.json"), "w") as f:
            f.writelines(json.dumps(a) + "\n" for a in actions)
    print(f"A log of {VERSION + TAIL:,} versions, {KEPT:,} of them still there, a checkpoint of {FILES:,} files and {REMOVED:,} removed ones, {TAIL} commits of 10 files behind it")


main(sys.argv[1])
