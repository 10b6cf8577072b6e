# SPDX-License-Identifier: MIT
"""The parts in order, one server for all of them."""
import os
import shutil
import sys
import tempfile
import time

from . import capture, column, freshness, history, idle, lookup, profile, rebuild, resume, scatter, service, snapshot, soak, upsert, verify
from .place import Place, Trouble
from .results import Results

PARTS = {"lookup": lookup, "snapshot": snapshot, "capture": capture, "history": history, "freshness": freshness, "upsert": upsert, "rebuild": rebuild,
         "verify": verify, "column": column, "resume": resume, "idle": idle, "service": service, "profile": profile, "soak": soak, "scatter": scatter}


def run_parts(names, place, results):
    failed = 0
    for name in names:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            section = PARTS[name].run(place)
        except Trouble as e:
            print(f"{name}: {e}", file=sys.stderr)
            failed += 1
            continue
        results.put(name, section, place)
        print(section.text())
        print(f"   ({time.monotonic() - started:.0f} s)", flush=True)
    return failed


def main(arguments):
    unknown = [a for a in arguments if a not in PARTS]
    if unknown:
        print(f"bench/run: no part {', '.join(unknown)}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    folder = tempfile.mkdtemp(prefix="tain-bench-", dir=os.environ.get("BENCH_DIR"))
    os.chmod(folder, 0o755)
    place = Place(root, folder)
    try:
        failed = run_parts(arguments or list(PARTS), place, Results(root, list(PARTS)))
    finally:
        place.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 3 if failed else 0
