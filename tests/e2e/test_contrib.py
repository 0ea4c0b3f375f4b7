# SPDX-License-Identifier: PostgreSQL
"""What lies in contrib/ works as it lies there: linted by the tools that will read it, its dbops commands run."""
import pathlib
import re
import shlex
import subprocess

import pytest
import yaml

from support.servers import ROOT

CONTRIB = ROOT / "contrib"


def shell_scripts():
    candidates = subprocess.run(["git", "-C", ROOT, "ls-files", "contrib", "tests", ".ci"], capture_output=True, text=True, check=True).stdout.split("\n")
    found = []
    for name in filter(None, candidates):
        path = ROOT / name
        if path.is_file() and path.stat().st_size:
            with open(path, "rb") as f:
                first = f.readline()
            if re.match(rb"#!.*\b(ba|da)?sh\b", first):
                found.append(name)
    return found


def commands(text):
    """dbops command lines in a text, continuation lines joined, redirections and comments cut off."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [shlex.split(re.split(r"\s+(?:>|<|\|)", m)[0]) for m in re.findall(r"(?:^|\s|=|/)dbops ((?:backup|verify|list|prune|restore|connections|locks|slow-queries)\b[^\n]*)", joined)]


def test_shell_scripts_are_clean():
    scripts = shell_scripts()
    assert "contrib/quickstart.sh" in scripts and "tests/run.sh" in scripts
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_systemd_units(program, work):
    for unit in (CONTRIB / "systemd").iterdir():
        (work / unit.name).write_text(unit.read_text().replace("/usr/bin/dbops", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, sorted(work.glob("dbops-backup@*")))], capture_output=True, text=True)
    assert done.returncode == 0 and "dbops" not in done.stderr, done.stderr
    calendar = re.search("OnCalendar=(.*)", (CONTRIB / "systemd/dbops-backup@.timer").read_text()).group(1)
    subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


def test_metrics_units(program, work, dbops_for, cluster, shop):
    """The units verify, and their commands write files that node_exporter can read together."""
    folder = CONTRIB / "prometheus"
    for unit in folder.glob("dbops-metrics@*"):
        (work / unit.name).write_text(unit.read_text().replace("/usr/bin/dbops", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, sorted(work.glob("dbops-metrics@*")))], capture_output=True, text=True)
    assert done.returncode == 0 and "dbops" not in done.stderr, done.stderr
    (work / "dbops.yaml").write_text(f"profiles:\n  app:\n    dbname: {shop.name}\n  other:\n    dbname: postgres\n")
    lines = re.findall("ExecStart=-/usr/bin/dbops (.*)", (folder / "dbops-metrics@.service").read_text())
    assert len(lines) == 4
    series = []
    for profile in ("app", "other"):
        for line in lines:
            words = shlex.split(line.replace("%i", profile).replace("/var/lib/prometheus/node-exporter", str(work)))
            dbops_for(cluster, DBOPS_PROFILE=profile)(*words)
            series += re.findall(r"^(dbops_\S+?) \S+$", pathlib.Path(words[-1]).read_text(), re.M)
    assert len(series) > 8 and len(series) == len(set(series)), "the same series in two files"


def test_prometheus_rules():
    """Of each alert the expression names a metric that every inspection has."""
    document = yaml.safe_load((CONTRIB / "prometheus/dbops.rules.yml").read_text())
    expressions = [rule["expr"] for rule in document["groups"][0]["rules"]]
    assert {re.match(r"(?:time\(\) - )?(\w+)", e).group(1) for e in expressions} == {
        "dbops_up", "dbops_status", "dbops_complete", "node_textfile_mtime_seconds"}


def test_nagios_commands(dbops_for, cluster, shop, work):
    (work / "dbops.yaml").write_text(f"profiles:\n  app:\n    dbname: {shop.name}\n")
    lines = re.findall(r"command_line +/usr/bin/dbops (.*)", (CONTRIB / "nagios/dbops.cfg").read_text())
    assert len(lines) == 6
    for line in lines[:5]:
        result = dbops_for(cluster)(*shlex.split(line.replace("$_SERVICEPROFILE$", "app")), expect=(0, 1, 2, 3))
        assert re.match(r"DBOPS [A-Z ]+ (OK|WARNING|CRITICAL|UNKNOWN) - ", result.stdout), result


def test_example_configuration(dbops, work):
    (work / "dbops.yaml").write_text((CONTRIB / "dbops.yaml").read_text().replace("/etc/dbops/minio.secret", str(work / "secret")))
    (work / "secret").write_text("x\n")
    (work / "secret").chmod(0o600)
    dbops("config", "check")
    shown = dbops("config", "show", "--profile", "reporting").stdout
    assert "reporting nightly" in shown


@pytest.fixture
def production(s3_dbops, shop, bucket):
    """A configuration as the files in contrib expect it: profile app, remote s3."""
    (s3_dbops.folder / "dbops.yaml").write_text(f"""
profiles:
  app:
    dbname: {shop.name}
    backup:
      upload: s3
      no_local: true
remotes:
  s3:
    bucket: {bucket.name}
    endpoint: {bucket.server.endpoint}
""")
    return s3_dbops


def test_cron_lines_run(production):
    """Each line has five time fields, a user and a command; the commands run one after the other and say nothing."""
    lines = [line for line in (CONTRIB / "cron/dbops").read_text().splitlines() if re.match(r"[\d*]", line)]
    assert len(lines) == 2
    for line in lines:
        fields = line.split(None, 6)
        assert all(re.fullmatch(r"[\d*,/-]+", f) for f in fields[:5]) and fields[5] == "postgres"
        for command in commands(fields[6]):
            result = production(*command)
            assert result.stderr == "", "cron would send mail"
    (entry,) = production.json("list", "--from", "s3")["backups"]
    assert entry["verified"]["depth"] == "restore"


def test_github_workflow(production, shop, bucket):
    document = yaml.safe_load((CONTRIB / "github-actions/backup.yml").read_text())
    assert set(document) >= {"name", "jobs", "permissions"}
    steps = document["jobs"]["backup"]["steps"]
    scripts = [s["run"] for s in steps if "run" in s]
    for script in scripts:
        done = subprocess.run(["shellcheck", "-s", "bash", "-"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    ran = [command for script in scripts for command in commands(script.replace("\n", " ") if "dbops" in script and "meson" not in script else "")]
    assert [c[0] for c in ran] == ["backup", "verify"]
    env = {"DATABASE_URL": f"postgresql:///{shop.name}", "AWS_S3_BACKUP_BUCKET": bucket.name, "DBOPS_CONFIG": "/dev/null"}
    for command in ran:
        production(*command, env=env)


def test_kubernetes_cronjob(production):
    config_map, job = yaml.safe_load_all((CONTRIB / "kubernetes/cronjob.yaml").read_text())
    assert (config_map["kind"], job["kind"], job["apiVersion"]) == ("ConfigMap", "CronJob", "batch/v1")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    folder = production.folder / "k8s"
    folder.mkdir()
    (folder / "dbops.yaml").write_text(config_map["data"]["dbops.yaml"])
    production("config", "check", "--config", folder / "dbops.yaml")
    arguments = [a for a in container["args"] if not a.startswith("--config=")]
    production(*arguments)
    mounts = {m["name"] for m in container["volumeMounts"]}
    volumes = {v["name"] for v in job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]}
    assert mounts == volumes


def test_systemd_command_runs(production):
    line = re.search("ExecStart=/usr/bin/dbops (.*)", (CONTRIB / "systemd/dbops-backup@.service").read_text()).group(1)
    production(*shlex.split(line.replace("%i", "app")))


def test_readme_commands_exist(dbops):
    """Every dbops command and option in README.md and in contrib/ is one that the program knows."""
    known = {}
    for path in [ROOT / "README.md", *CONTRIB.rglob("*")]:
        if not path.is_file() or path.name == "cmd-template.c":
            continue
        for command in commands(path.read_text()):
            name = command[0]
            known.setdefault(name, dbops(name, "--help").stdout)
            for word in command[1:]:
                if word.startswith("--"):
                    option = word.split("=")[0]
                    general = dbops("--help").stdout
                    assert re.search(rf"{re.escape(option)}\b", known[name] + general), f"{path}: dbops {name} has no {option}"


def test_quickstart_and_run_explain_themselves():
    done = subprocess.run(["sh", CONTRIB / "quickstart.sh", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 64 and "stop" in done.stderr
    done = subprocess.run(["sh", CONTRIB / "install-deps.sh"], capture_output=True, text=True)
    assert done.returncode == 64 and "build" in done.stderr
