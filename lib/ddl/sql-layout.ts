// Responsible for how SQL is laid out in lines, in every dialect.

/** Items with commas, in lines of about 110 characters. */
export function wrap(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const [index, item] of items.entries()) {
    const text = index < items.length - 1 ? `${item},` : item;
    const last = lines.at(-1);
    if (last !== undefined && last.length + text.length < 110) {
      lines[lines.length - 1] = `${last} ${text}`;
    } else {
      lines.push(`  ${text}`);
    }
  }
  return lines;
}
