# SPDX-License-Identifier: PostgreSQL
"""Real servers for the tests: PostgreSQL clusters, an S3-compatible server, PgBouncer.

Every server lives in a short private folder below /tmp, listens on a unix socket or on loopback only,
dies with the test process, and runs as the user "postgres" when the tests run as root.
"""
import contextlib
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVER_USER = "postgres"
# Fast and unsafe, as befits throw-away data; max_wal_size keeps the folder small.
FAST = dict(
    listen_addresses="", fsync="off", full_page_writes="off", synchronous_commit="off", shared_buffers="64MB",
    max_wal_size="256MB", autovacuum="off", jit="off", log_min_messages="warning", max_connections="60",
    max_locks_per_transaction="256", wal_level="logical", log_checkpoints="off", log_line_prefix="%m [%p] %a ",
)


def wait_until(condition, what, seconds=30.0, every=0.01):
    """Polls condition() until it is true; the deadline is a test failure that names `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(every)


def as_server_user(die_with_parent="QUIT"):
    """Command prefix under which a server starts: not root, and gone when the tests are gone."""
    command = ["setpriv", f"--pdeathsig={die_with_parent}"]
    if os.geteuid() == 0:
        command += [f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups"]
    return command


def private_folder(prefix):
    """A folder below /tmp (a unix socket's path must be short) that the server user owns."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, SERVER_USER, SERVER_USER)
    return folder


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def postgres_bindirs():
    """{major: folder with initdb, postgres, pg_dump and pg_restore}, system's and .pg/N (tests/support/pgsuite.sh)."""
    found = {}
    patterns = ["/usr/lib/postgresql/*/bin", f"{ROOT}/.pg/*/usr/lib/postgresql/*/bin"]
    for folder in sum((glob.glob(p) for p in patterns), []):
        if not all(os.access(f"{folder}/{p}", os.X_OK) for p in ("initdb", "postgres", "pg_dump", "pg_restore", "psql")):
            continue
        version = subprocess.run(as_server_user("KILL") + [f"{folder}/postgres", "--version"], capture_output=True, text=True)
        match = re.search(r"(\d+)(\.|beta|rc|devel)", version.stdout)
        if version.returncode == 0 and match:
            found.setdefault(int(match.group(1)), folder)
    return found


def embedded_bindirs():
    """{major: folder with initdb and postgres, but no client programs} of tests/support/embedded/fetch.sh."""
    found = {}
    for folder in glob.glob(f"{ROOT}/.pg/npm/node_modules/pg*/native/bin"):
        version = subprocess.run(as_server_user("KILL") + [f"{folder}/postgres", "--version"], capture_output=True, text=True)
        match = re.search(r"(\d+)\.", version.stdout)
        if version.returncode == 0 and match:
            found[int(match.group(1))] = folder
    return found


def quoted(name):
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Cluster:
    """One PostgreSQL server. `options` are GUCs on top of FAST."""

    def __init__(self, bindir, major, options=None, initdb=("-E", "UTF8", "--locale=C.UTF-8"), auth="trust", tcp=False, clients=None):
        self.bindir, self.major, self.clients = bindir, major, clients or bindir
        self.base = private_folder("dbops-pg-")
        self.data = self.base / "data"
        self.log = self.base / "log"
        self.port = free_port()
        self.options = dict(FAST, unix_socket_directories=str(self.base), port=str(self.port), **(options or {}))
        if tcp:
            self.options["listen_addresses"] = "127.0.0.1"
        self.process = None
        self.number = 0
        command = as_server_user() + [f"{bindir}/initdb", "-D", str(self.data), "-N", "-A", "trust", "-U", "postgres", *initdb]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=self.environment())
        assert done.returncode == 0, done.stdout + done.stderr
        if auth != "trust":
            self.write_hba(["local all postgres trust", f"local all all {auth}", f"host all all 127.0.0.1/32 {auth}"])
        self.start()

    @staticmethod
    def environment():
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def write_hba(self, lines):
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        settings = sum((["-c", f"{k}={v}"] for k, v in self.options.items()), [])
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                as_server_user() + [f"{self.bindir}/postgres", "-D", str(self.data), *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self.environment(), start_new_session=True)
        pidfile = self.data / "postmaster.pid"

        def ready():
            assert self.process.poll() is None, f"postgres did not start:\n{self.log.read_text()}"
            try:
                lines = pidfile.read_text().splitlines()
            except OSError:
                return False
            return len(lines) >= 8 and lines[7].strip() == "ready" and int(lines[0]) == self.process.pid

        wait_until(ready, "postgres to be ready", every=0.005)

    def kill(self, signum=signal.SIGQUIT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait(60)
        self.process = None

    def stop(self):
        self.kill()
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def env(self):
        env = {"PGHOST": str(self.base), "PGPORT": str(self.port), "PGUSER": "postgres"}
        if not str(self.clients).startswith("/usr/lib/postgresql/"):
            env["DBOPS_PG_BINDIR"] = str(self.clients)  # dbops would not look there by itself
        return env

    def conninfo(self, database="postgres", user="postgres"):
        return psycopg.conninfo.make_conninfo(host=str(self.base), port=self.port, user=user, dbname=database)

    def connect(self, database="postgres", **kwargs):
        return psycopg.connect(self.conninfo(database), autocommit=True, **kwargs)

    def sql(self, statement, *parameters, database="postgres"):
        """Runs one statement; rows as a list of tuples ([] when it returns none)."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def tool(self, program, *arguments, check=True, env=None, **kwargs):
        """Runs one of the server's own client programs against this cluster."""
        done = subprocess.run([f"{self.clients}/{program}", *map(str, arguments)], capture_output=True, text=True,
                              env={**self.environment(), **self.env, **(env or {})}, **kwargs)
        assert not check or done.returncode == 0, f"{program} {arguments}: {done.returncode}\n{done.stderr}"
        return done

    def run_script(self, path, database, **variables):
        settings = sum((["-v", f"{k}={v}"] for k, v in {"pgmajor": self.major, **variables}.items()), [])
        return self.tool("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *settings, "-d", database, "-f", path)

    def create_database(self, template="template0", name=None):
        self.number += 1
        name = name or f"db{self.number}"
        strategy = "STRATEGY file_copy" if self.major >= 15 else ""
        self.sql(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)} {strategy}")
        return Database(self, name)

    def database(self, name):
        return Database(self, name)


class Standby(Cluster):
    """A streaming standby of another cluster, with its settings."""

    def __init__(self, primary):
        self.bindir, self.major, self.clients, self.number, self.process = primary.bindir, primary.major, primary.clients, 0, None
        self.base = private_folder("dbops-pg-")
        self.data, self.log, self.port = self.base / "data", self.base / "log", free_port()
        self.options = dict(primary.options, unix_socket_directories=str(self.base), port=str(self.port))
        primary.tool("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-X", "stream")
        if os.geteuid() == 0:
            for path in [self.data, *self.data.rglob("*")]:
                shutil.chown(path, SERVER_USER, SERVER_USER)
        self.start()


class Database:
    """One database of a cluster."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    def __str__(self):
        return self.name

    def connect(self, **kwargs):
        return self.cluster.connect(self.name, **kwargs)

    def sql(self, statement, *parameters):
        return self.cluster.sql(statement, *parameters, database=self.name)

    def value(self, statement, *parameters):
        return self.sql(statement, *parameters)[0][0]

    @property
    def conninfo(self):
        return self.cluster.conninfo(self.name)

    @property
    def exists(self):
        return bool(self.cluster.sql("SELECT 1 FROM pg_database WHERE datname = %s", self.name))

    def drop(self):
        self.cluster.sql(f"DROP DATABASE IF EXISTS {quoted(self.name)} WITH (FORCE)")


class S3Server:
    """tests/support/s3-server: OpenStack Swift's S3 API in one process, with faults on demand."""

    access_key, secret_key = "test:tester", "testing"

    def __init__(self, *options):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="dbops-s3-", dir="/tmp"))
        self.options = options
        self.bucket_number = 0
        self.start()

    def start(self):
        self.output = open(self.base / "output", "ab")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "/usr/bin/python3", str(ROOT / "tests/support/s3-server"), str(self.base), "0", *self.options],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True)

        def ready():
            assert self.process.poll() is None, f"s3-server did not start:\n{(self.base / 'output').read_text()}"
            return (self.base / "ready").exists()

        wait_until(ready, "the S3 server", every=0.05)
        self.port = int((self.base / "ready").read_text())

    @property
    def scheme(self):
        return "https" if "--tls" in self.options else "http"

    @property
    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def env(self):
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key, "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, **kwargs):
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=self.access_key,
                            aws_secret_access_key=self.secret_key, config=Config(s3={"addressing_style": "path"}), **kwargs)

    def create_bucket(self):
        self.bucket_number += 1
        name = f"bucket-{os.getpid()}-{self.bucket_number}"
        self.client().create_bucket(Bucket=name)
        return Bucket(self, name)

    def fault(self, *lines):
        """Replaces the list of faults: lines "COUNT METHOD SUBSTRING ACTION [ARGUMENT]"."""
        temporary = self.base / "fault.new"
        temporary.write_text("\n".join(lines) + "\n")
        temporary.rename(self.base / "fault")

    def requests(self):
        """Lines "time METHOD path?query length fault" of everything asked so far."""
        path = self.base / "access"
        return path.read_text().splitlines() if path.exists() else []

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.output.close()
        shutil.rmtree(self.base, ignore_errors=True)


class Bucket:
    """One bucket, looked at by boto3 and never by dbops' own code."""

    def __init__(self, server, name):
        self.server, self.name, self.s3 = server, name, server.client()

    @property
    def url(self):
        return f"s3://{self.name}"

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [o["Key"] for page in pages for o in page.get("Contents", [])]

    def get(self, key):
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key, data):
        self.s3.put_object(Bucket=self.name, Key=key, Body=data)

    def delete(self, key):
        self.s3.delete_object(Bucket=self.name, Key=key)

    def uploads(self):
        return [u["Key"] for u in self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]

    def download(self, folder):
        """Every object below folder, under its key."""
        for key in self.keys():
            path = pathlib.Path(folder) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.get(key))


class Bouncer:
    """PgBouncer in front of a cluster, on loopback. section: the [pgbouncer] section to start from, as text. roles: who may log in, each with
    its own pools; without them every client is the superuser at the server."""

    def __init__(self, cluster, pool_mode="transaction", settings=None, section=None, roles=None):
        self.cluster = cluster
        self.base = private_folder("dbops-pgb-")
        self.port = free_port()
        (self.base / "users.txt").write_text("".join(f'"{role}" ""\n' for role in ["postgres", *(roles or [])]))
        (self.base / "bouncer.ini").write_text(f"""[databases]
* = host={cluster.base} port={cluster.port} {"" if roles else "user=postgres"}
{section or f"[pgbouncer]{chr(10)}pool_mode = {pool_mode}"}
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = {"trust" if roles else "any"}
auth_file = {self.base}/users.txt
logfile = {self.base}/log
admin_users = postgres
ignore_startup_parameters = extra_float_digits,options
""" + "".join(f"{k} = {v}\n" for k, v in (settings or {}).items()))
        self.process = subprocess.Popen(as_server_user("KILL") + ["pgbouncer", str(self.base / "bouncer.ini")], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)

        def ready():
            assert self.process.poll() is None, f"pgbouncer did not start:\n{(self.base / 'log').read_text()}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True

        wait_until(ready, "pgbouncer")

    @property
    def env(self):
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres"}

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)
