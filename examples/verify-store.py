#!/usr/bin/env python3
"""Verify a store of cgs-export without cgs-export.

Needs Python 3.9 or newer (standard library only) and the command `openssl` (3.0 or newer). The steps have the numbers
of "Verify a store" in docs/format.md. The rows inside the parts are not read, and nothing is written. Run it on a copy
of the store, or while no exporter runs: it reports what a running export has just written as a fault.

Exit code: 0 everything matches, 5 a fault (one line per fault, with the key of the object), 2 the command is wrong, or
a file cannot be read.
"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

TARGET, NAME = r"(?P<target>[^/]+/rgn=[^/]+/prj=[^/]+)", r"(?P<name>\d{8}T\d{6}Z)"
# (role, format) -> what follows the table in the key, and the ending of the key
KINDS = {("rows", "parquet"): ("", "parquet"), ("rows", "ndjson"): ("_ndjson", "ndjson.gz"),
         ("changes", "parquet"): ("_changes", "parquet"), ("rejects", "ndjson"): ("_rejects", "ndjson.gz")}
PRIVATE = ("_runs", "_quota", "_lease", ".cgs-export-tmp")
faults, named_keys = [], set()


def fault(key, text):
    faults.append(f"{key}: {text}")


def list_files(root, prefix=""):
    """Yield (key, size) of all files. The size is None for links, pipes and devices: never follow or read them."""
    for entry in sorted(os.scandir(os.path.join(root, prefix)), key=lambda found: found.name):
        key = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if key not in PRIVATE:
                yield from list_files(root, key + "/")
        else:
            yield key, entry.stat().st_size if entry.is_file(follow_symlinks=False) else None


def read(root, key):
    with open(os.path.join(root, key), "rb") as file:
        return file.read()


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def openssl(*arguments, data=None):
    """What openssl prints, or None if it fails."""
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def read_key(data):
    """(key id, SPKI DER) of an Ed25519 public key in PEM, or None for other bytes."""
    der = openssl("pkey", "-pubin", "-outform", "DER", data=data) or b""
    # Every Ed25519 key in SPKI DER has these 12 bytes before its own 32 bytes.
    if len(der) != 44 or not der.startswith(bytes.fromhex("302a300506032b6570032100")):
        return None
    return hashlib.sha256(der).hexdigest()[:16], der


def read_store_keys(root, files):
    """Step 1. {key id: SPKI DER} of the keys in the store."""
    keys = {}
    for key in files:
        if re.fullmatch(r"_keys/[^/]+\.pem", key):
            found = read_key(read(root, key)) if files[key] is not None else None
            if found is None or key != f"_keys/{found[0]}.pem":
                fault(key, "is not the Ed25519 public key of its name")
            else:
                keys[found[0]] = found[1]
    return keys


def read_manifests(root, files):
    """Step 2. {target: {name: manifest}}. Each manifest also gets `_key` and `_hash`."""
    targets = {}
    for key, size in files.items():
        match = re.fullmatch(rf"_manifests/{TARGET}/{NAME}\.json", key)
        if not match:
            continue
        manifests = targets.setdefault(match["target"], {})
        try:
            data = read(root, key) if size is not None else b""
            manifest = json.loads(data)
            manifest |= {"_key": key, "_hash": hashlib.sha256(data).hexdigest()}
            own = f"{manifest['table']}/rgn={manifest['scope']['region']}/prj={manifest['scope']['projectId']}"
            if manifest["manifestVersion"] != 1 or (own, manifest["snapshot"]) != (match["target"], match["name"]):
                raise ValueError("its key is not its own, or its version is not 1")
            for member, name in (("previous", "manifestSha256"), ("previous", "snapshot"), ("signing", "keyId")):
                if manifest[member] is not None and not isinstance(manifest[member][name], str):
                    raise ValueError(f"{member}.{name} is not a text")
            if manifest["verdict"] not in ("complete", "drifted") or not isinstance(manifest["scope"]["account"], str):
                raise ValueError("verdict or scope.account is wrong")
            check_manifest(manifest, own)
            manifests[match["name"]] = manifest
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault(key, f"is not a manifest: {error!r}")
    return targets


def check_manifest(manifest, target):
    """Step 3. The parts and the counts of one manifest. A part under a wrong key is reported, and never read."""
    table, folders = target.split("/", 1)
    name, key, good, counts = manifest["snapshot"], manifest["_key"], [], {}
    for part in manifest["parts"]:
        kind = part["role"], part["format"]
        suffix, ending = KINDS[kind]
        own = f"{table}{suffix}/dt={name[:4]}-{name[4:6]}-{name[6:8]}/{folders}/{name}-{part['sha256'][:12]}.{ending}"
        if kind in counts:
            fault(key, f"names two parts of one kind: {kind}")
        if part["key"] != own:
            fault(key, f"names {part['key']}, which is not a part of this snapshot")
        else:
            good.append(part)
        counts[kind] = part["rows"]
    manifest["parts"] = good
    changed = sum((manifest.get("changes") or {}).get(kind, 0) for kind in ("added", "removed", "changed"))
    expected = (manifest["rows"], manifest["rows"], changed, manifest["rejects"])
    for kind, count in zip(KINDS, expected):
        is_optional = kind == ("rows", "ndjson")
        if counts.get(kind, None if kind[0] == "rows" else 0) != count and not (is_optional and kind not in counts):
            fault(key, f"counts {count} {kind[0]}, but the part {kind} has {counts.get(kind)}")


def order_chain(target, manifests):
    """Step 4. The manifests from the oldest to the newest, by `previous`. Pieces of a broken chain by their names."""
    followers = {}
    for manifest in manifests.values():
        previous = manifest["previous"] or {"snapshot": None}
        name = previous["snapshot"]
        if name in followers:
            fault(manifest["_key"], f"names {name} as `previous`, and so does {followers[name]['_key']}: a fork")
        followers[name] = manifest
        if name and name not in manifests:
            fault(f"_manifests/{target}/{name}.json", f"is missing or damaged: {manifest['_key']} names it")
        elif name and previous["manifestSha256"] != manifests[name]["_hash"]:
            fault(manifests[name]["_key"], f"is altered: {manifest['_key']} has another hash of it")
    chain = {}
    for end in sorted(name for name in manifests if name not in followers):
        piece, name = {}, end
        while name in manifests and name not in chain and name not in piece:
            piece[name] = manifests[name]
            name = (manifests[name]["previous"] or {"snapshot": None})["snapshot"]
        chain |= dict(reversed(piece.items()))
    return list(chain.values())


def signer_of(root, files, key, signing, signature, keys):
    """Step 5. The id of the key that signed the object `key`, or None. A wrong or missing signature is a fault."""
    name = signing and signing["keyId"]
    if not name:
        if signature in files and key.startswith("_manifests/"):
            fault(signature, f"is a signature, but {key} names no key")
        return None
    named_keys.add(name)
    if files.get(signature) is None:
        fault(signature, f"is missing: {key} says that it is signed")
        return None
    with tempfile.NamedTemporaryFile() as file:
        file.write(keys.get(name, b""))
        file.flush()
        is_valid = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", file.name,
                           "-in", os.path.join(root, key), "-sigfile", os.path.join(root, signature)) is not None
    if not is_valid and name in keys:
        fault(signature, f"is not the signature of {key} by the key {name}")
    return name if is_valid else None


def check_tombstone(key, tombstone, manifest, chain):
    """Step 6. Whether a tombstone fits its manifest, and is not of the newest complete snapshot or a later one."""
    complete = [place for place, other in enumerate(chain) if other["verdict"] == "complete"]
    scope = manifest["scope"]
    expected = (manifest["table"], scope["region"], scope["projectId"], manifest["snapshot"], manifest["_hash"])
    names = ("table", "region", "projectId", "snapshot", "manifestSha256")
    parts = sorted(part["key"] for part in manifest["parts"] if part["role"] != "changes")
    if tuple(tombstone.get(name) for name in names) != expected or sorted(tombstone["parts"]) != parts:
        fault(key, "does not fit its manifest")
    if manifest not in chain[:complete[-1] if complete else 0]:
        fault(key, "is of the newest complete snapshot or a later one")


def check_parts(root, files, manifest, is_pruned):
    """Step 7. The size and the hash of each part. A pruned part may be missing, but not altered."""
    for part in manifest["parts"]:
        key = part["key"]
        if key not in files:
            if not is_pruned or part["role"] == "changes":
                fault(key, f"is missing: {manifest['_key']} names it")
        elif files[key] != part["bytes"] or sha256_of(os.path.join(root, key)) != part["sha256"]:
            fault(key, "is altered, truncated, or not a file")


def check_pointer(root, files, pointer, newest, manifests):
    """Step 8. A pointer has exactly these bytes."""
    if newest is None or files.get(pointer) is None:
        if newest is not None or pointer in files:
            fault(pointer, "is missing, not a file, or names a snapshot of a kind that the target does not have")
        return
    scope = newest["scope"]
    expected = {"snapshot": newest["snapshot"], "manifest": newest["_key"], "manifestSha256": newest["_hash"],
                "table": newest["table"], "account": scope["account"], "region": scope["region"],
                "projectId": scope["projectId"], "verdict": newest["verdict"],
                "parts": [part["key"] for part in newest["parts"]]}
    data = read(root, pointer)
    if data == (json.dumps(expected, ensure_ascii=False, separators=(",", ":")) + "\n").encode():
        return
    named = re.search(rb'"manifest":"([^"]+/([^"/]+)\.json)","manifestSha256":"([0-9a-f]{64})"', data)
    if named and named[2].decode() not in manifests:
        fault(named[1].decode(), f"is missing: {pointer} names it")
    elif named and named[3].decode() != manifests[named[2].decode()]["_hash"]:
        fault(named[1].decode(), f"is altered: {pointer} has another hash of it")
    else:
        fault(pointer, f"is not the pointer to {newest['_key']}")


def check_target(root, files, target, manifests, given, keys):
    """Steps 4 to 8."""
    chain, pruned, is_trusted = order_chain(target, manifests), set(), False
    for manifest in chain:
        signature = f"_signatures/{target}/{manifest['snapshot']}.sig"
        signer = signer_of(root, files, manifest["_key"], manifest["signing"], signature, keys)
        is_trusted = is_trusted or signer in given
        if given and signer not in given and (is_trusted or manifest is chain[-1]):
            fault(manifest["_key"], "has no valid signature of a given key")
    for key in files:
        match = re.fullmatch(rf"_pruned/{re.escape(target)}/{NAME}\.json", key)
        if not match:
            continue
        before = len(faults)
        try:
            tombstone = json.loads(read(root, key) if files[key] is not None else b"")
            check_tombstone(key, tombstone, manifests[match["name"]], chain)
            signer = signer_of(root, files, key, tombstone["signing"], key[:-5] + ".sig", keys)
            if given and signer not in given:
                fault(key, "has no valid signature of a given key")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault(key, f"is not a tombstone, or its manifest is missing: {error!r}")
        if len(faults) == before:
            pruned.add(match["name"])
    for manifest in manifests.values():
        check_parts(root, files, manifest, manifest["snapshot"] in pruned)
    complete = [manifest for manifest in chain if manifest["verdict"] == "complete"]
    for pointer, found in (("_head", chain), ("_latest", complete)):
        check_pointer(root, files, f"{pointer}/{target}.json", found[-1] if found else None, manifests)


def check_rest(files, targets, store_keys):
    """Step 9. Missing keys; objects that no manifest names, where readers search; objects without their manifest."""
    for name in sorted(named_keys - store_keys.keys()):
        fault(f"_keys/{name}.pem", "is missing: manifests or tombstones name this key")
    tables = {target.split("/")[0] for target in targets}
    folders = {table + suffix for table in tables for suffix, _ in KINDS.values()}
    named = {part["key"] for manifests in targets.values() for found in manifests.values() for part in found["parts"]}
    for key in files:
        if key.split("/")[0] in folders and key not in named:
            fault(key, "is named by no manifest")
        signature = re.fullmatch(rf"_signatures/{TARGET}/{NAME}\.sig", key)
        if signature and signature["name"] not in targets.get(signature["target"], {}):
            fault(key, "is a signature without its manifest")
        other = re.fullmatch(rf"_(head|latest|pruned)/{TARGET}(/{NAME})?\.json", key)
        if other and other["target"] not in targets:
            fault(key, "is of a target without manifests")


def check_pins(path, targets):
    """Step 10. Each pinned manifest is in the chain of its target, with its hash."""
    with open(path, encoding="utf-8") as file:
        pins = [json.loads(line) for line in file]
    for pin in pins:
        target = f"{pin['table']}/rgn={pin['region']}/prj={pin['projectId']}"
        manifest = targets.get(target, {}).get(pin["snapshot"])
        if manifest is None or manifest["_hash"] != pin["manifestSha256"]:
            fault(f"_manifests/{target}/{pin['snapshot']}.json", "is pinned, and is missing or has another hash")


def main():
    parser = argparse.ArgumentParser(description="Verify a store of cgs-export without cgs-export.")
    parser.add_argument("folder", help="the root of the store")
    parser.add_argument("--public-key", action="append", default=[], metavar="FILE",
                        help="an Ed25519 public key (PEM) that does not come from the store; repeatable")
    parser.add_argument("--pins", metavar="FILE", help="pins that were kept outside the store: JSON lines")
    options = parser.parse_args()
    given = {}
    for path in options.public_key:
        found = read_key(read("", path))
        if found is None:
            parser.error(f"{path} is not an Ed25519 public key")
        given[found[0]] = found[1]
    root = options.folder
    files = dict(list_files(root))
    store_keys, targets = read_store_keys(root, files), read_manifests(root, files)
    for target, manifests in targets.items():
        check_target(root, files, target, manifests, given, store_keys | given)
    check_rest(files, targets, store_keys)
    if options.pins:
        check_pins(options.pins, targets)
    print("\n".join(faults + [f"{len(faults)} faults, {sum(map(len, targets.values()))} manifests"]))
    return 5 if faults or not targets else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, KeyError, ValueError) as problem:
        sys.exit(print(f"cannot read a file, or a given one is damaged: {problem!r}", file=sys.stderr) or 2)
