// Responsible for sentences with parameters: `{0}` is a parameter; `{0|day|days}` is `day` if parameter 0 is 1, else `days`. Pure.

export type Parameter = string | number;

/** `showNumber`: how a number is written. A parameter that is missing gives no text. */
export function fillTemplate(
  template: string,
  parameters: readonly Parameter[],
  showNumber: (value: number) => string,
): string {
  return template.replaceAll(
    /\{(\d)(?:\|([^|}]*)\|([^}]*))?\}/g,
    (_match, index: string, one: string | undefined, many: string) => {
      const value = parameters[Number(index)] ?? '';
      if (one !== undefined) return value === 1 ? one : many;
      return typeof value === 'number' ? showNumber(value) : value;
    },
  );
}
