#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""matrix.py [ENGINE...]: every table that make_tables writes, read by every engine, compared row by row with what was
written; and rows counted by the engines themselves under conditions at the bounds of each column.

A test is one table in one engine. An engine that is not there is a failure that names the remedy, unless TAIN_INTEROP_SKIP
permits it to be missing (`kernel,spark`, or `all`): then it is skipped with the reason; at least one must run. The last line
is `N passed, N failed`."""
import decimal
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import canonical  # noqa: E402
import engines  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTALL = ROOT / "tests/interop/install"
# Known refusals by an engine, which are looked for: it is news when they go.
MAPPED = ("columns_mapped", "compat_mapped", "mapped_then_timestamps")
REFUSED = {("polars", name): "column mapping" for name in MAPPED}
SKIP = "TAIN_INTEROP_SKIP"
MOST_CONDITIONS = 100
SPARK_CONDITIONS = {"types": 24, "checkpointed": 6, "timestamps_without_zone": 6}  # a query costs it 0.3 s of both cores


# --- conditions ----------------------------------------------------------------------------------------------------


def natural(type_, text):
    """A canonical value as one that sorts as the column does."""
    if type_ in ("byte", "short", "integer", "long"):
        return int(text)
    if type_.startswith("decimal"):
        return decimal.Decimal(text)
    if type_ in ("float", "double"):
        return engines.real_of(text)
    return bytes.fromhex(text) if type_ == "binary" else text.encode()


def bounds(type_, texts):
    """The least, the greatest and one value between, of those that compare."""
    values = sorted({t for t in texts if t is not None and natural(type_, t) == natural(type_, t)}, key=lambda t: natural(type_, t))
    return {values[0], values[len(values) // 2], values[-1]} if values else set()


def conditions(table):
    """(condition, number of rows it holds for) at the bounds of each plain column."""
    made = []
    for i, (name, type_) in enumerate(zip(table.columns, table.types)):
        if type_.startswith("array"):
            continue
        texts = [row[i] for row in table.values]
        for bound in sorted(bounds(type_, texts)):
            at = natural(type_, bound)
            made.append(((name, type_, "=", bound), sum(t is not None and natural(type_, t) == at for t in texts)))
            # Engines disagree on whether NaN is above everything, and on the order of bytes and booleans.
            if type_ not in ("float", "double", "binary", "boolean"):
                made.append(((name, type_, ">=", bound), sum(t is not None and natural(type_, t) >= at for t in texts)))
    return made if len(made) <= MOST_CONDITIONS else random.Random(table.name).sample(made, MOST_CONDITIONS)


# --- tables --------------------------------------------------------------------------------------------------------


class Table:
    def __init__(self, folder, expected):
        import json
        self.name, self.folder = folder.name, str(folder)
        header, self.rows, _ = canonical.load(expected)
        self.columns, self.types = header["columns"], header["types"]
        self.values = [json.loads(row) for row in self.rows]
        self.conditions = conditions(self)


def make_tables(folder):
    program = pathlib.Path(os.environ.get("TAIN_BUILD", ROOT / "build-check")) / "tests/interop/make_tables"
    if not program.exists():
        sys.exit(f"{program} is not there: build it with ninja, and give the build folder as TAIN_BUILD")
    subprocess.run([str(program), folder], check=True, timeout=300)
    return [Table(pathlib.Path(folder) / p.name.removesuffix(".rows.jsonl"), p) for p in sorted(pathlib.Path(folder).glob("*.rows.jsonl"))]


# --- comparing -----------------------------------------------------------------------------------------------------


def compare(table, columns, rows):
    if list(columns) != table.columns:
        return f"columns {columns} instead of {table.columns}"
    return canonical.difference(table.rows, rows)


def compare_counts(table, engine):
    if (got := engine.count(table.folder)) != len(table.rows):
        return f"count(*) gives {got}, not {len(table.rows)}"
    for condition, want in table.conditions:
        try:
            got = engine.count(table.folder, condition)
        except Exception as problem:
            return f"{condition}: {problem}"
        if got != want:
            return f"{condition} holds for {want} rows, the engine says {got}"
    return None


def read_here(engine, tables):
    for table in tables:
        try:
            yield table, compare(table, *engine.read(table.folder)) or compare_counts(table, engine)
        except Exception as problem:
            yield table, f"{type(problem).__name__}: {problem}"


def spark_conditions(engine, table):
    most = min(len(table.conditions), SPARK_CONDITIONS.get(table.name, 0))
    wanted = random.Random(table.name).sample(table.conditions, most)
    written = [(engine.condition(condition), want) for condition, want in wanted]
    return [("true", len(table.rows)), *((text, want) for text, want in written if text)]


def read_in_java(engine, tables):
    checks = [spark_conditions(engine, t) if engine.name == "spark" else [] for t in tables]
    results = engine.read_all([(t.folder, [text for text, _ in c]) for t, c in zip(tables, checks)])
    for table, check, result in zip(tables, checks, results):
        if isinstance(result, Exception):
            yield table, str(result)
            continue
        columns, rows, counts = result
        wrong = [f"{text} holds for {want} rows, the engine says {got}" for (text, want), got in zip(check, counts) if want != got]
        yield table, compare(table, columns, rows) or "; ".join(wrong) or None


def judge(engine, table, problem):
    """(passed, text): a refusal that is known passes as long as it is one."""
    known = REFUSED.get((engine.name, table.name)) or (engine.refuses(table.folder) if hasattr(engine, "refuses") else None)
    if known:
        return bool(problem), f"known refusal ({known})" if problem else f"reads it now: take it out of REFUSED ({known})"
    return not problem, problem or f"{len(table.rows)} rows"


# --- running -------------------------------------------------------------------------------------------------------


def open_engine(name):
    if name in ("kernel", "spark"):
        installed = subprocess.run([str(INSTALL), name], stderr=subprocess.PIPE, text=True)
        if installed.returncode:
            raise engines.Unavailable(installed.stderr.strip())
    return engines.open_engine(name)


def permitted():
    """Engines that may be missing."""
    return os.environ.get(SKIP, "").replace(",", " ").split()


def missing(name, problem):
    """(passed, failed) for an engine that is not there."""
    if {name, "all"} & set(permitted()):
        print(f"skipped {name}, as {SKIP} permits: {problem}", flush=True)
        return 0, 0
    print(f"FAIL {name} is not there: {problem} (or permit it to be missing: {SKIP}={name})", flush=True)
    return 0, 1


def run_engine(name, tables):
    try:
        engine = open_engine(name)
    except engines.Unavailable as problem:
        return missing(name, problem)
    passed, failed, begun = 0, 0, time.monotonic()
    for table, problem in (read_in_java if name in ("kernel", "spark") else read_here)(engine, tables):
        good, text = judge(engine, table, problem)
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAIL {name} {table.name}: {text}", flush=True)
    print(f"{name}: {passed} tables as written, {failed} not, {time.monotonic() - begun:.1f} s", flush=True)
    return passed, failed


def main():
    names = sys.argv[1:] or list(engines.ENGINES)
    unknown = [n for n in [*names, *({*permitted()} - {"all"})] if n not in engines.ENGINES]
    if unknown:
        sys.exit(f"no engine {', '.join(unknown)}: there are {', '.join(engines.ENGINES)}")
    with tempfile.TemporaryDirectory(prefix="tain-interop-") as folder:
        tables = make_tables(folder)
        results = [run_engine(name, tables) for name in names]
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
