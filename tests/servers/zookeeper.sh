#!/usr/bin/env bash
# ZooKeeper 3.8: the jars that the server loads, a tenth of what its package asks for; and the Java 17 that runs them,
# where there is none.
. "$(dirname "$0")/lib.sh"

has_java() {
    local major
    major=$(java -version 2>&1 | grep -oE '"[0-9]+' | head -n1) && ((${major#\"} >= 17))
}

# A runtime without a screen. What its package keeps below `/etc` it links to by whole paths, which lead elsewhere here.
get_java() {
    deb bookworm openjdk-17-jre-headless
    command_at '*/bin/java'
    local link to
    while IFS= read -r link; do
        to=$(readlink "$link")
        [[ $to != /* || ! -e $part$to ]] || ln -sfrT "$part$to" "$link"
    done < <(find "$part/usr/lib/jvm" -type l)
    "$part/bin/java" -version >/dev/null 2>&1 ||
        { printf '%s: the Java that was fetched does not run here; install one of 17 or newer\n' "$name" >&2; exit 1; }
}

get() {
    deb bookworm libzookeeper-java libcommons-cli-java libcommons-io-java libdropwizard-metrics-java \
        libjackson2-annotations-java libjackson2-core-java libjackson2-databind-java libnetty-java \
        libslf4j-java libsnappy-java libservlet-api-java libjetty9-java
    # One file of each library, and one of the bindings of its log.
    (cd "$part" && find usr/share/java -type f -name '*.jar' | grep -E \
        '/(zookeeper(-jute)?|commons-(cli|io)|(dropwizard-)?metrics-core|jackson-(annotations|core|databind)|netty[^/]*|slf4j-(api|simple)|snappy[^/]*|(javax\.)?servlet-api|jetty9-(server|servlet|util|util-ajax|http|io|security))(-[0-9][^/]*)?\.jar$' |
        sort) >"$part/jars"
    [[ -s $part/jars ]]
    has_java || get_java
}

fetching zookeeper get
