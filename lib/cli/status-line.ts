// Owns the terminal's last line: drawn, erased, and out of the way of everything printed. Refuses to know what it says.

export interface StatusLine {
  /** Prints whole lines above it. */
  print(text: string): void;
  show(text: string): void;
  hide(): void;
}

/** Carriage return, erase the line. ECMA-48, EL. */
const erase = '\r\u001b[2K';

/** `write` reaches a terminal. */
export function createStatusLine(write: (text: string) => void): StatusLine {
  let shown = '';
  return {
    print(text) {
      // In one write: nobody's output comes in between.
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
