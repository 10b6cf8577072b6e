#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make install` puts in place: a program that stands on its own, completion, manual page."""
import os
import shutil
import subprocess

from harness import *


def installed(folder):
    """The prefix of an installation that was moved after it was made."""
    build = os.environ.get("TAIN_BUILD")
    if not build:
        raise Skip("TAIN_BUILD does not name a build directory")
    first, moved = os.path.join(folder, "first"), os.path.join(folder, "moved")
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", first], check=True, stdout=subprocess.DEVNULL)
    shutil.move(os.path.join(first, "usr/local"), moved)
    shutil.rmtree(first)
    return moved


def complete(prefix, *words):
    """What is offered for the last word, which may be empty."""
    script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tain; printf "%s\\n" "${COMPREPLY[@]}"'
    file = os.path.join(prefix, "share/bash-completion/completions/tain")
    return subprocess.run(["bash", "-c", script, file, *words], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def test_installed_program_stands_on_its_own(folder):
    prefix = installed(folder)
    program = os.path.join(prefix, "bin/tain")
    libraries = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    line = next(line for line in libraries.splitlines() if "libduckdb" in line)
    assert os.path.realpath(line.split()[2]) == os.path.realpath(os.path.join(prefix, "lib/tain/libduckdb.so")), line
    r = subprocess.run([program, "demo", os.path.join(folder, "demo"), "--seconds", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert r.returncode == 0 and "equal: 4 tables" in r.stdout, r.stdout


def test_completion_knows_commands_and_options(folder):
    prefix = installed(folder)
    assert complete(prefix, "tain", "") == [
        "demo", "check", "mirror", "verify", "query", "replay", "status", "table", "serve",
        "create", "list", "start", "stop", "pause", "resume", "resync", "logs", "drop", "connections", "users", "tokens", "apply", "export", "client-env", "--help", "--version"]
    assert complete(prefix, "tain", "mirror", "--re") == ["--retained-log", "--resync", "--repair", "--retention", "--remove", "--records"]
    assert complete(prefix, "tain", "query", "lake", "--format", "") == ["table", "csv", "json", "rows"]
    assert complete(prefix, "tain", "table", "") == ["describe", "history", "optimize", "vacuum"]
    assert complete(prefix, "tain", "tokens", "--us") == ["--user"]


def test_manual_has_every_command(folder):
    manual = open(os.path.join(installed(folder), "share/man/man1/tain.1")).read().replace("\\", "")
    for command in ("demo", "check", "mirror", "verify", "query", "status", "table describe"):
        assert f"tain {command}" in manual, command
        help_text = tain(command.split()[0], "--help", check=0).out
        assert "Example:" in help_text and all(len(line) <= 80 for line in help_text.splitlines()), help_text


if __name__ == "__main__":
    main(globals())
