/**
 * A third-party backend that keeps objects in memory. While the file at the key `fault` exists, it misbehaves
 * in the way that this file names, at each list and each write.
 */

import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder, writeFile } from './temporary.ts';

export const NAME = '@acme/sluice-misbehaving';

const CORE = path.join(import.meta.dirname, '../../../../packages/core');

/** Ways in which a package can fail, beside rejecting the call. */
export const FAULTS = [
  'an error event without a listener',
  'a rejection that nobody awaits',
  'an exception in a timer',
  'an exception in the callback of a stream',
  'an exception in the callback of a socket',
  'an exception in a listener of the signal',
  'an exception at once in every method',
] as const;

const ENTRY = `
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { ReplicationError } from '@sluice/core/backend';

const objects = new Map();
const hang = () => new Promise(() => {});
const fail = (way) => { throw new Error(way); };

/** Each leaves its call unanswered. */
const ways = {
  'an error event without a listener': (way) => {
    const sdk = new EventEmitter();
    setImmediate(() => sdk.emit('error', new Error(way)));
  },
  'a rejection that nobody awaits': (way) => {
    void (async () => { await null; fail(way); })();
  },
  'an exception in a timer': (way) => {
    setTimeout(() => fail(way), 5);
  },
  'an exception in the callback of a stream': (way) => {
    const stream = new PassThrough();
    stream.on('data', () => fail(way));
    setImmediate(() => stream.write('x'));
  },
  'an exception in the callback of a socket': (way) => {
    const server = net.createServer((peer) => {
      peer.end('x');
      server.close();
    });
    server.listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1');
      socket.on('data', () => fail(way));
    });
  },
  'an exception in a listener of the signal': (way, signal) => {
    signal.addEventListener('abort', () => fail(way));
    setImmediate(() => Promise.reject(new Error(way))); // breaks the client, which aborts the call
  },
};

const properties = {
  path: { type: 'string', description: 'the prefix of the objects' },
  fault: { type: 'string', description: 'a file that names a fault' },
};

export const backend = {
  contract: 1,
  scheme: 'misbehaving',
  schema: {
    '~standard': {
      version: 1,
      vendor: 'acme',
      validate: (value) => ({ value }),
      jsonSchema: {
        input: () => ({ type: 'object', properties, required: ['path'], additionalProperties: false }),
        output: () => ({ type: 'object' }),
      },
    },
  },
  fromURL: (url) => ({ path: url.pathname.slice(1) }),
  describe: (_, path) => ({ target: 'misbehaving://' + path }),
  async connect({ fault }) {
    const misbehave = async (signal) => {
      const way = fs.existsSync(fault) ? fs.readFileSync(fault, 'utf8') : '';
      if (ways[way] === undefined) return;
      ways[way](way, signal);
      await hang();
    };
    const throwIfTold = () => {
      const way = 'an exception at once in every method';
      if (fs.existsSync(fault) && fs.readFileSync(fault, 'utf8') === way) fail(way);
    };
    return {
      name: 'misbehaving://',
      capabilities: {},
      list(prefix, { signal } = {}) {
        throwIfTold();
        return (async function* () {
          await misbehave(signal);
          for (const [key, { bytes, modifiedAt }] of objects) {
            if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.length, modifiedAt };
          }
        })();
      },
      get(key) {
        throwIfTold();
        const object = objects.get(key);
        if (object === undefined) {
          return Promise.reject(new ReplicationError('REPLICA_NOT_FOUND', 'no object ' + key));
        }
        const { bytes, modifiedAt } = object;
        return Promise.resolve({
          sizeBytes: bytes.length,
          modifiedAt,
          body: (async function* () { yield bytes; })(),
        });
      },
      put(key, body, { signal } = {}) {
        throwIfTold();
        return (async () => {
          await misbehave(signal);
          const bytes = Buffer.concat(await Array.fromAsync(body.open()));
          const modifiedAt = new Date();
          objects.set(key, { bytes, modifiedAt });
          return { key, sizeBytes: bytes.length, modifiedAt };
        })();
      },
      delete() {
        throwIfTold();
        return Promise.resolve();
      },
      close() {
        throwIfTold();
        return Promise.resolve();
      },
    };
  },
};
`;

/** Returns the folder from which to resolve it. */
export function installMisbehaving(): string {
  const folder = temporaryFolder();
  const at = `node_modules/${NAME}`;
  const manifest = { name: NAME, type: 'module', exports: './index.js' };
  writeFile(folder, `${at}/package.json`, JSON.stringify(manifest));
  writeFile(folder, `${at}/index.js`, ENTRY);
  fs.mkdirSync(path.join(folder, 'node_modules/@sluice'));
  fs.symlinkSync(CORE, path.join(folder, 'node_modules/@sluice/core'));
  return folder;
}
