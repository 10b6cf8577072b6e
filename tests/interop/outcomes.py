# SPDX-License-Identifier: MIT
"""The table in doc/readers.md that says which engine reads what: what tests hold engines to, and what they write anew."""

BEGIN, END = "<!-- what reads what: begin -->", "<!-- what reads what: end -->"
TITLES = {"deltalake": "delta-rs", "arrow": "its Arrow", "duckdb": "DuckDB", "polars": "Polars", "kernel": "Kernel", "spark": "Spark", "trino": "Trino", "clickhouse": "ClickHouse"}


class Book:
    """cells: table -> engine -> outcome."""

    def __init__(self, path, writes):
        self.path, self.writes, self.cells = path, writes, {}
        self.text = path.read_text()
        self.load()

    def section(self):
        return self.text[self.text.index(BEGIN) + len(BEGIN):self.text.index(END)] if BEGIN in self.text else ""

    def load(self):
        engines = {title: name for name, title in TITLES.items()}
        rows = [[c.strip() for c in line.strip("|").split("|")] for line in self.section().splitlines() if line.startswith("|")]
        for row in rows[2:]:
            cells = zip(rows[0][1:], row[1:])
            self.cells[row[0].replace(" ", "_")] = {engines[title]: cell for title, cell in cells if cell}

    def said(self, engine, table):
        return self.cells.get(table, {}).get(engine)

    def take(self, engine, table, outcome):
        self.cells.setdefault(table, {})[engine] = outcome

    def close(self, tables):
        """Writes the section, of these tables in this order."""
        if not self.writes:
            return
        lines = ["| Table | " + " | ".join(TITLES.values()) + " |", "|---" * (len(TITLES) + 1) + "|"]
        for t in tables:
            lines.append(f"| {t.replace('_', ' ')} | " + " | ".join(self.cells.get(t, {}).get(e, "") for e in TITLES) + " |")
        self.path.write_text(self.text.replace(BEGIN + self.section() + END, "\n".join([BEGIN, *lines, END])))
