# SPDX-License-Identifier: MIT
"""Ten thousand commits to one table, as fast as they come: what upkeep makes of them, what it costs, how the table reads."""
import glob
import json
import os
import shutil
import statistics
import subprocess
import time

from . import freshness
from . import lake as lakes
from .follower import Follower
from .measure import measure
from .place import Trouble, number
from .results import Section

TABLE = "public.orders"
MAKE = """
create table orders (id bigint primary key, customer integer not null, status text not null, amount numeric(12,2) not null, placed timestamptz not null,
  changed timestamptz not null, lines integer not null, address text not null, note text);
create table beat (n bigserial);
insert into orders select i, i % 50000, 'delivered', i % 100000 / 7.0, timestamptz '2020-01-01' + i * interval '1 second', now(), i % 9, md5(i::text), case when i % 3 = 0 then 'note ' || i % 5000 end
  from generate_series(1, ROWS) i;
create sequence new_order start with FIRST increment by HALF;
create function soak(recent float) returns void language sql as $$
  with s as (select nextval('new_order') n)
  insert into orders select n + k, (random() * 50000)::int, 'new', (random() * 100000)::int / 7.0, clock_timestamp(), clock_timestamp(), k % 9, md5((n + k)::text), null
    from s, generate_series(0, HALF - 1) k;
  update orders set status = 'changed', amount = amount + 1, changed = clock_timestamp() where id = any (array(
    select greatest(1, case when recent > 0 then (select last_value from new_order) + (ln(1 - random()) * recent)::bigint
                            else (random() * (select last_value from new_order))::bigint end + 0 * k) from generate_series(1, HALF) k));
  insert into beat default values;
$$;
create function drop_by_drop() returns void language sql as $$
  update orders set amount = amount + 1, changed = clock_timestamp() where id = any (array(select (select last_value from new_order) + (ln(1 - random()) * 20000)::bigint + 0 * k from generate_series(1, 9) k));
  insert into beat default values;
$$;
vacuum (freeze, analyze) orders;
checkpoint;
"""
MIXES = {"recent": "the age of rows that are updated is exponential, 20,000 inserted rows on average", "anywhere": "every row is as likely to be updated"}


class Load:
    """pgbench, until it is ended."""

    def __init__(self, place, name, statement, rate):
        script = place.path(name + ".sql")
        with open(script, "w") as f:
            f.write(statement + ";\n")
        self.process = subprocess.Popen([place.server.program("pgbench"), "-n", "-f", script, "-R", str(rate), "-T", "3600", "-c", "1", "-M", "prepared",
                                         *place.server.connection("soak")[:-2], "soak"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


# --- what the table is like ----------------------------------------------------------------------------------------


def folder_of(lake):
    return os.path.join(lake, "Tables", *TABLE.split("."))


def newest(lake):
    return int(os.path.basename(max(glob.glob(os.path.join(folder_of(lake), "_delta_log", "0*.json"))))[:20])


def health(place, lake):
    return place.status(lake).get(TABLE, {}).get("health")


def wait_settled(place, lake, patience=120):
    """Until upkeep has nothing to do: no new version for longer than a table needs to be at rest."""
    deadline, last, since = time.monotonic() + patience, newest(lake), time.monotonic()
    while time.monotonic() - since < 10 and time.monotonic() < deadline:
        time.sleep(0.2)
        if newest(lake) != last:
            last, since = newest(lake), time.monotonic()


def commits(lake, since):
    for path in sorted(glob.glob(os.path.join(folder_of(lake), "_delta_log", "0*.json"))):
        if int(os.path.basename(path)[:20]) > since:
            with open(path) as f:
                yield os.path.getsize(path), [json.loads(line) for line in f]


def written(lake, since, since_time):
    """Bytes of data files as first written, of merged ones, of vectors, of the log."""
    seen, first, merged, log, data_commits = set(), 0, 0, 0, 0
    for size, actions in commits(lake, since):
        log += size
        adds = [a["add"] for a in actions if "add" in a]
        data_commits += any(a["dataChange"] for a in adds)
        for add in adds:
            fresh = add["path"] not in seen and add["modificationTime"] / 1000 >= since_time
            seen.add(add["path"])
            if fresh:
                first, merged = first + add["size"] * add["dataChange"], merged + add["size"] * (not add["dataChange"])
    since_files = lambda pattern: sum(os.path.getsize(p) for p in glob.glob(os.path.join(folder_of(lake), pattern)) if os.path.getmtime(p) >= since_time)
    return {"first": first, "merged": merged, "vectors": since_files("deletion_vector_*.bin"), "log": log, "checkpoints": since_files("_delta_log/*.checkpoint.parquet"),
            "commits": data_commits}


# --- reading it ------------------------------------------------------------------------------------------------------


def scan_by_duckdb(place, folders):
    """Seconds of a query over every column, by folder, the best of several in turn."""
    if not place.python:
        return None
    script = os.path.join(os.path.dirname(__file__), "duckdb_scan.py")
    done = subprocess.run([place.python, script, *folders], capture_output=True, text=True)
    if done.returncode:
        raise Trouble("DuckDB: " + (done.stderr.strip().splitlines() or ["it failed"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def scan_by_spark(place, folders):
    """None: Spark is not installed (tests/interop/install spark)."""
    jars = os.path.join(place.root, ".cache", "interop", "spark", "jars")
    source, classes = os.path.join(place.root, "bench", "SparkScan.java"), place.path("classes")
    if not os.path.isdir(jars) or not shutil.which("javac"):
        return None
    os.makedirs(classes, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-Xlint:-options", "-d", classes, "-cp", jars + "/*", source], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    opens = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in ("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
             "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")]
    done = subprocess.run(["java", "-XX:+UseSerialGC", "-Xmx3g", *opens, f"-Dlog4j2.configurationFile={place.root}/tests/interop/java/log4j2.properties",
                           "-cp", f"{classes}:{jars}/*", "SparkScan", *folders], capture_output=True, text=True, cwd=place.folder)
    if done.returncode:
        raise Trouble("Spark: " + done.stderr.strip()[-300:])
    return [float(s) for s in done.stdout.splitlines()[-1].split()]


# --- freshness ---------------------------------------------------------------------------------------------------------


def set_property(lake, key, value):
    """As another engine would, while no mirror runs."""
    log = os.path.join(folder_of(lake), "_delta_log")
    for path in sorted(glob.glob(log + "/0*.json")):
        with open(path) as f:
            metadata = [a["metaData"] for a in map(json.loads, f) if "metaData" in a] or None
        if metadata:
            known = metadata[-1]
    known["configuration"][key] = value
    info = {"timestamp": int(time.time() * 1000), "operation": "SET TBLPROPERTIES", "operationParameters": {}}
    with open(f"{log}/{newest(lake) + 1:020d}.json", "x") as f:
        f.write(json.dumps({"commitInfo": info}) + "\n" + json.dumps({"metaData": known}) + "\n")


def freshness_of(place, lake, seconds):
    """Milliseconds, sorted, of transactions of 10 changes, 2,000 changes a second."""
    server = place.server
    follower = Follower(place, "soak", lake, TABLE, "--freshness", "100ms")
    try:
        server.sql("soak", "truncate beat; select drop_by_drop()")
        follower.wait_until(float(server.sql("soak", freshness.TIMES)))
        server.sql("soak", "truncate beat")
        with Load(place, "drops", "select drop_by_drop()", 200):
            time.sleep(seconds)
        times = [float(t) for t in server.sql("soak", freshness.TIMES).splitlines()]
        follower.wait_until(times[-1])
    finally:
        follower.stop()
    return [s * 1000 for s in freshness.latencies(lake, times, TABLE)[0]]


# --- the part ------------------------------------------------------------------------------------------------------------


def epochs_written(lake):
    return max([int(os.path.basename(p)[:20]) for p in glob.glob(os.path.join(lake, "_tain/epochs/0*.json"))], default=0)


def run_commits(place, lake, wanted, rate, recent):
    samples = []
    follower = Follower(place, "soak", lake, TABLE, "--freshness", "0ms")
    try:
        follower.wait_loaded(1)
        wait_settled(place, lake)
        since, since_time, before = newest(lake), time.time(), epochs_written(lake)
        processed = place.status(lake)[TABLE]["rows_processed"]
        began = time.monotonic()
        with Load(place, "soak", f"select soak({recent})", rate):
            while epochs_written(lake) < before + wanted:
                if follower.process.poll() is not None:
                    raise Trouble("tain mirror ended: " + follower.said())
                if time.monotonic() - began > wanted / rate * 3 + 60:
                    raise Trouble(f"{epochs_written(lake) - before:,} commits only after {time.monotonic() - began:.0f} s")
                time.sleep(0.5)
                samples.append(health(place, lake))
        took = time.monotonic() - began
        follower.wait_until(float(place.server.sql("soak", freshness.TIMES).splitlines()[-1]))
        last, processed = health(place, lake), place.status(lake)[TABLE]["rows_processed"] - processed
        wait_settled(place, lake)
    finally:
        memory = follower.stop()
    return {"samples": [s for s in samples if s], "last": last, "took": took, "memory": memory, "processed": processed, **written(lake, since, since_time)}


def prepare(place, rows, changes):
    place.server.create("soak")
    place.server.sql("soak", MAKE.replace("ROWS", str(rows)).replace("FIRST", str(rows + 1)).replace("HALF", str(changes // 2)))


def scans(place, lake):
    """Seconds by DuckDB and by Spark, of the table and of the same data in one new load."""
    fresh = place.path("soak-fresh")
    try:
        place.mirror_once("soak", fresh, TABLE)
        folders = [folder_of(lake), folder_of(fresh)]
        return scan_by_duckdb(place, folders), scan_by_spark(place, folders)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def one_mix(place, section, mix, rows, changes, wanted, rate, seconds):
    lake = place.path("soak-lake")
    prepare(place, rows, changes)
    try:
        place.mirror_once("soak", lake, TABLE)
        r = run_commits(place, lake, wanted, rate, 20000 if mix == "recent" else 0)
        count = int(place.server.sql("soak", "select count(*) from orders"))
        rest = scans(place, lake)
        on = freshness_of(place, lake, seconds)
        moving = scans(place, lake)
        set_property(lake, "delta.autoOptimize.autoCompact", "false")
        off = freshness_of(place, lake, seconds)
    finally:
        place.server.drop("soak")
        shutil.rmtree(lake, ignore_errors=True)
    report(section, mix, r, count, rest, moving, on, off)


def report(section, mix, r, rows, rest, moving, on, off):
    per = 10_000_000 / rows
    files, tails = [s["files"] for s in r["samples"]], [s["log_tail"] for s in r["samples"]]
    all_bytes = sum(r[k] for k in ("first", "merged", "vectors", "log", "checkpoints"))
    p99 = freshness.share(on, .99), freshness.share(off, .99)
    section.add(mix, r["commits"], r["commits"] / r["took"], r["last"]["files"] * per, max(files) * per, max(tails), all_bytes / r["first"],
                *(pair and pair[0] / pair[1] for pair in rest), p99[0] / p99[1])
    section.note(f"- {mix} ({MIXES[mix]}): {r['processed'] / r['commits']:.0f} changes a commit in fact; {rows:,} rows at the end; files {statistics.median(files):.0f} in the middle, {r['last']['files']} at the end; health {r['last']['score']}, "
                 f"{100 * r['last']['deleted_share']:.1f} % of rows deleted;\n  bytes for one of the changes: merged files {r['merged'] / r['first']:.2f}, vectors {r['vectors'] / r['first']:.2f}, log {r['log'] / r['first']:.2f}, "
                 f"checkpoints {r['checkpoints'] / r['first']:.2f}; "
                 f"scan s: DuckDB {seconds_text(rest[0])}, Spark {seconds_text(rest[1])} (fresh behind the slash), with the vectors of changes that came a moment ago: {seconds_text(moving[0])}, {seconds_text(moving[1])};\n  p99 ms {p99[0]:.0f} with upkeep, {p99[1]:.0f} without; tain held {r['memory'] / 2**20:.0f} MiB at most")


def seconds_text(pair):
    return f"{pair[0]:.2f}/{pair[1]:.2f}" if pair else "not installed"


def run(place, mix="recent"):
    rows, changes = number("BENCH_SOAK_ROWS", 1_000_000), number("BENCH_SOAK_CHANGES", 72)
    wanted, rate, seconds = number("BENCH_SOAK_COMMITS", 10_000), number("BENCH_SOAK_RATE", 60), number("BENCH_SOAK_SECONDS", 20)
    section = Section(f"{wanted:,} commits of transactions of {changes} changes, half inserts, half updates, {rate} a second, to a table of {rows:,} rows of 9 columns. Files and commits since the last\n"
                      f"checkpoint as `tain status` has them; bytes: all that was written into the table's folder for one byte of the changes as they were written first; scans: a query over\n"
                      f"every column once no commit comes for some seconds, against the same data in one new load; p99 of freshness at 2,000 changes/s in transactions of 10 (`--freshness 100ms`, {seconds} s), with upkeep against without.",
                      ["updates of", "commits", "commits/s", "files/10 M rows", "at most", "log tail at most", "bytes", "DuckDB scan", "Spark scan", "p99"])
    one_mix(place, section, mix, rows, changes, wanted, rate, seconds)
    if mix == "recent":
        section.note("- " + opening(place))
    return section


def opening(place):
    """A table with a long past, opened by tain table history."""
    if not place.python:
        return "No table with a long past was opened: BENCH_PYTHON names no Python that has pyarrow"
    folder, script = place.path("long-past"), os.path.join(os.path.dirname(__file__), "long_past.py")
    done = subprocess.run([place.python, script, folder], capture_output=True, text=True)
    if done.returncode:
        raise Trouble("long_past.py: " + done.stderr.strip()[-300:])
    costs = [measure([place.tain, "table", "history", folder, "--last", "1", "--json"]) for _ in range(5)]
    if costs[-1].exit or not costs[-1].output.startswith("["):
        raise Trouble("tain table history: " + costs[-1].errors.strip())
    shutil.rmtree(folder)
    return f"{done.stdout.strip()}: opened in {min(c.seconds for c in costs):.2f} s, {max(c.memory for c in costs) / 2**20:.0f} MiB (`tain table history`, the whole process)."
