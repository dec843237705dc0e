// Responsible for the markup of plain tables: a caption, headers, cells; and lists of names with values. Pure.

import { type Html, html, type Words } from './markup.ts';
import type { TextKey } from './strings-en.ts';

export interface Heading {
  title: TextKey;
  kind?: keyof typeof classes;
}

/** The classes of the style. */
export const classes = { number: 'n', time: 't', name: 'w', target: 'p', status: 's' } as const;

function classOf(heading: Heading | undefined): Html | null {
  return heading?.kind ? html` class="${classes[heading.kind]}"` : null;
}

/** `rows`: the cells of each row; the first one is its header. */
export function formatTable(
  words: Words,
  caption: Html,
  headings: readonly Heading[],
  rows: readonly (readonly Html[])[],
): Html {
  const head = headings.map(
    (heading) => html`<th scope="col"${classOf(heading)}>${words.say(heading.title)}</th>`,
  );
  const body = rows.map((cells) => [
    html`<tr>`,
    cells.map((cell, index) => {
      const ofColumn = classOf(headings[index]);
      return index === 0
        ? html`<th scope="row"${ofColumn}>${cell}</th>`
        : html`<td${ofColumn}>${cell}</td>`;
    }),
    html`</tr>
`,
  ]);
  return html`<table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>
${body}</tbody></table>
`;
}

/** The table can be wider than a phone: then it scrolls, not the page. `of`: the parameter of the label, which must be unique. */
export function scroll(words: Words, label: TextKey, content: Html, of?: string): Html {
  const named = of === undefined ? words.label(label) : words.label(label, of);
  return html`<div class="scroll" role="region" tabindex="0" ${named}>${content}</div>
`;
}

export function formatPairs(pairs: readonly (readonly [name: Html, value: Html])[]): Html {
  return html`<dl>${pairs.map(
    ([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>
`,
  )}</dl>
`;
}
