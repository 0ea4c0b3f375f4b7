# SPDX-License-Identifier: PostgreSQL
"""The S3 storage against a real, signature-checking S3 server: its promises, its way with faults, its credentials.

What no local server does (redirects, clock skew, proxies that answer HTML, STS, instance metadata) is played by a small
scripted HTTP server. s3_store_tool is one storage on a command line.
"""
import copy
import http.server
import json
import random
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

from support.runner import BUILD, SANITIZERS
from support.servers import ROOT, S3Server, wait_until

TOOL = BUILD / "tests/unit/s3_store_tool"
DONE, DAMAGED, NOT_FOUND, UNAVAILABLE, BUG, CANNOT_WRITE, REFUSED, PERMISSION, CONFIG = 0, 65, 66, 69, 70, 73, 76, 77, 78
INTERRUPTED, TERMINATED = 130, 143
SECRETS = ("testing", "wrong-secret-key", "the-secret", "the-token", "base-secret", "AWS4-HMAC-SHA256")


def pattern(size):
    return bytes(i * 31 % 251 for i in range(size))


@pytest.fixture(scope="module")
def server():
    running = S3Server("--min-part", "1")
    yield running
    running.stop()


@pytest.fixture
def bucket(server):
    server.fault()
    made = server.create_bucket()
    yield made
    server.fault()


class Tool:
    """Runs s3_store_tool; each result has code, stdout, error (a dict) and stats, and shows no secret."""

    def __init__(self, env, *options):
        self.env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **SANITIZERS, **env}
        self.options = [str(o) for o in options]

    def start(self, *arguments, **kwargs):
        return subprocess.Popen([TOOL, *self.options, *map(str, arguments)], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kwargs)

    def finish(self, process, timeout=120):
        process.stdout_bytes, process.stderr_bytes = process.communicate(timeout=timeout)
        return self.read(process)

    def __call__(self, *arguments, expect=DONE):
        process = self.finish(self.start(*arguments))
        assert process.code == expect, process.text
        return process

    @staticmethod
    def read(process):
        process.code = process.returncode
        process.text = process.stderr_bytes.decode()
        for secret in SECRETS:
            assert secret not in process.text
        documents = [json.loads(line) for line in process.text.splitlines() if line.startswith("{")]
        process.stats = next((d for d in documents if "requests" in d), None)
        process.error = next((d for d in documents if "message" in d), None)
        return process


@pytest.fixture
def tool(server, bucket):
    return Tool(server.env, "--bucket", bucket.name, "--retry-ms", 1, "--part-size", 1000)


# The promises of storage.h -------------------------------------------------------------------------------------------

def test_conformance(server, bucket):
    env = {"PATH": "/usr/bin:/bin", **SANITIZERS, **server.env, "DBOPS_TEST_S3_ENDPOINT": server.endpoint, "DBOPS_TEST_S3_BUCKET": bucket.name}
    done = subprocess.run([BUILD / "tests/unit/test_storage", "s3"], env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bucket.uploads() == []


def test_stream_is_what_boto_reads(tool, bucket):
    for size in (0, 1000, 1001, 3500):
        tool("stream", f"s/{size}", size, 77)
        assert bucket.get(f"s/{size}") == pattern(size)


def test_plain_put_up_to_one_part(tool, server, bucket):
    tool("stream", "one", 1000, 77)
    mine = [line for line in server.requests() if bucket.name in line and "/one?" in line]
    assert [line.split()[1] for line in mine] == ["PUT"]


def test_parts_are_equal(tool, server, bucket):
    tool("stream", "many", 3500, 77)
    lengths = {line.split("partNumber=")[1].split("&")[0]: line.split()[3]
               for line in server.requests() if bucket.name in line and "partNumber=" in line}
    assert lengths == {"1": "1000", "2": "1000", "3": "1000", "4": "500"}


def test_prefix_is_invisible(server, bucket):
    inside = Tool(server.env, "--bucket", bucket.name, "--prefix", "/deep/prefix/")
    inside("put", "a/b", "hello")
    assert bucket.keys() == ["deep/prefix/a/b"]
    assert [json.loads(line)["key"] for line in inside("list", "").stdout_bytes.splitlines()] == ["a/b"]
    assert inside("cat", "a/b").stdout_bytes == b"hello"


def test_content_md5_and_encryption():
    encrypting = S3Server("--encrypt", "--min-part", "1")
    try:
        bucket = encrypting.create_bucket()
        Tool(encrypting.env, "--bucket", bucket.name, "--part-size", 1000, "--content-md5", 1, "--sse", "AES256",
             "--storage-class", "STANDARD")("stream", "x", 2500, 100)
        assert bucket.get("x") == pattern(2500)
    finally:
        encrypting.stop()


def test_virtual_hosted_style(tmp_path):
    """BUCKET.s3.localhost: libcurl resolves every name below localhost to loopback."""
    running = S3Server("--domain", "s3.localhost")
    try:
        bucket = running.create_bucket()
        virtual = Tool(running.env, "--bucket", bucket.name, "--endpoint", f"http://s3.localhost:{running.port}", "--path-style", 0)
        virtual("put", "a b/c", "hello")
        assert virtual("cat", "a b/c").stdout_bytes == b"hello" and bucket.keys() == ["a b/c"]
        hosts = [line for line in running.requests() if line.split()[2].startswith("/a%20b") or " /a b/c?" in line]
        assert hosts, running.requests()
    finally:
        running.stop()


# Trouble that passes ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lines", [
    ["3 PUT partNumber=2 503"],
    ["3 PUT partNumber=1 500", "2 PUT partNumber=4 429"],
    ["1 POST uploads 500"],
    ["1 POST uploads lost"],
    ["1 PUT partNumber=2 reset 100", "1 PUT partNumber=3 reset 0"],
    ["2 PUT partNumber=3 lost"],
    ["1 POST uploadId lost"],
    ["1 POST uploadId 200error"],
    ["1 POST uploadId 503"],
    ["1 PUT partNumber=2 400:RequestTimeout", "1 PUT partNumber=2 400:BadDigest"],
    ["1 PUT partNumber=2 stall 30"],
], ids=lambda lines: lines[0].replace(" ", "-"))
def test_write_survives(tool, server, bucket, lines):
    server.fault(*lines)
    tool.options += ["--stall", "1"]
    result = tool("stream", "x", 3500, 77)
    left = (server.base / "fault").read_text().split("\n")
    assert all(line.startswith("0 ") for line in left if line), "a fault did not hit"
    assert bucket.get("x") == pattern(3500)
    assert bucket.uploads() == []
    assert "lost" in lines[0] or "reset" in lines[0] or result.stats["retries"] >= 1


@pytest.mark.parametrize("lines", [
    ["1 GET big trunc 1000"],
    ["2 GET big trunc 2000", "1 GET big 503"],
    ["1 GET big reset 0"],
    ["1 GET big stall 30"],
    ["2 GET big 500", "1 GET big 429"],
], ids=lambda lines: lines[0].replace(" ", "-"))
def test_read_survives(tool, server, bucket, lines):
    bucket.put("big", pattern(9000))
    tool.options += ["--stall", "1"]
    for command, expected in ((("cat", "big"), pattern(9000)), (("get", "big", 100, 8000), pattern(9000)[100:8100])):
        server.fault(*lines)
        assert tool(*command).stdout_bytes == expected
        assert "\n0 " in "\n" + (server.base / "fault").read_text()


def test_read_goes_on_where_it_broke(tool, server, bucket):
    """A cut answer costs the bytes that were missing, not the whole object again."""
    bucket.put("big", pattern(200000))
    server.fault("1 GET big trunc 131072")
    result = tool("cat", "big")
    assert result.stdout_bytes == pattern(200000)
    assert result.stats["retries"] == 1 and result.stats["received"] < 210000


def test_slow_down_is_obeyed_and_forgotten(tool, server, bucket):
    server.fault("8 PUT partNumber 503")
    tool("stream", "x", 40000, 5000)
    assert bucket.get("x") == pattern(40000)


def test_repeated_initiate_leaves_no_orphan(tool, server, bucket):
    """The store began an upload whose answer got lost: it is found and aborted."""
    server.fault("2 POST uploads lost")
    tool("stream", "x", 3500, 77)
    assert bucket.uploads() == []
    server.fault("1 POST x.1?uploads lost")  # now with connections that libcurl keeps and might silently renew
    assert tool("stream", "x", 3500, 77, 2).stats["retries"] == 1
    assert bucket.uploads() == []


# Trouble that stays ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lines,code", [
    (["1000 PUT partNumber=3 503"], UNAVAILABLE),
    (["1000 PUT partNumber=3 lost"], UNAVAILABLE),
    (["1000 PUT partNumber=3 403:AccessDenied"], PERMISSION),
    (["1000 POST uploads 403:AccessDenied"], PERMISSION),
    (["1000 POST uploadId 200error"], UNAVAILABLE),
    (["1000 POST uploadId 400:InvalidPart"], REFUSED),
    (["1000 PUT partNumber=2 507:InsufficientStorage"], CANNOT_WRITE),
    (["1000 PUT partNumber=2 501:NotImplemented"], REFUSED),
], ids=lambda value: value[0].replace(" ", "-") if isinstance(value, list) else None)
def test_lasting_refusal(tool, server, bucket, lines, code):
    server.fault(*lines)
    result = tool("stream", "x", 5500, 77, expect=code)
    assert f"s3://{bucket.name}" in result.error["detail"]
    server.fault()
    assert bucket.keys() == [] and bucket.uploads() == []


def test_retries_are_bounded(tool, server, bucket):
    server.fault("1000 GET key 500")
    before = len(server.requests())
    result = tool("cat", "key", expect=UNAVAILABLE)
    assert "gave up after 10 tries" in result.error["message"]
    assert len(server.requests()) - before == 10


@pytest.mark.parametrize("command", [("list", ""), ("stat", "x"), ("cat", "x"), ("put", "x", "y"), ("stream", "x", 5000, 100)], ids=lambda c: c[0])
def test_wrong_secret(server, bucket, command):
    wrong = Tool({**server.env, "AWS_SECRET_ACCESS_KEY": "wrong-secret-key"}, "--bucket", bucket.name, "--part-size", 1000)
    result = wrong(*command, expect=PERMISSION)
    assert "SignatureDoesNotMatch" in result.error["message"]
    assert "secret access key" in result.error["hint"]


def test_missing_bucket(server):
    result = Tool(server.env, "--bucket", "no-such-bucket")("list", "", expect=NOT_FOUND)
    assert "NoSuchBucket" in result.error["message"] and "bucket" in result.error["hint"]


def test_unreachable(bucket):
    nobody = Tool(bucket.server.env, "--bucket", "b", "--endpoint", "http://127.0.0.1:1", "--retry-ms", 1)
    result = nobody("list", "", expect=UNAVAILABLE)
    assert "cannot reach S3" in result.error["message"] and "endpoint" in result.error["hint"]


def test_no_credentials(server, bucket):
    env = {k: v for k, v in server.env.items() if "KEY" not in k}
    result = Tool(env, "--bucket", bucket.name)("list", "", expect=PERMISSION)
    assert "no S3 credentials" in result.error["message"] and "AWS_ACCESS_KEY_ID" in result.error["hint"]


@pytest.mark.parametrize("signum,code", [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_stop_request(tool, server, bucket, signum, code):
    """In the middle of an upload, with a part that hangs: gone at once, and nothing stays in the store."""
    server.fault("100 PUT partNumber=3 stall 60")
    process = tool.start("hold", "x", 5500)
    assert process.stdout.readline() == b"holding\n"
    wait_until(lambda: any("partNumber=3" in line and "stall" in line for line in server.requests()), "the part to hang")
    asked = time.monotonic()
    process.send_signal(signum)
    result = tool.finish(process)
    assert result.code == code and time.monotonic() - asked < 5
    server.fault()
    assert bucket.keys() == [] and bucket.uploads() == []


def test_stop_request_while_the_store_is_gone(tool, bucket, server):
    """Even the abort of the upload cannot be said to anybody: bounded all the same."""
    process = tool.start("hold", "x", 5500)
    assert process.stdout.readline() == b"holding\n"
    server.fault("1000 DELETE uploadId stall 60")
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert tool.finish(process).code == INTERRUPTED
    assert time.monotonic() - asked < 15


def test_uploads_are_listed_and_swept(tool, bucket):
    for key in ("db/1/a", "db/1/b", "db/2/a"):
        bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    found = [json.loads(line) for line in tool("uploads", "db/1/").stdout_bytes.splitlines()]
    assert [u["key"] for u in found] == ["db/1/a", "db/1/b"]
    assert all(abs(u["started"] / 1e6 - time.time()) < 60 for u in found)
    tool("sweep", "db/1/")
    assert bucket.uploads() == ["db/2/a"]


def test_rate_limit(server, bucket):
    limited = Tool(server.env, "--bucket", bucket.name, "--part-size", 250000, "--max-rate", 500000)
    began = time.monotonic()
    limited("stream", "x", 2000000, 65536)
    assert time.monotonic() - began > 2
    assert bucket.get("x") == pattern(2000000)


# TLS -------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "ca.pem",
                    "-days", "2", "-subj", "/CN=dbops test", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    running = S3Server("--min-part", "1", "--tls", str(folder / "ca.pem"), str(folder / "key.pem"))
    login = running.client(verify=str(folder / "ca.pem"))
    login.create_bucket(Bucket="private")
    yield running, folder / "ca.pem"
    running.stop()


def test_tls_with_private_authority(tls):
    running, ca = tls
    for options, env in ((["--ca-file", ca], {}), ([], {"AWS_CA_BUNDLE": str(ca)})):
        private = Tool({**running.env, **env}, "--bucket", "private", "--part-size", 1000, *options)
        private("stream", "x", 3500, 77)
        assert private("cat", "x").stdout_bytes == pattern(3500)


def test_tls_is_verified(tls):
    running, _ = tls
    result = Tool(running.env, "--bucket", "private")("list", "", expect=UNAVAILABLE)
    assert "--ca-file" in result.error["hint"]
    assert result.stats["retries"] == 0
    result = Tool(running.env, "--bucket", "private", "--ca-file", "/nonexistent")("list", "", expect=CONFIG)


# Signatures ------------------------------------------------------------------------------------------------------------

def random_text(rng, alphabet, most):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, most)))


def test_signatures_equal_botocore(tmp_path):
    """Random requests with odd keys, queries and headers: the same Authorization, byte for byte."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    import datetime
    from unittest import mock

    rng = random.Random(15)
    odd = "abcXYZ019 +&=%:@,;'()*!~$#?[]{}|^`\"<>\\_-./é€"
    expected, lines = [], []
    for _ in range(1000):
        key = "/" + random_text(rng, odd, 40)
        names = {random_text(rng, "abcdef-", 12) for _ in range(rng.randint(0, 5))}
        query = [(name, random_text(rng, odd, 12) if rng.random() < 0.8 else "") for name in names]
        when = rng.randint(1400000000, 2000000000)
        token = random_text(rng, "abc+/=", 30) if rng.random() < 0.5 else None
        extra = {f"x-amz-{random_text(rng, 'abc-', 10).strip('-') or 'q'}": random_text(rng, "ab c", 10).strip() or "v" for _ in range(rng.randint(0, 4))}
        if rng.random() < 0.3:
            extra |= {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k"}
        sha = f"{rng.getrandbits(256):064x}"
        encoded = urllib.parse.quote(key, safe="/~")
        pairs = "&".join(f"{urllib.parse.quote(n, safe='~')}={urllib.parse.quote(v, safe='~')}" for n, v in query)
        request = AWSRequest("PUT", f"http://127.0.0.1:9000{encoded}" + ("?" + pairs if pairs else ""), headers={**extra, "X-Amz-Content-SHA256": sha})
        auth = S3SigV4Auth(Credentials("AKIA:x", "the-secret", token), "s3", "eu-west-1")
        moment = datetime.datetime.utcfromtimestamp(when)
        with mock.patch("botocore.auth.datetime") as fake, mock.patch.object(S3SigV4Auth, "payload", lambda self, request: sha):
            fake.datetime.utcnow.return_value = moment
            auth.add_auth(request)
        expected.append(request.headers["Authorization"])
        headers = [["host", "127.0.0.1:9000"], ["x-amz-date", moment.strftime("%Y%m%dT%H%M%SZ")], ["x-amz-content-sha256", sha], *extra.items()]
        if token:
            headers.append(["x-amz-security-token", token])
        rng.shuffle(headers)
        lines.append(json.dumps(dict(method="PUT", path=key, query=query, headers=headers, payload_sha256=sha, access_key_id="AKIA:x",
                                     secret_access_key="the-secret", region="eu-west-1", time=when)))
    done = subprocess.run([TOOL, "sign"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    for line, mine, theirs in zip(lines, done.stdout.splitlines(), expected, strict=True):
        assert mine == theirs, line


# A scripted server -----------------------------------------------------------------------------------------------------

class Fake:
    """Answers from a function(request) -> (status, headers, body); keeps what it was asked."""

    def __init__(self, answer):
        self.requests = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.requests.append(copy.copy(self))  # one handler serves a whole connection
                status, headers, body = answer(self)
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    def tool(self, *options, **env):
        return Tool({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "the-secret", "AWS_EC2_METADATA_DISABLED": "true", **env},
                    "--bucket", "b", "--endpoint", self.url, "--retry-ms", 1, *options)


def xml(root, inner=""):
    return 200, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>\n<{root}>{inner}</{root}>'.encode()


def s3_error(status, code, inner="", **headers):
    return status, headers, f"<Error><Code>{code}</Code><Message>m</Message>{inner}</Error>".encode()


EMPTY_LIST = xml("ListBucketResult", "<IsTruncated>false</IsTruncated>")


def in_turn(*answers):
    """Answers one after the other, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_clock_skew_is_corrected_once():
    ahead = 20 * 60

    def answer(request):
        stamp = time.mktime(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        if abs(stamp - time.time() - ahead) > 60:
            return s3_error(403, "RequestTimeTooSkewed", Date=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + ahead)))
        return EMPTY_LIST

    with Fake(answer) as fake:
        fake.tool()("list", "")
        assert len(fake.requests) == 2
    with Fake(lambda request: s3_error(403, "RequestTimeTooSkewed", Date="Fri, 20 Nov 2026 20:00:00 GMT")) as fake:
        result = fake.tool()("list", "", expect=PERMISSION)
        assert len(fake.requests) == 2 and "clock" in result.error["hint"]


@pytest.mark.parametrize("refusal", [
    s3_error(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"),
    s3_error(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-north-1"}),
    (400, {"x-amz-bucket-region": "eu-north-1"}, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"),
], ids=["element", "header-301", "header-400"])
def test_region_is_learned(refusal):
    def answer(request):
        return EMPTY_LIST if "/eu-north-1/s3/" in request.headers["Authorization"] else refusal

    with Fake(answer) as fake:
        fake.tool()("list", "")
        assert len(fake.requests) == 2
    with Fake(lambda request: refusal) as fake:
        assert "region" in fake.tool()("list", "", expect=CONFIG).error["hint"].lower()
        assert len(fake.requests) == 2


def test_temporary_redirect_is_signed_for_the_new_host():
    with Fake(lambda request: (200, {}, b"")) as other:
        with Fake(lambda request: (307, {"Location": other.url + "/b/x"}, b"")) as fake:
            fake.tool()("put", "x", "hello")
        assert other.requests[0].body == b"hello"
        assert other.requests[0].headers["Host"] == other.url[7:]


@pytest.mark.parametrize("answer,code", [
    ((403, {"Content-Type": "text/html"}, b"<html><body>Forbidden by proxy</body>"), PERMISSION),
    ((404, {}, b""), NOT_FOUND),
    ((400, {}, b""), REFUSED),
    ((200, {}, b"<html>log in here"), DAMAGED),
    ((200, {}, b""), DAMAGED),
    (xml("Other"), DAMAGED),
    ((200, {}, b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><ListBucketResult>&a;</ListBucketResult>"), DAMAGED),
    (xml("ListBucketResult", "<IsTruncated>true</IsTruncated>"), DAMAGED),
    (xml("ListBucketResult", "<Contents><Key>x</Key><Size>-1</Size></Contents>"), DAMAGED),
    (s3_error(503, "SlowDown\x01\x02"), UNAVAILABLE),
], ids=["html", "empty-404", "empty-400", "login-page", "nothing", "other-root", "doctype", "endless-list", "bad-size", "not-xml"])
def test_odd_answers(answer, code):
    with Fake(lambda request: answer) as fake:
        fake.tool()("list", "", expect=code)


def test_list_that_repeats_its_token_ends():
    page = xml("ListBucketResult", "<Contents><Key>a</Key><Size>1</Size></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")
    with Fake(lambda request: page) as fake:
        fake.tool()("list", "", expect=DAMAGED)
        assert len(fake.requests) == 2


def test_keys_of_others_are_left_out():
    """Folder objects that a console made, and keys dbops would refuse to remove."""
    keys = ["", "db/", "db//x", "../x", "/x", "db/1/toc"]
    page = xml("ListBucketResult", "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys) + "<IsTruncated>false</IsTruncated>")
    with Fake(lambda request: page) as fake:
        assert [json.loads(line)["key"] for line in fake.tool()("list", "").stdout_bytes.splitlines()] == ["db/1/toc"]


def test_store_without_ranges_is_noticed():
    with Fake(lambda request: (200, {}, b"0123456789")) as fake:
        fake.tool()("get", "x", 3, 4, expect=REFUSED)
        assert fake.tool()("get", "x", 0, 10).stdout_bytes == b"0123456789"
        fake.tool()("get", "x", 0, 4, expect=DAMAGED)


def test_replaced_object_is_not_mixed():
    """The object changes between a broken read and its continuation: the result is one of them whole."""
    old, new = b"o" * 1000, b"n" * 1000

    def answer(request):
        first = request.headers.get("Range")
        if len(fake.requests) == 1:
            request.close_connection = True
            return 200, {"ETag": '"old"', "Content-Length": "1000"}, old[:400]
        begin = int(re.match(r"bytes=(\d+)-", first)[1]) if first else 0
        return (206 if first else 200), {"ETag": '"new"'}, new[begin:]

    with Fake(answer) as fake:
        assert fake.tool()("cat", "x").stdout_bytes == new


def test_complete_spaces_before_the_answer():
    def answer(request):
        if "uploads" in request.path:
            return xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
        if request.command == "PUT":
            return 200, {"ETag": "unquoted"}, b""
        return 200, {}, b"   \n  " + xml("x:CompleteMultipartUploadResult", "<x:ETag>&quot;e&quot;</x:ETag>")[2].replace(b"<x:", b'<x:', 1)

    with Fake(answer) as fake:
        result = fake.tool("--part-size", 100)("stream", "x", 250, 50)
        assert b"<ETag>unquoted</ETag>" in fake.requests[-1].body


def test_too_many_parts_is_said():
    def answer(request):
        if "uploads" in request.path:
            return xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
        return (200, {"ETag": '"e"'}, b"") if request.command == "PUT" else (204, {}, b"")

    with Fake(answer) as fake:
        result = fake.tool("--part-size", 1)("stream", "x", 9501, 1000, expect=REFUSED)
        assert "9500 parts" in result.error["message"] and "part_size" in result.error["hint"]
        assert [r.command for r in fake.requests][-1] == "DELETE"


def test_lost_complete_is_recognised_by_its_tag():
    tags = {}

    def answer(request, found=True):
        if "uploads" in request.path:
            tags["mine"] = request.headers["x-amz-meta-dbops-id"]
            return xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
        if request.command == "PUT":
            return 200, {"ETag": '"e"'}, b""
        if request.command == "HEAD":
            return 200, {"Content-Length": "250", "x-amz-meta-dbops-id": tags["mine"] if found else "another"}, b""
        return s3_error(404, "NoSuchUpload")

    with Fake(answer) as fake:
        fake.tool("--part-size", 100)("stream", "x", 250, 50)
    with Fake(lambda request: answer(request, found=False)) as fake:
        fake.tool("--part-size", 100)("stream", "x", 250, 50, expect=NOT_FOUND)


def test_store_without_batches_gets_single_removals():
    with Fake(lambda request: s3_error(501, "NotImplemented") if request.command == "POST" else (204, {}, b"")) as fake:
        fake.tool()("remove", "a", "b")
        assert [r.command for r in fake.requests] == ["POST", "DELETE", "DELETE"]


def test_refused_removal_is_named():
    refusal = xml("DeleteResult", "<Error><Key>b</Key><Code>AccessDenied</Code><Message>m</Message></Error>")
    with Fake(lambda request: refusal) as fake:
        result = fake.tool()("remove", "a", "b", expect=PERMISSION)
        assert '"b"' in result.error["message"]
        assert fake.requests[0].headers["Content-MD5"]


def test_no_header_that_some_store_refuses():
    """x-amz-checksum-*, ACL, tagging, encryption and storage class only when configured: B2, R2, Supabase refuse some."""
    def answer(request):
        if "uploads" in request.path:
            return xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
        return (200, {"ETag": '"e"'}, b"") if request.command == "PUT" else xml("CompleteMultipartUploadResult", "<ETag>e</ETag>")

    allowed = {"x-amz-content-sha256", "x-amz-date", "x-amz-meta-dbops-id"}
    with Fake(answer) as fake:
        fake.tool("--part-size", 100)("stream", "x", 250, 50)
        sent = {name.lower() for request in fake.requests for name in request.headers if name.lower().startswith("x-amz-")}
        assert sent <= allowed
        assert not any("Expect" in request.headers for request in fake.requests)


def test_endpoint_path_is_signed_and_sent():
    with Fake(lambda request: EMPTY_LIST) as fake:
        prefixed = fake.tool()
        prefixed.options[prefixed.options.index("--endpoint") + 1] += "/storage/v1/s3/"
        prefixed("list", "")
        assert fake.requests[0].path.startswith("/storage/v1/s3/b?")


# Credentials -----------------------------------------------------------------------------------------------------------

def key_of(request):
    return re.search(r"Credential=([^/]+)/", request.headers["Authorization"])[1]


def store_and(answer):
    """A store that takes anything, and beside it what answer() knows."""
    return lambda request: answer(request) or EMPTY_LIST


FUTURE = "2036-01-01T00:00:00Z"


def plain(fake, tmp_path, config="", credentials="", **env):
    """A tool without keys in its environment, with its own AWS files."""
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text(credentials)
    made = fake.tool(AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"), **env)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        made.env.pop(name)
    made.env.update({k: v for k, v in env.items() if k.startswith("AWS_ACCESS") or k.startswith("AWS_SECRET")})
    return made


def test_profiles(tmp_path):
    credentials = "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=the-secret\n[other]\naws_access_key_id = OTHER\naws_secret_access_key = the-secret\naws_session_token = the-token\n"
    config = "[profile other]\nregion = eu-south-2\n[profile conf]\naws_access_key_id=CONF\naws_secret_access_key=the-secret\n"
    with Fake(lambda request: EMPTY_LIST) as fake:
        plain(fake, tmp_path, config, credentials)("list", "")
        plain(fake, tmp_path, config, credentials, AWS_PROFILE="other")("list", "")
        chosen = plain(fake, tmp_path, config, credentials, AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="the-secret", AWS_PROFILE="other")
        chosen("list", "")  # keys in the environment win over AWS_PROFILE …
        chosen.options += ["--profile", "conf"]
        chosen("list", "")  # … but not over a profile that was asked for
        assert [key_of(r) for r in fake.requests] == ["DEFAULT", "OTHER", "ENV", "CONF"]
        assert fake.requests[1].headers["x-amz-security-token"] == "the-token"
        assert "/eu-south-2/s3/" in fake.requests[1].headers["Authorization"]
        missing = plain(fake, tmp_path, config, credentials, AWS_PROFILE="nobody")("list", "", expect=CONFIG)
        assert '"nobody"' in missing.error["message"]


def test_credential_process(tmp_path):
    program = tmp_path / "my program"
    program.write_text(f"""#!/bin/sh
echo "$1|$2" > "{tmp_path}/arguments"
echo '{{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"the-secret","SessionToken":"the-token","Expiration":"{FUTURE}"}}'
""")
    program.chmod(0o755)
    with Fake(lambda request: EMPTY_LIST) as fake:
        plain(fake, tmp_path, f'[default]\ncredential_process = "{program}" one "two words; $(x)"\n')("list", "")
        assert key_of(fake.requests[0]) == "PROCESS" and fake.requests[0].headers["x-amz-security-token"] == "the-token"
        assert (tmp_path / "arguments").read_text() == "one|two words; $(x)\n"
        program.write_text(program.read_text().replace(FUTURE, "2020-01-01T00:00:00Z"))
        plain(fake, tmp_path, f'[default]\ncredential_process = "{program}"\n')("list", "")  # the store decides, not our clock
        failed = plain(fake, tmp_path, "[default]\ncredential_process = /bin/false\n")("list", "", expect=PERMISSION)
        assert "credential_process" in failed.error["message"]
        plain(fake, tmp_path, "[default]\ncredential_process = /bin/echo the-secret\n")("list", "", expect=DAMAGED)


def container_answer(request):
    if request.path == "/creds":
        assert request.headers["Authorization"] == "Bearer the-token"
        return 200, {}, json.dumps(dict(AccessKeyId="CONTAINER", SecretAccessKey="the-secret", Token="the-token", Expiration=FUTURE)).encode()


def test_container(tmp_path):
    (tmp_path / "token").write_text("Bearer the-token\n")
    with Fake(store_and(container_answer)) as fake:
        env = dict(AWS_CONTAINER_CREDENTIALS_FULL_URI=fake.url + "/creds", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"))
        plain(fake, tmp_path, **env)("list", "")
        assert key_of(fake.requests[-1]) == "CONTAINER"
        (tmp_path / "token").write_text("Bearer\r\nX-Injected: 1")
        plain(fake, tmp_path, **env)("list", "", expect=CONFIG)
        plain(fake, tmp_path, **{**env, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"})("list", "", expect=CONFIG)


class Instance:
    """EC2's metadata service, version 2."""

    def __init__(self, expires=FUTURE):
        self.tokens, self.expires, self.handed_out = [], expires, 0

    def __call__(self, request):
        if request.path == "/latest/api/token":
            assert request.command == "PUT" and request.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
            return 200, {}, b"metadata-token"
        if not request.path.startswith("/latest/meta-data/iam/security-credentials/"):
            return None
        assert request.headers["X-aws-ec2-metadata-token"] == "metadata-token"
        if request.path.endswith("/"):
            return 200, {}, b"my role"
        assert request.path.endswith("/my%20role")
        self.handed_out += 1
        return 200, {}, json.dumps(dict(Code="Success", AccessKeyId=f"INSTANCE{self.handed_out}", SecretAccessKey="the-secret", Token="the-token",
                                        Expiration=self.expires)).encode()


def test_instance_metadata(tmp_path):
    with Fake(store_and(Instance())) as fake:
        on_ec2 = plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")
        on_ec2("list", "")
        assert key_of(fake.requests[-1]) == "INSTANCE1"
    with Fake(store_and(lambda request: (200, {}, b'{"Code":"Failed","Message":"x"}') if "role" in request.path else Instance()(request))) as fake:
        broken = plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")
        assert "Failed" in broken("list", "", expect=PERMISSION).error["message"]


def test_expired_instance_credentials_are_used_on(tmp_path):
    """The metadata service may serve stale ones while it is in trouble; they keep working for a time."""
    with Fake(store_and(Instance(expires="2020-01-01T00:00:00Z"))) as fake:
        plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")("stream", "x", 10, 1)
        assert key_of(fake.requests[-1]) == "INSTANCE1"


def test_short_lived_credentials_are_renewed(tmp_path):
    """One upload, longer than its credentials live: each request is signed with those of its time."""
    ends = int(time.time()) + 3

    def answer(request):
        reply = instance(request)
        instance.expires = FUTURE if instance.handed_out else instance.expires
        if reply or "Authorization" not in request.headers:
            return reply
        if "uploads" in request.path:
            return xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
        return (200, {"ETag": '"e"'}, b"") if request.command == "PUT" else xml("CompleteMultipartUploadResult", "<ETag>e</ETag>")

    instance = Instance(expires=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)))
    with Fake(answer) as fake:
        on_ec2 = plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")
        on_ec2.options += ["--part-size", "5"]
        process = on_ec2.start("hold", "x", 13, stdin=subprocess.PIPE)
        assert process.stdout.readline() == b"holding\n"
        wait_until(lambda: time.time() > ends, "the credentials to end")
        assert on_ec2.finish(process).code == DONE
        used = [key_of(r) for r in fake.requests if "Authorization" in r.headers]
        assert used[0] == "INSTANCE1" and used[-1] == "INSTANCE2"


def sts_answer(action, key, expires=FUTURE):
    return xml(f"{action}Response", f"<{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>the-secret</SecretAccessKey>"
               f"<SessionToken>the-token</SessionToken><Expiration>{expires}</Expiration></Credentials></{action}Result>")


def sts(request):
    form = dict(urllib.parse.parse_qsl(request.body.decode()))
    if form.get("Action") == "AssumeRoleWithWebIdentity":
        assert form["WebIdentityToken"] == "jwt" and "Authorization" not in request.headers
        return sts_answer("AssumeRoleWithWebIdentity", "WEB")
    if form.get("Action") == "AssumeRole":
        assert "/sts/aws4_request" in request.headers["Authorization"]
        return sts_answer("AssumeRole", "ROLE-" + key_of(request) + "-" + form.get("ExternalId", ""))
    return None


def test_web_identity(tmp_path):
    (tmp_path / "jwt").write_text("jwt\n")
    with Fake(store_and(sts)) as fake:
        env = dict(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "jwt"), AWS_ROLE_ARN="arn:aws:iam::1:role/r", AWS_ENDPOINT_URL_STS=fake.url)
        plain(fake, tmp_path, **env)("list", "")
        assert key_of(fake.requests[-1]) == "WEB" and fake.requests[-1].headers["x-amz-security-token"] == "the-token"
        del env["AWS_ROLE_ARN"]
        plain(fake, tmp_path, **env)("list", "", expect=CONFIG)


def test_role_chain(tmp_path):
    config = """[profile top]
role_arn = arn:aws:iam::1:role/top
source_profile = middle
external_id = e1
[profile middle]
role_arn = arn:aws:iam::1:role/middle
source_profile = base
[profile base]
aws_access_key_id = BASE
aws_secret_access_key = base-secret
[profile loop]
role_arn = arn:aws:iam::1:role/x
source_profile = loop2
[profile loop2]
role_arn = arn:aws:iam::1:role/x
source_profile = loop
[profile env]
role_arn = arn:aws:iam::1:role/x
credential_source = Environment
[profile sso]
sso_start_url = https://example.com
"""
    with Fake(store_and(sts)) as fake:
        env = dict(AWS_ENDPOINT_URL_STS=fake.url)
        plain(fake, tmp_path, config, AWS_PROFILE="top", **env)("list", "")
        assert key_of(fake.requests[-1]) == "ROLE-ROLE-BASE--e1"
        chosen = plain(fake, tmp_path, config, AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="the-secret", **env)
        chosen.options += ["--profile", "env"]
        chosen("list", "")
        assert key_of(fake.requests[-1]) == "ROLE-ENV-"
        assert "itself" in plain(fake, tmp_path, config, AWS_PROFILE="loop", **env)("list", "", expect=CONFIG).error["message"]
        assert "export-credentials" in plain(fake, tmp_path, config, AWS_PROFILE="sso", **env)("list", "", expect=CONFIG).error["hint"]


def test_sts_refusal(tmp_path):
    (tmp_path / "jwt").write_text("jwt")
    refusal = 403, {}, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    with Fake(lambda request: refusal) as fake:
        env = dict(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "jwt"), AWS_ROLE_ARN="arn:r", AWS_ENDPOINT_URL_STS=fake.url)
        result = plain(fake, tmp_path, **env)("list", "", expect=PERMISSION)
        assert "AccessDenied" in result.error["message"] and "not you" in result.error["detail"]


def test_expired_token_is_renewed_once(tmp_path):
    instance = Instance()

    def answer(request):
        return instance(request) or (EMPTY_LIST if key_of(request) == "INSTANCE2" else s3_error(400, "ExpiredToken"))

    with Fake(answer) as fake:
        plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")("list", "")
        assert instance.handed_out == 2
    instance = Instance()
    with Fake(lambda request: instance(request) or s3_error(400, "ExpiredToken")) as fake:
        plain(fake, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=fake.url, AWS_EC2_METADATA_DISABLED="false")("list", "", expect=PERMISSION)
        assert instance.handed_out == 2


def test_broken_aws_files_show_no_secret(tmp_path):
    with Fake(lambda request: EMPTY_LIST) as fake:
        result = plain(fake, tmp_path, credentials="[default]\naws_secret_access_key the-secret\n")("list", "", expect=CONFIG)
        assert "line 2" in result.error["message"]
