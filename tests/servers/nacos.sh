#!/usr/bin/env bash
# r-nacos 0.8.8, which speaks Nacos' protocol: nobody has it prebuilt, so that cargo builds it, for ten minutes and more.
# Only when named: its tests run over recorded exchanges otherwise.
. "$(dirname "$0")/lib.sh"

get() {
    command -v cargo >/dev/null || missing cargo "https://rustup.rs"
    mkdir -p "$part/.fetched"
    CARGO_TARGET_DIR=$part/.fetched CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 nice -n 19 \
        cargo install --quiet --locked --root "$part" --version 0.8.8 rnacos
}

fetching nacos get
