// Responsible for the list of a project's nodes, and for what changed in it. Keeps only the changes: a node is made when it
// is read, so a list of a million nodes needs hardly more memory than a list of ten.

import type { NodeMaker, NodeRecord } from './nodes.ts';
import { createNumberOrder } from './number-order.ts';

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

/** Classes of one name are a byte per node. Old ones are forgotten. */
const classNamesMax = 16;

/** The nodes with the numbers 0 to `count - 1`. Later nodes get the next numbers. */
// Long because: one state, and the operations that share it.
export function createNodeList(count: number, makeNode: NodeMaker): NodeList {
  let order = createNumberOrder(0, count);
  let nextOrdinal = count;
  /** By number. */
  const edited = new Map<number, NodeRecord>();
  const changed = new Map<number, Readonly<NodeRecord>>();
  const classesByName = new Map<string, Uint8Array>();

  function read(ordinal: number): NodeRecord {
    const record = edited.get(ordinal) ?? makeNode(ordinal);
    const fields = changed.get(ordinal);
    return fields ? { ...record, ...fields } : record;
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
      return order.length;
    },
    at: (position) => read(order.at(position)),
    slice(start, end) {
      const records: NodeRecord[] = [];
      order.visit(start, end, (ordinal) => records.push(read(ordinal)));
      return records;
    },
    insert(position) {
      const ordinal = nextOrdinal;
      nextOrdinal += 1;
      order.insert(position, ordinal);
      return read(ordinal);
    },
    remove(position) {
      changed.delete(order.remove(position));
    },
    move(from, to) {
      order.insert(to, order.remove(from));
    },
    change(position, fields) {
      const ordinal = order.at(position);
      const earlier = changed.get(ordinal);
      changed.set(ordinal, earlier ? { ...earlier, ...fields } : fields);
      for (const classes of classesByName.values()) classes[ordinal] = 0;
    },
    replace(records) {
      edited.clear();
      changed.clear();
      classesByName.clear();
      for (const record of records) edited.set(nextOrdinal + edited.size, record);
      order = createNumberOrder(nextOrdinal, records.length);
      nextOrdinal += records.length;
    },
    visitClasses(name, classify, visit) {
      const classes = classesOf(name);
      order.visit(0, order.length, (ordinal) => {
        if (classes[ordinal] === 0) classes[ordinal] = classify(read(ordinal));
        visit(classes[ordinal] as number, ordinal);
      });
    },
    read,
  };
}
