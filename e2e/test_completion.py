"""Shell completion as it is installed, in the shells themselves."""

import os
import shutil
import subprocess

import pytest

from packages import BUILD

INSTALLED = os.path.join(BUILD, "installed")
CASES = [("weir serve", "weir server"), ("weir flows --gro", "weir flows --group-by"), ("weir flows --output js", "weir flows --output json")]

# Types into an interactive zsh and reads the line it makes of it: completion of zsh needs a line editor.
ZSHRC = r"""
PS1='ready> '
fpath=($ZDOTDIR $fpath)
autoload -U compinit
compinit -u -D
print-line() { print -r -- "line<$BUFFER>"; BUFFER= }
zle -N print-line
bindkey '^X' print-line
"""
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -i
until [[ $text == *ready* ]]; do zpty -r shell text '*ready*' || exit 1; done
zpty -w -n shell "$1"$'\t\x18'
zpty -r shell text '*line<*>*'
print -r -- "$text"
zpty -d shell
"""


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"COMPLETION TESTS SKIPPED: no {shell}; ./dev setup installs it")


@pytest.mark.parametrize("typed, expected", CASES)
def test_zsh(typed, expected, tmp_path):
    need("zsh")
    shutil.copy(os.path.join(INSTALLED, "_weir"), tmp_path)
    (tmp_path / ".zshrc").write_text(ZSHRC)
    said = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", typed], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)})
    assert f"line<{expected} >" in said.stdout, said.stdout + said.stderr


@pytest.mark.parametrize("typed, expected", CASES)
def test_bash(typed, expected):
    *before, _ = words = typed.split()
    script = f"COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(before)}; . {INSTALLED}/weir; _weir; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert [" ".join([*before, word]) for word in said.stdout.split()] == [expected], said.stderr


@pytest.mark.parametrize("typed, expected", CASES)
def test_fish(typed, expected, tmp_path):
    need("fish")
    said = subprocess.run(["fish", "-N", "-c", f"source {INSTALLED}/weir.fish; complete -C '{typed}'"], capture_output=True, text=True,
                          env={**os.environ, "HOME": str(tmp_path)})
    words = [line.split("\t")[0] for line in said.stdout.splitlines()]
    assert (words, said.stderr) == ([expected.split()[-1]], "")
