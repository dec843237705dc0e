// Responsible for the button that changes between light and dark, and for tables that are printed although they are folded.

/** At first the page follows the system. The button sets the other theme for this visit. */
export function startTheme(): void {
  const root = document.documentElement;
  document.getElementById('theme')?.addEventListener('click', () => {
    const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    root.dataset.theme = (root.dataset.theme ?? system) === 'dark' ? 'light' : 'dark';
  });
}

/** The figures by day are printed, also those of single targets. */
export function openBeforePrint(): void {
  const closed = new Set<HTMLDetailsElement>();
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll<HTMLDetailsElement>('details:not([open])')) {
      details.open = true;
      closed.add(details);
    }
  });
  addEventListener('afterprint', () => {
    for (const details of closed) details.open = false;
    closed.clear();
  });
}
