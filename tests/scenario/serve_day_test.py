#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A day in the life of a service: PostgreSQL that is written to all the time, a mirror made on the page by one user, changed by Git, stopped, paused,
killed, given another password and another owner, and dropped. After each step source and lake are the same, row by row."""
import socket
import threading

from serve_page_test import *

TABLES = ["public.products", "public.stock", "public.orders", "public.returns"]
PIECES = 1000  # on stock in the beginning; what is ordered has left it, so that stock and orders together stay as many
ANN, BOB = {"name": "ann", "password": "a pass word of ann"}, {"name": "bob", "password": "a pass word of bob"}
LOADS = ("StartSnapshotting", "StartReseeding")


class Traffic:
    """Whole transactions over several tables, one after the other, while `running`."""

    def __init__(self, pg):
        self.count, self.ended, self.thread = 0, True, None
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", pg.folder, "-U", "postgres", "-d", "shop"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _buy(self):
        n = self.count + 1
        self.psql.stdin.write(f"begin; insert into orders values ({n}, {n} % 20, 'order {n}'); update stock set pieces = pieces - 1, moves = moves + 1 where product = {n} % 20;")
        if n % 5 == 0:
            self.psql.stdin.write(f"""insert into returns select {n}, product from orders where id = {n} - 3; delete from orders where id = {n} - 3;
update stock set pieces = pieces + 1, moves = moves + 1 where product = (select product from returns where id = {n});""")
        self.psql.stdin.write(f"select {n} from pg_sleep(0.005); commit; select 'done';\n")
        self.psql.stdin.flush()
        answer = [self.psql.stdout.readline().strip() for _ in range(2)]
        assert answer == [str(n), "done"], answer
        self.count = n

    def _run(self):
        while not self.ended:
            self._buy()

    def go(self):
        self.ended, self.thread = False, threading.Thread(target=self._run)
        self.thread.start()

    def stop(self):
        self.ended = True
        self.thread.join()

    def more(self, count):
        """Waits until so many transactions more are committed."""
        goal = self.count + count
        wait_until(lambda: self.count >= goal or not self.thread.is_alive(), what="traffic")
        assert self.thread.is_alive(), "the traffic has ended"

    @contextlib.contextmanager
    def still(self):
        self.stop()
        yield
        self.go()

    def __enter__(self):
        self.go()
        return self

    def __exit__(self, *exc):
        self.stop()
        self.psql.kill()
        self.psql.wait()


def server(folder):
    """It listens to the network, too: that is what users who are no administrators may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        os.environ["PGPORT"] = str(free.getsockname()[1])
    return Postgres(folder, listen_addresses="'127.0.0.1'", port=os.environ["PGPORT"])


def address(user):
    return f"postgresql://{user}@127.0.0.1:{os.environ['PGPORT']}/shop"


def database(pg):
    """A role that may do what a mirror needs, and no more."""
    pg.sql(f"""create role mirror login replication password 'in the morning'; grant create on database shop to mirror;
create table products (id int primary key, label text, price numeric(10,2)); insert into products select i, 'product ' || i, i from generate_series(0, 499) i;
create table stock (product int primary key, pieces int, moves int); insert into stock select i, {PIECES}, 0 from generate_series(0, 19) i;
create table orders (id int primary key, product int, note text); create table returns (id int primary key, product int)""")
    pg.sql("".join(f"alter table {t} owner to mirror;" for t in TABLES))
    pg.require_password("mirror")


class Day:
    def __init__(self, folder, pg, traffic, running):
        self.folder, self.pg, self.traffic, self.running = folder, pg, traffic, running
        self.service = None
        self.serve()

    def serve(self):
        self.service = self.running.enter_context(Commanded(self.folder, https=True))

    @property
    def path(self):
        return self.service.path("shop")

    @property
    def monitor(self):
        return self.service.monitor(self.path)

    def page(self, *steps, user=ANN, **values):
        page(self.service, self.folder, *steps, **{"name": "shop", "table": "public.products", "as": user, **values})

    def loads(self):
        """How often each table was loaded, by the records of execution."""
        rows = self.service.call("GET", self.path + "/executions?top=1000", expect=200).json["value"]
        return collections.Counter(f"{r['sourceSchemaName']}.{r['sourceTableName']}" for r in rows if r["operationName"] in LOADS)

    def followed(self, table):
        return next((t["status"] for t in self.monitor["tables"] if t["name"] == table), None) == "Replicating"

    def verified(self, *tables):
        result = json.loads(tain("verify", address("postgres"), self.monitor["lake"], "--tables", ",".join(tables), "--json", check=0).out)
        assert result["equal"] and all(t["compared"] for t in result["tables"]), result

    def same(self, *tables):
        """Every row, while nothing is written; then again as `tain verify` has it, while it is; and all that readers can have seen until then."""
        lake = self.monitor["lake"]
        with self.traffic.still():
            end = time.monotonic() + 30
            while True:
                try:
                    rows = assert_same_as_postgres(self.pg, lake, *tables)
                    break
                except Exception:  # a table that is not there yet is delta-rs's own error
                    if time.monotonic() > end:
                        raise
        self.verified(*tables)
        assert rows > self.traffic.count / 2
        self.whole(lake)

    def whole(self, lake):
        """No epoch has a part of a transaction."""
        records, seen, both = epochs(lake), {}, {"public.stock", "public.orders"}
        for e in records:
            seen.update({t: v["version"] for t, v in e["tables"].items()})
            if e["epoch"] > records[-1]["epoch"] - 10 and both <= seen.keys() and not both & e.get("apart", {}).keys():
                pieces = sum(r[1] for r in rows_at(lake, "public.stock", seen)) + len(rows_at(lake, "public.orders", seen))
                assert pieces == 20 * PIECES, f"epoch {e['epoch']}: {pieces} pieces"


def rows_at(lake, table, versions):
    return read_delta(table_folder(lake, table), versions[table])[2]


def version(lake, table):
    return max(n for n in os.listdir(os.path.join(table_folder(lake, table), "_delta_log")) if re.fullmatch(r"\d{20}\.json", n))


# --- the hours of the day ------------------------------------------------------------------------------------------------


def make(day):
    """Users come by the command line, the mirror by the page: all tables but one."""
    for user, role in ((ANN, "contributor"), (BOB, "contributor")):
        path = os.path.join(day.folder, "password")
        open(path, "w").write(user["password"])
        day.service.tain("users", "add", user["name"], "--role", role, "--password-file", path)
    day.page("make", address=address("mirror"), password="in the morning", without="public.returns", freshness="100ms", rows=500)
    assert day.monitor["owner"]["name"] == "ann", day.monitor
    day.traffic.more(20)
    day.same(*TABLES[:3])
    assert set(day.loads()) == set(TABLES[:3]) and set(day.loads().values()) == {1}, day.loads()


def git(folder, *args):
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    return subprocess.run(["git", "-C", folder, *who, *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def change_by_git(day):
    """A table more, in a working copy: the plan is shown, then carried out, and the folder stays as it was committed."""
    folder = os.path.join(day.folder, "git")
    day.service.tain("export", folder)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it is")
    path = os.path.join(folder, "shop.MirroredDatabase", "mirroring.json")
    definition = json.load(open(path))
    definition["properties"]["mountedTables"].append({"source": {"typeProperties": {"schemaName": "public", "tableName": "returns"}}})
    json.dump(definition, open(path, "w"), indent=1)
    r = day.service.tain("apply", folder, check=1)
    assert re.search(r"^change +shop +mountedTables", r.out, re.M) and "1 to change" in r.out, r
    assert not day.followed("public.returns")
    day.service.tain("apply", folder, "--yes")
    git(folder, "commit", "-q", "-a", "-m", "returns, too")
    day.page("follows", table="public.returns")
    day.same(*TABLES)
    day.service.tain("export", folder)
    assert git(folder, "status", "--porcelain") == ""
    assert day.loads() == dict.fromkeys(TABLES, 1)


def stop_and_start(day):
    """What is written meanwhile comes later; nothing is read twice."""
    lake, loads = day.monitor["lake"], day.loads()
    day.service.tain("stop", "shop")
    day.service.wait_for("default/shop", "Stopped")
    was, orders = version(lake, "public.products"), len(read_delta(table_folder(lake, "public.orders"))[2])
    day.traffic.more(50)
    assert len(read_delta(table_folder(lake, "public.orders"))[2]) == orders
    day.service.tain("start", "shop")
    day.service.wait_for("default/shop", "Running")
    day.same(*TABLES)
    assert day.loads() == loads and version(lake, "public.products") == was


def kill_the_service(day):
    """Its worker goes on; the next one takes it up."""
    pid, lake = day.monitor["pid"], day.monitor["lake"]
    day.service.process.kill()
    day.service.process.wait()
    was = len(read_delta(table_folder(lake, "public.orders"))[2])
    wait_until(lambda: len(read_delta(table_folder(lake, "public.orders"))[2]) > was + 20, what="orders without a service")
    day.serve()
    assert day.service.wait_running(day.path)["pid"] == pid
    day.same(*TABLES)


def pause_a_table(day):
    """The others go on. It is loaded again then, alone."""
    loads, lake = day.loads(), day.monitor["lake"]
    day.service.tain("pause", "shop", "public.returns")
    wait_until(lambda: not day.followed("public.returns"), what="the table to be paused")
    was = version(lake, "public.returns")
    day.traffic.more(20)
    day.same(*TABLES[:3])
    assert version(lake, "public.returns") == was
    day.service.tain("resume", "shop", "public.returns")
    wait_until(lambda: day.followed("public.returns"), what="the table to go on")
    day.same(*TABLES)
    wait_until(lambda: day.loads() - loads == {"public.returns": 1}, what="one load more, of that table")


def change_the_password(day):
    """The old one does not do any more; with the new one it goes on where it was."""
    lake, loads = day.monitor["lake"], day.loads()
    was = version(lake, "public.products")
    day.pg.sql("alter role mirror password 'in the afternoon'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mirror'")
    day.page("secret", password="in the afternoon")
    day.same(*TABLES)
    assert day.loads() == loads and version(lake, "public.products") == was


def kill_the_worker(day):
    pid = day.monitor["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: day.monitor["status"] == "Running" and day.monitor["pid"] not in (None, 0, pid), what="another worker")
    day.same(*TABLES)


def hand_over(day):
    """To bob; ann goes, and what she made stays."""
    day.page("owner", owner="bob")
    day.service.tain("users", "remove", "ann")
    assert day.monitor["owner"]["name"] == "bob", day.monitor
    day.page("follows", user=BOB)


def everything_is_killed(day):
    """As if the machine had lost power: what one sees then is bob's mirror, running."""
    pids = day.service.worker_pids()
    day.service.process.kill()
    day.service.process.wait()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    day.traffic.more(20)
    day.serve()
    day.service.wait_running(day.path)
    day.same(*TABLES)


def left_in_source(pg):
    return pg.sql("select slot_name from pg_replication_slots union all select pubname from pg_publication")


def drop(day):
    """The lake stays, or goes; in the source nothing is left either way."""
    lake, loads = day.monitor["lake"], day.loads()
    assert loads == collections.Counter(TABLES) + collections.Counter(["public.returns"]), loads
    day.service.tain("create", "second", "shop", "--tables", "public.products", "--start")
    day.service.wait_for("default/second", "Running")
    second = day.service.monitor(day.service.path("second"))["lake"]
    with day.traffic.still():
        wait_until(lambda: len(read_delta(table_folder(lake, "public.orders"))[2]) == int(day.pg.sql("select count(*) from orders")), what="all orders")
        day.service.tain("drop", "shop", "--yes")
        assert_same_as_postgres(day.pg, lake, *TABLES)
    assert len(left_in_source(day.pg).split()) == 2, left_in_source(day.pg)
    day.service.tain("drop", "second", "--delete-lake", "--yes")
    assert left_in_source(day.pg) == "" and not os.path.exists(second) and os.path.isdir(lake)
    assert day.service.json("list") == [] and day.service.worker_pids() == []


HOURS = [make, change_by_git, stop_and_start, kill_the_service, pause_a_table, change_the_password, kill_the_worker, hand_over,
         everything_is_killed, drop]


def test_a_day(folder):
    can_browse()
    with server(folder) as pg, contextlib.ExitStack() as running:
        database(pg)
        day = Day(folder, pg, running.enter_context(Traffic(pg)), running)
        for hour in HOURS:
            began = time.monotonic()
            hour(day)
            print(f"  {hour.__name__}: {time.monotonic() - began:.1f} s, {day.traffic.count} transactions", flush=True)


if __name__ == "__main__":
    main({"test_a_day": test_a_day})
