# SPDX-License-Identifier: MIT
"""A PostgreSQL server of the bench's own, on a unix socket, that writes nothing through to the disk: what is measured is
the path from server to lake, not the machine's disk."""
import os
import pwd
import subprocess
import time

from .measure import Trouble

SETTINGS = {
    "wal_level": "logical", "fsync": "off", "full_page_writes": "off", "listen_addresses": "",
    "shared_buffers": "1GB", "maintenance_work_mem": "512MB", "max_wal_size": "32GB", "checkpoint_timeout": "1h",
    "autovacuum": "off", "jit": "off", "track_commit_timestamp": "on",
    "max_connections": "400", "max_replication_slots": "120", "max_wal_senders": "120",
    "max_locks_per_transaction": "1024", "logging_collector": "off", "log_min_messages": "warning", "unix_socket_permissions": "0777",
}


class Server:
    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        self.data, self.sockets = os.path.join(folder, "data"), folder
        self.port = "5432"
        self.process = None
        self.as_user = self._unprivileged()

    @staticmethod
    def _unprivileged():
        """The server refuses to run as root."""
        if os.getuid() != 0:
            return []
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
                return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            except KeyError:
                continue
        return []

    def program(self, name):
        return os.path.join(self.binaries, name)

    def start(self):
        os.makedirs(self.folder)
        if self.as_user:
            uid, gid = (int(a.split("=")[1]) for a in self.as_user[1:3])
            os.chown(self.folder, uid, gid)
        subprocess.run([*self.as_user, self.program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "-N"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        settings = [a for name, value in SETTINGS.items() for a in ("-c", f"{name}={value}")]
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen([*self.as_user, self.program("postgres"), "-D", self.data, "-k", self.sockets, *settings],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self._wait()

    def _wait(self):
        for _ in range(600):
            if subprocess.run([self.program("pg_isready"), "-q", "-h", self.sockets]).returncode == 0:
                return
            time.sleep(0.1)
        with open(os.path.join(self.folder, "log")) as log:
            raise Trouble("the server does not start: " + log.read()[-1000:])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)  # fast shutdown
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.send_signal(3)  # at once
                self.process.wait(30)

    def version(self):
        out = subprocess.run([self.program("postgres"), "--version"], capture_output=True, text=True).stdout
        return "PostgreSQL " + out.split()[2]

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.sockets}&port={self.port}"

    def conninfo(self, database):
        return f"host={self.sockets} port={self.port} user=postgres dbname={database}"

    def connection(self, database):
        return ["-h", self.sockets, "-p", self.port, "-U", "postgres", "-d", database]

    def sql(self, database, text):
        """Runs statements, each by itself, and gives what they print, unaligned."""
        done = subprocess.run([self.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *self.connection(database)],
                              input=text, capture_output=True, text=True)
        if done.returncode:
            raise Trouble("psql: " + done.stderr.strip())
        return done.stdout.strip()

    def create(self, database):
        self.sql("postgres", f"drop database if exists {database} with (force);\ncreate database {database};")

    def drop(self, database):
        """With its slots, so that the server does not keep their log."""
        self.sql("postgres", f"""
            select pg_terminate_backend(active_pid) from pg_replication_slots where database = '{database}' and active_pid is not null;
            select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{database}' and not active;
            drop database if exists {database} with (force);""")
