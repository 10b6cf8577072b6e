#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may use a service: owner, users with passwords and tokens, an issuer's tokens, browsers, other machines; what every reply says."""
import contextlib
import http.client
import http.server
import socket
import sqlite3
import sys
import threading
import time

from service import *


def raw(service, method, path, headers=None, body=None):
    """As it is: with the headers given, and no others but Host."""
    host = service.url.split("//")[1]
    if service.url.startswith("https"):
        c = http.client.HTTPSConnection(host, timeout=30, context=ssl.create_default_context(cafile=service.ca))
    else:
        c = http.client.HTTPConnection(host, timeout=30)
    c.request(method, path, body, headers or {})
    r = c.getresponse()
    answer = Answer(r.status, r.headers, r.read())
    c.close()
    return answer


def code(answer):
    return answer.headers.get("x-ms-public-api-error-code")


def user(service, name, role=None, password=None):
    given = {"name": name, "role": role, "password": password}
    return service.call("POST", "/v1/users", {k: v for k, v in given.items() if v is not None}, expect=201).json["id"]


def token(service, user_id, **more):
    return service.call("POST", "/v1/tokens", {"name": f"t{time.monotonic_ns()}", "userId": user_id, **more}, expect=201).json["token"]


def test_roles_and_tokens(folder):
    with Service(os.path.join(folder, "home")) as s:
        ws = s.workspace()
        me = s.call("GET", "/v1/me", expect=200).json
        assert me["role"] == "admin" and me["name"] == "owner" and me["id"] is None and not me["login"], "who starts it is its owner"
        ann, bob = user(s, "ann", "viewer"), user(s, "bob")
        viewer, narrow, nobody = token(s, ann), token(s, ann, role="viewer"), token(s, bob)
        assert s.call("GET", "/v1/me", token=viewer, expect=200).json["name"] == "ann"
        s.call("GET", "/v1/workspaces", token=viewer, expect=200)
        for method, path in (("POST", "/v1/connections"), ("GET", "/v1/users"), ("GET", "/v1/audit"), ("POST", f"/v1/workspaces/{ws}/items")):
            a = s.call(method, path, {}, token=viewer)
            assert a.status == 403 and code(a).startswith("Insufficient"), (method, path, a)
        a = s.call("GET", f"/v1/workspaces/{ws}/items", token=nobody)
        assert a.status == 403 and code(a) == "InsufficientWorkspaceRole", a
        with contextlib.closing(sqlite3.connect(os.path.join(s.home, "control.db"), isolation_level=None)) as c:
            c.execute("insert into MirroredDatabaseTableExecution (Timestamp, OperationName, ItemId, WorkspaceId, ItemKind, WorkspaceMonitoringTableName)"
                      " values ('2026-01-31T12:34:56.789012Z', 'AddTable', ?, ?, 'MirroredDatabase', '')", [bob, ws])
        added = lambda: [e["operationName"] for e in s.call("GET", "/v1/executions?item=" + bob, token=nobody, expect=200).json["value"]]
        assert added() == []
        s.call("PATCH", f"/v1/users/{bob}", {"workspaceRoles": {ws: "viewer"}}, expect=200)
        assert added() == ["AddTable"], "who has a role in a workspace sees what is done there"
        refused = s.call("GET", "/v1/connections", token=nobody, expect=403).json
        assert "in the whole service" in refused["message"], refused
        s.call("GET", f"/v1/workspaces/{ws}/items", token=nobody, expect=200)
        s.call("PATCH", f"/v1/users/{ann}", {"role": "admin"}, expect=200)
        s.call("GET", "/v1/users", token=viewer, expect=200)
        assert s.call("GET", "/v1/users", token=narrow).status == 403, "a token gives no more than it says"
        a = s.call("GET", "/v1/workspaces", token="tain_" + "0" * 64)
        assert a.status == 401 and code(a) == "Unauthorized" and a.headers["WWW-Authenticate"].startswith("Bearer"), a


def test_a_token_means_nothing_until_there_are_users(folder):
    """Clients that must bring a token, and bring any, work on the first day; a wrong one is refused as soon as one could be right."""
    with Service(os.path.join(folder, "home"), "--no-monitoring") as s:
        s.call("GET", "/v1/workspaces", token="anything", expect=200)
        s.call("POST", "/v1/users", {"name": "ann", "role": "admin"}, expect=201)
        s.call("GET", "/v1/workspaces", token="anything", expect=401)
        s.call("GET", "/v1/workspaces", expect=200)


def test_a_token_makes_none_that_gives_more(folder):
    with Service(os.path.join(folder, "home"), "--no-monitoring") as s:
        ws, ann = s.workspace(), user(s, "ann", "admin", "correct horse")
        def make(by, **more):
            return s.call("POST", "/v1/tokens", {"name": f"n{time.monotonic_ns()}", **more}, token=by)
        def end(by):
            me = {t["id"]: t["expiresDateTime"] for t in s.call("GET", "/v1/tokens", expect=200).json["value"]}
            return me[by.json["id"]]
        short = s.call("POST", "/v1/tokens", {"name": "short", "userId": ann, "role": "contributor", "expiresInDays": 2}, expect=201)
        refused(make(short.json["token"], expiresInDays=3), "no longer than")
        assert end(make(short.json["token"])) == end(short) > end(make(short.json["token"], expiresInDays=1))
        mine = make(short.json["token"], role="admin").json["token"]
        assert s.call("GET", "/v1/me", token=mine, expect=200).json["role"] == "contributor"
        for by in (mine, short.json["token"]):
            refused(make(by, userId=ann), "only an administrator")
            assert s.call("PATCH", f"/v1/users/{ann}", {"role": "admin"}, token=by).status == 403
        a = raw(s, "POST", "/v1/session", {}, json.dumps({"name": "ann", "password": "correct horse"}))
        signed_in = {"Cookie": a.headers["Set-Cookie"].split(";")[0], "X-Tain-Csrf": "1"}
        lasting = raw(s, "POST", "/v1/tokens", signed_in, json.dumps({"name": "lasting"}))
        assert lasting.status == 201 and end(lasting) is None, lasting

        nowhere = "5e0a0000-0000-4000-8000-000000000000"
        bob = user(s, "bob", "contributor")
        assert s.call("PATCH", f"/v1/users/{bob}", {"role": "admin", "disabled": True, "workspaceRoles": {ws: "viewer", nowhere: "viewer"}}).status == 404
        now = [u for u in s.call("GET", "/v1/users", expect=200).json["value"] if u["id"] == bob]
        assert now[0]["role"] == "contributor" and not now[0]["disabled"] and now[0]["workspaceRoles"] == {}, "all of it or nothing"
        assert s.call("GET", "/v1/capacities", token=token(s, user(s, "eve")), expect=200).json["value"] == [], "as with workspaces"


def test_a_session_of_the_page(folder):
    with Service(os.path.join(folder, "home"), "--login") as s:
        assert s.call("GET", "/v1/workspaces").status == 401, "--login asks everybody"
    with Service(os.path.join(folder, "home")) as s:
        user(s, "ann", "admin", "correct horse")
    with Service(os.path.join(folder, "home"), "--login") as s:
        body = json.dumps({"name": "ann", "password": "correct horse"})
        a = raw(s, "POST", "/v1/session", {"Content-Type": "application/json"}, body)
        assert a.status == 200, a
        set_cookie = a.headers["Set-Cookie"]
        assert "HttpOnly" in set_cookie and "SameSite=Strict" in set_cookie, set_cookie
        cookie = {"Cookie": set_cookie.split(";")[0]}
        me = raw(s, "GET", "/v1/me", cookie).json
        assert me["name"] == "ann" and me["role"] == "admin" and me["login"] and me["session"], me
        me = raw(s, "GET", "/v1/me").json
        assert me["id"] is me["name"] is me["role"] is None and me["login"], "nobody yet: the page asks who it is"
        assert raw(s, "GET", "/v1/workspaces", cookie).status == 200
        made = json.dumps({"displayName": "w"})
        assert raw(s, "POST", "/v1/workspaces", cookie, made).status == 403, "without X-Tain-Csrf"
        assert raw(s, "POST", "/v1/workspaces", {**cookie, "X-Tain-Csrf": "1", "Origin": "http://evil.example"}, made).status == 403
        assert raw(s, "POST", "/v1/workspaces", {**cookie, "X-Tain-Csrf": "1", "Origin": s.url}, made).status == 201
        assert raw(s, "DELETE", "/v1/session", {**cookie, "X-Tain-Csrf": "1"}).status == 200
        a = raw(s, "GET", "/v1/workspaces", cookie)
        assert a.status == 401 and "Max-Age=0" in a.headers["Set-Cookie"], a
        a = raw(s, "GET", "/v1/me", cookie)
        assert a.json["login"] and "Max-Age=0" in a.headers["Set-Cookie"], "or the owner would be asked for a password for ever"
        wrong = json.dumps({"name": "ann", "password": "wrong horse"})
        answers = [raw(s, "POST", "/v1/session", {}, wrong) for _ in range(8)]
        assert answers[0].status == 401 and answers[-1].status == 429 and int(answers[-1].headers["Retry-After"]) > 0, [a.status for a in answers]
        assert len(answers[-1].headers.get_all("Retry-After")) == 1


def test_other_sites_cannot_use_the_owners_browser(folder):
    with Service(os.path.join(folder, "home"), "--url", "https://tain.example/") as s:
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            for method in ("GET", "POST"):
                a = raw(s, method, "/v1/workspaces", headers)
                assert a.status == 403 and code(a) == "InsufficientPrivileges", (headers, a)
        assert raw(s, "GET", "/health", {"Host": "probe.example"}).status == 200, "what is open to all is open by any name"
        assert raw(s, "GET", "/v1/workspaces", {"Host": "tain.example", "Origin": "https://tain.example"}).status == 200, "a proxy that does TLS"
        assert raw(s, "POST", "/v1/workspaces", {"Origin": "https://tain.example"}, json.dumps({"displayName": "w"})).status == 201, "under whatever name it asks us"
        assert raw(s, "GET", "/v1/workspaces", {"Origin": "https://tain.example:8443"}).status == 403
        assert raw(s, "GET", "/v1/workspaces", {"X-Forwarded-For": "10.0.0.1"}).status == 401, "and says for whom: not the owner then"


def test_another_user_of_the_machine_is_not_the_owner(folder):
    if os.geteuid() != 0:
        return
    with Service(os.path.join(folder, "home")) as s:
        program = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", s.url + "/v1/workspaces"]
        assert subprocess.run(program, capture_output=True, text=True).stdout == "200"
        other = subprocess.run(program, capture_output=True, text=True, user=65534, group=65534, extra_groups=[])
        assert other.stdout == "401", other


def test_what_every_reply_says(folder):
    with Service(os.path.join(folder, "home")) as s:
        for path in ("/", "/v1/workspaces", "/v1/nothing", "/health", "/adfs/.well-known/openid-configuration", "/a/../b"):
            a = raw(s, "GET", path)
            assert "default-src 'self'" in a.headers["Content-Security-Policy"] and a.headers["X-Content-Type-Options"] == "nosniff", (path, a)
            assert len(a.headers.get_all("Cache-Control")) == 1, (path, a)
        assert raw(s, "GET", "/v1/workspaces").headers["Cache-Control"] == "no-store"
        a = raw(s, "GET", "/a/../b")
        assert a.status == 400 and a.json["errorCode"] == "InvalidRequest", a
        a = raw(s, "POST", "/v1/workspaces", {"Content-Length": "99999999999", "Expect": "100-continue"})
        assert a.status == 413 and a.json["errorCode"] == code(a) == "RequestBodyTooLarge", a


def test_a_password_in_an_address_is_a_secret(folder):
    with Service(os.path.join(folder, "home")) as s:
        for n, (given, kept) in enumerate((("postgresql://me:p%40ss@h:5432/db", "postgresql://me@h:5432/db"), ("postgresql://me:p@h/d@b?a=x@y", "postgresql://me@h/d@b?a=x@y"),
                                           ("postgresql://me:p@x@h/db", "postgresql://me@h/db"), ("postgresql://me@h/d@c", "postgresql://me@h/d@c"))):
            shown = s.call("GET", "/v1/connections/" + s.connect(given, f"c{n}"), expect=200).json
            assert shown["url"] == kept and shown["secret"] == ("sealed" if given != kept else "none"), shown


def refused(answer, *words, status=403):
    assert answer.status == status, (words, answer)
    said = answer.json["message"] + " " + answer.json["remedy"]
    assert all(w in said for w in words), (words, said)


def test_what_a_contributor_has_read(folder):
    """Servers in the network, by what is said of them: no file, socket, variable or service of the service's machine."""
    with Service(os.path.join(folder, "home"), "--no-monitoring") as s:
        ann = token(s, user(s, "ann", "contributor"))
        def connect(url, **more):
            return s.call("POST", "/v1/connections", {"displayName": f"c{time.monotonic_ns()}", "url": url, **more}, token=ann)
        for url in ("SQLite3://" + folder + "/x.db", "sqlite3://" + folder + "/x.db", folder + "/x.db", "postgresql:///d", "postgresql://%2Frun/d",
                    "postgresql://h/d?host=a,/run", "postgresql://h/d?sslkey=/etc/key", "postgresql://u:file:%2Fetc%2Fpasswd@h/d"):
            refused(connect(url), "role admin", "ask an administrator")
        refused(connect("x://h"), "no source driver", status=400)
        refused(connect("postgresql://h/d", secret="env:HOME"), "role admin", "give the password itself")
        for who in (ann, None):
            hidden = s.call("POST", "/v1/connections", {"displayName": "x", "url": "postgresql://h/d?pass%77ord=x"}, token=who)
            assert hidden.status == (403 if who else 400), hidden
        fine = connect("postgresql://u:secret@db.invalid:5432/d?sslmode=require", secret=None)
        assert fine.status == 201 and fine.json["secret"] == "sealed", fine
        path = "/v1/connections/" + fine.json["id"]
        refused(s.call("PATCH", path, {"url": "sqlite3:///etc/x"}, token=ann), "role admin")
        refused(s.call("PATCH", path, {"secret": "file:/etc/passwd"}, token=ann), "role admin")
        assert s.call("GET", path, expect=200).json["url"] == "postgresql://u@db.invalid:5432/d?sslmode=require"


def test_what_a_contributor_has_mirrored(folder):
    """Through connections of the service, and none of its files; with a standby where the connection is; what an administrator set may stay."""
    with Service(os.path.join(folder, "home")) as s:
        ws, everywhere = s.workspace(), user(s, "ann", "contributor")
        here = user(s, "bob")
        s.call("PATCH", f"/v1/users/{here}", {"workspaceRoles": {ws: "contributor"}}, expect=200)
        ann, bob = token(s, everywhere), token(s, here)
        by_name = {c["displayName"]: c["id"] for c in s.call("GET", "/v1/connections", token=ann, expect=200).json["value"]}
        own, file = by_name["tain control database"], s.connect("sqlite:///data/shop.db", "file")
        net, other = s.connect("postgresql://u@db.invalid/d", "net", "secret"), s.connect("postgresql://u@other.invalid/d", "other", "secret")
        items, made = f"/v1/workspaces/{ws}/mirroredDatabases", iter(range(1000))
        def create(by, connection, **more):
            return s.call("POST", items, {"displayName": f"m{next(made)}", "definition": definition(connection, **more)}, token=by)
        def update(by, path, connection, **more):
            return s.call("POST", path + "/updateDefinition", {"definition": definition(connection, **more)}, token=by)
        for connection in (own, file):
            refused(create(ann, connection), "role admin", "ask an administrator")
            for call in ("test", "assess"):
                refused(s.call("POST", f"/v1/connections/{connection}/{call}", {}, token=ann), "role admin")
            refused(s.call("PATCH", f"/v1/connections/{connection}", {"url": "postgresql://mine.invalid/d"}, token=ann), "role admin")
            refused(s.call("DELETE", f"/v1/connections/{connection}", token=ann), "role admin")
        refused(create(bob, net), "role contributor", "not in the workspace alone")
        assert create(ann, net).status == 201 and create(bob, None).status == 201
        assert create(ann, s.connect("postgresql://u@db.invalid/d?sslrootcert=/etc/ca.pem", "by an administrator", "env:HOME")).status == 201

        path = items + "/" + create(None, file, snapshotFrom="postgresql://standby.invalid/d").json["id"]
        for by in (ann, bob):
            assert update(by, path, file, snapshotFrom="postgresql://standby.invalid/d", exclude=["a.b"]).status == 200, "what was there may stay"
            refused(update(by, path, own), "role admin" if by == ann else "role contributor")
            refused(update(by, path, file, snapshotFrom="postgresql://mine.invalid/d"), "snapshotFrom", "host of the connection")
        assert update(bob, path, None).status == 200
        refused(update(bob, path, file), "role contributor")

        path = items + "/" + create(ann, net, snapshotFrom="postgresql://DB.invalid:5433/d").json["id"]
        for where in ("postgresql://mine.invalid/d", "postgresql://db.invalid,mine.invalid/d", "postgresql://db.invalid/d?hostaddr=192.0.2.1", "postgresql:///d?host=/run",
                      "postgresql://db.invalid/d?sslkey=/etc/key"):
            refused(update(ann, path, net, snapshotFrom=where), "snapshotFrom", "host of the connection")
        refused(update(ann, path, other, snapshotFrom="postgresql://DB.invalid:5433/d"), "snapshotFrom")
        assert update(ann, path, net, snapshotFrom="postgresql://db.invalid/d").status == 200
        refused(update(bob, path, net, snapshotFrom="postgresql://db.invalid/d", name="of_another_mirror"), "role contributor")
        moved = json.loads(mirroring(net))
        moved["properties"]["source"]["typeProperties"]["database"] = "other"
        moved = {"definition": {"parts": [part("mirroring.json", json.dumps(moved))]}}
        refused(s.call("POST", path + "/updateDefinition", moved, token=bob), "role contributor")
        s.call("POST", path + "/updateDefinition", moved, token=ann, expect=200)


def test_a_lake_is_one_mirrors_alone(folder):
    with Service(os.path.join(folder, "home"), "--no-monitoring") as s:
        ws, lake = s.workspace(), os.path.join(os.path.realpath(folder), "home", "lake")
        ann = token(s, user(s, "ann", "contributor"))
        def create(name, by=ann, **more):
            return s.call("POST", f"/v1/workspaces/{ws}/mirroredDatabases", {"displayName": name, "definition": definition(None, **more)}, token=by)
        def path_of(answer):
            assert answer.status == 201, answer
            return f"/v1/workspaces/{ws}/mirroredDatabases/{answer.json['id']}"
        path = path_of(create("a"))
        a = s.monitor(path)["lake"]
        assert a == lake + "/default/a.MirroredDatabase"
        free = lake + "/default/free.MirroredDatabase"
        for made in (a + "/Tables/x.MirroredDatabase", lake + "/deep/in/it", lake + "/else/y.MirroredDatabase", free):
            os.makedirs(made)
        os.symlink(a, lake + "/default/link.MirroredDatabase")
        for given in (lake, lake + "/default", lake + "/deep", lake + "/else/y.MirroredDatabase", a + "/Tables/x.MirroredDatabase", folder, "/etc/passwd", "/etc/none",
                      lake + "/default/none.MirroredDatabase"):
            refused(create("b", lake=given), "properties.tain.lake", "role admin")
        for given in (a, a + "/.", a + "//", lake + "/deep/../default/a.MirroredDatabase", lake + "/default/link.MirroredDatabase"):
            refused(create("b", lake=given), "belongs to another", status=400)
        for given in (lake + "/default", a + "/Tables", a + "/Tables/x.MirroredDatabase"):
            refused(create("b", None, lake=given), "belongs to another", status=400)
        for given in (lake, folder, "/etc"):
            refused(create("b", None, lake=given), "somewhere else", status=400)
        odd = path_of(create("odd", None, lake=lake + "/deep/in"))
        refused(s.call("DELETE", odd + "?hardDelete=true", token=ann), "is not removed", status=400)
        assert os.path.isdir(lake + "/deep/in/it")
        s.call("DELETE", odd, token=ann, expect=200)
        path = path_of(create("b", lake=lake + "/default/./free.MirroredDatabase"))
        assert s.monitor(path)["lake"] == free
        s.call("DELETE", path + "?hardDelete=true", token=ann, expect=200)
        assert not os.path.exists(free) and os.path.isdir(a) and os.path.isdir(lake + "/else/y.MirroredDatabase")


class AsksForPasswords:
    """What looks like a PostgreSQL server, and wants the password in clear."""

    def __init__(self):
        self.socket, self.heard = socket.create_server(("127.0.0.1", 0)), []
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            one, _ = self.socket.accept()
            with one, contextlib.suppress(OSError):
                while one.recv(4096)[4:8] != b"\0\3\0\0":
                    one.sendall(b"N")
                one.sendall(b"R\0\0\0\x08\0\0\0\x03")
                self.heard.append(one.recv(4096))


def test_no_secret_of_the_services_own_is_sent(folder):
    home, server = os.path.join(folder, "user"), AsksForPasswords()
    os.makedirs(home)
    with open(os.open(os.path.join(home, ".pgpass"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("*:*:*:*:of-the-home\n")
    with Service(os.path.join(folder, "home"), "--no-monitoring", env={"HOME": home, "PGPASSWORD": "of-the-service"}) as s:
        ann = token(s, user(s, "ann", "contributor"))
        for given in ("mine", None):
            made = s.call("POST", "/v1/connections", {"displayName": given or "none", "url": f"postgresql://u@{server.address}/d", "secret": given}, token=ann, expect=201).json
            told = s.call("POST", f"/v1/connections/{made['id']}/test", token=ann, expect=200).json
            assert not told["ok"], told
            assert (b"mine" in server.heard[-1]) == (given is not None) and not [h for h in server.heard if b"of-the" in h], server.heard
        trusted = s.connect(f"postgresql://u@{server.address}/d", "an administrator's")
        s.call("POST", f"/v1/connections/{trusted}/test", token=ann, expect=200)
        assert b"of-the-service" in server.heard[-1], server.heard
        s.call("PATCH", f"/v1/connections/{trusted}", {"url": f"postgresql://w@{server.address}/d"}, token=ann, expect=200)
        s.call("POST", f"/v1/connections/{trusted}/test", token=ann, expect=200)
        assert b"of-the" not in server.heard[-1], "it is ann's address now"
    with Service(os.path.join(folder, "home"), "--no-monitoring", env={"HOME": home}) as s:
        s.call("POST", f"/v1/connections/{s.connect(f'postgresql://u@{server.address}/d', 'third')}/test", expect=200)
        assert b"of-the-home" in server.heard[-1], server.heard


def test_nobody_fills_the_audit_log(folder):
    home = os.path.join(folder, "home")
    with Service(home) as s:
        user(s, "ann", "admin", "correct horse")
    with Service(home, "--login") as s:
        for _ in range(20):
            assert raw(s, "POST", "/v1/workspaces", {}, json.dumps({"displayName": "w"})).status == 401
        assert raw(s, "POST", "/v1/session", {}, json.dumps({"name": "x" * 1000000, "password": "wrong horse"})).status == 401
        for _ in range(20):
            assert raw(s, "POST", "/v1/session", {}, json.dumps({"name": "ann", "password": "wrong horse"})).status in (401, 429)
    with Service(home) as s:
        audit = s.call("GET", "/v1/audit", expect=200).json["value"]
        tries = [e for e in audit if e["action"] == "session.begin"]
        assert not [e for e in audit if e["action"] == "workspace.create"], audit
        assert 2 < len(tries) < 15 and all(len(json.dumps(e)) < 1000 for e in audit), audit


def outer_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return None


def test_from_other_machines_by_tls(folder):
    address = outer_address()
    if not address or address.startswith("127."):
        return
    with Service(os.path.join(folder, "home"), "--hosts", address, listen="https://0.0.0.0:0") as s:
        mine = token(s, user(s, "ann", "viewer"))
        s.url = s.url.replace("localhost", address)
        a = s.call("GET", "/v1/workspaces")
        assert a.status == 401, a
        s.call("GET", "/v1/workspaces", token=mine, expect=200)
        ca = open(s.ca).read()
    with Service(os.path.join(folder, "home"), "--hosts", address + ",tain.example", listen="https://0.0.0.0:0") as s:
        assert open(s.ca).read() == ca, "clients need to trust it once"
        s.call("GET", "/v1/workspaces", expect=200)


def shown_certificate(service):
    host, port = service.url.split("//")[1].split(":")
    return ssl.get_server_certificate((host, int(port)))


def test_a_certificate_is_replaced_while_it_serves(folder):
    def certify():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder + "/key.pem", "-out",
                        folder + "/cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return open(folder + "/cert.pem").read().strip()
    first = certify()
    with Service(os.path.join(folder, "home"), "--tls-cert", folder + "/cert.pem", "--tls-key", folder + "/key.pem", listen="https://127.0.0.1:0") as s:
        assert shown_certificate(s).strip() == first
        second = certify()
        s.process.send_signal(signal.SIGHUP)
        wait_until(lambda: shown_certificate(s).strip() == second, what="the second certificate")
        certify()
        open(folder + "/key.pem", "w").write("no key")
        s.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not renewed" in s.output(), what="that it says so")
        assert shown_certificate(s).strip() == second
        assert s.stop() == 0


class Issuer:
    """An issuer of tokens, by openssl."""

    def __init__(self, folder):
        self.key = os.path.join(folder, "issuer.key")
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        n = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
        keys = {"keys": [{"kty": "RSA", "use": "sig", "kid": "k", "e": "AQAB", "n": self.b64(bytes.fromhex(n.split("=")[1].strip()))}]}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(keys if self.path == "/keys" else {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def token(self, **claims):
        claims = {"iss": self.url, "aud": "https://api.fabric.microsoft.com", "exp": int(time.time()) + 600, "oid": "o-1", **claims}
        text = ".".join(self.b64(json.dumps(x).encode()) for x in ({"alg": "RS256", "kid": "k", "typ": "JWT"}, claims))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True, capture_output=True).stdout
        return text + "." + self.b64(signed)


def test_an_issuers_tokens(folder):
    issuer = Issuer(folder)
    with Service(os.path.join(folder, "home"), "--oidc-issuer", issuer.url) as s:
        assert s.call("GET", "/v1/workspaces", token=issuer.token()).status == 401, "known to the issuer is not known here"
        assert s.call("GET", "/v1/me", token=issuer.token(roles=["tain.viewer"]), expect=200).json["role"] == "viewer"
        ann = user(s, "ann@example", "contributor")
        me = s.call("GET", "/v1/me", token=issuer.token(oid="o-2", preferred_username="ann@example"), expect=200).json
        assert me["id"] == ann and me["role"] == "contributor", me
        a = s.call("GET", "/v1/workspaces", token=issuer.token(exp=int(time.time()) - 100, roles=["tain.viewer"]))
        assert a.status == 401 and code(a) == "TokenExpired", a
        for bad in ({"aud": "https://else.example"}, {"iss": "https://else.example"}):
            a = s.call("GET", "/v1/workspaces", token=issuer.token(roles=["tain.admin"], **bad))
            assert a.status == 401 and code(a) == "Unauthorized", a
        good = issuer.token(roles=["tain.viewer"])
        assert s.call("GET", "/v1/workspaces", token=good[:-6] + "AAAAAA").status == 401
        issuer.server.shutdown()
        s.call("GET", "/v1/workspaces", token=good, expect=200)


def test_azure_clients_get_tokens(folder):
    with Service(os.path.join(folder, "home"), listen="https://127.0.0.1:0") as s:
        secret = token(s, user(s, "pub", "contributor"))
        a = raw(s, "GET", "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com", {"X-IDENTITY-HEADER": secret})
        assert a.status == 200 and a.json["access_token"] == secret and int(a.json["expires_on"]) > time.time() + 3600, a
        found = raw(s, "GET", "/adfs/.well-known/openid-configuration").json["token_endpoint"]
        assert found == s.url + "/adfs/oauth2/v2.0/token", found
        form = f"client_id=x&client_secret={secret}&grant_type=client_credentials&scope=https%3A%2F%2Fstorage.azure.com%2F.default"
        a = raw(s, "POST", "/adfs/oauth2/v2.0/token", {"Content-Type": "application/x-www-form-urlencoded"}, form)
        assert a.status == 200 and a.json["access_token"] == secret and a.json["token_type"] == "Bearer", a
        assert s.call("GET", "/v1/me", token=a.json["access_token"], expect=200).json["name"] == "pub"
        assert raw(s, "POST", "/adfs/oauth2/v2.0/token", {}, form.replace(secret, "tain_0")).status == 401


if __name__ == "__main__":
    sys.exit(main(globals()))
