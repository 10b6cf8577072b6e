# SPDX-License-Identifier: MIT
"""Comparing a large table with its mirror, row by row."""
from . import upsert
from .measure import best, measure
from .place import Trouble
from .results import Section


def verified(place, lake):
    cost = measure([place.tain, "verify", place.server.url("wide"), lake])
    if cost.exit != 0:
        raise Trouble(f"tain verify ended with {cost.exit}: {(cost.output + cost.errors).strip()[-500:]}")
    return cost


def run(place):
    rows, lake = upsert.make(place)
    place.mirror_once("wide", lake, "public.wide")
    cost = best([verified(place, lake) for _ in range(place.repeat)])
    section = Section(f"`tain verify` of a table of {rows:,} rows of 10 columns that is equal on both sides; best of {place.repeat}. The server computes its sums on the same cores.",
                      ["rows", "seconds", "M rows/s", "tain CPU us/row", "tain MiB at most"])
    section.add(f"{rows:,}", cost.seconds, rows / cost.seconds / 1e6, cost.cpu / rows * 1e6, cost.memory / 2**20)
    return section
