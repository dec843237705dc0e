#!/usr/bin/env bash
# Responsible for the tests of the committer: installs what they need below coverage/, checks the form, and runs them.
#   run.sh [rgw|install]    rgw: only the tests that need the S3 gateway of test/support/rgw.sh.
#                           install: no tests; installs only if the versions have changed
# Needs Python 3.10 or newer with venv; without `rgw` also Maven, a JDK 17, and dist/cli.js (npm run build).
set -euo pipefail
cd "$(dirname "$0")/.."
coverage=$PWD/../coverage
python=$coverage/lake-python/bin/python
versions=$(cat pyproject.toml test/rest-catalog/pom.xml)
[ "${1:-}" = install ] && [ "$(cat "$coverage/lake-python/versions" 2>/dev/null)" = "$versions" ] && exit
python3 -m venv "$coverage/lake-python"
"$python" -m pip install -q --disable-pip-version-check '.[test]'
if [ "${1:-}" = rgw ]; then
  TEST_REPORT=$coverage/lake-rgw.json exec "$python" -m pytest -q -m rgw
fi
mvn -q -B --strict-checksums -Dstyle.color=never -f test/rest-catalog/pom.xml \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$coverage/lake-jars"
echo "$versions" >"$coverage/lake-python/versions"
[ "${1:-}" = install ] && exit
"$python" -m ruff check .
"$python" -m ruff format --check .
TEST_REPORT=$coverage/lake.json exec "$python" -m pytest -q -m 'not rgw'
