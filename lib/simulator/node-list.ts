// Responsible for the order of a project's nodes, and for what changed them. Keeps only the changes: a node is made when it
// is asked for, so a list of a million nodes needs hardly more memory than a list of ten.

import type { NodeMaker, NodeRecord } from './nodes.ts';

/** Sorts records into classes 1 to 255. It may depend on the record only. */
export type Classify = (record: NodeRecord) => number;

/** Positions count from 0. Records are new objects, unless `replace` put them into the list. */
export interface NodeList {
  readonly length: number;
  at(position: number): NodeRecord;
  /** Like the method of an array, without negative numbers. */
  slice(start: number, end: number): NodeRecord[];
  /** Inserts a new node before `position`, and returns it. */
  insert(position: number): NodeRecord;
  remove(position: number): void;
  /** `to`: the position that the node then has. */
  move(from: number, to: number): void;
  /** Gives fields of one node other values. Equal changes should share one object, which is kept. */
  change(position: number, fields: Readonly<NodeRecord>): void;
  /** Keeps these records in place of the list. */
  replace(records: readonly NodeRecord[]): void;
  /**
   * Calls `visit` for each node in order, with its class and its number. `name` stands for `classify`: each node is made and
   * classified once, and again only after a change.
   */
  visitClasses(
    name: string,
    classify: Classify,
    visit: (classOfNode: number, ordinal: number) => void,
  ): void;
  /** The node with this number, wherever it is in the list. */
  read(ordinal: number): NodeRecord;
}

/** Nodes with consecutive numbers, in ascending order. */
interface Run {
  first: number;
  count: number;
}

/** Classes of one name are a byte per node. Old ones are forgotten. */
const classNamesMax = 16;

/** The nodes with the numbers 0 to `count - 1`. Later nodes get the next numbers. */
// Long because: one state, and the operations that share it.
export function createNodeList(count: number, makeNode: NodeMaker): NodeList {
  let length = count;
  let nextOrdinal = count;
  let runs: Run[] = count > 0 ? [{ first: 0, count }] : [];
  /** By number. */
  const edited = new Map<number, NodeRecord>();
  const changed = new Map<number, Readonly<NodeRecord>>();
  const classesByName = new Map<string, Uint8Array>();

  function recordOf(ordinal: number): NodeRecord {
    const record = edited.get(ordinal) ?? makeNode(ordinal);
    const fields = changed.get(ordinal);
    return fields ? { ...record, ...fields } : record;
  }

  function forgetClasses(ordinal: number): void {
    for (const classes of classesByName.values()) classes[ordinal] = 0;
  }

  function visitNumbers(visit: (ordinal: number) => void): void {
    for (const { first, count: nodes } of runs) {
      for (let ordinal = first; ordinal < first + nodes; ordinal += 1) visit(ordinal);
    }
  }

  /** The run that holds `position`, and the position of its first node. */
  function locate(position: number): { index: number; start: number } {
    let start = 0;
    let index = 0;
    for (; index < runs.length; index += 1) {
      const { count: nodes } = runs[index] as Run;
      if (position < start + nodes) break;
      start += nodes;
    }
    return { index, start };
  }

  function ordinalAt(position: number): number {
    const { index, start } = locate(position);
    const run = runs[index];
    if (!run || position < 0) throw new RangeError(`position ${position} of ${length} nodes`);
    return run.first + position - start;
  }

  /** Makes `position` the start of a run, and returns the index of this run. */
  function splitAt(position: number): number {
    const { index, start } = locate(position);
    const run = runs[index];
    if (!run || start === position) return index;
    const left = position - start;
    runs.splice(index + 1, 0, { first: run.first + left, count: run.count - left });
    run.count = left;
    return index + 1;
  }

  function put(position: number, ordinal: number): void {
    runs.splice(splitAt(position), 0, { first: ordinal, count: 1 });
    length += 1;
  }

  function take(position: number): number {
    const ordinal = ordinalAt(position);
    const index = splitAt(position);
    splitAt(position + 1);
    runs.splice(index, 1);
    length -= 1;
    return ordinal;
  }

  function slice(start: number, end: number): NodeRecord[] {
    const records: NodeRecord[] = [];
    const last = Math.min(end, length);
    let { index, start: position } = locate(start);
    for (; index < runs.length && position < last; index += 1) {
      const run = runs[index] as Run;
      const from = Math.max(0, start - position);
      const to = Math.min(run.count, last - position);
      for (let offset = from; offset < to; offset += 1) records.push(recordOf(run.first + offset));
      position += run.count;
    }
    return records;
  }

  function classesOf(name: string): Uint8Array {
    const known = classesByName.get(name);
    if (known && known.length >= nextOrdinal) return known;
    const classes = new Uint8Array(Math.ceil(nextOrdinal * 1.25));
    if (known) classes.set(known);
    const [oldest] = classesByName.keys();
    if (!known && oldest !== undefined && classesByName.size >= classNamesMax) {
      classesByName.delete(oldest);
    }
    classesByName.set(name, classes);
    return classes;
  }

  return {
    get length() {
      return length;
    },
    at: (position) => recordOf(ordinalAt(position)),
    slice,
    insert(position) {
      put(position, nextOrdinal);
      nextOrdinal += 1;
      return recordOf(nextOrdinal - 1);
    },
    remove(position) {
      changed.delete(take(position));
    },
    move(from, to) {
      put(to, take(from));
    },
    change(position, fields) {
      const ordinal = ordinalAt(position);
      const earlier = changed.get(ordinal);
      changed.set(ordinal, earlier ? { ...earlier, ...fields } : fields);
      forgetClasses(ordinal);
    },
    replace(records) {
      edited.clear();
      changed.clear();
      classesByName.clear();
      for (const record of records) edited.set(nextOrdinal + edited.size, record);
      length = records.length;
      runs = length > 0 ? [{ first: nextOrdinal, count: length }] : [];
      nextOrdinal += length;
    },
    visitClasses(name, classify, visit) {
      const classes = classesOf(name);
      visitNumbers((ordinal) => {
        if (classes[ordinal] === 0) classes[ordinal] = classify(recordOf(ordinal));
        visit(classes[ordinal] as number, ordinal);
      });
    },
    read: recordOf,
  };
}
