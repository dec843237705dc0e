// Responsible for the lists of the page: makes the headers of a table buttons that sort, adds a filter and pages, and shows the rows.

import type { ReportFigures } from '../figures.ts';
import {
  type Cell,
  pageSizes,
  rowChoices,
  rowColumns,
  type Table,
  type TableRows,
} from '../page/row-columns.ts';
import type { TextKey } from '../page/strings-en.ts';
import { classes } from '../page/table-markup.ts';
import { formatNumber, formatText, type Language } from '../page/texts.ts';
import { createRowTable, type RowTable } from './row-table.ts';

export interface Lists {
  show(language: Language): void;
  /** All rows that match the filter on one page, for print; then the page of before. */
  showAll(): void;
  showPage(): void;
}

export function startLists(figures: ReportFigures, start: Language): Lists {
  const lists = [
    startList('nodes', figures.nodes.shown, start),
    startList('changes', figures.changes.shown, start),
  ];
  return {
    show(language) {
      for (const list of lists) list?.show(language);
    },
    showAll() {
      for (const list of lists) list?.showAll();
    },
    showPage() {
      for (const list of lists) list?.showPage();
    },
  };
}

/** An element with a text that the change of the language says again. */
function say<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  key: TextKey,
  language: Language,
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.dataset.t = key;
  element.textContent = formatText(language, key);
  return element;
}

function startList<Name extends Table>(
  name: Name,
  rows: readonly TableRows[Name][],
  start: Language,
): Lists | null {
  const list = document.querySelector<HTMLElement>(`[data-list=${name}]`);
  const body = list?.querySelector('tbody');
  if (!list || !body) return null;
  let language = start;
  const columns = rowColumns[name];
  const table = createRowTable(rows, columns);
  const status = document.createElement('p');
  status.className = 'status';
  status.setAttribute('role', 'status');
  const pager = createPager(table, language);
  const show = () => {
    const shown = table
      .getRowModel()
      .rows.map(({ original }) =>
        createRow(columns.map((column) => ({ ...column.cell(original, language), column }))),
      );
    body.replaceChildren(...shown);
    status.textContent = describeRows(table, language);
    showSorting(
      list,
      columns.map((column) => table.getColumn(column.name)?.getIsSorted()),
    );
    pager.show();
  };
  const change = (act: () => void) => {
    act();
    show();
  };
  for (const [index, header] of [...list.querySelectorAll<HTMLElement>('thead th')].entries()) {
    const column = table.getColumn(columns[index]?.name ?? '');
    const button = document.createElement('button');
    button.type = 'button';
    // The text without the button is for print: see page.css.
    button.append(header.firstElementChild?.cloneNode(true) ?? '');
    header.prepend(button);
    button.addEventListener('click', () => change(() => column?.toggleSorting()));
  }
  list.querySelector('.status')?.remove();
  list.prepend(createFilter(name, table, language, change));
  list.append(createFoot(status, pager.element));
  pager.onPage(change);
  show();
  return {
    ...openPrint(table, change),
    show(chosen) {
      language = chosen;
      const filter = list.querySelector<HTMLInputElement>('input[type=search]');
      if (filter) filter.placeholder = formatText(language, 'filterHint');
      show();
    },
  };
}

function openPrint<Row extends object>(
  table: RowTable<Row>,
  change: Change,
): Pick<Lists, 'showAll' | 'showPage'> {
  let before: { pageIndex: number; pageSize: number } | null = null;
  return {
    showAll() {
      before ??= { ...table.store.state.pagination };
      const pageSize = Math.max(1, table.getFilteredRowModel().rows.length);
      change(() => table.setPagination({ pageIndex: 0, pageSize }));
    },
    showPage() {
      const pagination = before;
      before = null;
      if (pagination) change(() => table.setPagination(pagination));
    },
  };
}

function createFoot(...content: Node[]): HTMLElement {
  const foot = document.createElement('div');
  foot.className = 'foot';
  foot.append(...content);
  return foot;
}

function createRow(
  cells: readonly (Cell & { column: { kind?: keyof typeof classes } })[],
): HTMLTableRowElement {
  const row = document.createElement('tr');
  for (const [index, { main, isData, detail, column }] of cells.entries()) {
    const cell = document.createElement(index === 0 ? 'th' : 'td');
    if (index === 0) cell.setAttribute('scope', 'row');
    if (column.kind) cell.className = classes[column.kind];
    cell.append(isData ? isolate(main) : main);
    if (detail !== undefined) {
      const small = document.createElement('small');
      small.append(isolate(detail));
      cell.append(small);
    }
    row.append(cell);
  }
  return row;
}

/** Text of the data, whose direction does not change that of the text around it. */
function isolate(text: string): HTMLElement {
  const element = document.createElement('bdi');
  element.textContent = text;
  return element;
}

function describeRows<Row extends object>(table: RowTable<Row>, language: Language): string {
  const { pageIndex, pageSize } = table.store.state.pagination;
  const count = table.getFilteredRowModel().rows.length;
  if (count === 0) return formatText(language, 'shownNone');
  const first = pageIndex * pageSize + 1;
  return formatText(language, 'shownRows', [first, Math.min(count, first + pageSize - 1), count]);
}

function showSorting(list: HTMLElement, sorted: readonly (false | string | undefined)[]): void {
  for (const [index, header] of [...list.querySelectorAll('thead th')].entries()) {
    const direction = sorted[index];
    if (direction === 'asc' || direction === 'desc') {
      header.setAttribute('aria-sort', direction === 'asc' ? 'ascending' : 'descending');
    } else {
      header.removeAttribute('aria-sort');
    }
  }
}

type Change = (act: () => void) => void;

function createFilter<Name extends Table>(
  name: Name,
  table: RowTable<TableRows[Name]>,
  language: Language,
  change: Change,
): HTMLElement {
  const choices = rowChoices[name];
  const input = document.createElement('input');
  input.type = 'search';
  input.placeholder = formatText(language, 'filterHint');
  const select = document.createElement('select');
  for (const [index, { title }] of choices.entries()) {
    const option = say('option', title, language);
    option.value = String(index);
    select.append(option);
  }
  const size = document.createElement('select');
  for (const rows of pageSizes) size.append(new Option(formatNumber(rows), String(rows)));
  const filter = () =>
    change(() => {
      const matches = choices[Number(select.value)]?.matches ?? (() => true);
      table.setGlobalFilter({ text: input.value.trim(), matches });
      table.setPageIndex(0);
    });
  input.addEventListener('input', filter);
  select.addEventListener('change', filter);
  size.addEventListener('change', () => change(() => table.setPageSize(Number(size.value))));
  const bar = document.createElement('div');
  bar.className = 'filter';
  for (const [title, control] of [
    ['filterLabel', input],
    ['reasonLabel', select],
    ['pageSize', size],
  ] as const) {
    const label = document.createElement('label');
    label.append(say('span', title, language), ' ', control);
    bar.append(label);
  }
  return bar;
}

interface Pager {
  element: HTMLElement;
  onPage(change: Change): void;
  show(): void;
}

function createPager<Row extends object>(table: RowTable<Row>, language: Language): Pager {
  const element = document.createElement('div');
  element.className = 'pager';
  const buttons = [
    { key: 'pageFirst', sign: '«', act: () => table.firstPage(), isBack: true },
    { key: 'pagePrevious', sign: '‹', act: () => table.previousPage(), isBack: true },
    { key: 'pageNext', sign: '›', act: () => table.nextPage(), isBack: false },
    { key: 'pageLast', sign: '»', act: () => table.lastPage(), isBack: false },
  ] as const;
  const made = buttons.map(({ key, sign, act, isBack }) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = sign;
    button.dataset.l = key;
    button.setAttribute('aria-label', formatText(language, key));
    return { button, act, isBack };
  });
  element.append(...made.map(({ button }) => button));
  return {
    element,
    onPage(change) {
      for (const { button, act } of made) button.addEventListener('click', () => change(act));
    },
    show() {
      element.hidden = table.getPageCount() <= 1;
      for (const { button, isBack } of made) {
        button.disabled = isBack ? !table.getCanPreviousPage() : !table.getCanNextPage();
      }
    },
  };
}
