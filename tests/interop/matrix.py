#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""matrix.py [--write] [ENGINE...]: every table that make_tables writes, read by every engine, compared row by row with what
was written; and rows counted by the engines themselves under conditions at the bounds of each column.

A test is one table in one engine. What comes of it must be what the table in doc/readers.md says; --write puts it there. An
engine that is not there is a failure that names the remedy, unless TAIN_INTEROP_SKIP permits it to be missing
(`kernel,spark`, or `all`): then it is skipped with the reason; at least one must run. The last line is `N passed, N failed`."""
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
import outcomes  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
IN_JAVA = ("kernel", "spark")
SOME_TIME = ("trino", "clickhouse")  # run when asked for alone: large, and slow to start
YES, REFUSES, COUNT, ROWS = "yes", "refuses", "count", "rows"
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
        self.name = folder.name
        path, _, version = str(folder).partition("@v")
        self.folder = engines.At(path, int(version)) if version else path
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
    """(table, what came of it, in words)."""
    for table in tables:
        try:
            columns, rows = engine.read(table.folder)
        except Exception as problem:
            yield table, REFUSES, f"{type(problem).__name__}: {problem}"
            continue
        wrong = compare(table, columns, rows)
        counts = None if wrong else compare_counts_of(engine, table)
        yield table, ROWS if wrong else COUNT if counts else YES, wrong or counts


def compare_counts_of(engine, table):
    try:
        return compare_counts(table, engine)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


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
            yield table, REFUSES, str(result)
            continue
        columns, rows, counts = result
        wrong = compare(table, columns, rows)
        counted = [f"{text} holds for {want} rows, the engine says {got}" for (text, want), got in zip(check, counts) if want != got]
        yield table, ROWS if wrong else COUNT if counted else YES, wrong or "; ".join(counted)


# --- running -------------------------------------------------------------------------------------------------------


def missing(name, problem):
    """(passed, failed) for an engine that is not there."""
    if engines.may_lack(name):
        print(f"skipped {name}, as {engines.SKIP} permits: {problem}", flush=True)
        return 0, 0
    print(f"FAIL {name} is not there: {problem} (or permit it to be missing: {engines.SKIP}={name})", flush=True)
    return 0, 1


def judge(said, table, outcome, text):
    """What is wrong, or None. said: what doc/readers.md says of the table."""
    if outcome == (said or YES):
        return None
    if outcome == YES:
        return f"doc/readers.md says \"{said}\", and it reads it: run with --write"
    return f"{outcome}: {text}"


def run_engine(name, tables, book):
    try:
        engine = engines.open_engine(name)
    except engines.Unavailable as problem:
        return missing(name, problem)
    passed, failed, begun = 0, 0, time.monotonic()
    for table, outcome, text in (read_in_java if name in IN_JAVA else read_here)(engine, tables):
        wrong = book.take(name, table.name, outcome) if book.writes else judge(book.said(name, table.name), table, outcome, text)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        if wrong or (book.writes and outcome != YES):
            print(f"{'FAIL' if wrong else outcome} {name} {table.name}: {wrong or text}", flush=True)
    print(f"{name}: {passed} tables as expected, {failed} not, {time.monotonic() - begun:.1f} s", flush=True)
    return passed, failed


def main():
    arguments = sys.argv[1:]
    book = outcomes.Book(ROOT / "doc/readers.md", writes="--write" in arguments)
    names = [a for a in arguments if a != "--write"] or [n for n in engines.ENGINES if n not in SOME_TIME]
    unknown = [n for n in [*names, *({*engines.permitted()} - {"all"})] if n not in engines.ENGINES]
    if unknown:
        sys.exit(f"no engine {', '.join(unknown)}: there are {', '.join(engines.ENGINES)}")
    with tempfile.TemporaryDirectory(prefix="tain-interop-") as folder:
        tables = make_tables(folder)
        results = [run_engine(name, tables, book) for name in names]
    book.close([t.name for t in tables])
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
