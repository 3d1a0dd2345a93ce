#!/usr/bin/env bash
# Consul 1.8.7, the last that Debian carries: a static Go binary.
. "$(dirname "$0")/lib.sh"

get() {
    deb bullseye consul
    command_at '*/usr/bin/consul'
}

fetching consul get
