#!/usr/bin/env bash
# Brings a Debian 12 machine to where `make test` and `make demo` run; says each thing it does.
# Every step looks first, so a second run changes nothing. Elsewhere it uses what is there.
set -eu
cd "$(dirname "$0")/../.."

SOCKET=/var/run/docker.sock
ENGINE_LOG=/var/log/s1ctl-dockerd.log
POLICY=/usr/sbin/policy-rc.d

main() {
    install_packages
    make_venv
    start_engine
}

say() { echo "setup: $*"; }

install_packages() {
    local missing
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "missing, and not installed without root and apt:" $missing
        return 0
    fi
    say "installing from Debian:" $missing
    without_starting_servers apt_install $missing
}

# A package is missing when the thing we use of it is; so other ways of installing it count.
missing_packages() {
    python_is_usable || echo python3-venv
    has dockerd || echo docker.io
    has docker || echo docker.io
    has iptables || echo iptables
    has ip || echo iproute2
    has docker-registry || echo docker-registry
    has htpasswd || echo apache2-utils
    has openssl || echo openssl
    has skopeo || echo skopeo
    has mmdebstrap || echo mmdebstrap
    has git || echo git
    [ -x /usr/lib/postgresql/15/bin/postgres ] || echo postgresql-15
    has pg_dump || echo postgresql-client
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
}

# No package may start its server or make a database here: the tests start their own.
without_starting_servers() {
    local ours=""
    mkdir -p /etc/postgresql-common/createcluster.d
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/s1ctl.conf
    fi
    if [ ! -e $POLICY ]; then
        printf '#!/bin/sh\nexit 101\n' >$POLICY
        chmod 755 $POLICY
        ours=1
        trap 'rm -f $POLICY' EXIT
    fi
    "$@"
    [ -z "$ours" ] || rm -f $POLICY
    trap - EXIT
}

python_is_usable() { [ -n "$(find_python)" ]; }

find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

make_venv() {
    local stamp=.venv/.made-from wanted
    wanted=$(sha256sum pyproject.toml | cut -d' ' -f1)
    [ "$(cat $stamp 2>/dev/null)" != "$wanted" ] || return 0
    [ -n "$(find_python)" ] || { say "no Python 3.11 or newer with venv: install python3-venv"; exit 1; }
    say "making .venv with s1ctl and its tools"
    [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
    .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
    .venv/bin/python -m pip install --quiet --editable . --group dev
    echo "$wanted" >$stamp
}

start_engine() {
    if engine_answers; then
        return 0
    fi
    if [ "$(id -u)" != 0 ] || ! has dockerd; then
        say "no engine answers at $SOCKET, and none is started without root and dockerd"
        return 0
    fi
    if [ -d /run/systemd/system ]; then
        say "starting the engine by systemd"
        systemctl start docker </dev/null
    else
        say "starting an engine: dockerd, log in $ENGINE_LOG"
        drop_stale_pid
        setsid dockerd </dev/null >>$ENGINE_LOG 2>&1 &
    fi
    wait_for_engine
}

engine_answers() { timeout 10 docker -H unix://$SOCKET version >/dev/null 2>&1; }

# dockerd refuses to start while the number in its pid file is in use, be it by another program.
drop_stale_pid() {
    local pid
    pid=$(cat /var/run/docker.pid 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || rm -f /var/run/docker.pid
}

wait_for_engine() {
    local i
    for i in $(seq 60); do
        if engine_answers; then
            say "the engine answers"
            return 0
        fi
        sleep 1
    done
    say "the engine does not answer after 60 s; the end of $ENGINE_LOG:"
    tail -n 5 $ENGINE_LOG || true
    exit 1
}

main
