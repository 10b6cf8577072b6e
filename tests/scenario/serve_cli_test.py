#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands that speak to a running service: what they do, say, and answer."""
import pty
import re
import select
import uuid

from commands import *

COMMANDS = ["create", "list", "start", "stop", "pause", "resume", "resync", "logs", "drop", "connections", "users", "tokens", "apply", "export", "client-env"]
CLIENTS = ["fab", "fabric-cicd", "microsoft-fabric-api", "azure-sdk", "azcopy", "terraform"]


def insert(path, first, count):
    db = sqlite3.connect(path)
    with db:
        db.executemany("insert into orders values (?, ?)", ((i, f"order {i}") for i in range(first, first + count)))
    db.close()


def monitor(service, name):
    return service.json("list", name)


def assert_fits(text, what):
    for line in text.splitlines():
        assert len(line) <= 80 or " " not in line.strip(), f"{what}: {len(line)} columns: {line}"


def assert_refused(r, code, *words):
    assert r.code == code, r
    for word in words:
        assert word in r.err, (word, r)
    assert code != 3 or "remedy: " in r.err, r


# --- one mirror -----------------------------------------------------------------------------------------------------


def test_a_mirror_from_beginning_to_end(folder):
    source = shop(folder)
    with Commanded(folder) as s:
        assert s.tain("list").out == "0 mirrored databases\n"
        out = s.tain("create", "shop", source, "--tables", "main.order*", "--freshness", "100ms").out
        assert "default/shop is made" in out and "tain start" in out, out
        assert s.mirror("default/shop")["status"] == "Initialized"
        assert s.tain("start", "shop").out.startswith("default/shop: ")
        s.wait_for("default/shop", "Running")
        wait_until(lambda: s.mirror("default/shop")["rowsReplicated"] == 100, 30, "100 rows")
        insert(source, 100, 50)
        wait_until(lambda: s.mirror("default/shop")["rowsReplicated"] == 150, 30, "150 rows")
        lake = monitor(s, "shop")["lake"]
        assert len(read_delta(table_folder(lake, "main.orders"))[2]) == 150
        out = s.tain("list").out
        assert re.search(r"^shop +Running +1 +150 ", out, re.M) and out.endswith("1 mirrored database: 1 Running\n"), out
        out = s.tain("list", "shop").out
        assert out.startswith("default/shop: Running, lag ") and re.search(r"^main\.orders +Replicating +150 ", out, re.M), out
        assert s.json("stop", "shop")["status"] in ("Stopping", "Stopped")
        s.wait_for("default/shop", "Stopped")
        assert len(s.json("logs", "shop", "--last", "1000")) > 0
        assert "main.orders" in s.tain("logs", "shop", "--records").out
        assert s.tain("drop", "shop", "--yes").out == "default/shop is removed\n"
        assert s.tain("list").out == "0 mirrored databases\n"
        assert len(read_delta(table_folder(lake, "main.orders"))[2]) == 150


def test_what_is_stopped_or_paused_goes_on(folder):
    source = shop(folder)
    with Commanded(folder) as s:
        s.tain("create", "sales/shop", source, "--start")
        s.wait_for("sales/shop", "Running")
        for rest, name, go_on, rows in (("stop", "Stopped", "start", 110), ("pause", "Paused", "resume", 120)):
            s.tain(rest, "shop")
            s.wait_for("sales/shop", name)
            insert(source, rows - 10, 10)
            s.tain(go_on, "shop")
            s.wait_for("sales/shop", "Running")
            lake = monitor(s, "shop")["lake"]
            wait_until(lambda: len(read_delta(table_folder(lake, "main.orders"))[2]) == rows, 30, f"{rows} rows after {go_on}")


def test_a_table_is_paused_and_loaded_again(folder):
    source = shop(folder)
    db = sqlite3.connect(source)
    items = "main.it/ems $2f"
    db.executescript('create table "it/ems $2f" (id integer primary key); insert into "it/ems $2f" values (1)')
    db.close()

    def status(s, table):
        rows = [t for t in monitor(s, "shop")["tables"] if t["name"] == table]
        return rows[0]["status"] if rows else None

    with Commanded(folder) as s:
        s.tain("create", "shop", source, "--start")
        wait_until(lambda: status(s, items) == "Replicating", 30, "items is followed")
        out = s.tain("pause", "shop", items).out
        assert f"  {items}: paused\n" in out, out
        wait_until(lambda: status(s, items) == "Stopped" and status(s, "main.orders") == "Replicating", 30, "items alone is paused")
        s.tain("resume", "shop", items)
        wait_until(lambda: status(s, items) == "Replicating", 30, "items is followed again")
        assert s.json("resync", "shop", "main.orders")["tables"] == ["main.orders"]
        wait_until(lambda: status(s, "main.orders") == "Replicating", 30, "orders is there again")
        assert s.call("GET", f"{s.path('shop')}/tables/main/it$2fems%20$242f", expect=200).json["table"] == "it/ems $2f"
        assert_refused(s.tain("pause", "shop", "orders", check=None), 3, "schema.table")
        assert_refused(s.tain("pause", "shop", "main.ordres", check=None), 3, "no table main.ordres")
        s.tain("export", os.path.join(folder, "git"))
        assert b"ordres" not in contents(folder + "/git")["shop.MirroredDatabase/mirroring.json"]


def test_what_cannot_start_says_why(folder):
    with Commanded(folder) as s:
        s.tain("create", "shop", "postgresql://nobody@127.0.0.1:1/shop", "--start")
        wait_until(lambda: s.mirror("default/shop")["error"], 30, "an error")
        out = s.tain("list").out
        assert "shop: " in out and "  remedy: " in out, out
        assert_fits(out, "list")


# --- names and connections ------------------------------------------------------------------------------------------


def test_names(folder):
    source = shop(folder)
    with Commanded(folder) as s:
        s.tain("create", "a/shop", source)
        assert_refused(s.tain("create", "b/shop", source, check=None), 3, "tain connections remove")
        s.tain("create", "b/shop", "shop")
        assert_refused(s.tain("start", "shop", check=None), 3, "2 mirrored databases are called 'shop'", "a/shop, b/shop")
        assert_refused(s.tain("stop", "nothing", check=None), 3, "there is no mirrored database 'nothing'", "a/shop, b/shop")
        one = s.mirror("b/shop")
        assert s.json("stop", one["id"].upper())["id"] == one["id"]
        assert s.json("stop", "b/shop")["workspaceName"] == "b"
        assert "0 mirrored databases, 0 written" in s.tain("export", os.path.join(folder, "git")).out
        s.call("DELETE", f"/v1/workspaces/{s.workspace()}", expect=200)
        assert_refused(s.tain("export", folder, check=None), 3, "--workspace: a, b")
        assert_refused(s.tain("create", "a/shop", "shop", check=None), 3, "shop")
        assert_refused(s.tain("create", "a/c", "no-such-thing", check=None), 3, "no connection, no file here and no URL")
        assert len(s.json("list")) == 2


def test_a_database_that_could_not_be_made_leaves_nothing(folder):
    source = shop(folder)
    with Commanded(folder) as s:
        s.tain("create", "till", source)
        s.tain("connections", "change", "till", "--name", "other")
        assert_refused(s.tain("create", "till", source, check=None), 3, "till")
        for name, connection, *words in (("new/", "other", "WORKSPACE/NAME"), ("/x", "other", "WORKSPACE/NAME"), ("", "other", "WORKSPACE/NAME"),
                                         ("new/x", "nothing", "no connection"), ("new/" + "x" * 300, "other", "displayName")):
            assert_refused(s.tain("create", name, connection, check=None), 3, *words)
        assert [c["displayName"] for c in s.json("connections")] == ["other"]
        assert [w["displayName"] for w in s.call("GET", "/v1/workspaces").json["value"]] == ["default"]
        for args in (["logs", "till"], ["logs", "till", "--records"]):
            r = s.tain(*args)
            assert r.out == "" and "'till'" in r.err and "yet" in r.err, r
            assert s.json(*args) == []


def test_connections(folder):
    source = shop(folder)
    with Commanded(folder) as s:
        made = s.json("connections", "add", "shop", "postgresql://tain:very-secret@127.0.0.1:1/shop")
        assert made["url"] == "postgresql://tain@127.0.0.1:1/shop" and made["secret"] == "sealed", made
        assert "very-secret" not in s.tain("connections").out
        r = s.tain("connections", "test", "shop", check=1)
        assert "remedy: " in r.out, r
        s.tain("connections", "change", "shop", "--url", f"sqlite://{source}")
        assert s.json("connections", "test", "shop")["ok"]
        assert_refused(s.tain("connections", "change", "shop", check=None), 3, "--name, --url or --secret")
        s.tain("create", "one", "shop")
        assert_refused(s.tain("connections", "remove", "shop", check=None), 3, "one")
        s.tain("drop", "one", "--yes")
        s.tain("connections", "remove", "shop")
        assert s.json("connections") == []
        for url, words in (("mysql://u:very-secret@h/d", "no source driver for 'mysql://u:***@h/d'"), ("postgresql://a host/d", "postgresql://user@host/database"), ("shop.db", "sqlite:///")):
            assert_refused(s.tain("connections", "add", "other", url, check=None), 3, words)
        assert_refused(s.tain("create", "other", "mysql://u@h/d", check=None), 3, "no source driver", "postgresql://")
        assert_refused(s.tain("connections", "forget", "shop", check=None), 2, "forget")
        assert_refused(s.tain("connections", "add", "shop", check=None), 2, "NAME URL")


# --- Git ------------------------------------------------------------------------------------------------------------


def write_item(folder, name, connection, logical_id=None, **own):
    """As people write them: not as any program would."""
    path = os.path.join(folder, f"{name}.MirroredDatabase")
    os.makedirs(path, exist_ok=True)
    definition = {"properties": {"source": {"type": "GenericSqlite", "typeProperties": {"connection": connection}},
                                 "target": {"type": "MountedRelationalDatabase", "typeProperties": {"format": "Delta"}}, **({"tain": own} if own else {})}}
    with open(os.path.join(path, "mirroring.json"), "w", newline="") as f:
        f.write("  " + json.dumps(definition, indent=7).replace("\n", "\r\n") + "\n\n\n")
    platform = {"$schema": "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json",
                "metadata": {"description": f"what {name} is for \u00e4", "displayName": name, "type": "MirroredDatabase"},
                "config": {"logicalId": logical_id or str(uuid.uuid4()), "version": "2.0"}}
    with open(os.path.join(path, ".platform"), "w") as f:
        f.write(json.dumps(platform, ensure_ascii=False) + " ")
    return path


def contents(folder):
    found = {}
    for path, _, names in os.walk(folder):
        found.update({os.path.relpath(os.path.join(path, n), folder): open(os.path.join(path, n), "rb").read() for n in names})
    found.pop(".tain.json", None)
    return found


def actions(plan):
    return sorted((p["action"], p["name"]) for p in plan["steps"])


def logical_id(path):
    return json.load(open(os.path.join(path, ".platform")))["config"]["logicalId"]


def test_a_folder_is_applied_and_written_again(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        for name in ("one", "two words", "dr\u00ff/<ei>"):
            write_item(git, name.replace("/", "$2f").replace("<", "$3c").replace(">", "$3e"), c)
            path = os.path.join(git, name.replace("/", "$2f").replace("<", "$3c").replace(">", "$3e") + ".MirroredDatabase", ".platform")
            text = json.load(open(path))
            text["metadata"]["displayName"] = name
            open(path, "w").write(json.dumps(text))
        before = contents(git)
        r = s.tain("apply", git, "--workspace", "w", check=1)
        assert "workspace w (to be made)" in r.out and "3 to create" in r.out and "--yes" in r.err, r
        assert s.json("list") == []
        assert s.tain("apply", git, "--workspace", "w", "--yes").out.endswith("done\n")
        r = s.tain("apply", git, "--workspace", "w")
        assert "0 to remove, 0 to change, 0 to create, 3 unchanged" in r.out, r
        assert contents(git) == before
        again = os.path.join(folder, "again")
        assert "3 mirrored databases, 3 written" in s.tain("export", again, "--workspace", "w").out
        assert contents(again) == before
        assert "3 mirrored databases, 0 written" in s.tain("export", again, "--workspace", "w").out
        assert sorted(m["displayName"] for m in s.json("list")) == sorted(["one", "two words", "dr\u00ff/<ei>"])


def test_what_changes_in_a_folder_changes_in_the_service(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        first, second = write_item(git, "first", c), write_item(git, "second", c)
        s.tain("apply", git, "--yes")
        ids = {m["displayName"]: m["id"] for m in s.json("list")}
        write_item(git, "first", c, logical_id(first), freshness="1s")
        id_two = logical_id(second)
        shutil.rmtree(second)
        write_item(git, "renamed", c, id_two)
        plan = s.json("apply", git, check=1)
        assert actions(plan) == [("change", "first"), ("change", "renamed")] and not plan["applied"], plan
        assert [p["changes"] for p in plan["steps"] if p["name"] == "first"] == ["tain"], plan
        assert s.json("apply", git, "--yes")["applied"]
        assert {m["displayName"]: m["id"] for m in s.json("list")} == {"first": ids["first"], "renamed": ids["second"]}
        assert actions(s.json("apply", git)) == [("unchanged", "first"), ("unchanged", "renamed")]
        exported = os.path.join(folder, "exported")
        s.tain("export", exported)
        assert contents(exported) == contents(git)


def test_only_what_a_folder_made_goes_with_it(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        ours = write_item(git, "ours", c)
        write_item(git, "other", c)
        s.tain("apply", git, "--yes")
        s.tain("create", "by-hand", "shop")
        shutil.rmtree(ours)
        plan = s.json("apply", git, check=1)
        assert actions(plan) == [("leave", "by-hand"), ("remove", "ours"), ("unchanged", "other")], plan
        s.tain("apply", git, "--yes")
        assert sorted(m["displayName"] for m in s.json("list")) == ["by-hand", "other"]
        r = s.tain("apply", git, "--prune", check=1)
        assert re.search(r"^remove +by-hand ", r.out, re.M), r
        s.tain("apply", git, "--prune", "--yes")
        assert [m["displayName"] for m in s.json("list")] == ["other"]
        os.remove(os.path.join(git, ".tain.json"))
        shutil.rmtree(os.path.join(git, "other.MirroredDatabase"))
        assert actions(s.json("apply", git)) == [("leave", "other")]


def test_the_state_is_part_of_the_definition(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        path = write_item(git, "shop", c, state="running")
        for state, status in (("running", "Running"), ("paused", "Paused"), ("running", "Running"), ("stopped", "Stopped")):
            write_item(git, "shop", c, logical_id(path), state=state)
            s.tain("apply", git, "--yes")
            s.wait_for("default/shop", status)
            assert "0 to change, 0 to create, 1 unchanged\n" in s.tain("apply", git).out
        s.tain("start", "shop")
        s.wait_for("default/shop", "Running")
        plan = s.json("apply", git, check=1)
        assert [(p["action"], p["then"]) for p in plan["steps"]] == [("unchanged", "stop")], plan
        write_item(git, "shop", c, logical_id(path))
        s.tain("apply", git, "--yes")
        assert s.mirror("default/shop")["status"] in ("Running", "Starting"), "a definition without a state leaves it as it is"


def test_a_folder_with_a_fault_changes_nothing(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        write_item(git, "fine", c)
        bad = write_item(git, "bad", c)
        open(os.path.join(bad, "mirroring.json"), "w").write("{")
        assert_refused(s.tain("apply", git, "--yes", check=None), 3, "bad.MirroredDatabase/mirroring.json", "remedy: mend that file")
        write_item(git, "bad", c, state="fast")
        assert_refused(s.tain("apply", git, "--yes", check=None), 3, "running, stopped or paused")
        write_item(git, "bad", c, logical_id(os.path.join(git, "fine.MirroredDatabase")))
        assert_refused(s.tain("apply", git, "--yes", check=None), 3, "the same logical id")
        assert s.json("list") == []
        assert_refused(s.tain("apply", os.path.join(folder, "nowhere"), check=None), 3, "nowhere")


def test_one_that_fails_does_not_keep_the_others(folder):
    git = os.path.join(folder, "git")
    with Commanded(folder) as s:
        c = s.json("connections", "add", "shop", f"sqlite://{shop(folder)}")["id"]
        write_item(git, "fine", c)
        write_item(git, "a" * 200, c)
        path = os.path.join(git, "a" * 200 + ".MirroredDatabase", ".platform")
        text = json.load(open(path))
        text["metadata"]["displayName"] = "x" * 300
        open(path, "w").write(json.dumps(text))
        r = s.tain("apply", git, "--yes", check=3)
        assert "create 'xxx" in r.err and [m["displayName"] for m in s.json("list")] == ["fine"], r


# --- where the service is, and who asks -----------------------------------------------------------------------------


def test_the_service_is_found(folder):
    with Commanded(folder) as s:
        assert tain("list", "--service", s.url, check=0).out == tain("list", check=0, env={"TAIN_SERVICE": s.url + "/"}).out == s.tain("list").out
        s.tain("list", env={"TAIN_SERVICE": "http://127.0.0.1:1"})
        tain("connections", "add", "here", "sqlite:///x", check=0, env={"TAIN_HOME": s.home})
        assert "here" in s.tain("connections").out, "the usual home"
        assert_refused(tain("list", "--service", "here", check=None), 3, "no address of a service")
    assert_refused(tain("list", "--service", s.url, check=None), 3, "tain serve --home")
    assert_refused(tain("list", "--home", os.path.join(folder, "nowhere"), check=None), 3, "nowhere/service.json", "tain serve --home")


def test_a_service_that_has_ended_is_not_asked(folder):
    """Where it was, another one may be by now."""
    with Commanded(folder) as s:
        s.process.kill()
        s.process.wait()
        assert os.path.exists(os.path.join(s.home, "service.json"))
        assert_refused(s.tain("list", check=None), 3, "no service runs in", "killed", "tain serve --home")
    with Commanded(folder) as s:
        s.tain("list")
        s.stop(signal.SIGTERM)
        assert not os.path.exists(os.path.join(s.home, "service.json"))
        assert_refused(s.tain("list", check=None), 3, "no service runs in", "tain serve --home")


def test_who_asks(folder):
    with Commanded(folder, "--login") as s:
        assert_refused(s.tain("list", check=None), 3, "remedy: ")
        assert_refused(s.tain("list", check=None, env={"TAIN_TOKEN": "tain_" + "0" * 64}), 3, "token")
    with Commanded(folder) as s:
        viewer = s.token("eve", "viewer")
        path = os.path.join(folder, "token")
        open(path, "w").write(viewer + "\n")
        assert s.tain("list", "--token-file", path).out == "0 mirrored databases\n"
        assert_refused(s.tain("create", "x", shop(folder), check=None, env={"TAIN_TOKEN": viewer}), 3, "remedy: ")
        assert_refused(s.tain("list", "--token-file", os.path.join(folder, "no-token"), check=None), 3, "no-token")
        by_http = ["list", "--service", "http://tain.invalid:8080"]
        assert_refused(tain(*by_http, check=None, env={"TAIN_TOKEN": viewer}), 3, "tain.invalid by http", "--plain-http")
        assert_refused(tain(*by_http, "--plain-http", check=None, env={"TAIN_TOKEN": viewer}), 3, "tain.invalid:8080/v1")
        tain("list", "--service", s.url.replace("127.0.0.1", "localhost"), check=0, env={"TAIN_TOKEN": viewer})
        open(path, "w").write("two words")
        assert_refused(s.tain("list", "--token-file", path, check=None), 3, "holds no token")


def test_users_and_tokens(folder):
    with Commanded(folder) as s:
        assert_refused(s.tain("tokens", "add", "x", check=None), 3, "--user NAME")
        s.tain("users", "add", "ann", "--role", "viewer")
        token = s.tain("tokens", "add", "ci", "--user", "ann", "--days", "30").out
        assert re.fullmatch(r"tain_[0-9a-f]{64}\n", token), token
        path = os.path.join(folder, "token")
        open(path, "w").write(token)
        by_ann = {"check": None, "env": {"TAIN_TOKEN": token.strip()}}
        assert s.tain("list", "--token-file", path).out == "0 mirrored databases\n"
        assert_refused(s.tain("create", "x", shop(folder), **by_ann), 3, "contributor")
        s.tain("users", "change", "ann", "--role", "contributor", "--workspace", "default")
        s.tain("create", "default/x", shop(folder, "other.db"), check=3, env=by_ann["env"])  # connections are the whole service's
        s.tain("connections", "add", "shop", "postgresql://db.invalid/shop")
        assert_refused(s.tain("create", "default/x", "shop", **by_ann), 3, "contributor")
        s.tain("users", "change", "ann", "--role", "contributor")
        s.tain("create", "default/x", "shop", env=by_ann["env"])
        s.tain("users", "change", "ann", "--role", "viewer")
        out = s.tain("users").out
        assert re.search(r"^ann +token +viewer; contributor in default$", out, re.M), out
        out = s.tain("tokens").out
        assert re.search(r"^ci +ann +admin +20\d\d-\S+ +20\d\d-", out, re.M), out
        s.tain("tokens", "add", "weak", "--user", "ann", "--role", "viewer")
        assert_refused(s.tain("tokens", "remove", "strong", check=None), 3, "ci, weak")
        s.tain("tokens", "remove", "ci")
        assert_refused(s.tain("list", **by_ann), 3, "token")
        open(path, "w").write("a password\n")
        s.tain("users", "change", "ann", "--password-file", path)
        assert s.json("users")[0]["hasPassword"]
        s.tain("users", "add", "bob", "--role", "viewer", "--workspace", "default")
        assert re.search(r"^bob +token +viewer in default$", s.tain("users").out, re.M), s.tain("users")
        s.tain("users", "remove", "bob")
        s.tain("users", "change", "ann", "--disable")
        assert s.json("users")[0]["disabled"]
        assert_refused(s.tain("users", "remove", "bob", check=None), 3, "ann")
        assert_refused(s.tain("users", "remove", "ann", check=None), 3, "own")
        s.tain("drop", "x", "--yes")
        s.tain("users", "remove", "ann")
        assert s.json("users") == s.json("tokens") == []


def typed(text, *args):
    """What is said at a terminal where that is typed when something is asked."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(TAIN, [TAIN, *args])
    said = b""
    with contextlib.suppress(OSError):
        while True:
            if not select.select([terminal], [], [], 30)[0]:
                os.kill(pid, signal.SIGKILL)
            said += os.read(terminal, 4096)
            if text and (said.endswith(b": ") or said.endswith(b"] ")):
                os.write(terminal, text.encode() + b"\n")
                text = None
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


def test_what_is_asked_at_a_terminal(folder):
    with Commanded(folder) as s:
        code, said = typed("very-secret", "create", "shop", "postgresql://tain@127.0.0.1:1/shop", "--home", s.home)
        assert code == 0 and "Password of tain at 127.0.0.1" in said and "very-secret" not in said, said
        assert s.json("connections")[0]["secret"] == "sealed"
        assert typed("n", "drop", "shop", "--home", s.home)[0] == 1 and len(s.json("list")) == 1
        code, said = typed("y", "drop", "shop", "--home", s.home)
        assert code == 0 and s.json("list") == [], said
        git = os.path.join(folder, "git")
        write_item(git, "one", s.json("connections")[0]["id"])
        assert typed("n", "apply", git, "--home", s.home)[0] == 1 and s.json("list") == []
        code, said = typed("y", "apply", git, "--home", s.home)
        assert code == 0 and [m["displayName"] for m in s.json("list")] == ["one"], said


def test_by_https(folder):
    with Commanded(folder, https=True) as s:
        assert s.url.startswith("https://") and os.path.exists(s.ca), (s.url, s.ca)
        s.tain("list")
        assert_refused(tain("list", "--service", s.url, check=None), 3, "--ca-file")
        assert tain("list", "--service", s.url, "--ca-file", s.ca, check=0).out == "0 mirrored databases\n"
        tain("list", "--service", s.url, env={"TAIN_CA_FILE": s.ca}, check=0)


# --- what is said ---------------------------------------------------------------------------------------------------


def test_help_and_usage(folder):
    for command in COMMANDS:
        out = tain(command, "--help", check=0).out
        assert "\nExample:\n  tain " in out and "--json" in out and "--service URL" in out, out
        assert_fits(out, command)
        assert_refused(tain(command, "--no-such-option", check=None), 2, "no-such-option")
    out = tain("--help", check=0).out
    assert_fits(out, "--help")
    for command in COMMANDS:
        assert f"\n  {command} " in out, out
    assert_refused(tain("start", check=None), 2, "missing")
    assert_refused(tain("client-env", "nobody", check=None), 2, "terraform")


def test_what_people_read_fits(folder):
    with Commanded(folder) as s:
        s.tain("create", "a-workspace-with-a-long-name/and-a-mirror-with-a-longer-one", shop(folder))
        s.tain("create", "another/short", "postgresql://nobody@127.0.0.1:1/" + "x" * 60, "--start")
        for args in (["list"], ["list", "short"], ["logs", "short", "--records"], ["apply", folder, "--workspace", "another", "--prune"]):
            assert_fits(s.tain(*args, check=None).out, args)


def test_drop_asks(folder):
    with Commanded(folder) as s:
        s.tain("create", "shop", shop(folder))
        assert_refused(s.tain("drop", "shop", check=None), 2, "--yes")
        assert len(s.json("list")) == 1


def test_what_clients_need_is_for_a_shell(folder):
    with Commanded(folder, https=True) as s:
        for client in CLIENTS:
            told = s.json("client-env", client, env={"TAIN_TOKEN": "tain_'odd$(token)"})
            script = s.tain("client-env", client, env={"TAIN_TOKEN": "tain_'odd$(token)"}).out
            got = subprocess.run(["bash", "-euc", script + "\nenv -0"], capture_output=True, env={"PATH": os.environ["PATH"]}, check=True).stdout
            variables = dict(v.split("=", 1) for v in got.decode().split("\0") if "=" in v)
            for name, value in told["environment"].items():
                assert variables.get(name) == value, (client, name, value)
            assert "tain_'odd$(token)" in told["environment"].values() and s.ca in told["environment"].values(), told
            assert "missing" not in script, script
            assert "missing" in s.tain("client-env", client).out


if __name__ == "__main__":
    main(globals())
