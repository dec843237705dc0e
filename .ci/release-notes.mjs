// Responsible for the notes of a release: prints the section of a version from CHANGELOG.md. Ends with an error if the tag, the
// version of package.json and CHANGELOG.md do not agree. Usage: node .ci/release-notes.mjs v1.2.3

import { readFileSync } from 'node:fs';

const [tag = ''] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m).slice(1);
const section = sections.find((text) => text.startsWith(`${version} (`));

const faults = [];
if (tag !== `v${version}`) {
  faults.push(
    `the tag is ${tag || 'missing'}, but package.json has the version ${version}: the tag must be v${version}`,
  );
}
if (!section) faults.push(`CHANGELOG.md has no section "## ${version} (date)"`);
if (sections.some((text) => text.startsWith('Unreleased'))) {
  faults.push(`CHANGELOG.md has the section "Unreleased": move its lines into ${version}`);
}

if (faults.length > 0) {
  for (const fault of faults) console.error(`release: ${fault}`);
  process.exitCode = 1;
} else {
  // Relative links lead to files of the tag.
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  const files = server && repository ? `${server}/${repository}/blob/${tag}/` : '';
  const notes = section.slice(section.indexOf('\n')).trim();
  console.log(notes.replaceAll(/\]\((?!https?:|#)/g, `](${files}`));
}
