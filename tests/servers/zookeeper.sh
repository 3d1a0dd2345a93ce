#!/usr/bin/env bash
# ZooKeeper 3.8: the jars that the server loads, a tenth of what its package asks for. It needs a `java` of 17 or
# newer to run.
. "$(dirname "$0")/lib.sh"

get() {
    deb bookworm libzookeeper-java libcommons-cli-java libcommons-io-java libdropwizard-metrics-java \
        libjackson2-annotations-java libjackson2-core-java libjackson2-databind-java libnetty-java \
        libslf4j-java libsnappy-java libservlet-api-java libjetty9-java
    # One file of each library, and one of the bindings of its log.
    (cd "$part" && find usr/share/java -type f -name '*.jar' | grep -E \
        '/(zookeeper(-jute)?|commons-(cli|io)|(dropwizard-)?metrics-core|jackson-(annotations|core|databind)|netty[^/]*|slf4j-(api|simple)|snappy[^/]*|(javax\.)?servlet-api|jetty9-(server|servlet|util|util-ajax|http|io|security))(-[0-9][^/]*)?\.jar$' |
        sort) >"$part/jars"
    [[ -s $part/jars ]]
}

fetching zookeeper get
