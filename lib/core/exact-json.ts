// Owns JSON without loss: numbers that a double cannot hold keep their digits. Refuses I/O.

/** A number as it was written, where Number would change it. */
export class RawNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

// Strings as runs of plain characters: an alternation for each of them would use up the stack at some ten million.
const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function isExact(text: string): boolean {
  return text.length < 16 ? /^-?\d+$/.test(text) && text !== '-0' : String(Number(text)) === text;
}

/** What is nested deeper is refused, since whatever walks through it would use up the stack. */
const depthMax = 500;

/**
 * JSON.parse, but every number whose text Number would not give back becomes a RawNumber.
 * Throws SyntaxError as JSON.parse does, and for what is nested more than 500 deep.
 */
export function parseExact(text: string): unknown {
  // Before the scan: in a string without an end it would start anew at every escaped quote.
  const plain: unknown = JSON.parse(text);
  if (isDeeper(plain, depthMax)) throw new SyntaxError(`JSON nested more than ${depthMax} deep`);
  let inexact = false;
  for (const [part] of text.matchAll(token)) {
    if (part[0] !== '"' && !isExact(part)) {
      inexact = true;
      break;
    }
  }
  if (!inexact) return plain;
  // A mark that no string of this text can start with, found by trying: deterministic, and not to be spoofed.
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

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

function containsPrefix(value: unknown, prefix: string): boolean {
  if (typeof value === 'string') return value.startsWith(prefix);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([name, inner]) => name.startsWith(prefix) || containsPrefix(inner, prefix),
  );
}

/** JSON.stringify without spaces; a RawNumber is written as it came, every own key is kept, `__proto__` too. */
export function stringifyExact(value: unknown): string {
  if (value instanceof RawNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(stringifyExact).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}:${stringifyExact(inner)}`,
    );
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** JSON with keys sorted at every level: one text for equal values. */
export function stringifyCanonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stringifyCanonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => `${JSON.stringify(name)}:${stringifyCanonical(inner)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
