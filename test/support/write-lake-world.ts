// Responsible for writing the store of lake-world.ts into a folder, with questions and their answers, for engines that tests in
// other languages ask. Usage: npx tsx test/support/write-lake-world.ts FOLDER [NODES]. Writes FOLDER/store, FOLDER/questions.json
// and FOLDER/rows.json: for each table, columns and all stored rows. NODES: the large store instead, with so many nodes in each of its twelve snapshots.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listQuestions } from './lake-oracle.ts';
import { listRows, readColumns } from './lake-truth.ts';
import {
  createLakeWorld,
  createLargeLakeWorld,
  type DatasetName,
  datasetOfTable,
} from './lake-world.ts';

const [folder, nodes] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write to');
const world = nodes === undefined ? await createLakeWorld() : await createLargeLakeWorld(+nodes);
mkdirSync(folder, { recursive: true });
world.writeTo(join(folder, 'store'));
const questions = listQuestions(world, Date.now());
writeFileSync(join(folder, 'questions.json'), `${JSON.stringify(questions, null, 1)}\n`);
const rows = world.tables.map((table) => {
  const columns = readColumns(datasetOfTable(table).name as DatasetName);
  return [table, { columns, rows: listRows(world, table) }];
});
writeFileSync(join(folder, 'rows.json'), JSON.stringify(Object.fromEntries(rows)));
