# SPDX-License-Identifier: MIT
"""A service, and the commands that speak to it."""
import sqlite3

from service import *


class Commanded(Service):
    """tain serve in a folder of the test. https: with a certificate of its own, for these names."""

    def __init__(self, folder, *options, https=False, names=()):
        hosts = ["--hosts", ",".join(names)] if names else []
        super().__init__(os.path.join(folder, "home"), "--no-monitoring", *hosts, *options, listen=f"{'https' if https else 'http'}://127.0.0.1:0")

    def tain(self, *args, check=0, **more):
        return tain(*args, "--home", self.home, check=check, **more)

    def json(self, *args, **more):
        return json.loads(self.tain(*args, "--json", **more).out)

    def path(self, name):
        """In the REST, of what is called so."""
        m = next(m for m in self.json("list") if m["displayName"] == name)
        return f"/v1/workspaces/{m['workspaceId']}/mirroredDatabases/{m['id']}"

    def mirror(self, name):
        """The row of `tain list` that is called workspace/name."""
        rows = [m for m in self.json("list") if f"{m['workspaceName']}/{m['displayName']}" == name]
        return rows[0] if rows else None

    def wait_for(self, name, status, seconds=30):
        def is_so():
            m = self.mirror(name)
            return m and m["status"] == status and m
        try:
            return wait_until(is_so, seconds, f"{name} is {status}")
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.mirror(name)}\n{self.tain('logs', name, check=None)}\n{self.output()[-2000:]}")

    def token(self, name, role="admin"):
        """A token of a user of that name, who is made."""
        user = self.call("POST", "/v1/users", {"name": name, "role": role}, expect=201).json
        return self.call("POST", "/v1/tokens", {"name": "of the test", "userId": user["id"]}, expect=201).json["token"]


def shop(folder, name="shop.db", rows=100):
    """A SQLite file with one table."""
    path = os.path.join(folder, name)
    db = sqlite3.connect(path)
    db.execute("create table orders (id integer primary key, what text)")
    db.executemany("insert into orders values (?, ?)", ((i, f"order {i}") for i in range(rows)))
    db.commit()
    db.close()
    return path
