// Responsible for the texts of the page: a key with parameters becomes a sentence of a language, a number or a name readable text.
// The server and the script of the page share it.

import { fillTemplate, type Parameter } from '../../core/text-template.ts';
import { english, type TextKey, type Texts } from './strings-en.ts';
import { chinese } from './strings-zh.ts';

export type Language = 'en' | 'zh';

const languages: Record<Language, Texts> = { en: english, zh: chinese };
/** The value of the attribute `lang`. */
export const languageTags: Record<Language, string> = { en: 'en', zh: 'zh-Hans' };

/** Numbers are grouped. */
export function formatText(
  language: Language,
  key: TextKey,
  parameters: readonly Parameter[] = [],
): string {
  return fillTemplate(languages[language][key], parameters, formatNumber);
}

/** Made once: to make one costs more than all else of a cell. */
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

export function formatNumber(value: number): string {
  return grouped.format(value);
}

/** `2026-11-25T20:15:52Z` → `2026-11-25 20:15`. The page says that all times are in UTC. */
export function formatTime(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** Characters that are not seen, or that change the direction of the text around them. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const nameMax = 256;
const sentenceMax = 4_000;

/** Control characters as `\u….`; cut after 256 characters, so that the size of a page has a limit. */
export function showName(name: string): string {
  return cut(name, nameMax);
}

/** As showName, cut after 4,000 characters. */
export function showSentence(text: string): string {
  return cut(text.slice(0, 1).toUpperCase() + text.slice(1), sentenceMax);
}

function cut(text: string, most: number): string {
  const shown = text.length > most ? `${text.slice(0, most)}…` : text;
  return shown.replace(
    unseen,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function isLanguage(text: string | undefined): text is Language {
  return text === 'en' || text === 'zh';
}
