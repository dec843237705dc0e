#!/usr/bin/env bash
# Responsible for what `npm run test:buckets` needs: the engines, DuckDB's extension for buckets, and Spark's S3 client.
# Needs mvn, and python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../../.."
python3 -m venv coverage/python
coverage/python/bin/pip install -qr test/engines/requirements.txt
if ! cmp -s test/engines/s3/requirements.txt coverage/duckdb-s3/requirements.txt; then
  coverage/python/bin/pip install -q --target coverage/duckdb-s3 --upgrade -r test/engines/s3/requirements.txt
  cp test/engines/s3/requirements.txt coverage/duckdb-s3/
fi
# PySpark has other versions of what is left out.
mvn -q -B --strict-checksums -f test/engines/s3/pom.xml \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$PWD/coverage/s3-jars" \
  -DincludeArtifactIds=hadoop-aws,aws-java-sdk-core,aws-java-sdk-s3,aws-java-sdk-dynamodb,aws-java-sdk-sts,aws-java-sdk-kms,jmespath-java,ion-java,jackson-dataformat-cbor
