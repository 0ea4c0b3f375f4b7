# SPDX-License-Identifier: PostgreSQL
"""Backups to and from a real S3 server that verifies signatures; looked at by boto3."""
import signal
import subprocess

import pytest

from support.archive import files_below, inflate
from support.compare import assert_equal
from support.runner import EXIT, Dbops
from support.servers import S3Server, wait_until


def complete(dbops, bucket):
    return [b["id"] for b in dbops.json("list", "--from", bucket.url)["backups"] if b["complete"]]


@pytest.fixture
def big(db):
    """One table of about 60 MB of text that hardly compresses: several parts of 5 MiB."""
    db.sql("""CREATE TABLE big AS SELECT i AS id, (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 20) k) AS v
              FROM generate_series(1, 60000) i""")
    return db


CONFIG = """remotes:
  s3:
    bucket: {bucket}
    prefix: nightly/dumps
    endpoint: {endpoint}
    region: us-east-1
    path_style: true
    part_size: 5MiB
"""


@pytest.fixture
def configured(s3_dbops, bucket, s3_server):
    """dbops with a remote called s3 in its dbops.yaml."""
    (s3_dbops.folder / "dbops.yaml").write_text(CONFIG.format(bucket=bucket.name, endpoint=s3_server.endpoint))
    return s3_dbops


@pytest.mark.parametrize("options", [[], ["--split-above", "64kB", "-j4"]], ids=["default", "split"])
def test_no_local_round_trip(s3_dbops, cluster, torture, bucket, empty_db, new_db, options):
    report = s3_dbops.json("backup", "-d", torture, "--upload", bucket.url + "/some/prefix", "--no-local", *options)
    assert report["url"].startswith(bucket.url + "/some/prefix/") and report.get("path") is None
    assert all(key.startswith("some/prefix/") for key in bucket.keys())
    downloaded = s3_dbops.folder / "downloaded"
    bucket.download(downloaded)
    (toc,) = downloaded.rglob("toc.dat")
    cluster.tool("pg_restore", "-e", "-d", empty_db, toc.parent)
    assert_equal(torture, empty_db)
    s3_dbops("verify", "latest", "--from", bucket.url + "/some/prefix")
    s3_dbops("restore", "latest", "--from", bucket.url + "/some/prefix", "--to-db", new_db, "--create", "--yes")
    assert_equal(torture, new_db)
    assert bucket.uploads() == []


def test_local_and_remote_copies_are_the_same(s3_dbops, shop, bucket):
    report = s3_dbops.json("backup", "-d", shop, "--upload", bucket.url, "--dir", "backups", "--split-above", "64kB")
    local = {f"{shop.name}/{report['id']}/{name}": (s3_dbops.folder / "backups" / shop.name / report["id"] / name).read_bytes()
             for name in files_below(s3_dbops.folder / "backups" / shop.name / report["id"])}
    assert {key: bucket.get(key) for key in bucket.keys()} == local
    assert complete(s3_dbops, bucket) == [report["id"]]


def test_configured_remote(configured, big, bucket):
    """--upload s3 is the remote of that name; its part size is what goes over the wire, equal parts but the last."""
    report = configured.json("backup", "-d", big, "--upload", "s3", "--no-local")
    assert report["url"].startswith(f"s3://{bucket.name}/nightly/dumps/")
    puts = [line.split() for line in bucket.server.requests() if f"/{bucket.name}/nightly/dumps/" in line and " PUT " in line and "partNumber=" in line]
    parts = sorted((line[2].split("partNumber=")[1].split("&")[0], int(line[3])) for line in puts)
    sizes = [size for _, size in sorted(parts, key=lambda p: int(p[0]))]
    assert len(sizes) >= 3 and set(sizes[:-1]) == {5 << 20} and sizes[-1] <= 5 << 20
    configured("verify", "latest", "--from", "s3")


def test_nothing_touches_the_disk(configured, big, empty_db, bucket):
    """No file larger than 1 MiB can be written, and none at all is left behind, by backup, verify and restore."""
    limit = ["prlimit", f"--fsize={1 << 20}"]
    configured("backup", "-d", big, "--upload", "s3", "--no-local", prefix=limit)
    configured("verify", "latest", "--from", "s3", prefix=limit)
    configured("restore", "latest", "--from", "s3", "--to-db", empty_db, "--yes", prefix=limit)
    assert files_below(configured.folder) == ["dbops.yaml"] or \
        [f for f in files_below(configured.folder) if ".lock" not in f and not f.startswith("home/.cache")] == ["dbops.yaml"]
    assert empty_db.value("SELECT count(*) FROM big") == 60000


FAULTS = [
    ("slow down", ["3 PUT partNumber 503"]),
    ("too many requests", ["2 PUT partNumber 429"]),
    ("internal error", ["2 PUT partNumber 500", "1 POST uploads 500"]),
    ("connection reset in a part", ["2 PUT partNumber reset 100000"]),
    ("answer of a part lost", ["2 PUT partNumber lost"]),
    ("answer of complete lost", ["1 POST uploadId lost"]),
    ("200 with an error in it", ["1 POST uploadId 200error"]),
    ("timeout code", ["1 PUT partNumber 400:RequestTimeout"]),
    ("manifest refused once", ["1 PUT dbops.json 503"]),
]


@pytest.mark.parametrize("lines", [f[1] for f in FAULTS], ids=[f[0].replace(" ", "-") for f in FAULTS])
def test_passing_troubles(configured, big, bucket, s3_server, lines):
    """Retried, and what arrived is right."""
    s3_server.fault(*lines)
    configured("backup", "-d", big, "--upload", "s3", "--no-local")
    left = (s3_server.base / "fault").read_text().split("\n")
    assert all(line.startswith("0 ") for line in left if line), f"the fault did not happen: {left}"
    s3_server.fault()
    configured("verify", "latest", "--from", "s3")
    assert bucket.uploads() == []


def test_trouble_while_reading(configured, big, bucket, s3_server, empty_db):
    """A cut answer is read again; a restore does not load half a block."""
    configured("backup", "-d", big, "--upload", "s3", "--no-local")
    s3_server.fault("2 GET .dat.gz trunc 100000", "2 GET .dat.gz 503")
    configured("restore", "latest", "--from", "s3", "--to-db", empty_db, "--yes")
    assert empty_db.value("SELECT count(*) FROM big") == 60000


REFUSALS = [
    ("access denied", ["100000 PUT partNumber 403:AccessDenied"], ("permission",)),
    ("server errors for ever", ["100000 PUT partNumber 500"], ("unavailable", "refused")),
    ("upload cannot begin", ["100000 POST uploads 403:AccessDenied"], ("permission",)),
    ("complete refused", ["100000 POST uploadId 400:InvalidPart"], ("refused", "damaged", "unavailable")),
    ("manifest refused", ["100000 PUT dbops.json 403:AccessDenied"], ("permission",)),
]


@pytest.mark.parametrize("lines,statuses", [f[1:] for f in REFUSALS], ids=[f[0].replace(" ", "-") for f in REFUSALS])
def test_lasting_refusal(configured, big, shop, bucket, s3_server, lines, statuses):
    """A documented failure; no upload, no object that counts, the earlier backup untouched."""
    earlier = configured.json("backup", "-d", shop, "--upload", "s3", "--no-local")
    before = {key: bucket.get(key) for key in bucket.keys()}
    s3_server.fault(*lines)
    result = configured("backup", "-d", big, "--upload", "s3", "--no-local", expect=[EXIT[s] for s in statuses], timeout=500)
    assert bucket.name in result.stderr or "s3" in result.stderr.lower()
    s3_server.fault()
    assert complete_from(configured) == [earlier["id"]]
    assert bucket.uploads() == [], "multipart uploads were left behind"
    assert {key: bucket.get(key) for key in bucket.keys()} == before, "objects of the failed backup were left behind"


def complete_from(dbops):
    return [b["id"] for b in dbops.json("list", "--from", "s3")["backups"] if b["complete"]]


@pytest.mark.parametrize("signum,status", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")], ids=["INT", "TERM"])
def test_signal_during_the_upload(configured, big, bucket, s3_server, signum, status):
    """The parts stall, so the signal arrives for certain while uploads are open."""
    s3_server.fault("100000 PUT partNumber stall 3600")
    process = configured.start("backup", "-d", big, "--upload", "s3", "--no-local")
    wait_until(lambda: any("stall" in line and bucket.name in line for line in s3_server.requests()) or process.poll() is not None, "a part to stall")
    process.send_signal(signum)
    configured.finish(process, expect=EXIT[status], timeout=60)
    s3_server.fault()
    assert bucket.uploads() == [] and bucket.keys() == []


def test_killed_during_the_upload(configured, big, bucket, s3_server):
    """SIGKILL leaves an upload; nothing counts it, and the next run or prune sweeps it once it is stale."""
    s3_server.fault("100000 PUT partNumber stall 3600")
    process = configured.start("backup", "-d", big, "--upload", "s3", "--no-local")
    wait_until(lambda: any("stall" in line and bucket.name in line for line in s3_server.requests()) or process.poll() is not None, "a part to stall")
    process.kill()
    process.communicate()
    s3_server.fault()
    assert complete_from(configured) == []
    report = configured.json("backup", "-d", big, "--upload", "s3", "--no-local")
    assert complete_from(configured) == [report["id"]]
    configured("verify", report["id"], "--from", "s3")


def test_wrong_secret(s3_dbops, shop, bucket):
    result = s3_dbops("backup", "-d", shop, "--upload", bucket.url, "--no-local", env={"AWS_SECRET_ACCESS_KEY": "wrong-secret-9"},
                      expect=EXIT["permission"])
    assert "wrong-secret-9" not in result.stderr
    assert bucket.keys() == []


def test_no_credentials(s3_dbops, shop, bucket):
    result = s3_dbops("backup", "-d", shop, "--upload", bucket.url, "--no-local",
                      env={"AWS_SECRET_ACCESS_KEY": None, "AWS_ACCESS_KEY_ID": None}, expect=(EXIT["permission"], EXIT["config"]))
    assert "credential" in result.stderr.lower()


def test_no_such_bucket(s3_dbops, shop):
    result = s3_dbops("backup", "-d", shop, "--upload", "s3://no-such-bucket-here", "--no-local", expect=EXIT["not_found"])
    assert "no-such-bucket-here" in result.stderr


def test_no_server_there(s3_dbops, shop):
    s3_dbops("backup", "-d", shop, "--upload", "s3://bucket", "--no-local", env={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
             expect=EXIT["unavailable"], timeout=300)


def test_default_bucket_from_the_environment(s3_dbops, shop, bucket):
    report = s3_dbops.json("backup", "-d", shop, "--upload", "s3", "--no-local", env={"AWS_S3_BACKUP_BUCKET": bucket.name})
    assert complete(s3_dbops, bucket) == [report["id"]]


def test_local_copy_survives_a_dead_remote(s3_dbops, shop, bucket, s3_server):
    """With a local copy and a remote that refuses: not success, and nothing half done that looks whole."""
    s3_server.fault("100000 PUT dbops.json 403:AccessDenied")
    s3_dbops("backup", "-d", shop, "--upload", bucket.url, "--dir", "backups", expect=range(1, 79))
    s3_server.fault()
    assert complete(s3_dbops, bucket) == []
    for b in s3_dbops.json("list", "--dir", "backups")["backups"]:
        if b["complete"]:
            s3_dbops("verify", b["id"], "--dir", "backups")


def test_long_lists(s3_dbops, db, bucket):
    """More than 1000 objects: every page of a list is read, verify finds one missing on the last page."""
    db.sql("DO $$ BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE TABLE t%s (a integer)', i); EXECUTE format('INSERT INTO t%s VALUES (%s)', i, i); END LOOP; END $$")
    report = s3_dbops.json("backup", "-d", db, "--upload", bucket.url, "--no-local", "-j4")
    assert report["tables"] == 1100 and len(bucket.keys()) > 1100
    s3_dbops("verify", "latest", "--from", bucket.url, "--quick")
    last = [k for k in bucket.keys() if k.endswith(".dat.gz")][-1]
    bucket.delete(last)
    result = s3_dbops("verify", "latest", "--from", bucket.url, "--quick", expect=EXIT["damaged"])
    assert last.rsplit("/", 1)[1] in result.stderr + result.stdout


@pytest.fixture(scope="module")
def tls_server(session_folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", session_folder / "key.pem", "-out", session_folder / "cert.pem"],
                   check=True, capture_output=True)
    server = S3Server("--tls", str(session_folder / "cert.pem"), str(session_folder / "key.pem"))
    yield server
    server.stop()


def test_tls_is_verified(tls_server, session_folder, program, work, cluster, shop):
    """An unknown CA is refused; --ca-file makes it known."""
    client = tls_server.client(verify=str(session_folder / "cert.pem"))
    client.create_bucket(Bucket="tls-bucket")
    dbops = Dbops(program, work, {**cluster.env, **tls_server.env})
    result = dbops("backup", "-d", shop, "--upload", "s3://tls-bucket", "--no-local", expect=EXIT["unavailable"])
    assert "certificate" in result.stderr.lower()
    dbops("backup", "-d", shop, "--upload", "s3://tls-bucket", "--no-local", "--ca-file", session_folder / "cert.pem")
    dbops("verify", "latest", "--from", "s3://tls-bucket", "--ca-file", session_folder / "cert.pem")


def test_one_gzip_member_per_object(s3_dbops, shop, bucket):
    s3_dbops("backup", "-d", shop, "--upload", bucket.url, "--no-local", "--split-above", "64kB")
    bucket.download(s3_dbops.folder / "d")
    for path in (s3_dbops.folder / "d").rglob("*.gz"):
        inflate(path)
