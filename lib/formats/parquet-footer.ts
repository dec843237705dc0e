// Responsible for correcting the footer that hyparquet-writer 0.17.0 writes for a file without rows.

/**
 * Members 3 and 4 of the FileMetaData struct in Thrift's compact protocol, where there are no rows: `num_rows` (0x16: the next
 * member, a 64-bit integer) is 0, and `row_groups` (0x19: the next member, a list) has 0 elements of type 0.
 * Sources: Thrift's compact protocol specification and parquet.thrift of Parquet format 2.x, read 2026-11-26.
 */
const noRowGroups = Uint8Array.of(0x16, 0x00, 0x19, 0x00);
/** The type of a struct, as an element of a list. */
const structType = 0x0c;

/**
 * Changes the type of the elements of the empty list of row groups to struct, as the format wants it. hyparquet-writer guesses
 * it from the first element and writes 0 if there is none. Readers based on arrow-rs (DataFusion, delta-rs) check it, and then
 * refuse the file. `footer` is changed in place. Throws if the list is not found: another version of the library then writes
 * another footer, which may need no correction.
 */
export function declareEmptyRowGroups(footer: Uint8Array): void {
  // The first place is the right one: before it are only the version and the schema, which have no 64-bit integer.
  const at = Buffer.from(footer.buffer, footer.byteOffset, footer.length).indexOf(noRowGroups);
  if (at === -1) throw new Error('hyparquet-writer writes another footer than 0.17.0 for no rows');
  footer[at + noRowGroups.length - 1] = structType;
}
