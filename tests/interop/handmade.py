# SPDX-License-Identifier: MIT
"""Delta tables made by hand, byte by byte where it matters: data files, deletion vectors, commits, checkpoints.

A table has columns id (long) and v (string); file k of n rows holds ids k*100 .. k*100+n-1, v being "v<id>"."""
import json
import os
import struct
import uuid
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = {"type": "struct", "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in (("id", "long"), ("v", "string"))]}
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
MAGIC = 1681511377


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def z85(data):
    out = ""
    for at in range(0, len(data), 4):
        number, chars = int.from_bytes(data[at:at + 4], "big"), ""
        for _ in range(5):
            number, digit = divmod(number, 85)
            chars = Z85[digit] + chars
        out += chars
    return out


def bitmap(rows):
    """Magic, one bucket, one Roaring array container."""
    rows = sorted(rows)
    body = struct.pack("<II", 12346, 1) + struct.pack("<HH", 0, len(rows) - 1) + struct.pack("<I", 16) + b"".join(struct.pack("<H", r) for r in rows)
    return struct.pack("<IQI", MAGIC, 1, 0) + body


def ids(k, n=10):
    return list(range(k * 100, k * 100 + n))


class HandMade:
    def __init__(self, folder):
        self.folder, self.log, self.version = folder, os.path.join(folder, "_delta_log"), 0
        os.makedirs(self.log)

    # --- files

    def data(self, k, n=10, name=None, table=None, **more):
        """Writes data file k; its add action."""
        name = name or f"part-{k}.parquet"
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if table is None:
            table = pa.table({"id": pa.array(ids(k, n), pa.int64()), "v": [f"v{i}" for i in ids(k, n)]})
        pq.write_table(table, path)
        add = {"path": name, "partitionValues": {}, "size": os.path.getsize(path), "modificationTime": 1_700_000_000_000, "dataChange": True,
               "stats": compact({"numRecords": table.num_rows})}
        add.update(more)
        return {"add": {k: v for k, v in add.items() if v is not None}}

    def vector(self, rows, crc=None, **more):
        """Writes a deletion vector file; its descriptor."""
        name, payload = uuid.uuid4(), bitmap(rows)
        sum_ = zlib.crc32(payload) if crc is None else crc
        with open(os.path.join(self.folder, f"deletion_vector_{name}.bin"), "wb") as f:
            f.write(b"\x01" + struct.pack(">I", len(payload)) + payload + struct.pack(">I", sum_))
        return {"storageType": "u", "pathOrInlineDv": z85(name.bytes), "offset": 1, "sizeInBytes": len(payload), "cardinality": len(rows), **more}

    # --- actions

    @staticmethod
    def protocol(reader=3, writer=7, features=("deletionVectors",), writers=()):
        p = {"minReaderVersion": reader, "minWriterVersion": writer}
        if reader >= 3:
            p["readerFeatures"] = list(features)
        if writer >= 7:
            p["writerFeatures"] = [*features, *writers]
        return {"protocol": p}

    @staticmethod
    def metadata(schema=SCHEMA, partitions=(), configuration=None, **more):
        return {"metaData": {"id": "6d3c0c1e-7f0e-4a53-9d0b-0c2b7a3f1c11", "format": {"provider": "parquet", "options": {}}, "schemaString": compact(schema),
                             "partitionColumns": list(partitions), "configuration": configuration or {}, "createdTime": 1_700_000_000_000, **more}}

    @staticmethod
    def remove(add, **more):
        a = add["add"]
        r = {"path": a["path"], "deletionTimestamp": 1_700_000_000_000, "dataChange": True, "extendedFileMetadata": True, "partitionValues": a["partitionValues"],
             "size": a["size"]}
        if "deletionVector" in a:
            r["deletionVector"] = a["deletionVector"]
        r.update(more)
        return {"remove": {k: v for k, v in r.items() if v is not None}}

    @staticmethod
    def with_vector(add, dv):
        return {"add": {**add["add"], "deletionVector": dv}}

    def head(self, *more, **protocol):
        """Version 0."""
        self.commit(self.protocol(**protocol), self.metadata(), *more)

    # --- log

    def name(self, version):
        return os.path.join(self.log, f"{version:020d}.json")

    def commit(self, *actions, info=True):
        lines = ([{"commitInfo": {"timestamp": 1_700_000_000_000, "operation": "WRITE", "operationParameters": {}}}] if info else []) + list(actions)
        self.text("".join(compact(a) + "\n" for a in lines))

    def text(self, text, version=None):
        with open(self.name(self.version if version is None else version), "w", newline="") as f:
            f.write(text)
        self.version += version is None

    def drop(self, *versions):
        for v in versions:
            os.unlink(self.name(v))

    def hint(self, text):
        with open(os.path.join(self.log, "_last_checkpoint"), "w") as f:
            f.write(text if isinstance(text, str) else compact(text))

    def checkpoint(self, version, actions, name=None, hint=True, dv_nulls=False, parsed=False):
        """A checkpoint of these actions; name: what stands behind the version."""
        path = os.path.join(self.log, f"{version:020d}.{name or 'checkpoint.parquet'}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pq.write_table(rows_of(actions, dv_nulls, parsed), path)
        if hint:
            self.hint({"version": version, "size": len(actions)})


# --- checkpoints ------------------------------------------------------------------------------------------------------

TEXTS = pa.map_(pa.string(), pa.string())
DV = pa.struct([("storageType", pa.string()), ("pathOrInlineDv", pa.string()), ("offset", pa.int32()), ("sizeInBytes", pa.int32()), ("cardinality", pa.int64())])
ADD = [("path", pa.string()), ("partitionValues", TEXTS), ("size", pa.int64()), ("modificationTime", pa.int64()), ("dataChange", pa.bool_()), ("tags", TEXTS),
       ("deletionVector", DV), ("stats", pa.string())]
PARSED = pa.struct([("numRecords", pa.int64()), ("minValues", pa.struct([("id", pa.int64()), ("v", pa.string())])),
                    ("maxValues", pa.struct([("id", pa.int64()), ("v", pa.string())])), ("nullCount", pa.struct([("id", pa.int64()), ("v", pa.int64())]))])
SIDECAR = pa.struct([("path", pa.string()), ("sizeInBytes", pa.int64()), ("modificationTime", pa.int64()), ("tags", TEXTS)])
ACTIONS = {
    "txn": pa.struct([("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())]),
    "add": pa.struct(ADD),
    "remove": pa.struct([("path", pa.string()), ("deletionTimestamp", pa.int64()), ("dataChange", pa.bool_()), ("extendedFileMetadata", pa.bool_()),
                         ("partitionValues", TEXTS), ("size", pa.int64()), ("deletionVector", DV)]),
    "metaData": pa.struct([("id", pa.string()), ("name", pa.string()), ("description", pa.string()),
                           ("format", pa.struct([("provider", pa.string()), ("options", TEXTS)])), ("schemaString", pa.string()),
                           ("partitionColumns", pa.list_(pa.string())), ("configuration", TEXTS), ("createdTime", pa.int64())]),
    "protocol": pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32()), ("readerFeatures", pa.list_(pa.string())),
                           ("writerFeatures", pa.list_(pa.string()))]),
    "checkpointMetadata": pa.struct([("version", pa.int64()), ("tags", TEXTS)]),
    "sidecar": SIDECAR,
}


def as_arrow(value, type_):
    if value is None:
        return None
    if pa.types.is_map(type_):
        return list(value.items())
    if pa.types.is_struct(type_):
        return {f.name: as_arrow(value.get(f.name), f.type) for f in type_}
    return value


def parsed_add(add):
    a = {k: v for k, v in add.items() if k != "stats"}
    a["stats_parsed"] = json.loads(add["stats"])
    return a


def rows_of(actions, dv_nulls, parsed):
    types = dict(ACTIONS)
    if parsed:
        types["add"] = pa.struct([*ADD[:-1], ("stats_parsed", PARSED)])
    used = {n: t for n, t in types.items() if n in ("txn", "add", "remove", "metaData", "protocol") or any(n in a for a in actions)}
    columns = {}
    for name, type_ in used.items():
        values = [a.get(name) for a in actions]
        if name == "add" and parsed:
            values = [v and parsed_add(v) for v in values]
        values = [as_arrow(v, type_) for v in values]
        if name == "add" and dv_nulls:
            for v in values:
                if v and v["deletionVector"] is None:
                    v["deletionVector"] = {f.name: None for f in DV}
        columns[name] = pa.array(values, type_)
    return pa.table(columns)
