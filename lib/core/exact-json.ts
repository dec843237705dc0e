// Responsible for JSON without loss: a number that a double cannot hold keeps its digits.

/** The text of a number that Number() would change. */
export class RawNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

// The pattern matches plain characters in runs. One alternative per character would overflow the stack in long strings.
const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function isExact(text: string): boolean {
  return text.length < 16 ? /^-?\d+$/.test(text) && text !== '-0' : String(Number(text)) === text;
}

/**
 * Where a number starts that may not be exact: with a fraction, an exponent, `-0` or at least 15 digits. It also matches such digits
 * in a string.
 */
const maybeInexact = /(?:^|[:,[])\s*(?:-0|-?\d+[.eE]|-?\d{15})/;

/** `text`: valid JSON. */
function hasInexact(text: string): boolean {
  // Most texts have none. Looking at each token takes several times as long.
  if (!maybeInexact.test(text)) return false;
  for (const [part] of text.matchAll(token)) {
    if (part[0] !== '"' && !isExact(part)) return true;
  }
  return false;
}

/** Deeper JSON is rejected, because code that walks through it recursively would overflow the stack. */
export const depthMax = 500;

/**
 * True if the text opens more than `levels` arrays and objects in each other. To be called before JSON.parse, which needs up to
 * 40 bytes of memory for each open level (60 MB of `[`: 2.9 GB).
 */
export function isDeeper(text: string, levels: number): boolean {
  // Also counts those in strings, which is quick, and enough for most texts.
  if (countUpTo(levels + 1, text, '[') + countUpTo(levels + 1, text, '{') <= levels) return false;
  let depth = 0;
  return someMark(text, (mark) => {
    if (mark === ']' || mark === '}') depth -= 1;
    else if (mark !== ',') depth += 1;
    return depth > levels;
  });
}

/** Whether `isWanted` accepts one of the characters `[]{},` outside of strings. */
function someMark(text: string, isWanted: (mark: string) => boolean): boolean {
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] as string;
    if (isInString) {
      if (character === '\\') index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if ('[]{},'.includes(character) && isWanted(character)) return true;
  }
  return false;
}

/**
 * More values are rejected: JSON.parse takes up to 60 bytes of memory for a value of 3 bytes. A page of 200 nodes has 10,000 values, a
 * schedule about 30 a target.
 */
export const valuesMax = 1_000_000;

/** True if the text has more than `values` arrays, objects, members and elements. To be called before JSON.parse. */
function hasMore(text: string, values: number): boolean {
  if (text.length <= values) return false;
  const marks = [',', '[', '{'];
  // Also counts those in strings, which is quick, and enough for most texts.
  const count = marks.reduce((sum, mark) => sum + countUpTo(values + 1, text, mark), 0);
  if (count <= values) return false;
  let seen = 0;
  return someMark(text, (mark) => {
    if (mark !== ']' && mark !== '}') seen += 1;
    return seen > values;
  });
}

/** Throws SyntaxError for text that would take too much memory. */
function requireBounded(text: string): void {
  if (isDeeper(text, depthMax)) throw new SyntaxError(`it has more than ${depthMax} levels`);
  if (hasMore(text, valuesMax)) throw new SyntaxError(`it has more than ${valuesMax} values`);
}

/** Like JSON.parse, for text that another program may have written. Throws SyntaxError also for more than 500 levels or a million values. */
export function parseBounded(text: string): unknown {
  requireBounded(text);
  return JSON.parse(text);
}

/** How often the text has the character; `max` if it has more. */
function countUpTo(max: number, text: string, character: string): number {
  let count = 0;
  let index = text.indexOf(character);
  while (index >= 0 && count < max) {
    count += 1;
    index = text.indexOf(character, index + 1);
  }
  return count;
}

/**
 * Like JSON.parse, but a number that Number() cannot write back as the same text becomes a RawNumber.
 * Throws SyntaxError as parseBounded().
 */
export function parseExact(text: string): unknown {
  requireBounded(text);
  // Parse before the scan. In a string without an end, the scan would start again at every escaped quote: quadratic time.
  const plain: unknown = JSON.parse(text);
  if (!hasInexact(text)) return plain;
  // Find a prefix that no string of this text starts with. Then no string can be mistaken for a number.
  let mark = 'number:';
  while (containsPrefix(plain, mark)) mark = `_${mark}`;
  const marked = text.replace(token, (part) =>
    part[0] === '"' || isExact(part) ? part : `"${mark}${part}"`,
  );
  return JSON.parse(marked, (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark)
      ? new RawNumber(value.slice(mark.length))
      : value,
  );
}

function containsPrefix(value: unknown, prefix: string): boolean {
  if (typeof value === 'string') return value.startsWith(prefix);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([name, inner]) => name.startsWith(prefix) || containsPrefix(inner, prefix),
  );
}

/**
 * Like JSON.stringify. A RawNumber is written with its own text. Every own key is kept, also `__proto__`. `isSorted`: the members of
 * every object are sorted, so that equal values have the same text.
 */
export function stringifyExact(value: unknown, isSorted = false): string {
  if (value instanceof RawNumber) return value.text;
  if (Array.isArray(value)) {
    return `[${value.map((inner) => stringifyExact(inner, isSorted)).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}:${stringifyExact(inner, isSorted)}`,
    );
    return `{${(isSorted ? members.sort() : members).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** As JSON.stringify, with the members of every object sorted, so that equal values have the same text. */
export function stringifyCanonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
