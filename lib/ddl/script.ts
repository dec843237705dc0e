// Responsible for the script of one engine: all statements in order, as one text with comments. Pure.

import type { Dialect, Statement, StoreAddress } from './dialect.ts';
import type { LakeTable } from './lake-table.ts';

export interface Script {
  /** All statements in the order in which they must run, without the comments. */
  statements: string[];
  /** The same with comments, for people and for the command line of the engine. */
  text: string;
}

/** `tables`: at least one, all of the store at `root`. `store`: see Dialect.explain(). */
export function writeScript(
  dialect: Dialect,
  tables: readonly LakeTable[],
  { root, store }: { root: string; store: StoreAddress | null },
): Script {
  const scripts = tables.map((table) => ({ table, ...dialect.write(table) }));
  const prepare = dialect.prepare(root);
  const refresh = scripts.flatMap((one) => one.refresh);
  const blocks = [
    toComment([
      ...(dialect.isRun ? [] : ['not run']),
      `Tables and views of a cgs-export store for ${dialect.title}.`,
      `Store: ${root}`,
      ...dialect.explain(root, store),
    ]),
    ...prepare.map(toText),
    ...scripts.flatMap(({ create }) => create.map(toText)),
    ...(refresh.length > 0
      ? refresh.map(toText)
      : [
          toComment(['New partitions and files: each query finds them. Nothing has to run again.']),
        ]),
    ...scripts.map(({ table, asOf }) =>
      toComment([
        `${table.table} as of a time: remove the comment marks and replace the time, which is UTC.`,
        ...`${asOf};`.split('\n'),
      ]),
    ),
  ];
  const statements = [...prepare, ...scripts.flatMap(({ create }) => create), ...refresh];
  return { statements: statements.map(({ sql }) => sql), text: `${blocks.join('\n\n')}\n` };
}

function toText({ comment, sql }: Statement): string {
  return `${comment === '' ? '' : `${toComment(comment.split('\n'))}\n`}${sql};`;
}

/** A line break in a line, as a location can have, must not end the comment. */
function toComment(lines: readonly string[]): string {
  return lines.map((line) => `-- ${line.replaceAll(/[\r\n]+/g, ' ')}`.trimEnd()).join('\n');
}
