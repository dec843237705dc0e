// Responsible for the last line of a terminal: it is drawn, erased, and kept below everything that is printed.

export interface StatusLine {
  /** Prints whole lines above the status line. */
  print(text: string): void;
  show(text: string): void;
  hide(): void;
}

/** Carriage return, then "erase in line" (ECMA-48, EL). */
const erase = '\r\u001b[2K';

/** `write` must reach a terminal. */
export function createStatusLine(write: (text: string) => void): StatusLine {
  let shown = '';
  return {
    print(text) {
      // One write, so that no other output comes between the parts.
      write(shown === '' ? text : `${erase}${text}${shown}`);
    },
    show(text) {
      if (text === shown) return;
      write(`${shown === '' ? '' : erase}${text}`);
      shown = text;
    },
    hide() {
      if (shown !== '') write(erase);
      shown = '';
    },
  };
}
