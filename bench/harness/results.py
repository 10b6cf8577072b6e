# SPDX-License-Identifier: MIT
"""Tables of results, and the file that keeps the last ones."""
import os
import platform
import re
import time


class Section:
    def __init__(self, about, columns):
        self.about, self.columns, self.rows, self.notes = about, columns, [], []

    def add(self, *cells):
        self.rows.append([c if isinstance(c, str) else figure(c) for c in cells])

    def note(self, text):
        self.notes.append(text)

    def text(self):
        table = [self.columns, *self.rows]
        widths = [max(len(r[i]) for r in table) for i in range(len(self.columns))]
        line = lambda r: "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))) + " |"
        rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
        parts = [self.about, "", line(self.columns), rule, *map(line, self.rows)]
        if self.notes:
            parts += ["", *self.notes]
        return "\n".join(parts)


def figure(value):
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def machine():
    """What the figures depend on; nothing that tells which machine it was."""
    model, memory = platform.machine(), 0
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 1024 / 1024
    kernel = ".".join(re.findall(r"\d+", platform.release())[:3])
    return f"{os.cpu_count()} cores {model}, {memory:.0f} GiB, Linux {kernel}"


class Results:
    HEAD = ("# Results\n\nMade by `bench/run`, one section a part, each from its last run. Compare ratios, not seconds: limit and tain "
            "ran\none after the other on the same machine.\n")

    def __init__(self, root, parts):
        self.parts = parts  # in this order
        self.path = os.environ.get("BENCH_RESULTS") or os.path.join(root, "bench", "RESULTS.md")

    def _sections(self):
        try:
            with open(self.path) as f:
                text = f.read()
        except FileNotFoundError:
            return {}
        return {name: body.strip("\n") for name, body in re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.M | re.S)}

    def put(self, name, section, place):
        sections = self._sections()
        by = [time.strftime("%Y-%m-%d"), machine(), place._server and place._server.version(), place.tain_version()]
        sections[name] = f"\n*{'; '.join(b for b in by if b)}*\n\n{section.text()}"
        order = [*self.parts, *(s for s in sections if s not in self.parts)]
        with open(self.path + ".tmp", "w") as f:
            f.write(self.HEAD)
            for s in order:
                if s in sections:
                    f.write(f"\n## {s}\n\n{sections[s].strip()}\n")
        os.replace(self.path + ".tmp", self.path)
