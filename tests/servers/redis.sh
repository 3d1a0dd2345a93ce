#!/usr/bin/env bash
# Redis 7.0 from Debian bookworm, with the libraries that it asks for beyond the usual ones.
. "$(dirname "$0")/lib.sh"

get() {
    deb bookworm redis-server redis-tools libhiredis0.14 libjemalloc2 liblua5.1-0 lua-cjson lua-bitop liblzf1 libatomic1
    command_at '*/usr/bin/redis-check-rdb' redis-server
    command_at '*/usr/bin/redis-cli'
    (cd "$part" && find usr/lib -name '*.so*' -printf '%h\n' | sort -u) >"$part/libraries"
}

fetching redis get
