// Responsible for docs/configuration.md: generated from the settings, so that it is never out of date.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { CommandDefinition } from '../lib/cli/command.ts';
import { commands } from '../lib/cli/program.ts';
import { descriptions } from '../lib/config/descriptions.ts';
import { readConfig } from '../lib/config/load.ts';
import { type Setting, settings } from '../lib/config/setting-list.ts';
import { ConfigError } from '../lib/core/errors.ts';

const file = fileURLToPath(new URL('configuration.md', import.meta.url));
const widthMax = 120;

/** Without the root, the items of lists, and `obs.credentials.*`, which are described as `accounts.*.credentials.*`. */
const described = settings.filter((setting) => descriptionOf(setting) !== undefined);

const beforeSettings: Record<string, string> = {
  'accounts.*.credentials': `One of three forms:

\`\`\`yaml lines=accounts.0
credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}", securityToken: "\${PROD_TOKEN}" }   # token: temporary keys only
credentials: { iamUser: exporter, iamPassword: "\${PROD_PASSWORD}", iamDomain: my-account }
credentials: agency                                                                  # only in a function
\`\`\`

With \`iamUser\`, \`iamPassword\` and \`iamDomain\` the exporter signs in to IAM and sends the token that it gets. With
\`agency\` the function uses the temporary key of its agency.`,
};

const parts: readonly (readonly [title: string, text: () => string])[] = [
  [
    'The file',
    () => `- \`--config FILE\`, else the file that \`CGS_EXPORT_CONFIG\` names, else \`./cgs-export.yml\`. A function reads the file that
  \`CGS_EXPORT_CONFIG\` names, else the copy of \`cgs-export.yml\` in the deployed zip.
- It is YAML or JSON, in UTF-8, at most 1 MB.
- A relative \`file:\` path starts at the folder of this file. With flags it starts at the working directory.
- \`export\`, \`tick\` and \`plan\` read no file if one of \`--region\`, \`--project\`, \`--endpoint\` and \`--store\` is given. These
  flags cannot be combined with \`--config\`.

The smallest configuration, with the key in \`HUAWEICLOUD_SDK_AK\` and \`HUAWEICLOUD_SDK_SK\`:

\`\`\`yaml config
store: file:./export
accounts:
  - name: prod
    targets:
      - region: cn-south-4
\`\`\`

[cgs-export.example.yml](../cgs-export.example.yml) is a longer example with comments. \`cgs-export init\` writes the same
text.`,
  ],
  [
    'Variables',
    () => `\`\${NAME}\` is replaced by the environment variable \`NAME\`. It can be a whole value, also where a number, \`true\` or
\`false\` is expected, or a part of a text: \`obs://\${BUCKET}/cgs\`. It is not replaced in the names of settings. What a
variable contains cannot break the syntax of the file, and is not searched for other variables. Within braces put it in
quotes, as in \`{ ak: "\${PROD_AK}" }\`: cgs-export does not need them, but editors do.

Keep keys and passwords in variables. \`npx serverless package\` rejects a configuration that contains them.`,
  ],
  ...listSections(),
  ['Environment variables', describeEnvironment],
  ['What each command needs', describeNeeds],
  ['Checks while you type', describeEditors],
  ['Faults', describeFaults],
];

function listSections(): [title: string, text: () => string][] {
  return [...new Set(described.map(sectionOf))].map((section) => [
    section === '' ? 'Settings of the whole file' : `Settings in ${display(section)}`,
    () =>
      [
        ...(beforeSettings[section] === undefined ? [] : [beforeSettings[section]]),
        ...described.filter((setting) => sectionOf(setting) === section).map(describeSetting),
      ].join('\n\n'),
  ]);
}

function sectionOf({ path }: Setting): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

/** `accounts.*.name` → `accounts[].name`. */
function display(path: string): string {
  return path.replaceAll('.*', '[]');
}

function descriptionOf(setting: Setting) {
  const section = sectionOf(setting);
  const name = setting.path.slice(section === '' ? 0 : section.length + 1);
  return descriptions[section]?.[name];
}

function describeSetting(setting: Setting): string {
  const { path, hint, isApiOnly } = setting;
  const text = descriptionOf(setting)?.text;
  const facts = [
    `Type: ${describeType(setting)}`,
    describeDefault(setting),
    ...(isApiOnly ? ['Used only by commands that send requests to the API.'] : []),
  ];
  return [
    `### \`${display(path)}\``,
    '',
    ...wrap([text, hint].filter(Boolean).join(' ')),
    '',
    ...facts.flatMap((fact) => wrap(`- ${fact}`, '  ')),
  ].join('\n');
}

function describeType({ path, kind, names }: Setting): string {
  const code = (values: readonly string[]) => values.map((value) => `\`${value}\``).join(', ');
  if (path.endsWith('.credentials')) return '`agency`, or a section';
  switch (kind) {
    case 'choice':
      return `one of ${code(names)}`;
    case 'flag':
      return '`true` or `false`';
    case 'list': {
      const item = settings.find((other) => other.path === `${path}.*`);
      if (item?.kind === 'choice') return `list of ${code(item.names)}`;
      return item?.kind === 'text' ? 'list of texts' : 'list of sections';
    }
    case 'section':
      return `section with ${code(names)}`;
    default:
      return kind;
  }
}

function describeDefault(setting: Setting): string {
  const { path, kind, isRequired, default: value } = setting;
  const defaultText = descriptionOf(setting)?.defaultText;
  if (isRequired) return path.includes('.credentials.') ? 'Required in its form' : 'Required';
  if (defaultText !== undefined) return `Default: ${defaultText}`;
  if (value === undefined) return 'Default: not set';
  return kind === 'section' ? 'Default: the defaults below' : `Default: \`${toYaml(value)}\``;
}

function toYaml(value: unknown): string {
  const options = { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 } as const;
  return stringify(value, options).trim();
}

function describeEnvironment(): string {
  return [
    '`HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`: the access key of accounts without `credentials`. Both or neither.',
    '`HUAWEICLOUD_SDK_SECURITY_TOKEN`: its security token, if the key is temporary.',
    '`CGS_EXPORT_CONFIG`: the configuration file, unless `--config` names one.',
    '`CGS_EXPORT_LOG_LEVEL`: `error`, `warn`, `info` (default) or `debug`, unless `--log-level` is given.',
    '`HTTPS_PROXY`, `NO_PROXY`: the proxy, for the API and for the store, and the hosts that are reached without it. The same names in lower case win. `NO_PROXY` takes names, suffixes, addresses, CIDR ranges and IPv6 addresses without brackets.',
    '`NODE_EXTRA_CA_CERTS`: a file with more certificate authorities, read by Node.js.',
    '`NO_PROGRESS`, `NO_COLOR`: no progress line and no colours on a terminal.',
  ]
    .flatMap((text) => wrap(`- ${text}`, '  '))
    .join('\n');
}

/** `a`, `b` and `c`. */
function listNames(list: readonly CommandDefinition[]): string {
  const names = list.map(({ name }) => `\`${name}\``);
  return [names.slice(0, -1).join(', '), ...names.slice(-1)].join(' and ');
}

function describeNeeds(): string {
  const withoutConfig = commands.filter(({ addTargetOptions }) => !addTargetOptions);
  const apiOnly = described
    .filter(({ isApiOnly }) => isApiOnly)
    .map(({ path }) => `\`${display(path)}\``);
  return [
    ...wrap(
      '- `export`, `tick`, `plan`, `alerts` and the function `collect` need everything: every variable of the file must be set.',
      '  ',
    ),
    ...wrap(
      `- \`status\`, \`history\`, \`nodes\`, \`node\`, \`diff\`, \`report\`, \`verify\`, \`evidence\` and \`ddl\` only read the store. They accept variables that are not set in ${apiOnly.join(', ')}. They need no credentials of accounts either, with one exception: without \`obs.credentials\` a bucket is read with those of the first account. \`prune\` needs the same, and \`signing\` if it is set.`,
      '  ',
    ),
    ...wrap(
      '- Without the credentials of an account, `status` knows neither the project ids that IAM gave for them nor until when the key is held back. Write `projectId` into the targets, so that it finds their snapshots.',
      '  ',
    ),
    ...wrap(
      '- The commands that only read the store read no file with `--store URL`. For a bucket they use the key in the environment.',
      '  ',
    ),
    `- ${listNames(withoutConfig)} read no configuration.`,
  ].join('\n');
}

function describeEditors(): string {
  return `\`cgs-export schema\` prints a JSON Schema (draft-07) of this file, made from the same source as this page. Editors that
use the YAML language server (VS Code with the YAML extension, Neovim, Helix and others) complete settings, show their
meaning and mark mistakes if the first line of the configuration names the schema:

\`\`\`yaml comment
# yaml-language-server: $schema=./cgs-export.schema.json
\`\`\`

\`cgs-export init\` writes this line and the file \`cgs-export.schema.json\`. After an update of cgs-export, write it again:

\`\`\`sh
cgs-export schema > cgs-export.schema.json
\`\`\``;
}

function describeFaults(): string {
  const text = `store: s3://lake
scheduel: 6h
accounts:
  - name: prod
    credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}" }
    targets:
      - { region: cn-south-4, table: nodes_changes }
`;
  const faults = findFaults(text).flatMap(({ path, message, hint }) => [
    `${path}: ${message}`,
    ...wrap(`  ${hint}`, '  '),
  ]);
  return `All faults are reported at once, each with its path and with what to do. The exit code is 2. No message shows a value,
because it may be a secret. For example, this configuration

\`\`\`yaml faults
${text}\`\`\`

has these faults, if \`PROD_SK\` is not set:

\`\`\`text
${faults.join('\n')}
\`\`\``;
}

function findFaults(text: string): ConfigError['issues'] {
  try {
    readConfig(text, 'cgs-export.yml', { env: { PROD_AK: 'x' } });
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  throw new Error('the faulty example has no fault');
}

/** Lines of at most 120 characters; those after the first start with `indent`. */
function wrap(text: string, indent = ''): string[] {
  const lines: string[] = [];
  // A piece of code is one word.
  for (const word of text.match(/^ +[^ ]*|(?:`[^`]*`|[^ `])+/g) ?? []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= widthMax) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(lines.length === 0 ? word : `${indent}${word}`);
  }
  return lines;
}

/** As GitHub names the anchor of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
}

/** The whole page. */
export function describeConfiguration(): string {
  return `# Configuration

<!-- Generated by \`npm run docs\` from lib/config/ and docs/generate-configuration.ts. Edit those. -->

One file says what cgs-export exports, from where, and where to.

${parts.map(([title]) => `- [${title}](#${anchorOf(title)})`).join('\n')}

${parts.map(([title, text]) => `## ${title}\n\n${text()}`).join('\n\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(file, describeConfiguration());
}
