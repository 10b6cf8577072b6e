#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of a running service in a real browser: mirrors made, watched, steered and dropped by it. What the browser does is in
web/tests/browser/real.mjs; what the sources hold meanwhile is here."""
import shutil

from commands import *

BROWSER = os.path.join(ROOT, "web", "tests", "browser", "real.mjs")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def can_browse():
    if not os.path.exists(CHROMIUM):
        raise Skip("no chromium")
    if not shutil.which("node") or not os.path.isdir(os.path.join(ROOT, "web", "node_modules", "playwright-core")):
        raise Skip("no node, or web/node_modules is not filled (npm ci)")


def can_rest():
    """Whether one table alone can be paused."""
    return "--pause" in tain("mirror", "--help").out


def page(service, folder, *steps, **values):
    """Runs those steps of real.mjs in the order they stand there."""
    env = dict(os.environ, TAIN_URL=service.url, VALUES=json.dumps(values), SHOTS=os.environ.get("SHOTS", os.path.join(folder, "shots")))
    p = subprocess.run(["node", BROWSER, *steps], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
    if p.returncode != 0:
        raise AssertionError(f"the page: {p.stdout}\n{service.output()[-3000:]}")


def insert(path, first, count):
    db = sqlite3.connect(path)
    with db:
        db.executemany("insert into orders values (?, ?)", ((i, f"order {i}") for i in range(first, first + count)))
    db.close()


def test_sqlite_from_nothing_to_nothing(folder):
    can_browse()
    source, t = shop(folder), dict(name="shop", table="main.orders")
    with Commanded(folder) as s:
        page(s, folder, "make", address=f"sqlite://{source}", rows=100, wrong=f"sqlite://{folder}/nothing.db", **t)
        insert(source, 100, 50)
        page(s, folder, "rows", "steer", rows=150, **t)
        page(s, folder, "table", columns=["id", "what"], **t)
        if can_rest():
            page(s, folder, "rest", **t)
        page(s, folder, "query", "records", rows=150, **t)
        page(s, folder, "access", "appearance", **t)
        page(s, folder, "drop", **t)
        assert s.mirror("default/shop") is None


def test_postgres_with_a_password_and_tables_that_cannot_be_mirrored(folder):
    can_browse()
    with Postgres(folder) as pg:
        pg.sql("create role reader login superuser password 'pass word/@:'")
        pg.sql("create table public.items (id int primary key, label text, price numeric(10,2)); insert into public.items select i, 'item ' || i, i from generate_series(1, 500) i")
        pg.sql("create unlogged table public.scratch (id int primary key)")
        t = dict(name="catalogue", table="public.items")
        with Commanded(folder) as s:
            page(s, folder, "make", address=pg.url(user="reader"), password="pass word/@:", rows=500, findings=["ALTER TABLE public.scratch SET LOGGED;"], **t)
            pg.sql("insert into public.items select i, 'more', 1 from generate_series(501, 600) i")
            page(s, folder, "rows", "steer", rows=600, **t)
            pg.sql("alter table public.items add column note text")
            pg.sql("update public.items set note = 'x' where id = 1")
            wait_until(lambda: "note" in s.call("GET", f"{s.path('catalogue')}/tables/public/items", expect=200).body.decode(), what="the new column")
            page(s, folder, "table", columns=["id", "label", "price", "note"], **t)
            page(s, folder, "query", "appearance", rows=600, **t)
            page(s, folder, "drop", **t)


def test_signing_in_from_elsewhere(folder):
    can_browse()
    with Commanded(folder, https=True) as s:
        s.call("POST", "/v1/users", {"name": "vera", "role": "viewer", "password": "a pass word of vera"}, expect=201)
        page(s, folder, "sign-in", user="vera", password="a pass word of vera")


if __name__ == "__main__":
    main(globals())
