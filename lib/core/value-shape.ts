// Responsible for the small checks of values from outside: objects, int32 and well-formed text.

/** The value if it is an object (arrays included), otherwise an empty object, so that any field can be read. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

// With the u flag, \p{Surrogate} matches only a surrogate that is not part of a pair.
const loneSurrogate = /\p{Surrogate}/u;

/** False for text that UTF-8 cannot encode. As String.prototype.isWellFormed, which Node 18 does not have. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}
