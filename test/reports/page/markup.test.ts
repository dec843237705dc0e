// Tests that text cannot become HTML.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { code, html, name, openWords, trustHtml } from '../../../lib/reports/page/markup.ts';

test('text is escaped, HTML is not, null is nothing', () => {
  expect(html`<p title="${'"'}">${'<&>'} ${3} ${null}${[html`<b></b>`, 'x']}</p>`.html).toBe(
    '<p title="&quot;">&lt;&amp;&gt; 3 <b></b>x</p>',
  );
  expect(html`${trustHtml('<i>')}`.html).toBe('<i>');
});

test('no text of the data makes a tag or ends an attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const { say } = openWords('en');
      for (const made of [
        name(text),
        code(text),
        say('signedBy', text),
        html`<p title="${text}">`,
      ]) {
        const rest = made.html.replaceAll(
          /<\/?(bdi|code|span|p)( (dir|data-t|data-p|title)="[^"<>]*")*>/g,
          '',
        );
        expect(rest).not.toMatch(/[<>"]/);
      }
    }),
  );
});

test('a text carries its key and parameters, so that the script can translate it', () => {
  const { say, label } = openWords('en');
  expect(say('signedBy', 'a"b').html).toBe(
    '<span data-t="signedBy" data-p="[&quot;a\\&quot;b&quot;]">Signed by a&quot;b</span>',
  );
  expect(html`<nav ${label('contents')}>`.html).toBe(
    '<nav aria-label="Contents" data-l="contents">',
  );
});
