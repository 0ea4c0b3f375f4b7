# SPDX-License-Identifier: PostgreSQL
"""The contract of the command line, for every command that `dbops help --format json` describes: help, manual page,
completion and examples say the same, mistakes are answered with a hint. Needs no server."""
import json
import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from support.runner import BUILD, EXIT, SANITIZERS, binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(os.environ.get("DBOPS_BIN") or binary(BUILD))
HOME = tempfile.mkdtemp(prefix="dbops-contract-")
ENV = {"PATH": f"{HOME}/bin:/usr/bin:/bin", "HOME": HOME, "LC_ALL": "C.UTF-8", "TERM": "dumb", **SANITIZERS}
# the completion scripts call the program by the name that the user typed
(pathlib.Path(HOME) / "bin").mkdir()
(pathlib.Path(HOME) / "bin/dbops").symlink_to(pathlib.Path(PROGRAM).resolve())


def teardown_module():
    shutil.rmtree(HOME, ignore_errors=True)


def dbops(*words, cwd=HOME, env=None, code=0, **kwargs):
    result = subprocess.run([PROGRAM, *words], cwd=cwd, env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=60, **kwargs)
    assert result.returncode == code, f"dbops {' '.join(words)}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result


TREE = json.loads(dbops("help", "--format", "json").stdout)
COMMANDS = {c["path"]: c for c in TREE["commands"]}
LEAVES = {path: c for path, c in COMMANDS.items() if not c["group"]}


def words_of(path):
    return path.split()[1:]


def has_children(path):
    return any(c.startswith(path + " ") for c in COMMANDS)


def page_of(path):
    return ROOT / "man" / f"{path.replace(' ', '-')}.1"


every_command = pytest.mark.parametrize("path", COMMANDS)


def test_tree_is_whole():
    assert TREE["schema_version"] == 1
    assert {"dbops", "dbops config show", "dbops help", "dbops version", "dbops completion"} <= set(COMMANDS)
    assert "dbops complete" not in COMMANDS, "a hidden command is shown"


@every_command
def test_texts(path):
    command = COMMANDS[path]
    assert re.fullmatch(r"[a-z][^\n]*[^.\n]", command["summary"]), "one line, lower case, no full stop"
    assert command["detail"] or command["group"], "no description"
    for option in command["options"]:
        assert option["help"], option
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]+", option["name"])
    for column in sum(command["more_columns"].values(), command["columns"]):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column["key"]) and column["help"], column


@every_command
def test_names_are_unique(path):
    names = [o["name"] for o in COMMANDS[path]["options"]]
    letters = [o["short"] for o in COMMANDS[path]["options"] if o["short"]]
    assert len(names) == len(set(names)), names
    assert len(letters) == len(set(letters)), letters
    for columns in (COMMANDS[path]["columns"], *COMMANDS[path]["more_columns"].values()):
        keys = [c["key"] for c in columns]
        assert len(keys) == len(set(keys)), keys


def test_an_option_means_the_same_everywhere():
    """The same config key or name never has two types or two variables."""
    seen = {}
    for path, command in COMMANDS.items():
        for option in command["options"]:
            if option["name"] == "format":  # each command has the formats it can
                continue
            if option["name"] == "interval" and path in ("dbops partitions create", "dbops partitions convert"):
                continue  # a value of PostgreSQL's type interval ('1 month'); elsewhere the time between two samples
            facts = (option["type"], option["environment"])
            other = seen.setdefault(option["name"], (facts, path))
            assert other[0] == facts, f"--{option['name']} differs between '{path}' and '{other[1]}'"


@every_command
def test_help(path):
    command = COMMANDS[path]
    text = dbops(*words_of(path), "--help").stdout
    assert text.startswith(f"Usage: {path}")
    assert command["summary"].split()[0] in text
    for option in command["options"]:
        assert re.search(rf"(^|\s)--{option['name']}\b", text), f"--{option['name']} is not in the help"
        if option["short"]:
            assert re.search(rf"^  -{re.escape(option['short'])}, --{option['name']}\b", text, re.M)
    for operand in command["operands"]:
        assert operand["name"] in text
    for example in command["examples"]:
        assert example["command"] in text
    assert dbops("help", *words_of(path)).stdout == text
    assert dbops(*words_of(path), "-?").stdout == text
    if not any(o["short"] == "h" for o in command["options"]):
        assert dbops(*words_of(path), "-h").stdout == text


@every_command
def test_unknown_option(path):
    for word in ("--qiuet", "-\u00a7", "-~", "--no-such-thing=x"):
        result = dbops(*words_of(path), word, code=EXIT["usage"])
        assert not result.stdout
        assert re.match(r"dbops: error: unknown option .*\ndbops: hint: .+\n$", result.stderr), result.stderr
    assert "Did you mean '--quiet'?" in dbops(*words_of(path), "--qiuet", code=EXIT["usage"]).stderr


@every_command
def test_values_are_checked(path):
    """A missing value, a wrong choice and a wrong number are usage errors that name the option."""
    for option in COMMANDS[path]["options"]:
        name = f"--{option['name']}"
        if option["secret"]:
            result = dbops(*words_of(path), f"{name}=x", code=EXIT["usage"])
            assert "not accepted on the command line" in result.stderr
            continue
        if option["type"] == "flag":
            result = dbops(*words_of(path), f"{name}=x", code=EXIT["usage"])
        else:
            result = dbops(*words_of(path), name, code=EXIT["usage"])
        assert name in result.stderr and "hint:" in result.stderr


def operands_for(command):
    """Enough operands to get past the count."""
    return [(o.get("choices") or ["x"])[0] for o in command["operands"] for _ in range(o["min"])]


@pytest.mark.parametrize("path", LEAVES)
def test_wrong_values(path):
    wrong = {"choice": "no-such-choice", "integer": "many", "size": "large", "duration": "long"}
    for option in LEAVES[path]["options"]:
        if option["type"] in wrong and not option["secret"]:
            result = dbops(*words_of(path), *operands_for(LEAVES[path]), f"--{option['name']}", wrong[option["type"]],
                           code=EXIT["usage"])
            assert f"--{option['name']}: '{wrong[option['type']]}' is" in result.stderr


@every_command
def test_defaults_fit(path):
    patterns = {"integer": r"-?\d+", "size": r"\d+(\.\d+)?\s?([kMGT]i?B|B)?", "duration": r"(\d+(ms|s|min|m|h|d|w)?)+"}
    for option in COMMANDS[path]["options"]:
        if option["default"] is not None and option["type"] in patterns:
            assert re.fullmatch(patterns[option["type"]], option["default"]), option
        if option["default"] is not None and option["type"] == "choice":
            assert option["default"] in option["choices"], option


@pytest.mark.parametrize("path", LEAVES)
def test_one_operand_too_many(path):
    operands = LEAVES[path]["operands"]
    if any(o["max"] == 0 for o in operands):
        return
    count = sum(o["max"] for o in operands) + 1
    if has_children(path):  # then a word is a command's name
        result = dbops(*words_of(path), "xyzzy", code=EXIT["usage"])
        assert f"'xyzzy' is not a command of {path}" in result.stderr
        return
    choices = [c for o in operands for c in o.get("choices", [])] or ["x"]
    result = dbops(*words_of(path), *[choices[0]] * count, code=EXIT["usage"])
    assert "one operand too many" in result.stderr


@pytest.mark.parametrize("path", [p for p, c in COMMANDS.items() if c["group"]])
def test_groups(path):
    result = dbops(*words_of(path), code=EXIT["usage"])
    assert "needs a command" in result.stderr and "hint: One of" in result.stderr
    for child in COMMANDS:
        if child.startswith(path + " ") and " " not in child[len(path) + 1:]:
            assert child.split()[-1] in result.stderr
    assert "is not a command" in dbops(*words_of(path), "xyzzy", code=EXIT["usage"]).stderr


def test_did_you_mean():
    assert "Did you mean 'dbops version'?" in dbops("verison", code=64).stderr
    assert "Did you mean 'dbops config show'?" in dbops("config", "sow", code=64).stderr
    assert "Did you mean 'json'?" in dbops("version", "--format=jsn", code=64).stderr
    assert "stand behind its name" in dbops("--format", "json", "version", code=64).stderr


@pytest.mark.parametrize("path", LEAVES)
def test_examples_parse(path):
    for example in LEAVES[path]["examples"]:
        words = shlex.split(example["command"])
        words = words[words.index("dbops") + 1:]
        for stop in (">", "|", "&&", "||", ";"):
            if stop in words:
                words = words[:words.index(stop)]
        text = dbops(*words, "--help").stdout
        assert text.startswith(f"Usage: {path} "), f"'{example['command']}' is not an example of '{path}'"


@pytest.mark.parametrize("path", LEAVES)
def test_has_an_example(path):
    assert LEAVES[path]["examples"], "no example"


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory):
    out = tmp_path_factory.mktemp("generated")
    subprocess.run(["sh", str(ROOT / "contrib/regenerate.sh"), str(BUILD), str(out)], check=True,
                   env={**ENV, "DBOPS_BIN": PROGRAM})
    return out


def roff_text(page):
    """The page's words without roff."""
    text = re.sub(r"\\f.", "", page.read_text())
    return text.replace("\\-", "-").replace("\\(ti", "~").replace("\\(ha", "^").replace("\\(ga", "`").replace("\\&", "")


@every_command
def test_manual_page(path):
    command, text = COMMANDS[path], roff_text(page_of(path))
    for option in command["options"]:
        tag = f"--{option['name']}"
        assert re.search(rf"^(-., )?{tag}( |$)", text, re.M), f"{tag} is not in the manual page"
    for column in command["columns"]:
        assert f".TP\n{column['key']}\n" in text
    for code in TREE["exit_codes"]:
        assert re.search(rf"^\.TP\n{code['code']}\n{re.escape(code['text'])}", text, re.M), code
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
        assert f".SH {section}\n" in text


def test_exit_codes_are_the_programs():
    assert {c["name"]: c["code"] for c in TREE["exit_codes"]} == EXIT


def test_config_page_lists_every_key():
    text = roff_text(ROOT / "man/dbops.yaml.5")
    for command in COMMANDS.values():
        for option in command["options"]:
            if option["config"]:
                assert re.search(rf"^{re.escape(option['config'])}: ", text, re.M), option["config"]
    for key in ("bucket", "secret_access_key_file", "part_size", "path_style"):
        assert re.search(rf"^{key}: ", text, re.M)


def generated_files():
    return sorted([*(ROOT / "man").glob("dbops*.[15]"), ROOT / "man/meson.build", ROOT / "completions/_dbops",
                   ROOT / "completions/dbops.bash", ROOT / "completions/dbops.fish"])


def test_generated_files_are_up_to_date(regenerated):
    committed = {f.relative_to(ROOT): f.read_text() for f in generated_files()}
    fresh = {f.relative_to(regenerated): f.read_text() for f in regenerated.rglob("*") if f.is_file()}
    assert set(committed) == set(fresh), "run contrib/regenerate.sh BUILDDIR"
    for name in committed:
        assert committed[name] == fresh[name], f"{name} is out of date: run contrib/regenerate.sh BUILDDIR"


def test_manual_pages_are_clean():
    assert shutil.which("mandoc"), "mandoc is missing; run contrib/install-deps.sh test"
    for page in (ROOT / "man").glob("dbops*.[15]"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
        assert lint.returncode == 0, lint.stdout


@every_command
def test_completions_know_every_option(path):
    bash = (ROOT / "completions/dbops.bash").read_text()
    zsh = (ROOT / "completions/_dbops").read_text()
    fish = (ROOT / "completions/dbops.fish").read_text()
    bash = re.search(rf"^\t'{path}'\)\n(.*?)^\t\t;;", bash, re.M | re.S).group(1)
    zsh = re.search(rf"^\t\t\('{path}'\)\n(.*?)^\t\t\t;;", zsh, re.M | re.S).group(1)
    for option in COMMANDS[path]["options"]:
        if option["secret"]:
            continue
        assert f"--{option['name']}" in re.search(r"options='(.*)'", bash).group(1).split()
        assert re.search(rf"'\*?--{option['name']}=?\[", zsh), option["name"]
        assert re.search(rf"^complete -c dbops -n '__dbops_at {path}' .*-l {option['name']} ", fish, re.M)


CONFIG = """\
profiles:
  app: {dbname: app}
  beta: {dbname: beta}
remotes:
  s3: {bucket: b}
  archive: {bucket: c}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "dbops.yaml").write_text(CONFIG)
    (tmp_path / "data.txt").write_text("")
    (tmp_path / "sub dir").mkdir()
    return tmp_path


BASH = r"""
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
_dbops dbops "${COMP_WORDS[COMP_CWORD]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def bash_complete(folder, *words):
    """What bash offers; words as readline splits them."""
    result = subprocess.run(["bash", "-c", BASH, "bash", str(ROOT / "completions/dbops.bash"), "dbops", *words], cwd=folder,
                            env=ENV, capture_output=True, text=True, timeout=30)
    return result.stdout.split("\n")[:-1] if result.stdout.strip() else []


@pytest.mark.parametrize("words, expected", [
    (["vers"], ["version"]),
    (["config", ""], ["show", "check"]),
    (["--profile", "app", "config", "s"], ["show"]),
    (["--profile", ""], ["app", "beta"]),
    (["--profile", "=", "b"], ["beta"]),
    (["--profile", "="], ["app", "beta"]),
    (["config", "show", "--format", "=", "ex"], ["expanded"]),
    (["config", "show", "--forma"], ["--format"]),
    (["config", "show", "--format", ""], ["table", "expanded", "json", "ndjson", "csv"]),
    (["--config", "dbops.y"], ["dbops.yaml"]),
    (["--config", "=", "dbops.y"], ["dbops.yaml"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["help", "config", ""], ["show", "check"]),
    (["no-such-command", "--qu"], ["--quiet"]),
])
def test_bash_completion(folder, words, expected):
    assert bash_complete(folder, *words) == expected


def fish_complete(folder, line):
    script = f"source {shlex.quote(str(ROOT / 'completions/dbops.fish'))}; complete -C {shlex.quote(line)}"
    result = subprocess.run(["fish", "-c", script], cwd=folder, env=ENV, capture_output=True, text=True, timeout=30)
    return sorted(l.split("\t")[0] for l in result.stdout.splitlines())


def test_fish_completion(folder):
    if not shutil.which("fish"):
        print("fish is not installed: its completion was only compared with the tables")
        return
    assert fish_complete(folder, "dbops config ") == ["check", "show"]
    assert fish_complete(folder, "dbops --profile ") == ["app", "beta"]
    assert fish_complete(folder, "dbops config show --forma") == ["--format"]
    assert fish_complete(folder, "dbops config show --format=e") == ["--format=expanded"]
    assert fish_complete(folder, "dbops completion ") == ["bash", "fish", "zsh"]


def type_into_zsh(folder, line, ready):
    """A real zsh on a terminal: the line and a TAB, until ready (a regular expression) stands on the screen."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.execve("/usr/bin/zsh", ["zsh", "-f", "-i"], {**ENV, "TERM": "xterm", "COLUMNS": "200"})
    screen = ""

    def wait(pattern):
        nonlocal screen
        end = time.monotonic() + 30
        while not re.search(pattern, screen):
            assert time.monotonic() < end, screen
            screen += os.read(terminal, 4096).decode(errors="replace")

    try:
        os.write(terminal, f"fpath=({ROOT}/completions $fpath); autoload -U compinit; compinit -u -D; PS1=; "
                           "setopt listpacked; echo re''ady\n".encode())
        wait("\\bready")
        screen = ""
        os.write(terminal, line.encode() + b"\t\t")
        wait(ready)
        return screen
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("line, ready", [
    ("dbops config ", r"check.*\n?.*show"),
    ("dbops --profile ", r"app +beta"),
    ("dbops --profile=be", r"--profile=beta|be.*ta"),
    ("dbops config show --forma", r"--format"),
    ("dbops completion ", r"bash +fish +zsh|bash +zsh +fish"),
])
def test_zsh_completion(folder, line, ready):
    if not shutil.which("zsh"):
        print("zsh is not installed: its completion was only compared with the tables")
        return
    type_into_zsh(folder, line, ready)


def test_shells_accept_the_scripts():
    for shell, name in (("bash", "dbops.bash"), ("zsh", "_dbops"), ("fish", "dbops.fish")):
        if shutil.which(shell):
            subprocess.run([shell, "-n", str(ROOT / "completions" / name)], check=True)
    assert dbops("completion", "bash").stdout == (ROOT / "completions/dbops.bash").read_text()


def test_complete_never_complains(folder):
    (folder / "dbops.yaml").write_text("profiles: [\n")
    for words in ([], [""], ["--profile", ""], ["--no-such", "x"], ["config", "show", "--from", ""], ["a", "--", "--x"], ["-"]):
        result = dbops("complete", "--", *words, cwd=folder)
        assert not result.stderr


def test_output_that_cannot_be_written():
    for words in (["--help"], ["--version"], ["version", "--format", "json"], ["config", "show"], ["completion", "bash"]):
        with open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, *words], cwd=HOME, env=ENV, stdout=full, stderr=subprocess.PIPE, text=True)
        assert result.returncode == EXIT["cannot_write"], words
        assert "cannot write the output: No space left on device" in result.stderr


def test_a_reader_that_goes_away_is_not_worth_a_word():
    """dbops … | head -1: other Unix tools die of SIGPIPE there, silently."""
    for words in (["--help"], ["--version"], ["version", "--format", "json"], ["config", "show", "--quiet"], ["completion", "bash"],
                  ["version", "--format", "json", "--log-format", "json"]):
        reading, writing = os.pipe()
        os.close(reading)
        result = subprocess.run([PROGRAM, *words], cwd=HOME, env=ENV, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert (result.returncode, result.stderr) == (EXIT["pipe"], ""), words
    assert EXIT["pipe"] == 128 + signal.SIGPIPE


def test_closed_standard_streams():
    """A parent that closed them must not make a data file file descriptor 2; output that goes nowhere is an error."""
    for closed, code in ((">&-", EXIT["cannot_write"]), ("<&-", 0), ("2>&-", 0)):
        result = subprocess.run(["sh", "-c", f'exec "$0" version {closed}', PROGRAM], cwd=HOME, env=ENV, timeout=30)
        assert result.returncode == code, closed


def test_help_of_one_command_as_json():
    tree = json.loads(dbops("help", "--format=json", "config").stdout)
    assert [c["path"] for c in tree["commands"]] == ["dbops config", "dbops config show", "dbops config check"]
    assert tree["commands"][1] == COMMANDS["dbops config show"]
    assert "Did you mean 'dbops config show'?" in dbops("help", "config", "shwo", code=64).stderr


# --- configuration ---


def test_config_origins(folder):
    (folder / "dbops.yaml").write_text("default_profile: app\nprofiles:\n  app:\n    dbname: one\n    color: never\ncolor: always\n"
                                       "progress: plain\n")

    def show(*words, env=None):
        rows = json.loads(dbops("config", "show", "--format=json", "-q", *words, cwd=folder, env=env).stdout)["settings"]
        return {r["key"]: (r["value"], r["origin"], r["place"]) for r in rows}

    assert show()["dbname"] == ("one", "profile", "dbops.yaml:4:13")
    assert show()["color"] == ("never", "profile", "dbops.yaml:5:12")
    assert show()["progress"] == ("plain", "config", "dbops.yaml:7:11")
    assert show()["log_format"] == ("text", "default", None)
    assert show()["host"] == (None, "unset", None)
    assert show(env={"DATABASE_URL": "postgres://u:pass@h/two"})["dbname"] == ("postgres://u:********@h/two", "environment",
                                                                               "DATABASE_URL")
    assert show("--color=auto")["color"] == ("auto", "argument", "--color")
    assert show("dbname") == {"dbname": ("one", "profile", "dbops.yaml:4:13")}


def test_config_mistakes(folder):
    (folder / "dbops.yaml").write_text("profils: {}\ncolor: read\nbackup: {dri: /x}\nremotes: {s3: {buckte: b, slots: 0}}\n")
    result = dbops("config", "check", "--format=json", cwd=folder, code=EXIT["config"])
    problems = {(p["line"], p["column"]): (p["message"], p["hint"]) for p in json.loads(result.stdout)["problems"]}
    assert problems[(1, 10)] == ("unknown key 'profils'", "Did you mean 'profiles'?")
    assert problems[(2, 8)][0].startswith("color: 'read' is not one of auto")
    assert problems[(3, 15)] == ("unknown key 'backup.dri'", "Did you mean 'backup.dir'?")
    assert problems[(4, 24)] == ("unknown key 'buckte' in remote 's3'", "Did you mean 'bucket'?")
    assert problems[(4, 34)][0] == "slots: '0' is less than 1"
    result = dbops("config", "show", cwd=folder, code=EXIT["config"])
    assert result.stderr.startswith("dbops: error: dbops.yaml:1:10: unknown key 'profils'\n")
    assert "dbops: hint: Did you mean 'profiles'?" in result.stderr


@pytest.mark.parametrize("text, place", [
    ("a: [\n", "2:1"), ("a: b: c\n", "1:5"), ("- a\n", "1:1"), ("profiles: x\n", "1:11"), ("a: 1\na: 2\n", "2:4"),
    ("a: &x 1\nb: *x\n", "2:4"), ("a: 1\n---\nb: 1\n", "2:1"), ("profiles: {p: 1}\n", "1:15"), ("\tx: 1\n", "1:1"),
])
def test_config_that_is_not_ours(folder, text, place):
    (folder / "dbops.yaml").write_text(text)
    assert f"dbops.yaml:{place}: " in dbops("config", "show", cwd=folder, code=EXIT["config"]).stderr


def test_config_search(folder):
    home, xdg = folder / "home", folder / "xdg"
    (home / ".config/dbops").mkdir(parents=True)
    (xdg / "dbops").mkdir(parents=True)
    (home / ".config/dbops/dbops.yaml").write_text("color: never\n")
    (xdg / "dbops/dbops.yaml").write_text("color: always\n")
    (folder / "third.yaml").write_text("progress: plain\n")
    empty = folder / "empty"
    empty.mkdir()

    def file(*words, cwd=empty, **env):
        return json.loads(dbops("config", "show", "--format=json", *words, cwd=cwd, env={"HOME": str(home), **env}).stdout)["file"]

    assert file() == f"{home}/.config/dbops/dbops.yaml"
    assert file(XDG_CONFIG_HOME=str(xdg)) == f"{xdg}/dbops/dbops.yaml"
    assert file(XDG_CONFIG_HOME=str(xdg), cwd=folder) == "dbops.yaml"
    assert file(DBOPS_CONFIG="../third.yaml") == "../third.yaml"
    assert file("--config", "../dbops.yaml", DBOPS_CONFIG="../third.yaml") == "../dbops.yaml"
    result = dbops("config", "show", "--config", "missing.yaml", cwd=folder, code=EXIT["config"])
    assert "missing.yaml" in result.stderr


def test_profiles(folder):
    result = dbops("config", "show", "--profile", "ap", cwd=folder, code=EXIT["config"])
    assert "there is no profile 'ap'" in result.stderr and "Did you mean 'app'?" in result.stderr
    shown = dbops("config", "show", "--format=json", cwd=folder, env={"DBOPS_PROFILE": "beta"}).stdout
    assert json.loads(shown)["profile"] == "beta"


def test_password_in_a_readable_file(folder):
    config = folder / "dbops.yaml"
    config.write_text("dbname: postgres://u:geheim@h/d\n")
    config.chmod(0o644)
    result = dbops("config", "show", cwd=folder)
    assert "warning: dbops.yaml holds a password and everybody on this machine can read it" in result.stderr
    assert "geheim" not in result.stdout + result.stderr
    config.chmod(0o600)
    assert "warning" not in dbops("config", "show", cwd=folder).stderr


def test_password_in_a_readable_file_s_list(folder):
    config = folder / "dbops.yaml"
    config.write_text("indexes: {standbys: [host=one, 'host=two password=geheim']}\n")
    config.chmod(0o644)
    result = dbops("config", "show", cwd=folder)
    assert "warning: dbops.yaml holds a password and everybody on this machine can read it" in result.stderr
    assert "geheim" not in result.stderr
    config.write_text("indexes: {standbys: [host=one, host=two]}\n")
    assert "warning" not in dbops("config", "show", cwd=folder).stderr


@pytest.mark.parametrize("dsns, noted", [(["host=one", "host=two password=geheim"], True),
                                         (["postgres://u:geheim@two/d", "host=one"], True), (["host=one", "host=two"], False)])
def test_password_of_a_standby_on_the_command_line(folder, dsns, noted):
    result = dbops("indexes", "audit", "-d", "host=/nowhere", *[w for d in dsns for w in ("--standby", d)], cwd=folder,
                   code=EXIT["unavailable"])
    assert result.stderr.count("a password on the command line can be seen") == noted
    assert "geheim" not in result.stdout + result.stderr


@pytest.fixture
def silent_server():
    """Accepts connections and never answers: whoever connects waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def start_and_connect(server, *words, **env):
    """dbops, once it has reached the server."""
    process = subprocess.Popen([PROGRAM, *words], cwd=HOME, env={**ENV, **env}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    connection, _ = server.accept()
    return process, connection


def server_command():
    return next(words_of(p) for p, c in LEAVES.items() if c["server"] and not any(o["min"] for o in c["operands"]))


@pytest.mark.parametrize("form", ["postgres://someone:{}@127.0.0.1:{}/x?sslmode=disable&gssencmode=disable",
                                  "host=127.0.0.1 user=someone password={} port={} sslmode=disable gssencmode=disable"])
@pytest.mark.parametrize("option", [["-d"], ["--dbname"], ["--dbname="]])
def test_password_does_not_stay_in_ps(silent_server, form, option):
    conninfo = form.format("geheim", silent_server.getsockname()[1])
    words = [*option, conninfo] if option[0][-1] != "=" else [option[0] + conninfo]
    process, connection = start_and_connect(silent_server, *server_command(), *words)
    try:
        command_line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
        limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
    finally:
        process.kill()
        out, err = process.communicate()
        connection.close()
    assert "geheim" not in command_line and "someone" in command_line and "******" in command_line
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert "geheim" not in out + err
    assert "a password on the command line can be seen" in err


def end(process, connection):
    try:
        process.communicate(timeout=20)
    finally:
        process.kill()
        connection.close()
    return process.returncode


@pytest.mark.parametrize("number, name", [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"),
                                          (signal.SIGHUP, "terminated"), (signal.SIGABRT, "bug")])
def test_signals_have_their_status(silent_server, number, name):
    """While a storage is silent."""
    config = pathlib.Path(HOME) / "silent.yaml"
    config.write_text(f"remotes: {{s3: {{bucket: b, region: r, endpoint: 'http://127.0.0.1:{silent_server.getsockname()[1]}'}}}}\n")
    process, connection = start_and_connect(silent_server, "list", "--config", str(config), "--from", "s3",
                                            AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    process.send_signal(number)
    assert end(process, connection) == EXIT[name]


def test_second_interrupt_ends_at_once(silent_server):
    """While a server is silent; two signals that come too close together are one, so it goes on pressing."""
    process, connection = start_and_connect(silent_server, *server_command(), "-d",
                                            f"host=127.0.0.1 port={silent_server.getsockname()[1]} connect_timeout=60")
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
    assert end(process, connection) == EXIT["interrupted"]


def test_completion_gives_up_on_a_silent_storage(silent_server, folder):
    """The user's shell waits for it: 2 s of patience, then fewer candidates, no word."""
    (folder / "dbops.yaml").write_text(
        f"remotes: {{s3: {{bucket: b, region: r, endpoint: 'http://127.0.0.1:{silent_server.getsockname()[1]}'}}}}\n")
    backup_operands = [p for p, c in LEAVES.items() if any(o["complete"] == "backup" for o in c["operands"])]
    assert backup_operands
    start = time.monotonic()
    result = dbops("complete", "--", *words_of(backup_operands[0]), "--from", "s3", "", cwd=folder,
                   env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    assert time.monotonic() - start < 10
    assert not result.stderr


def test_completion_gives_up_on_a_silent_server(silent_server, folder):
    start = time.monotonic()
    result = dbops("complete", "--", "partitions", "list", "-d", f"host=127.0.0.1 port={silent_server.getsockname()[1]} connect_timeout=60", "", cwd=folder)
    assert time.monotonic() - start < 10
    assert not result.stderr and not result.stdout


def test_json_log(folder):
    result = dbops("config", "show", "--log-format=json", cwd=folder)
    event = json.loads(result.stderr)
    assert event["level"] == "info" and event["event"] == "config.file" and event["message"] and event["time"].endswith("Z")
    result = dbops("confg", cwd=folder, env={"DBOPS_LOG_FORMAT": "json"}, code=64)
    error = json.loads(result.stderr)
    assert {k: error[k] for k in ("level", "event", "code", "name", "sqlstate", "detail", "hint")} == {
        "level": "error", "event": "error", "code": 64, "name": "usage", "sqlstate": None, "detail": None,
        "hint": "Did you mean 'dbops config'?"}


def test_utf8_under_cron(folder):
    """Cron has no LANG; a name is still a name, and columns stand below each other."""
    (folder / "dbops.yaml").write_text("dbname: grün-データ\n")
    out = dbops("config", "show", "dbname", cwd=folder, env={"LC_ALL": "", "LANG": ""}).stdout
    assert re.match(r"KEY +VALUE +ORIGIN +PLACE\ndbname +grün-データ  config +dbops.yaml:1:9\n$", out)


def test_quiet_is_quiet(folder):
    assert not dbops("config", "show", "-q", cwd=folder).stderr


def test_colors(folder):
    assert "\x1b[" not in dbops("config", "show", cwd=folder).stdout
    assert "\x1b[" in dbops("config", "show", "--color=always", cwd=folder).stdout
    assert "\x1b[" not in dbops("config", "show", "--color", "always", "--format", "csv", cwd=folder).stdout


def test_broken_config_does_not_break_help(folder):
    (folder / "dbops.yaml").write_text("{")
    for words in (["help"], ["version"], ["--version"], ["config", "--help"], ["completion", "bash"]):
        dbops(*words, cwd=folder)
