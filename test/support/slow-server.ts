// Responsible for a server on 127.0.0.1 to which connections stay pending until the test lets it accept them. Linux answers no
// further connection while the queue of a server is full; the client's system asks again after 1 s.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';

/** Listens, prints its port, and then blocks until it can read a byte from stdin. */
const program = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    require('node:fs').readSync(0, Buffer.alloc(1));
  });
`;

export async function startSlowServer(): Promise<{ port: number; accept: () => void }> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [data] = await once(child.stdout, 'data');
  const port = Number(data);
  // More than the queue holds: the rest stays pending.
  const fillers = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }));
  for (const filler of fillers) filler.on('error', () => {});
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
  });
  await once(fillers[0] as NodeJS.EventEmitter, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { port, accept: () => void child.stdin.write('x') };
}
