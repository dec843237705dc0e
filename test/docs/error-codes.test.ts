// Tests that docs/operations.md explains every error code of lib, and no other.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { exitCodes } from '../../lib/core/error-policy.ts';
import { pageOf, root, tableRows } from './pages.ts';

/** Words in capitals that look like a code and are none: a new one must be listed here or in the document. */
const otherWords: Record<string, readonly string[]> = {
  'environment variables': [
    ...['CGS_EXPORT_CONFIG', 'CGS_EXPORT_LOG_LEVEL', 'HTTPS_PROXY', 'NO_PROXY'],
    ...['HUAWEICLOUD_SDK_AK', 'HUAWEICLOUD_SDK_SK', 'HUAWEICLOUD_SDK_SECURITY_TOKEN'],
    ...['NO_COLOR', 'NO_PROGRESS', 'SECURITY_TOKEN', 'DEPLOYED_SECRETS', 'DEMOACCESSKEY0000000'],
    'NODE_EXTRA_CA_CERTS',
  ],
  'network codes that become PROXY_REFUSED or NETWORK': ['PROXY_407', 'PROXY_ENDED'],
  'files in the zip of evidence': ['README', 'SHA256SUMS'],
  'values of the API': ['ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR', 'DISABLED', 'TIMER'],
  'words of Parquet, JSON, HTTP and libraries': [
    ...[
      'BOOLEAN',
      'BYTE_ARRAY',
      'DATA_PAGE_V2',
      'DICTIONARY_PAGE',
      'RLE_DICTIONARY',
      'REPEATED',
      'GZIP',
      'INT32',
      'INT64',
      'MICROS',
      'OPTIONAL',
      'PLAIN',
      'REQUIRED',
    ],
    ...['STRING', 'TIMESTAMP', 'TIMESTAMP_MICROS', 'UTF8', 'NDJSON', 'POST', 'DUPLICATE_KEY'],
    ...['WHEN_REQUIRED', 'SIGINT', 'SIGTERM', 'ERR_ENCODING_INVALID_ENCODED_DATA'],
  ],
};
/** Codes of the operating system: EACCES, ENOENT. */
const systemCode = /^E(?:AI_)?[A-Z]+$/;
const code = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;

/** Every string of lib and functions that has the form of an error code, with the files that contain it. */
function findWords(): Map<string, string[]> {
  const words = new Map<string, string[]>();
  for (const folder of ['lib', 'functions']) {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    // SQL is words in capitals, and ddl throws nothing.
    for (const file of files.filter((name) => /^(?!ddl\/).*\.ts$/.test(name))) {
      const path = join(root, folder, file);
      const source = ts.createSourceFile(
        path,
        readFileSync(path, 'utf8'),
        ts.ScriptTarget.Latest,
        true,
      );
      const visit = (node: ts.Node): void => {
        if (ts.isStringLiteralLike(node) && node.text.length >= 4 && code.test(node.text)) {
          words.set(node.text, [...(words.get(node.text) ?? []), file]);
        }
        node.forEachChild(visit);
      };
      visit(source);
    }
  }
  return words;
}

const words = findWords();
const others = new Set(Object.values(otherWords).flat());
const codes = [...words.keys()].filter((word) => !others.has(word) && !systemCode.test(word));
const rows = tableRows(pageOf('docs/operations.md'), 'error-codes').filter(
  ([first]) => first !== 'Code',
);
const documented = rows.flatMap(([first = '']) =>
  [...first.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
);

test('every error code of lib is explained, and every code that is explained is one of lib', () => {
  expect(codes.length).toBeGreaterThan(40);
  expect([...new Set(documented)].sort()).toEqual(codes.sort());
});

test('each code is explained once, with what it means, what to do and an exit code', () => {
  expect(documented).toHaveLength(new Set(documented).size);
  const known = Object.values(exitCodes).map(String);
  for (const [name = '', meaning = '', remedy = '', exit = ''] of rows) {
    expect(meaning.length, name).toBeGreaterThan(10);
    expect(remedy.length, name).toBeGreaterThan(5);
    expect(exit === '' || exit.split(/\D+/).some((one) => known.includes(one)), name).toBe(true);
  }
});

test('the table of exit codes lists exactly those of lib', () => {
  const [, ...listed] = tableRows(pageOf('docs/operations.md'), 'exit-codes').map(
    ([first]) => first,
  );
  expect(listed).toEqual(Object.values(exitCodes).map(String));
});
