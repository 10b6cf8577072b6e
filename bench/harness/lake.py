# SPDX-License-Identifier: MIT
"""What a lake tells of itself: epochs, and when their commits became visible."""
import datetime
import glob
import json
import os


def seconds_of(iso):
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp() if iso else None


def read_record(line, found):
    e = json.loads(line)
    at = seconds_of(e.get("source_commit_time"))
    if at:
        found[e["epoch"]] = {"epoch": e["epoch"], "source": at, "committed": seconds_of(e.get("committed_at")), "tables": e["tables"]}


def epochs(lake):
    """All that have a source commit time, in order."""
    found = {}
    for path in glob.glob(os.path.join(lake, "_tain/epochs/segments/*.jsonl")):
        with open(path) as f:
            for line in f:
                read_record(line, found)
    for path in glob.glob(os.path.join(lake, "_tain/epochs/*.json")):
        try:
            with open(path) as f:
                read_record(f.read(), found)
        except (FileNotFoundError, json.JSONDecodeError):
            continue  # folded away, or being written
    return [found[n] for n in sorted(found)]


def visible_at(lake, epoch, table):
    """When the epoch's commit to the table could first be read: the change time of its entry in the log."""
    schema, name = table.split(".")
    path = os.path.join(lake, "Tables", schema, name, "_delta_log", f"{epoch['tables'][table]['version']:020d}.json")
    try:
        return os.stat(path).st_ctime_ns / 1e9
    except FileNotFoundError:
        return epoch["committed"]


def received_at(lake, epoch, table):
    """When tain had the last row of that commit: from there on the time is its own."""
    schema, name = table.split(".")
    path = os.path.join(lake, "Tables", schema, name, "_delta_log", f"{epoch['tables'][table]['version']:020d}.json")
    with open(path) as f:
        return json.loads(f.readline())["commitInfo"]["tain"]["receivedTime"] / 1e6


def live_rows(lake, table):
    """Rows the Delta log promises, so that nothing is measured that did not do its work. None: older commits are gone."""
    schema, name = table.split(".")
    commits = sorted(glob.glob(os.path.join(lake, "Tables", schema, name, "_delta_log", "0*.json")))
    if not commits or int(os.path.basename(commits[0])[:20]) != 0:
        return None
    files = {}
    for path in commits:
        with open(path) as f:
            for action in map(json.loads, f):
                if "remove" in action:
                    files.pop(action["remove"]["path"], None)
                if "add" in action:
                    add = action["add"]
                    files[add["path"]] = json.loads(add["stats"])["numRecords"] - (add.get("deletionVector") or {}).get("cardinality", 0)
    return sum(files.values())


def cache_folder(lake):
    return os.path.join(lake, "_tain", "cache", "index")
