#!/usr/bin/env bash
# Installs what is missing and starts the daemon; `--help` says how.
# Runs under bash 3.2 (macOS) and later.

if [ -z "${BASH_VERSION:-}" ]; then exec bash "$0" "$@"; fi
set -euo pipefail
unset CDPATH

# sysexits.h
readonly USAGE=64 UNAVAILABLE=69 CANNOT_CREATE=73

readonly MODES='full test custom install check'

usage() {
    cat <<'TEXT'
Usage: ./AUTOMATE_EVERYTHING.sh [mode] [flags]

  full      install what is missing, and run the whole fleet in the sandbox (the default)
  test      run one instance of each stream until each has booked something, verify, and exit 0 or 1
  custom    choose streams, counts and services: asked on a terminal, by flags otherwise
  install   install what is missing, and stop there
  check     install the development tools, and run every check that CI runs

Flags after full, test and custom go to `automate run`, those after check to pytest.

Examples:
  ./AUTOMATE_EVERYTHING.sh
  ./AUTOMATE_EVERYTHING.sh test
  AUTOMATE_HOME=/srv/automate ./AUTOMATE_EVERYTHING.sh full
  ./AUTOMATE_EVERYTHING.sh custom --help
  ./AUTOMATE_EVERYTHING.sh check -k ledger

Environment:
  AUTOMATE_HOME    where configuration, logs and books live (./var of this checkout)
  AUTOMATE_PYTHON  the Python to install with (the newest of python3.13, python3.12, python3.11, python3)

Once it runs: .venv/bin/automate status
TEXT
}

say() { printf 'automate: %s\n' "$*" >&2; }

fail() {
    local status=$1 line
    shift
    for line in "$@"; do say "$line"; done
    exit "$status"
}

main() {
    local mode=full
    case ${1:-} in
    -h | --help | help)
        usage
        return
        ;;
    '' | -*) ;;
    *)
        mode=$1
        shift
        ;;
    esac
    case " $MODES " in
    *" $mode "*) ;;
    *)
        fail $USAGE "there is no mode '$mode'; did you mean '$(nearest "$mode")'? The modes are: $MODES." \
            "For a daemon that runs, use .venv/bin/automate; for examples, $0 --help."
        ;;
    esac
    if [ "$mode" = install ] && [ $# -gt 0 ]; then
        fail $USAGE "install takes no flags, but got: $*"
    fi

    root=$(checkout)
    venv=$root/.venv
    case $mode in
    install)
        ensure_installed ''
        say "everything is installed in $venv"
        ;;
    check)
        ensure_installed dev
        exec "$root/.ci/steps" "$@"
        ;;
    *)
        ensure_installed ''
        export AUTOMATE_HOME=${AUTOMATE_HOME:-$root/var}
        exec "$venv/bin/automate" run --profile "$mode" "$@"
        ;;
    esac
}

# The folder that this script really stands in, through any symbolic links.
checkout() {
    local source=${BASH_SOURCE[0]} folder
    while [ -L "$source" ]; do
        folder=$(cd -P -- "$(dirname -- "$source")" && pwd)
        source=$(readlink -- "$source")
        case $source in
        /*) ;;
        *) source=$folder/$source ;;
        esac
    done
    cd -P -- "$(dirname -- "$source")" && pwd
}

# --- The virtual environment -------------------------------------------------------------------------------

# Installs the project with all that its own streams need, and the named extra, unless that has been done before.
ensure_installed() {
    local extra=$1
    if is_installed "$extra"; then return; fi

    local started=$SECONDS
    log=$(mktemp "${TMPDIR:-/tmp}/automate-install.XXXXXX")
    trap '[ -n "${log_is_kept:-}" ] || rm -f -- "$log"' EXIT
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM HUP
    ensure_git
    ensure_python
    lock
    # Another run may have installed it while this one waited.
    if ! is_installed "$extra"; then
        ensure_venv
        : >"$venv/.unfinished"
        say "installing automate and what it needs${extra:+, for development}: a minute or so the first time"
        PIP_RETRIES=${PIP_RETRIES:-2} run_logged "$venv/bin/python" -I -m pip install \
            --disable-pip-version-check --no-input --editable "${root}[arbitrage${extra:+,$extra}]" || pip_failed
        # Ahead of time, and also where the environment keeps Python from doing it: a start is quicker by seconds.
        run_logged "$venv/bin/python" -I -m compileall -q \
            "$root/actors" "$root/config" "$root/streams" "$root/orchestrator" || true
        stamp >"$venv/.installed"
        if [ -n "$extra" ]; then stamp >"$venv/.installed-$extra"; fi
        rm -f -- "$venv/.unfinished"
        if ! is_installed "$extra"; then
            : >"$venv/.unfinished"
            fail $UNAVAILABLE "$venv does not hold what was just installed; run this again to make it anew"
        fi
        say "installed in $((SECONDS - started)) s"
    fi
    exec 9<&-
    trap - INT TERM HUP EXIT
    rm -f -- "$log"
}

# Everything that an installation depends on: what is installed for one is not for another.
stamp() {
    local digest
    if have sha256sum; then
        digest=$(sha256sum <"$root/pyproject.toml")
    elif have shasum; then
        digest=$(shasum -a 256 <"$root/pyproject.toml")
    else
        digest=$(cksum <"$root/pyproject.toml")
    fi
    printf '%s\n%s\n%s\n' "${digest%% *}" "$root" \
        "$("$venv/bin/python" -ISc 'import sys; print(sys.implementation.cache_tag, *sys.version_info)')"
}

is_installed() {
    local extra=$1 file=$venv/.installed${1:+-$1}
    [ -f "$file" ] && [ ! -e "$venv/.unfinished" ] &&
        [ -x "$venv/bin/python" ] && [ -x "$venv/bin/automate" ] &&
        [ "$(cat -- "$file")" = "$(stamp 2>/dev/null)" ] &&
        is_whole "$extra"
}

# Whether the packages that the project asks for are there: not only their names, also what they consist of.
is_whole() {
    "$venv/bin/python" -I - "$1" 2>/dev/null <<'PYTHON'
import re
import sys
from importlib.metadata import distribution
from importlib.util import find_spec

for requirement in distribution("automate-everything").requires or ():
    wanted, _, marker = requirement.partition(";")
    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
    if marker.strip() and (extra is None or extra[1] not in ("arbitrage", sys.argv[1])):
        continue
    package = distribution(re.match(r"[\w.-]+", wanted)[0])
    for line in (package.read_text("RECORD") or "").splitlines():
        path = line.split(",")[0]
        if path.endswith((".py", ".so")):
            if not package.locate_file(path).exists():
                sys.exit(1)
            break
sys.exit(find_spec("orchestrator") is None)
PYTHON
}

# Leaves a virtual environment that works, with pip; one that is half made or broken is made anew.
ensure_venv() {
    if [ -e "$venv" ] || [ -L "$venv" ]; then
        if [ ! -e "$venv/.unfinished" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ ! -L "$venv" ] &&
            ! rmdir -- "$venv" 2>/dev/null; then
            fail $CANNOT_CREATE "$venv is in the way: it is no virtual environment. Move it, and run this again."
        fi
        if [ ! -e "$venv/.unfinished" ] && is_python "$venv/bin/python" &&
            "$venv/bin/python" -I -m pip --version >/dev/null 2>&1; then
            if was_made_here && ! is_damaged; then return; fi
        fi
        if [ -e "$venv" ] || [ -L "$venv" ]; then
            say "$venv is unfinished, broken or made elsewhere; making it anew"
            rm -rf -- "$venv" || fail $CANNOT_CREATE "cannot remove $venv; do that, and run this again"
        fi
    fi
    say "making .venv with $("$python" --version 2>&1) ($python)"
    mkdir -- "$venv" || fail $CANNOT_CREATE "cannot make $venv: is $root yours to write to?"
    : >"$venv/.unfinished"
    run_logged "$python" -I -m venv "$venv" ||
        install_failed "the virtual environment could not be made"
}

# Whether files are gone from what was installed; pip would not miss them.
is_damaged() { [ "$(cat -- "$venv/.installed" 2>/dev/null)" = "$(stamp)" ] && ! is_whole ''; }

# Scripts in a virtual environment name its interpreter by its full path, so a copy would run the original's.
was_made_here() {
    local recorded
    recorded=$(sed -n 's/^command = .* -m venv //p' "$venv/pyvenv.cfg")
    [ -z "$recorded" ] || [ "$recorded" = "$venv" ] || [ "${recorded##* }" -ef "$venv" ]
}

# One installation at a time: the kernel lets go of the lock whatever happens to this process.
lock() {
    exec 9<"$root"
    if ! "$python" -ISc "$LOCK" LOCK_NB; then
        say "another installation is running in this checkout; waiting for it"
        "$python" -ISc "$LOCK" || true
    fi
}
readonly LOCK='
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | (fcntl.LOCK_NB if len(sys.argv) > 1 else 0))
except BlockingIOError:
    sys.exit(1)
except OSError:
    pass  # a file system without locks
'

# Runs a command in a process group of its own, so that an interruption ends all of it at once.
run_logged() {
    local status=0
    printf '+ %s\n' "$*" >>"$log"
    set -m
    "$@" >>"$log" 2>&1 </dev/null &
    running=$!
    set +m
    wait "$running" || status=$?
    running=''
    return "$status"
}

pip_failed() {
    if grep -qiE 'no space left on device' "$log"; then
        install_failed 'the disk is full'
    elif grep -qiE 'name resolution|name or service not known|nodename nor servname|failed to establish a new connection|network is unreachable|connection (refused|reset|timed out)|connecttimeout|readtimeout|timed out|proxyerror|remote end closed|max retries exceeded' "$log"; then
        install_failed 'the package index could not be reached. Is this machine online? Behind a proxy, set HTTPS_PROXY; with an index of your own, PIP_INDEX_URL. Then run the same command again'
    fi
    install_failed 'a package could not be installed'
}

install_failed() {
    log_is_kept=yes
    say "installation failed; the end of what was said:"
    tail -n 20 -- "$log" | sed 's/^/    /' >&2
    fail $UNAVAILABLE "$1." "everything that was said: $log"
}

interrupted() {
    trap '' INT TERM HUP
    if [ -n "${running:-}" ]; then
        kill -TERM -- "-$running" 2>/dev/null || true
        wait "$running" 2>/dev/null || true
    fi
    say 'interrupted; the next run cleans up and starts over'
    exit "$1"
}

# --- What the system must have -----------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

is_python() { "$1" -ISc 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

has_venv() { "$1" -Ic 'import venv, ensurepip; ensurepip.version()' >/dev/null 2>&1; }

ensure_git() {
    if have git; then return; fi
    system_install git 'git is missing'
    have git || fail $UNAVAILABLE 'git is still missing after it was installed; see to it, and run this again'
}

# Sets `python` to one that is new enough and can make virtual environments.
ensure_python() {
    local without_venv=''
    find_python && return
    if [ -n "${AUTOMATE_PYTHON:-}" ]; then
        fail $UNAVAILABLE "AUTOMATE_PYTHON is $AUTOMATE_PYTHON, which is no Python 3.11 or later with the module venv"
    elif [ -n "$without_venv" ]; then
        system_install venv "$without_venv cannot make virtual environments: its module venv or ensurepip is missing" \
            "$("$without_venv" -ISc 'import sys; print("python%d.%d" % sys.version_info[:2])')"
    else
        system_install python 'there is no Python 3.11 or later'
    fi
    hash -r
    find_python || fail $UNAVAILABLE \
        'the system still has no Python 3.11 or later that can make virtual environments.' \
        'Install one from https://www.python.org/downloads/ and name it in AUTOMATE_PYTHON.'
}

find_python() {
    local candidate
    without_venv=''
    for candidate in ${AUTOMATE_PYTHON:+"$AUTOMATE_PYTHON"} python3.13 python3.12 python3.11 python3; do
        if is_python "$candidate"; then
            if has_venv "$candidate"; then
                python=$candidate
                return 0
            fi
            without_venv=${without_venv:-$candidate}
        fi
        if [ -n "${AUTOMATE_PYTHON:-}" ]; then break; fi
    done
    return 1
}

# Installs python, venv or git by the system's package manager where that is allowed without asking; else says
# what to run. Arguments: what, why, and for venv the Python's name.
system_install() {
    local need=$1 why=$2 name=${3:-} manager='' candidate prefix='' allowed='' command
    for candidate in apt-get dnf yum zypper pacman apk brew; do
        if have "$candidate"; then
            manager=$candidate
            break
        fi
    done
    if [ -z "$manager" ]; then
        fail $UNAVAILABLE "$why, and no package manager was found to install it with." \
            "Install Python 3.11 or later (https://www.python.org/downloads/) and git, and run this again."
    fi

    if [ "$manager" = brew ] || [ "$(id -u)" -eq 0 ]; then
        allowed=yes
    else
        prefix='sudo '
        if have sudo && sudo -n true 2>/dev/null; then allowed=yes; fi
    fi

    if [ -n "$allowed" ]; then
        say "$why; installing it with $manager"
        export DEBIAN_FRONTEND=noninteractive
        if [ "$manager" = apt-get ]; then
            run_logged ${prefix:+sudo} apt-get update || install_failed "'${prefix}apt-get update' failed"
        fi
        command=$(install_command "$manager" "$need" "$name")
        # shellcheck disable=SC2086 # its words are what is wanted
        run_logged ${prefix:+sudo} $command || install_failed "'$prefix$command' failed"
        return
    fi
    command=$prefix$(install_command "$manager" "$need" "$name")
    if [ "$manager" = apt-get ]; then command="${prefix}apt-get update && $command"; fi
    fail $UNAVAILABLE "$why. This installs it; run the same command again after it:" "    $command"
}

install_command() {
    local packages
    case $1:$2 in
    *:git) packages=git ;;
    apt-get:venv) packages="$3-venv" ;;
    apt-get:python) packages=$(apt_python) ;;
    dnf:* | yum:*) packages=python3.12 ;;
    zypper:*) packages=python311 ;;
    pacman:*) packages=python ;;
    apk:*) packages='python3 py3-pip' ;;
    brew:*) packages=python@3.13 ;;
    esac
    case $1 in
    apt-get) echo "apt-get install -y --no-install-recommends $packages" ;;
    dnf | yum) echo "$1 install -y $packages" ;;
    zypper) echo "zypper --non-interactive install $packages" ;;
    pacman) echo "pacman -Sy --noconfirm --needed $packages" ;;
    apk) echo "apk add $packages" ;;
    brew) echo "brew install $packages" ;;
    esac
}

# A distribution's own python3 may be too old while a newer one stands beside it.
apt_python() {
    local version
    for version in 3.13 3.12 3.11; do
        if apt-cache show "python$version-venv" >/dev/null 2>&1; then
            echo "python$version python$version-venv"
            return
        fi
    done
    echo 'python3 python3-venv'
}

# --- Which mode was meant ----------------------------------------------------------------------------------

nearest() {
    local mode best='' least=99 distance
    for mode in $MODES; do
        distance=$(edits "$1" "$mode")
        if [ "$distance" -lt "$least" ]; then
            least=$distance
            best=$mode
        fi
    done
    echo "$best"
}

# The Levenshtein distance of two words.
edits() {
    local a=${1:0:32} b=$2 i j cost least
    local -a row=() next=()
    for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
    for ((i = 1; i <= ${#a}; i++)); do
        next[0]=$i
        for ((j = 1; j <= ${#b}; j++)); do
            if [ "${a:i-1:1}" = "${b:j-1:1}" ]; then cost=0; else cost=1; fi
            least=$((row[j - 1] + cost))
            if ((row[j] + 1 < least)); then least=$((row[j] + 1)); fi
            if ((next[j - 1] + 1 < least)); then least=$((next[j - 1] + 1)); fi
            next[j]=$least
        done
        row=("${next[@]}")
    done
    echo "${row[${#b}]}"
}

main "$@"
