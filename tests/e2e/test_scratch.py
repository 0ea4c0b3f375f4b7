# SPDX-License-Identifier: PostgreSQL
"""The throw-away server of `verify --restore`: it starts, it serves, and nothing of it survives, whatever kills whom."""
import contextlib
import os
import pathlib
import pwd
import signal
import subprocess

import pytest
from support.runner import BUILD, EXIT, SANITIZERS
from support.servers import SERVER_USER, wait_until

DRIVER = pathlib.Path(BUILD) / "tests/unit/pg_driver"
ROOT = os.geteuid() == 0
USERS = ["root", "nobody"] if ROOT else ["self"]
HOSTILE = ['"; DROP DATABASE postgres; --', "new\nline", "UPPER lower", "ä" * 31 + "x", "a=b", "postgresql://h/d", "back\\slash'", "postgres"]


def processes(folder):
    """Process ids whose command line names the folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def children(pid):
    with contextlib.suppress(OSError):
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Driver:
    """pg_driver scratch, running; `host` is the socket folder once it is ready."""

    def __init__(self, base, *databases, user=None, run_as="", needed=0, major=13, env=None):
        prefix = ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups"] if user not in (None, "root", "self") else []
        self.base = base
        self.process = subprocess.Popen(
            [*prefix, str(DRIVER), "scratch", str(major), str(base), run_as, str(needed), *databases],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **SANITIZERS, **(env or {})})
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line == "ready\n" or line.startswith("error "):
                break

    def values(self, key):
        return [line.split("=", 1)[1] for line in self.lines if line.startswith(key + "=")]

    @property
    def host(self):
        return self.values("host")[0]

    @property
    def folder(self):
        """The scratch folder; the socket may live in a shorter one."""
        line, = (line for line in self.lines if " scratch.start " in line)
        return pathlib.Path(line.rsplit('"', 2)[1])

    def folders(self):
        return sorted(p.name for p in self.base.iterdir())

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        assert code == 0, self.process.stderr.read()

    def failed(self):
        """Exit status of a driver that reported an error, after its own clean-up."""
        self.process.stdin.close()
        code = self.process.wait(60)
        errors = self.process.stderr.read()
        assert "Sanitizer" not in errors and "runtime error" not in errors, errors
        return code


@pytest.fixture
def base(work):
    """Where the scratch folders go: a folder that everybody may write to, as /var/tmp."""
    folder = work / "scratch"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def start(base):
    started = []

    def run(*databases, **kwargs):
        started.append(Driver(kwargs.pop("base", base), *databases, **kwargs))
        return started[-1]

    yield run
    for driver in started:
        if driver.process.poll() is None:
            driver.process.kill()
            driver.process.wait()
        for folder in driver.base.glob("dbops-scratch-*"):
            wait_until(lambda: not processes(folder), f"the processes of {folder}")


def is_gone(driver):
    wait_until(lambda: not processes(driver.folder), f"the server in {driver.folder} to be gone")
    wait_until(lambda: driver.folders() == [], f"{driver.base} to be empty")
    wait_until(lambda: not pathlib.Path(driver.host).exists(), f"{driver.host} to be gone")


@pytest.mark.parametrize("user", USERS)
def test_starts_serves_and_leaves_nothing(start, user):
    driver = start("shop", user=user)
    assert driver.lines[-1] == "ready", driver.lines
    folder = driver.folder
    owner = pwd.getpwuid(folder.stat().st_uid).pw_name
    assert owner == {"root": SERVER_USER, "nobody": "nobody"}.get(user, owner)
    assert folder.stat().st_mode & 0o777 == 0o700
    driver.stop()
    # an orderly stop returns only when everything is gone
    assert processes(folder) == [] and driver.folders() == []


@pytest.mark.parametrize("user", USERS)
def test_kill_9_leaves_nothing(start, user):
    driver = start("shop", user=user)
    assert driver.lines[-1] == "ready", driver.lines
    assert processes(driver.folder), "this test sees no server at all"
    driver.process.kill()
    is_gone(driver)


def test_kill_9_of_the_whole_group_leaves_nothing(start):
    """As a shell or a CI runner does it: the keeper is not in the group."""
    driver = start("shop")
    os.killpg(driver.process.pid, signal.SIGKILL)
    is_gone(driver)


def test_it_survives_the_terminals_interrupt(start):
    """^C reaches the whole group; dbops decides what happens, not the server on its own."""
    driver = start("shop")
    keeper, = children(driver.process.pid)
    assert os.getsid(keeper) == keeper != os.getsid(driver.process.pid)
    driver.stop()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_driver_leaves_nothing(start, signum):
    driver = start()
    driver.process.send_signal(signum)
    is_gone(driver)


def test_kill_9_during_start_leaves_nothing(base):
    """At any moment between the first folder and the ready server."""
    for moment in ("dbops-scratch-*", "dbops-scratch-*/log", "dbops-scratch-*/data/PG_VERSION", "dbops-scratch-*/data/postmaster.pid"):
        process = subprocess.Popen([str(DRIVER), "scratch", "13", str(base), "", "0"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd="/", env={"PATH": "/usr/bin:/bin", **SANITIZERS})
        wait_until(lambda: list(base.glob(moment)) or process.poll() is not None, moment, every=0.0005)
        assert process.poll() is None
        process.kill()
        process.wait()
        wait_until(lambda: not processes(base), f"no process after a kill at {moment}")
        wait_until(lambda: not list(base.iterdir()), f"no folder after a kill at {moment}")


def test_a_killed_keeper_takes_the_server_along_and_the_next_start_sweeps(start):
    driver = start()
    keeper, = children(driver.process.pid)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not processes(driver.folder), "the server to die with its keeper")
    driver.process.kill()
    assert driver.folders() != [], "the folder should wait for the sweep"
    second = start()
    assert second.folders() == [second.folder.name]
    assert not pathlib.Path(driver.host).exists() or driver.host == str(driver.folder)
    second.stop()
    assert second.folders() == []


def test_the_sweep_spares_the_living_and_the_kept(start):
    kept = start(env={"SCRATCH_KEEP": "1"})
    kept.stop()
    name = kept.folder.name
    assert kept.folders() == [name] and any("scratch.keep" in line for line in kept.lines)
    living = start()
    third = start("x")
    assert set(third.folders()) == {d.folder.name for d in (kept, living, third)}
    third.stop()
    living.stop()
    assert living.folders() == [name]


def test_hostile_database_names(start):
    driver = start(*HOSTILE)
    assert driver.lines[-1] == "ready", driver.lines
    assert [bytes.fromhex(v).decode() for v in driver.values("database")] == HOSTILE
    assert max(len(n.encode()) for n in HOSTILE) == 63
    driver.stop()


def test_unknown_locale_falls_back_with_a_warning(start):
    driver = start("shop", env={"SCRATCH_COLLATE": "tlh_KX.UTF-8"})
    assert driver.lines[-1] == "ready", driver.lines
    assert any("scratch.locale" in line and "tlh_KX" in line for line in driver.lines)
    driver.stop()


LOCALES = [
    # encoding, provider, collation, ICU or builtin locale, what the server then says, falls back?
    ("UTF8", "c", "C.UTF-8", None, "UTF8|c|C.UTF-8", False),
    ("LATIN1", "c", "C", None, "LATIN1|c|C", False),
    ("LATIN1", "c", "tlh_KX", None, "LATIN1|c|C", True),
    ("LATIN1", "c", "C.UTF-8", None, "LATIN1|c|C", True),
    ("SQL_ASCII", "c", "C", None, "SQL_ASCII|c|C", False),
    ("UTF8", "i", "C.UTF-8", "de-u-co-phonebk", "UTF8|i|C.UTF-8", False),
    ("SQL_ASCII", "i", "C", "de", "SQL_ASCII|c|C", True),
    (None, "c", None, None, "UTF8|c|C", False),
]


@pytest.mark.parametrize("encoding,provider,collate,icu,expected,fallback", LOCALES, ids=lambda v: str(v))
def test_locale_of_the_source(start, encoding, provider, collate, icu, expected, fallback):
    given = {"SCRATCH_ENCODING": encoding, "SCRATCH_PROVIDER": provider, "SCRATCH_COLLATE": collate, "SCRATCH_ICU": icu}
    driver = start("shop", major=15, env={k: v for k, v in given.items() if v})
    assert driver.values("locale") == [expected], driver.lines
    assert any("scratch.locale" in line for line in driver.lines) == fallback
    driver.stop()


def test_builtin_provider(start, any_major, clusters):
    """A database of 17 with the builtin provider; older servers take the C library's locale."""
    driver = start("shop", env={"PG_BINDIR": clusters(any_major).bindir, "SCRATCH_PROVIDER": "b", "SCRATCH_COLLATE": "C.UTF-8", "SCRATCH_ICU": "C.UTF-8",
                                "SCRATCH_ENCODING": "UTF8"})
    assert driver.values("locale") == ["UTF8|b|C.UTF-8" if any_major >= 17 else "UTF8|c|C.UTF-8"], driver.lines
    driver.stop()


def test_nothing_of_the_environment_reaches_it(start):
    hostile = {"PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGOPTIONS": "-c no_such_setting=1", "PGREQUIREPEER": "nobody-here", "PGSSLMODE": "verify-full",
               "PGCHANNELBINDING": "require", "PGUSER": "x", "PGDATABASE": "x", "PGDATA": "/nowhere", "AWS_SECRET_ACCESS_KEY": "hidden"}
    driver = start("shop", env=hostile)
    assert driver.lines[-1] == "ready", driver.lines
    servers = [pid for pid in processes(driver.folder) if b"listen_addresses" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert servers
    for pid in servers:
        assert b"hidden" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    driver.stop()


def test_a_long_folder_name_gets_a_short_socket(start, base):
    long = base / ("x" * 100)
    long.mkdir()
    long.chmod(0o1777)
    driver = start("shop", base=long)
    assert driver.lines[-1] == "ready", driver.lines
    assert driver.host.startswith("/tmp/dbops-")
    driver.process.kill()
    is_gone(driver)


def test_too_little_space(start):
    driver = start(needed=1 << 60)
    assert driver.failed() == EXIT["cannot_write"]
    assert "not enough space" in driver.lines[-1] and "are free" in driver.lines[-1]
    assert driver.folders() == []


def test_no_server_programs(start, work):
    driver = start(env={"PG_BINDIR": str(work)})
    assert driver.failed() == EXIT["unavailable"]
    assert str(work) in driver.lines[-1]


def test_a_server_that_does_not_start_says_why(start, work, cluster):
    """A postgres that fails: its last words are the error's detail, and nothing stays."""
    bindir = work / "bin"
    bindir.mkdir()
    for program in ("initdb", "pg_restore"):
        (bindir / program).symlink_to(f"{cluster.bindir}/{program}")
    (bindir / "postgres").write_text('#!/bin/sh\ncase $1 in --version) exec "%s/postgres" --version;; esac\necho "FATAL:  the moon is in the wrong phase" >&2\nexit 3\n'
                                     % cluster.bindir)
    (bindir / "postgres").chmod(0o755)
    driver = start(env={"PG_BINDIR": str(bindir)})
    assert driver.failed() == EXIT["unavailable"]
    assert "wrong phase" in driver.lines[-1] and "status 3" in driver.lines[-1]
    assert driver.folders() == []


if ROOT:
    def test_root_refuses_root_and_unknown_users(start):
        for name in ("root", "nobody-of-this-name"):
            driver = start(run_as=name)
            assert driver.failed() == EXIT["config"]
            assert "--run-as" in driver.lines[-1]

    def test_run_as(start):
        driver = start(run_as="nobody")
        assert driver.lines[-1] == "ready", driver.lines
        assert pwd.getpwuid(driver.folder.stat().st_uid).pw_name == "nobody"
        driver.stop()

    def test_a_user_id_without_a_name(start):
        driver = start(user="54321")
        assert driver.failed() == EXIT["config"]
        assert "54321" in driver.lines[-1] and "/etc/passwd" in driver.lines[-1]

    def test_only_root_can_run_as_another(start):
        driver = start(user="nobody", run_as="postgres")
        assert driver.failed() == EXIT["permission"]

    def test_a_folder_nobody_may_write_in(start, base):
        base.chmod(0o755)
        driver = start(user="nobody")
        assert driver.failed() == EXIT["permission"]
        assert str(base) in driver.lines[-1]

    def test_a_folder_its_user_cannot_reach(start, base):
        private = base / "private"
        private.mkdir(mode=0o700)
        driver = start(base=private)
        assert driver.failed() == EXIT["permission"]
        assert SERVER_USER in driver.lines[-1] and "TMPDIR" in driver.lines[-1]
        assert driver.folders() == []

    def test_a_folder_only_root_can_write_in(start, base):
        """The server's user cannot remove its folder's name there; root does."""
        private = base / "own"
        private.mkdir()
        private.chmod(0o755)
        driver = start(base=private)
        assert driver.lines[-1] == "ready", driver.lines
        driver.process.kill()
        is_gone(driver)


@pytest.mark.parametrize("clean", [True, False])
def test_other_majors(start, any_major, clusters, clean):
    driver = start("shop", env={"PG_BINDIR": clusters(any_major).bindir})
    assert driver.values("major") == [str(any_major)], driver.lines
    if clean:
        driver.stop()
    else:
        driver.process.kill()
    is_gone(driver)
