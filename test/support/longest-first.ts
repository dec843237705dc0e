// Responsible for the order of the test files: the kinds whose files take longest first, so that no worker ends alone.

import { BaseSequencer, type TestSpecification } from 'vitest/node';

const longestFirst = ['scenarios', 'e2e', 'property', 'unit'];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId, project }: TestSpecification) =>
      moduleId.endsWith('plugin.e2e.test.ts') ? -1 : longestFirst.indexOf(project.name);
    return [...sorted].sort((a, b) => rank(a) - rank(b));
  }
}
