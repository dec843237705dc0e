// Responsible for the script of a process that moves one large object through a store and measures how much memory it takes.

/**
 * `openStore`: statements that define `store`. The process prints JSON: `read`, how many bytes came back with the right hash, and
 * `growthBytes`, how far its peak memory is above that after a small object.
 */
export function moveLargeObject(openStore: string, bytes: number): string {
  return `
    const { createHash } = await import('node:crypto');
    const { mkdtemp, open, rm } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    ${openStore}
    const folder = await mkdtemp(join(tmpdir(), 'large-'));
    const block = Buffer.alloc(2 ** 20, 'a large object, ');

    async function move(key, blocks) {
      const path = join(folder, key);
      const file = await open(path, 'w');
      const [sha256, md5] = [createHash('sha256'), createHash('md5')];
      for (let i = 0; i < blocks; i += 1) {
        block.writeUInt32LE(i);
        sha256.update(block);
        md5.update(block);
        await file.writeFile(block);
      }
      await file.close();
      const hash = sha256.digest('hex');
      await store.putFile(key, { path, bytes: blocks * 2 ** 20, sha256: hash, md5: md5.digest() });
      const back = createHash('sha256');
      let read = 0;
      for await (const chunk of await store.read(key)) {
        back.update(chunk);
        read += chunk.length;
      }
      return back.digest('hex') === hash ? read : 0;
    }

    await move('small', 1);
    const before = process.resourceUsage().maxRSS;
    const read = await move('large', ${bytes / 2 ** 20});
    const growthBytes = (process.resourceUsage().maxRSS - before) * 1024;
    await rm(folder, { recursive: true });
    console.log(JSON.stringify({ read, growthBytes }));
    store.close?.();`;
}
