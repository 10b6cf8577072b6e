#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of Fabric, as their makers publish them, against a service: nothing of them is changed but the address, the certificate
they trust and where their token comes from, which is what `tain client-env` tells."""
import socket
import threading
import uuid

from commands import *

CLIENTS = os.path.join(ROOT, ".cache", "interop", "clients", "bin")
NAME = "management.tain.test"  # one that fab takes


def need_clients():
    got = subprocess.run([os.path.join(ROOT, "tests/interop/install"), "clients"], capture_output=True, text=True)
    if got.returncode:
        raise Skip(got.stderr.strip())


def environment(service, client, *options):
    """What client-env tells, on top of nothing that could point a client elsewhere."""
    token = service.token(f"user of {client}")
    told = service.json("client-env", client, *options, env={"TAIN_TOKEN": token})["environment"]
    return {"PATH": os.environ["PATH"], "HOME": os.path.dirname(service.home), "NO_PROXY": "127.0.0.1", **told}


def python(script, env):
    """A program of a user of that client; what it prints as JSON, line by line."""
    got = subprocess.run([os.path.join(CLIENTS, "python3"), "-c", script], capture_output=True, text=True, env=env, timeout=180)
    assert got.returncode == 0, got.stdout[-3000:] + got.stderr[-3000:]
    return [json.loads(line) for line in got.stdout.splitlines() if line.startswith(("{", "[", '"'))]


class Elsewhere:
    """A proxy that takes a client to the service whatever host it asks for: in place of the machine's names."""

    def __init__(self, url):
        self.port = int(url.rsplit(":", 1)[1])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        assert head.startswith(b"CONNECT "), head
        with client, socket.create_connection(("127.0.0.1", self.port)) as service:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(service, client), daemon=True)
            back.start()
            self.pump(client, service)
            back.join()

    @staticmethod
    def pump(source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()


def git_folder(folder, connection, name="Sales", **own):
    path = os.path.join(folder, "git", f"{name}.MirroredDatabase")
    os.makedirs(path, exist_ok=True)
    open(os.path.join(path, "mirroring.json"), "w").write(mirroring(connection, **own))
    platform = {"$schema": "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json",
                "metadata": {"type": "MirroredDatabase", "displayName": name}, "config": {"version": "2.0", "logicalId": str(uuid.uuid4())}}
    open(os.path.join(path, ".platform"), "w").write(json.dumps(platform))
    return os.path.dirname(path)


# --- where tokens come from -----------------------------------------------------------------------------------------

TOKENS = """
import json, os
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
secret = os.environ["IDENTITY_HEADER"]
print(json.dumps([ManagedIdentityCredential().get_token("https://storage.azure.com/.default").token == secret]))
print(json.dumps([ClientSecretCredential("adfs", "any", secret).get_token("https://storage.azure.com/.default").token == secret]))
try:
    ClientSecretCredential("adfs", "any", "tain_0").get_token("https://storage.azure.com/.default")
except ClientAuthenticationError as e:
    print(json.dumps([str(e)]))
"""


def test_azure_identity(folder):
    """Scripts that have a client's id and secret run unchanged, too: at the tenant `adfs` no authority is asked elsewhere."""
    need_clients()
    with Commanded(folder, https=True) as s:
        got = python(TOKENS, {**environment(s, "microsoft-fabric-api"), "AZURE_AUTHORITY_HOST": s.url})
        assert got[:2] == [[True], [True]] and "no API token of this service" in got[2][0], got


# --- fabric-cicd ----------------------------------------------------------------------------------------------------

PUBLISH = """
import os, sys
from azure.identity import ManagedIdentityCredential
from fabric_cicd import FabricWorkspace, constants, publish_all_items, unpublish_all_orphan_items
constants.DEFAULT_API_ROOT_URL = constants.FABRIC_API_ROOT_URL = os.environ["TAIN_SERVICE"]
w = FabricWorkspace(workspace_name="default", repository_directory=os.environ["FOLDER"], item_type_in_scope=["MirroredDatabase"],
                    token_credential=ManagedIdentityCredential())
publish_all_items(w)
unpublish_all_orphan_items(w)
"""


def test_fabric_cicd(folder):
    need_clients()
    with Commanded(folder) as s:
        connection = s.connect(f"sqlite://{shop(folder)}")
        git = git_folder(folder, connection)
        env = {**environment(s, "fabric-cicd"), "FOLDER": git}
        python(PUBLISH, env)
        made = s.mirror("default/Sales")
        assert made and made["status"] == "Initialized", made
        s.tain("start", "Sales")
        s.wait_for("default/Sales", "Running")
        git_folder(folder, connection, freshness="250ms")
        git_folder(folder, connection, "More")
        python(PUBLISH, env)
        assert s.mirror("default/Sales")["id"] == made["id"]
        exported = os.path.join(folder, "exported")
        s.tain("export", exported)
        for name in ("Sales", "More"):
            path = f"{name}.MirroredDatabase/mirroring.json"
            assert json.load(open(os.path.join(exported, path))) == json.load(open(os.path.join(git, path)))
        assert "2 unchanged" in s.tain("apply", git, "--yes").out + s.tain("apply", git).out
        shutil.rmtree(os.path.join(git, "Sales.MirroredDatabase"))
        python(PUBLISH, env)
        assert [m["displayName"] for m in s.json("list")] == ["More"]


# --- microsoft-fabric-api -------------------------------------------------------------------------------------------

GENERATED = """
import json, os
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from microsoft_fabric_api import FabricClient
client = FabricClient(ManagedIdentityCredential(), base_url=os.environ["TAIN_SERVICE"] + "/")
items, mirroring = client.mirroreddatabase.items, client.mirroreddatabase.mirroring
workspace = [w.id for w in client.core.workspaces.list_workspaces() if w.display_name == "default"][0]
definition = json.loads(os.environ["DEFINITION"])
def tell(**what): print(json.dumps(what, default=str), flush=True)
made = items.create_mirrored_database(workspace, {"displayName": "Api", "description": "by the API", "definition": definition})
tell(created=made.display_name, type=made.type)
got = items.get_mirrored_database(workspace, made.id)
tell(endpoint=got.properties.sql_endpoint_properties.provisioning_status, tables=got.properties.one_lake_tables_path)
tell(listed=[m.display_name for m in items.list_mirrored_databases(workspace)])
tell(parts=sorted(p.path for p in items.get_mirrored_database_definition(workspace, made.id).definition.parts))
tell(before=mirroring.get_mirroring_status(workspace, made.id).status)
mirroring.start_mirroring(workspace, made.id)
import time
end = time.monotonic() + 60
while True:
    tables = list(mirroring.get_tables_mirroring_status(workspace, made.id))
    if tables and all(t.status == "Replicating" and t.metrics.processed_rows == 100 for t in tables): break
    assert time.monotonic() < end, tables
    time.sleep(0.1)
tell(running=mirroring.get_mirroring_status(workspace, made.id).status, table=tables[0].source_table_name, rows=tables[0].metrics.processed_rows)
items.update_mirrored_database(workspace, made.id, {"displayName": "Api2"})
items.update_mirrored_database_definition(workspace, made.id, {"definition": definition})
tell(renamed=items.get_mirrored_database(workspace, made.id).display_name)
mirroring.stop_mirroring(workspace, made.id)
items.delete_mirrored_database(workspace, made.id)
try:
    items.get_mirrored_database(workspace, made.id)
except HttpResponseError as e:
    tell(gone=e.status_code, gone_code=json.loads(e.response.text())["errorCode"])
try:
    items.create_mirrored_database(workspace, {"displayName": "Bad", "definition": {"parts": [{"path": "mirroring.json", "payload": "bm8=", "payloadType": "InlineBase64"}]}})
except HttpResponseError as e:
    tell(refused=e.status_code, code=json.loads(e.response.text())["errorCode"])
"""


def test_microsoft_fabric_api(folder):
    need_clients()
    with Commanded(folder, https=True) as s:
        definition_ = definition(s.connect(f"sqlite://{shop(folder)}"))
        told = {}
        for line in python(GENERATED, {**environment(s, "microsoft-fabric-api"), "DEFINITION": json.dumps(definition_)}):
            told.update(line)
        tables = told.pop("tables")
        assert tables.endswith("/Tables"), tables
        assert told == {"created": "Api", "type": "MirroredDatabase", "endpoint": "Success", "listed": ["Api"], "parts": [".platform", "mirroring.json"],
                        "before": "Initialized", "running": "Running", "table": "orders", "rows": 100, "renamed": "Api2", "gone": 404, "gone_code": "ItemNotFound", "code": "CorruptedPayload",
                        "refused": 400}, told


# --- fab ------------------------------------------------------------------------------------------------------------


def test_fab(folder):
    need_clients()

    def fab(*args, code=0):
        got = subprocess.run([os.path.join(CLIENTS, "fab"), *args], capture_output=True, text=True, env=env, timeout=120)
        assert got.returncode == code, f"fab {' '.join(args)}: exit {got.returncode}\n{got.stdout[-2000:]}{got.stderr[-2000:]}"
        return got.stdout

    with Commanded(folder, https=True, names=[NAME]) as s, Elsewhere(s.url) as proxy:
        env = environment(s, "fab", "--service", f"https://{NAME}", "--ca-file", s.ca)
        assert env["FAB_API_ENDPOINT_FABRIC"] == NAME, env
        env["HTTPS_PROXY"] = proxy.url
        fab("config", "set", "encryption_fallback_enabled", "true")
        fab("config", "set", "check_cli_version_updates", "false")
        assert "default.Workspace" in fab("ls")
        connection = s.connect(f"sqlite://{shop(folder)}")
        git = git_folder(folder, connection)
        sales = "default.Workspace/Sales.MirroredDatabase"
        fab("import", sales, "-i", os.path.join(git, "Sales.MirroredDatabase"), "-f")
        assert s.mirror("default/Sales")["status"] == "Initialized"
        assert "Sales.MirroredDatabase" in fab("ls", "default.Workspace")
        fab("start", sales, "-f")
        s.wait_for("default/Sales", "Running")
        got = fab("get", sales, "-q", ".", "-f")
        assert '"status": "Running"' in got and '"connection": "%s"' % connection in got.replace('\\"', '"'), got
        fab("stop", sales, "-f")
        s.wait_for("default/Sales", "Stopped")
        fab("set", sales, "-q", "displayName", "-i", "Renamed", "-f")
        renamed = "default.Workspace/Renamed.MirroredDatabase"
        out = os.path.join(folder, "out")
        os.makedirs(out)
        fab("export", renamed, "-o", out, "-f")
        path = os.path.join(out, "Renamed.MirroredDatabase", "mirroring.json")
        assert json.load(open(path)) == json.load(open(os.path.join(git, "Sales.MirroredDatabase", "mirroring.json")))
        fab("rm", renamed, "-f")
        assert s.json("list") == []


if __name__ == "__main__":
    main(globals())
