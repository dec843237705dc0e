// Responsible for reading cgs-export.yml without the values of its variables, because `package` has none.

import { parseConfigText } from '../config/text.ts';

/** Stands for the value of every variable, so that values with variables can be recognised. */
export const placeholder = '\u{f0000}';

/** The settings by name, not checked. `onVariable` gets each name in a `${NAME}`. Throws ConfigError if the text does not parse. */
export function parseUnfilled(
  text: string,
  fileName: string,
  onVariable: (name: string) => void = () => {},
): Readonly<Record<string, unknown>> {
  const variables = new Proxy<Record<string, string>>(
    {},
    {
      get(_target, name) {
        onVariable(String(name));
        return placeholder;
      },
    },
  );
  return parseConfigText(text, fileName, variables).value;
}

/** Whether the setting `mounted` is true, or a variable that can be. */
export function mayBeMounted(mounted: unknown): boolean {
  return ['true', placeholder].includes(String(mounted ?? false));
}
