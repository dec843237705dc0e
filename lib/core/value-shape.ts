// Responsible for the small checks of values from outside: objects, whole numbers, times and well-formed text.

/** The value if it is an object (arrays included), otherwise an empty object, so that any field can be read. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

const int64Max = 2n ** 63n - 1n;

/** Whether the text is a whole number from -2^63 to 2^63 - 1, written in the one form of a cell: no leading zeros, no `-0`. */
export function isInt64Text(text: string): boolean {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return false;
  // 18 digits always fit.
  if (text.length <= 18) return true;
  const value = BigInt(text);
  return value >= -int64Max - 1n && value <= int64Max;
}

/** 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. Readers reject years of more than 4 digits. */
const timestampMinMs = -62_167_219_200_000;
const timestampMaxMs = 253_402_300_799_999;

/** Whether it is whole milliseconds between the years 0000 and 9999. */
export function isTimestampMs(value: number): boolean {
  return Number.isInteger(value) && value >= timestampMinMs && value <= timestampMaxMs;
}

// With the u flag, \p{Surrogate} matches only a surrogate that is not part of a pair.
const loneSurrogate = /\p{Surrogate}/u;

/** False for text that UTF-8 cannot encode. As String.prototype.isWellFormed, which Node 18 does not have. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}
