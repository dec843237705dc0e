// Responsible for the texts in the zip of `evidence`: README and check.sh, with the commands that check the rest. Pure.

import type { Evidence } from '../verification/evidence-chain.ts';
import { escapeControls, formatCount, formatPlural } from './format.ts';

/** A step of the check. `commands`: POSIX shell. A line that they print starts with OK, or has the word FAILED. */
interface Step {
  title: string;
  text: string;
  commands: string;
}

const signing = `sed -n 's/.*"signing":{"keyId":"\\([0-9a-f]*\\)"}.*/\\1/p'`;
const previous = `sed -n 's/.*"previous":{"snapshot":"\\([0-9TZ]*\\)","manifestSha256":"\\([0-9a-f]*\\)"}.*/\\1 \\2/p'`;
const partLines = `sed -n 's/.*"key":"\\([^"]*\\)".*"sha256":"\\([0-9a-f]*\\)".*/\\2  \\1/p'`;

/** Each command is independent of the others: it works in the folder with README, also after a step that failed. */
// Long because: a table of texts.
function listSteps(snapshot: string): Step[] {
  return [
    {
      title: 'Every file has the hash in SHA256SUMS, and the folders have no other file',
      text: `The second command also finds files in folders that SHA256SUMS does not name, the third
one links and pipes. The last one lists files beside README that are not from the archive:
no step reads them.`,
      commands: `sha256sum --strict --quiet -c SHA256SUMS && echo "OK hashes" || echo "FAILED hashes"
find . -type f \\( -path './*/*' -o -path ./README -o -path ./check.sh \\) -exec sha256sum {} + |
  sed 's|  \\./|  |' | LC_ALL=C sort -k 2 | diff SHA256SUMS - && echo "OK list of files" ||
  echo "FAILED list of files: above, > is a file too many, < is one that is missing or changed"
find . -path './*/*' ! -type f ! -type d | sed 's|^\\./|FAILED, neither a file nor a folder: |'
find . ! -type d ! -path './*/*' ! -path ./README ! -path ./check.sh ! -path ./SHA256SUMS |
  sed 's|^\\./|OK but not part of the evidence: |'`,
    },
    {
      title: 'Every public key has its key id as its name',
      text: `The key id is the first 16 hex digits of the SHA-256 of the key in DER.
COMPARE THE KEY ID with the one that you received in another way: see section 3.`,
      commands: `for key in _keys/*.pem; do
  [ -e "$key" ] || continue
  id=$(openssl pkey -pubin -in "$key" -outform DER | sha256sum | cut -c 1-16)
  if [ "_keys/$id.pem" = "$key" ]; then echo "OK key id $id"
  else echo "FAILED $key is the key $id"; fi
done`,
    },
    {
      title: 'Every manifest that names a key has a signature by this key',
      text: `A manifest without a key is listed as not signed: only the manifest after it shows
that it was not changed. After a signed manifest, each must be signed. Tombstones (_pruned)
are checked too: each for itself.`,
      commands: `signed=
find _manifests _pruned -name '*.json' 2>/dev/null | LC_ALL=C sort | while read -r file; do
  id=$(${signing} "$file")
  case $file in
    _pruned/*) signature=\${file%.json}.sig; signed= ;;
    *) signature=_signatures/\${file#_manifests/}; signature=\${signature%.json}.sig ;;
  esac
  if [ -z "$id" ] && [ ! -e "$signature" ]; then
    if [ "$signed" = "\${file%/*}" ]; then echo "FAILED not signed, but an older one is: $file"
    else echo "OK but not signed: $file"; fi
  elif openssl pkeyutl -verify -rawin -pubin -inkey "_keys/$id.pem" \\
    -sigfile "$signature" -in "$file" >/dev/null
  then signed=\${file%/*}; echo "OK signed by $id: $file"
  else echo "FAILED signature of $file"; fi
done`,
    },
    {
      title: 'The manifests form a chain: each has the hash that the next one names',
      text: 'The chain starts with the manifest of this snapshot and ends with the newest one.',
      commands: `find _manifests -name '*.json' | LC_ALL=C sort | while read -r file; do
  if [ "\${file##*/}" = ${snapshot}.json ]; then echo "OK start of the chain: $file"; continue; fi
  previous=$(${previous} "$file")
  before=\${file%/*}/\${previous% *}.json
  if [ -n "$previous" ] && [ -e "$before" ] &&
    [ "$(sha256sum < "$before" | cut -c 1-64)" = "\${previous#* }" ]
  then echo "OK $file names $before"
  else echo "FAILED $file names another manifest than $before"; fi
done`,
    },
    {
      title: 'Every data file has the hash that the manifest of the snapshot names',
      text: `The manifest lists the hash of each of its data files (its parts), and names all of them.`,
      commands: `find _manifests -name ${snapshot}.json | LC_ALL=C sort | while read -r file; do
  tr '{' '\\n' < "$file" | ${partLines} | while read -r line; do
    if echo "$line" | sha256sum --strict --quiet -c - && grep -Fqx "$line" SHA256SUMS
    then echo "OK data: \${line#*  }"
    else echo "FAILED data: \${line#*  }"; fi
  done
done
find . -type f -path './*/*' ! -path './_*' | sed 's|^\\./||' | while read -r data; do
  grep -Fq "\\"key\\":\\"$data\\"" _manifests/*/*/*/${snapshot}.json ||
    echo "FAILED: no manifest of the snapshot names $data"
done`,
    },
  ];
}

/** A program for `sh` that runs all steps. Exit code 0: all is right; 1: something failed; 2: a tool is missing. */
export function formatCheck(snapshot: string): string {
  const steps = listSteps(snapshot).map(
    ({ title, commands }, index) => `# ${index + 1}. ${title}.\n${commands}`,
  );
  return `#!/bin/sh
# Checks the files beside it. README explains each step. Usage: sh check.sh [public-key.pem]
# With a public key, the newest manifest of each target must have a signature by this key.
if [ $# -gt 1 ]; then echo "Usage: sh check.sh [public-key.pem]"; exit 2; fi
case \${1-} in
  ''|/*) known=\${1-} ;;
  *) known=$PWD/$1 ;;
esac
if [ -n "$known" ] && [ ! -r "$known" ]; then echo "$known cannot be read"; exit 2; fi
cd "$(dirname "$0")" || exit 2
for tool in openssl sha256sum find sed sort tail diff; do
  command -v "$tool" >/dev/null || { echo "$tool is missing"; exit 2; }
done
check() {
${steps.join('\n\n')}

# ${steps.length + 1}. The newest manifest of each target has a signature by the given key.
[ -z "$known" ] ||
find _manifests -name '*.json' | sed 's|/[^/]*$||' | LC_ALL=C sort -u | while read -r folder; do
  file=$(find "$folder" -name '*.json' | LC_ALL=C sort | tail -n 1)
  signature=_signatures/\${file#_manifests/}; signature=\${signature%.json}.sig
  if openssl pkeyutl -verify -rawin -pubin -inkey "$known" \\
    -sigfile "$signature" -in "$file" >/dev/null; then echo "OK signed by the given key: $file"
  else echo "FAILED signature by the given key: $file"; fi
  file=$folder/${snapshot}.json
  signature=_signatures/\${file#_manifests/}; signature=\${signature%.json}.sig
  openssl pkeyutl -verify -rawin -pubin -inkey "$known" -sigfile "$signature" -in "$file" \\
    >/dev/null 2>&1 || echo "OK but not signed by the given key: $file"
done
}
result=$(check 2>&1)
printf '%s\\n' "$result"
case $result in
  *FAILED*) echo "RESULT: FAILED. Do not rely on these files."; exit 1 ;;
esac
case $result in
  *'not signed by the given key'*)
    echo "RESULT: OK, with a limit. The newest manifest of each target is signed by the given key, but"
    echo "that of snapshot ${snapshot} is not: it may have been rewritten before a later one was signed."
    exit 0 ;;
esac
if [ -n "$known" ]; then echo "RESULT: OK. The newest manifest of each target is signed by the given key."
else echo "RESULT: OK. Now compare the key ids, and the hash of the newest manifest: see README, section 3."; fi
`;
}

/** `items`: at least one, all of one snapshot. */
// Long because: one text.
export function formatReadme(items: readonly Evidence[]): string {
  const snapshot = items[0]?.sealed.manifest.snapshot ?? '';
  const steps = listSteps(snapshot).map(({ title, text, commands }, index) =>
    [`Step ${index + 1}. ${title}.`, text, '', indent(commands)].join('\n'),
  );
  return `EVIDENCE OF THE SNAPSHOT ${snapshot}

This archive has one snapshot of an inventory of container nodes (Huawei Cloud), as
cgs-export stored it, and what shows whether it was changed since. You can check it with
sha256sum and OpenSSL 3. You need neither cgs-export nor access to its store.
Unpack it into an empty folder.


1. WHAT IS INSIDE

${items.map(describeItem).join('\n\n')}

  <table>/, <table>_ndjson/   the rows, as Parquet and as gzipped JSON lines: the same rows
  <table>_rejects/            records that could not become rows, if there are any
  <table>_changes/            what changed since the snapshot before, if anything did
  _manifests/                 the manifest of the snapshot, and of all later ones to the newest
  _signatures/                the signatures of these manifests (Ed25519, 64 bytes each)
  _keys/                      the public keys that the signatures name
  _pruned/                    tombstones: which data of later snapshots was deleted, and when
  SHA256SUMS                  the SHA-256 of each of these files
  check.sh                    runs all steps of section 2

Folders that are not needed are missing. A manifest (JSON) describes one snapshot: what was
read, when, how many rows, its verdict, and the hashes of its files. "complete": no page that
was read shows a missed node (limit: section 4). "drifted": a node may be missing.


2. CHECK IT

Unpack the archive into an empty folder, open a shell in that folder, and run all steps at
once:

    sh check.sh

If you have the public key in a file that is not from this archive, give it too:

    sh check.sh /path/to/public-key.pem

Or copy the commands of each step. Every line must start with OK. A line with FAILED names
what is wrong. "OK but not part of the evidence" names a file beside README that is not from
the archive, such as the archive itself. With thousands of manifests, a step takes minutes.

${steps.join('\n\n')}


3. COMPARE WITH WHAT YOU KNOW

The steps above show that the files fit together. A person who made up the whole archive can
reach that too. So compare at least one of these with what you received in another way, for
example from an auditor, a contract or your own notes, and not from this archive:

- The key id of each key in _keys/ (step 2), or the key file itself. If step 3 shows the newest
  manifest of each target as signed by the known key, its holder has signed this manifest, and
  step 4 shows that all manifests before it are unchanged since. Do not accept a newest manifest
  that is not signed. A key that comes only from this archive proves nothing.
- The hash of a manifest that was noted earlier (a pin). Search for it:

    grep <hash> SHA256SUMS

  If it is the hash of one of the manifests, this manifest and all before it are as they were
  when the hash was noted. The newest manifests in this archive are:

${items.map(({ newest }) => `    sha256sum ${newest.manifestKey}\n    ${newest.manifestSha256}`).join('\n')}


4. WHAT IT DOES NOT PROVE

- Without a known key or a noted hash: anything but that the files fit together.
- That no newer snapshots existed: they may have been removed. A noted hash of a newer
  manifest shows it.
- That a manifest that the known key did not sign itself is as it was sealed. A person who can
  write to the store can replace the whole history; the next snapshot is then signed on top of
  it. A later signature only shows that nothing before it was changed after it was made.
- When a manifest was signed, and how the holder of the private key used the key.
- That what the service answered was true.
- The exact time of a state. Times such as protect_status_since are names of snapshots. A timer
  names a snapshot by the start of its schedule slot, and its rows were read later: "Read" in
  section 1 says when. The state can have begun at any time up to the end of the reading.
- That a complete snapshot has every node. The list was read page by page. If meanwhile nodes
  moved within the list, or it had a node twice, a node can be missing, and no page shows it.
`;
}

function describeItem(item: Evidence): string {
  const { manifest, manifestKey, manifestSha256 } = item.sealed;
  const { snapshot, verdict, rows, rejects, scope, table, startedAt, sealedAt } = manifest;
  const rejected = rejects === 0 ? '' : `, ${formatPlural(rejects, 'reject')}`;
  const signatures =
    item.signed === 0
      ? 'none is signed'
      : `${formatCount(item.signed)} signed by ${item.keyIds.join(', ')}`;
  const pruned = item.tombstones === 0 ? '' : `; ${formatPlural(item.tombstones, 'tombstone')}`;
  return [
    ['Account', escapeControls(scope.account)],
    ['Region', scope.region],
    ['Project', scope.projectId],
    ['Table', table],
    ['Snapshot', `${snapshot}, ${verdict}, ${formatPlural(rows, 'row')}${rejected}`],
    ['Read', `from ${startedAt} to ${sealedAt}`],
    ['Manifest', manifestKey],
    ['  SHA-256', manifestSha256],
    ['Newest', item.newest.manifestKey],
    ['  SHA-256', item.newest.manifestSha256],
    ['Chain', `${formatPlural(item.manifests, 'manifest')}, ${signatures}${pruned}`],
  ]
    .map(([name = '', value]) => `  ${name.padEnd(10)} ${value}`)
    .join('\n');
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ');
}
