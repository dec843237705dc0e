// Responsible for the language of the page: says each text again in the other language. Texts are set as text, never as HTML.

import type { Parameter } from '../../core/text-template.ts';
import type { TextKey } from '../page/strings-en.ts';
import { formatText, type Language, languageTags } from '../page/texts.ts';

function readParameters(element: HTMLElement): Parameter[] {
  return JSON.parse(element.dataset.p ?? '[]');
}

/** `onChange`: shows the parts that the script made itself. */
export function startLanguage(start: Language, onChange: (language: Language) => void): void {
  let language = start;
  const button = document.getElementById('language');
  const label = () => {
    if (!button) return;
    const other: Language = language === 'en' ? 'zh' : 'en';
    button.textContent = formatText(language, 'switchLanguage');
    button.lang = languageTags[other];
  };
  label();
  button?.addEventListener('click', () => {
    language = language === 'en' ? 'zh' : 'en';
    sayAgain(language);
    label();
    onChange(language);
  });
}

function sayAgain(language: Language): void {
  const root = document.documentElement;
  root.lang = languageTags[language];
  root.dataset.language = language;
  const title = document.title.replace(/^.*?(?= \d{4}-)/, formatText(language, 'title'));
  document.title = title;
  for (const element of document.querySelectorAll<HTMLElement>('[data-t]')) {
    const key = element.dataset.t as TextKey;
    element.textContent = formatText(language, key, readParameters(element));
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-l]')) {
    const key = element.dataset.l as TextKey;
    element.setAttribute('aria-label', formatText(language, key, readParameters(element)));
  }
}
