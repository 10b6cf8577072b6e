# SPDX-License-Identifier: MIT
"""The soak with updates of rows anywhere in the table: every commit changes the deletion vector of every large file."""
from . import soak


def run(place):
    return soak.run(place, "anywhere")
