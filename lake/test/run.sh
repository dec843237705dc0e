#!/usr/bin/env bash
# Responsible for the tests of the committer: installs what they need below coverage/, checks the form, and runs them.
#   run.sh [rgw]    rgw: only the tests that need the S3 gateway of test/support/rgw.sh
# Needs Python 3.10 or newer with venv, Maven and a JDK 17.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$PWD/coverage/lake-python/bin/python
python3 -m venv coverage/lake-python
# The requirements only, not the package: the tests use the sources.
"$python" - <<'PYTHON' >coverage/lake-requirements.txt
import sys
if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib
project = tomllib.load(open("lake/pyproject.toml", "rb"))["project"]
print("\n".join(project["dependencies"] + project["optional-dependencies"]["test"]))
PYTHON
"$python" -m pip install -q --disable-pip-version-check -r coverage/lake-requirements.txt
cd lake
if [ "${1:-}" = rgw ]; then
  TEST_REPORT=../coverage/lake-rgw.json exec "$python" -m pytest -q -m rgw
fi
mvn -q -B --strict-checksums -f test/rest-catalog/pom.xml \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$PWD/../coverage/lake-jars"
"$python" -m ruff check . && "$python" -m ruff format --check .
TEST_REPORT=../coverage/lake.json exec "$python" -m pytest -q -m "not rgw"
