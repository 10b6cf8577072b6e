# SPDX-License-Identifier: MIT
"""A first load killed at half: how many rows the server has to send again."""
import subprocess
import time

from . import upsert
from .place import Trouble
from .results import Section


def rows_sent(place):
    """What scans of the table returned, once the sessions of tain have gone and told it."""
    busy = "select count(*) from pg_stat_activity where backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()"
    for _ in range(600):
        if place.server.sql("wide", busy) == "0":
            return int(place.server.sql("wide", "select seq_tup_read from pg_stat_user_tables where relname = 'wide'"))
        time.sleep(0.1)
    raise Trouble("sessions of tain do not end")


def loaded_rows(place, lake):
    return place.status(lake).get("public.wide", {}).get("rows_replicated", 0)


def killed_at(place, lake, enough):
    """Once so many rows are loaded."""
    process = subprocess.Popen(place.mirror_command("wide", lake, "public.wide", "--once", "--name", "resumed"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while loaded_rows(place, lake) < enough:
            if process.poll() is not None:
                raise Trouble("the load ended before it could be killed")
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()


def run(place):
    rows, _ = upsert.make(place)
    lake = place.path("resumed-lake")
    before = rows_sent(place)
    killed_at(place, lake, rows / 2)
    half = rows_sent(place) - before
    rest = place.mirror_once("wide", lake, "public.wide", "--name", "resumed")
    whole = rows_sent(place) - before
    place.check_rows("wide", lake, "public.wide")
    section = Section(f"First load of {rows:,} rows of 10 columns, killed (SIGKILL) when half was loaded, and started again. Rows by the server's own count.",
                      ["sent before the kill", "sent after it", "sent twice", "% of the rows", "seconds after the restart"])
    section.add(f"{half:,}", f"{whole - half:,}", f"{whole - rows:,}", (whole - rows) * 100 / rows, rest.seconds)
    return section
