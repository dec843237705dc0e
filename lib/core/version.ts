// Owns this program's version. Refuses package.json at run time: a bundle has none.

/** Put in by build.mjs. */
declare const __VERSION__: string | undefined;

/** That of package.json in everything built; `0.0.0-source` where the sources run as they are. */
export const VERSION: string = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source';
