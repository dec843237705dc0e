// Responsible for building an image from a Dockerfile without Docker: its steps run in a folder that stands for the image.

import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRootFolder, type RootFolder } from './root-folder.ts';

export interface Image {
  root: RootFolder;
  env: Readonly<Record<string, string>>;
  cwd: string;
  user: string;
  group: string;
  entrypoint: readonly string[];
  healthCheck: readonly string[];
}

/** The instructions, continued lines joined, comments removed. */
function readInstructions(path: string): { name: string; text: string }[] {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, name = '', text = ''] = /^([A-Z]+) +(.+)$/.exec(line) ?? [];
      return { name, text };
    });
}

/**
 * `context`: the folder of the Dockerfile, with what it copies. The base image is this machine, with its Node.js. Throws if a step
 * fails, and for an instruction or a form that the Dockerfile did not have when this was written.
 */
export async function buildImage(context: string): Promise<Image> {
  const root = await createRootFolder();
  const { PATH = '' } = process.env;
  const env: Record<string, string> = { PATH };
  const image = { root, env, cwd: '/', user: '', group: '' };
  let entrypoint: string[] = [];
  let healthCheck: string[] = [];
  for (const { name, text } of readInstructions(join(context, 'Dockerfile'))) {
    if (name === 'COPY') {
      const [pattern = '', to = ''] = text.split(' ');
      const [start = '', end = start] = pattern.split('*');
      const files = readdirSync(context).filter(
        (file) => file.startsWith(start) && file.endsWith(end),
      );
      if (files.length === 0 || !to.endsWith('/')) throw new Error(`COPY ${text}`);
      for (const file of files) {
        const target = root.pathOf(join(to, file));
        await mkdir(dirname(target), { recursive: true });
        await copyFile(join(context, file), target);
      }
    } else if (name === 'RUN') await root.install(['sh', '-c', text], env);
    else if (name === 'ENV') {
      const [, variable = '', value = ''] = /^(\w+)=(\S+)$/.exec(text) ?? [];
      if (variable === '') throw new Error(`ENV ${text}`);
      env[variable] = value;
    } else if (name === 'WORKDIR') image.cwd = text;
    else if (name === 'USER') [image.user = '', image.group = ''] = text.split(':');
    else if (name === 'ENTRYPOINT') entrypoint = JSON.parse(text);
    else if (name === 'HEALTHCHECK') {
      healthCheck = JSON.parse(text.slice(text.indexOf(' CMD ') + ' CMD '.length));
    } else if (name !== 'FROM') throw new Error(`${name} is not known`);
  }
  return { ...image, entrypoint, healthCheck };
}
