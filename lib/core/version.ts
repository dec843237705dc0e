// Responsible for this program's version. It cannot be read from package.json at run time: a bundle has none.

/** Set by build.mjs. */
declare const __VERSION__: string | undefined;

/** The version of package.json in a build; `0.0.0-source` when the sources run without a build. */
export const VERSION: string = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source';
