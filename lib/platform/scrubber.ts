// Responsible for removing known secrets from text. Not responsible for knowing which values are secret: callers add them.

import type { Scrubber } from '../core/ports.ts';

/** Shorter secrets would match parts of ordinary words. */
const secretCharsMin = 4;
/** Replaces a secret. */
export const redacted = '[redacted]';

/** A part of a PEM text whose line breaks are real, written as \n, or spaces. */
const keyLine = /^[A-Za-z0-9+/=]{16,}$/;

/** Takes time in proportion to the text, however many secrets there are. */
export function createScrubber(): Scrubber {
  const known = new Set<string>();
  /** By their first characters. The longest first, so that a form that contains a shorter form is replaced as a whole. */
  const forms = new Map<string, string[]>();
  function findForm(text: string, at: number): string | undefined {
    const found = forms.get(text.slice(at, at + secretCharsMin));
    return found?.find((form) => text.startsWith(form, at));
  }
  return {
    add(secret) {
      if (secret.length < secretCharsMin || known.has(secret)) return;
      known.add(secret);
      const lines = secret.split(/(?:\s|\\r|\\n)+/).filter((line) => keyLine.test(line));
      // Of a private key an error may show a single line.
      for (const form of [secret, ...lines].flatMap(listForms)) {
        const start = form.slice(0, secretCharsMin);
        const others = forms.get(start) ?? [];
        if (others.includes(form)) continue;
        forms.set(
          start,
          [...others, form].sort((a, b) => b.length - a.length),
        );
      }
    },
    scrub(text) {
      let scrubbed = '';
      let keptFrom = 0;
      for (let at = 0; at <= text.length - secretCharsMin; at += 1) {
        const form = findForm(text, at);
        if (form === undefined) continue;
        scrubbed += text.slice(keptFrom, at) + redacted;
        keptFrom = at + form.length;
        at = keptFrom - 1;
      }
      return scrubbed + text.slice(keptFrom);
    },
  };
}

/** The forms in which a secret can appear in a text: plain, in JSON, in a URI, in base64. */
function listForms(secret: string): string[] {
  const wellFormed = Buffer.from(secret, 'utf8').toString('utf8');
  const escaped = JSON.stringify(secret).slice(1, -1);
  const encoded = encodeURIComponent(wellFormed);
  const strict = encoded.replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const uris = [encoded, strict, encodeURI(wellFormed), strict.replaceAll('%20', '+')];
  const lower = uris.map((uri) => uri.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase()));
  return [
    secret,
    wellFormed,
    escaped,
    escaped.replaceAll('/', '\\/'),
    // JSON inside a JSON string.
    JSON.stringify(escaped).slice(1, -1),
    ...uris,
    ...lower,
    ...listBase64Forms(secret),
  ].filter((form) => form.length >= secretCharsMin);
}

/**
 * In base64, a text inside a longer text has three different forms, depending on its position. The first and last characters
 * are left out where they also contain bits of the surrounding text.
 */
function listBase64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const whole = bytes.toString('base64');
  const forms = [whole, whole.replaceAll('=', '')];
  for (const before of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
    const text = shifted.toString('base64').replaceAll('=', '');
    const inner = text.slice([0, 2, 3][before], shifted.length % 3 === 0 ? undefined : -1);
    // A shorter form could be part of an ordinary word.
    if (inner.length >= 8) forms.push(inner);
  }
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}
