# SPDX-License-Identifier: MIT
"""A start that finds its key index in the cache, and one that must make it from the key columns."""
import shutil

from . import lake as lakes, upsert
from .measure import best
from .place import Trouble
from .results import Section


def without_cache(place, lake):
    shutil.rmtree(lakes.cache_folder(lake))
    return place.mirror_once("wide", lake, "public.wide")


def run(place):
    rows, lake = upsert.make(place)
    warm = best([place.mirror_once("wide", lake, "public.wide") for _ in range(place.repeat)])
    try:
        cold = best([without_cache(place, lake) for _ in range(place.repeat)])
    except FileNotFoundError as e:
        raise Trouble(f"there is no cache of the key index: {e}") from e
    section = Section(f"`tain mirror --once` with nothing to catch up with, table of {rows:,} rows of 10 columns with a bigint key; best of {place.repeat}.",
                      ["key index", "seconds", "CPU s", "tain MiB at most"])
    section.add("from the cache", warm.seconds, warm.cpu, warm.memory / 2**20)
    section.add("made again", cold.seconds, cold.cpu, cold.memory / 2**20)
    section.note(f"Rebuilding takes {cold.seconds - warm.seconds:.2f} s: {rows / max(cold.seconds - warm.seconds, 1e-9) / 1e6:.1f} M rows/s.")
    return section
