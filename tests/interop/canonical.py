# SPDX-License-Identifier: MIT
"""The text of values that all engines must agree on (README.md), made from Arrow; and rows as a multiset."""
import collections
import datetime
import hashlib
import json
import struct

import pyarrow as pa
import pyarrow.types as at

EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
DAY = 86_400_000_000


def date_text(days):
    return datetime.date.fromordinal(EPOCH_DAY + days).isoformat()


def time_text(micros, utc):
    days, rest = divmod(micros, DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"{date_text(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}{'Z' if utc else ''}"


def double_text(value):
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016x}" if value == value else "0x7ff8000000000000"


def float_text(value):
    return f"0x{struct.unpack('<I', struct.pack('<f', value))[0]:08x}" if value == value else "0x7fc00000"


def is_list(type_):
    return any(test(type_) for test in (at.is_list, at.is_large_list, at.is_fixed_size_list, at.is_list_view, at.is_large_list_view))


def is_text(type_):
    return at.is_string(type_) or at.is_large_string(type_) or at.is_string_view(type_)


def is_bytes(type_):
    return at.is_binary(type_) or at.is_large_binary(type_) or at.is_binary_view(type_) or at.is_fixed_size_binary(type_)


def each(values, text):
    return [None if v is None else text(v) for v in values]


def timestamps(array):
    whole = array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64()).to_pylist()
    return each(whole, lambda v: time_text(v, array.type.tz is not None))


def pairs(scalar):
    """A map's entries in the order of their keys: a map has none of its own."""
    keys, values = column(scalar.values.field(0)), column(scalar.values.field(1))
    return sorted(([k, v] for k, v in zip(keys, values)), key=json.dumps)


def column(array):
    """An Arrow array as a list of canonical values."""
    type_ = array.type
    if at.is_dictionary(type_):
        return column(array.dictionary_decode())
    if at.is_timestamp(type_):
        return timestamps(array)
    if at.is_date(type_):
        return each(array.cast(pa.date32()).cast(pa.int32()).to_pylist(), date_text)
    if is_list(type_):
        return [column(s.values) if s.is_valid else None for s in array]
    if at.is_map(type_):
        return [pairs(s) if s.is_valid else None for s in array]
    if at.is_struct(type_):
        members = [column(array.field(i)) for i in range(type_.num_fields)]
        return [list(row) if s.is_valid else None for s, row in zip(array, zip(*members))]
    values = array.to_pylist()
    if at.is_float64(type_):
        return each(values, double_text)
    if at.is_float32(type_):
        return each(values, float_text)
    if at.is_boolean(type_):
        return each(values, lambda v: "true" if v else "false")
    if at.is_decimal(type_):
        return each(values, lambda v: format(v, "f"))
    if at.is_integer(type_):
        return each(values, str)
    if is_text(type_):
        return values
    if is_bytes(type_):
        return each(values, bytes.hex)
    if at.is_null(type_):
        return [None] * len(values)
    raise TypeError(f"no canonical text for {type_}")


def rows(table):
    """The rows of an Arrow table, each a line of JSON."""
    if table.num_columns == 0:
        return []
    columns = [[v for chunk in c.chunks for v in column(chunk)] for c in table.columns]
    return [line(row) for row in zip(*columns)]


def line(row):
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def load(path):
    """(header, rows, last object) of a file that make_tables or a Java reader wrote."""
    header, last, lines = None, {}, []
    with open(path, encoding="utf-8") as file:
        for text in file:
            value = json.loads(text)
            if isinstance(value, list):
                lines.append(line(value))
            elif header is None:
                header = value
            else:
                last = value
    if "error" in (header or {}):
        header, last = {}, header
    return header or {}, lines, last


def checksum(lines):
    """Does not depend on the order of rows."""
    total = sum(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big") for text in lines)
    return f"{len(lines)} {total % (1 << 128):032x}"


def difference(want, got):
    """None, or what is wrong."""
    if checksum(want) == checksum(got):
        return None
    a, b = collections.Counter(want), collections.Counter(got)
    missing, extra = (a - b), (b - a)
    return (f"{len(want)} rows were written, {len(got)} read; missing {sum(missing.values())}, e.g. {short(missing)}; "
            f"too many {sum(extra.values())}, e.g. {short(extra)}")


def short(counter):
    return ", ".join(text if len(text) < 400 else text[:400] + "..." for text in list(counter)[:2]) or "none"
