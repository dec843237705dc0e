// Responsible for HTML text: what is put into the template `html` is escaped unless it is HTML itself. Pure.

import type { Parameter } from '../../core/text-template.ts';
import type { TextKey } from './strings-en.ts';
import { formatText, type Language, languageTags, showName } from './texts.ts';

/** HTML text. Only the functions of this file make it from other text. */
export interface Html {
  readonly html: string;
}

type Content = Html | string | number | null | readonly Content[];

export function html(texts: TemplateStringsArray, ...contents: Content[]): Html {
  return {
    html: texts.map((text, index) => text + toHtml(contents[index] ?? null)).join(''),
  };
}

function toHtml(content: Content): string {
  if (content === null) return '';
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  return 'html' in content ? content.html : content.map(toHtml).join('');
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Words of code that sends something. A page does not have them, also not in a name, so that a search for them finds nothing. */
const codeWords = /fetch\(|XMLHttpRequest|sendBeacon|@import|url\(http|(?:src|href)\s*=/gi;

function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
    .replaceAll(codeWords, (word) => `${word.slice(0, -1)}&#${word.charCodeAt(word.length - 1)};`);
}

/** JSON that cannot end the element that it is in. It is the last character of a word, because the first can be of an escape. */
export function embedJson(value: unknown): Html {
  const escapeLast = (text: string) =>
    `${text.slice(0, -1)}\\u${text
      .charCodeAt(text.length - 1)
      .toString(16)
      .padStart(4, '0')}`;
  return {
    html: JSON.stringify(value)
      .replaceAll(/[<\u2028\u2029]/g, escapeLast)
      .replaceAll(codeWords, escapeLast),
  };
}

/** Marks text as HTML without escaping it: for the script, the style and the data, which are made here. */
export function trustHtml(text: string): Html {
  return { html: text };
}

/** Text of the data: its direction does not change that of the text around it. */
export function name(text: string): Html {
  return html`<bdi>${showName(text)}</bdi>`;
}

/** Text that may break at any place: keys and addresses. */
export function code(text: string): Html {
  return html`<code dir="ltr">${showName(text)}</code>`;
}

/** A hash, which is printed in one line. */
export function hash(text: string): Html {
  return html`<code dir="ltr" class="hash">${showName(text)}</code>`;
}

/** Between two sentences. The style hides it in Chinese, where a full stop brings its own space. */
export const gap: Html = { html: '<span class="g"> </span>' };

/** Says a text in the language of the page, in elements that the script can say again in the other one. */
export interface Words {
  language: Language;
  tag: string;
  say(key: TextKey, ...parameters: Parameter[]): Html;
  /** For the attribute `aria-label` of an element: both attributes that it needs. */
  label(key: TextKey, ...parameters: Parameter[]): Html;
  plain(key: TextKey, ...parameters: Parameter[]): string;
}

export function openWords(language: Language): Words {
  const plain = (key: TextKey, ...parameters: Parameter[]) => formatText(language, key, parameters);
  const list = (parameters: Parameter[]) =>
    parameters.length === 0 ? null : html` data-p="${JSON.stringify(parameters)}"`;
  return {
    language,
    tag: languageTags[language],
    plain,
    say: (key, ...parameters) =>
      html`<span data-t="${key}"${list(parameters)}>${plain(key, ...parameters)}</span>`,
    label: (key, ...parameters) =>
      html`aria-label="${plain(key, ...parameters)}" data-l="${key}"${list(parameters)}`,
  };
}
