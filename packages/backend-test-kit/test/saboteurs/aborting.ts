import { setTimeout as sleep } from 'node:timers/promises';

import { inFiles, through, type Saboteur } from './saboteur.ts';

const KEEPS = 'abort/a-write-keeps-the-old';
const HANGS = 'abort/a-write-whose-source-hangs';
const BEFORE = 'abort/before-touches-nothing';
const AT_ANY = 'abort/at-any-moment-old-or-new';

export const ABORTING_SABOTEURS: readonly Saboteur[] = [
  inFiles('rejects an aborted call with its own error', [BEFORE], (inner) => ({
    async openFile(file, options) {
      if (options?.signal?.aborted === true) throw new DOMException('aborted', 'AbortError');
      return await inner.openFile(file, options);
    },
  })),
  inFiles('deletes although the signal is aborted', [BEFORE], (inner) => ({
    async deleteFiles(files, options) {
      await inner.deleteFiles(files);
      options?.signal?.throwIfAborted();
    },
  })),
  inFiles('ignores the signal of a write', [BEFORE, KEEPS, HANGS], (inner) => ({
    writeFile: (file, body, options = {}) =>
      inner.writeFile(file, body, { ...options, signal: undefined }),
  })),
  inFiles('deletes the old file before a write', [KEEPS, HANGS], (inner) => ({
    async writeFile(file, body, options) {
      if (options?.signal !== undefined) await inner.deleteFiles([file], options);
      return await inner.writeFile(file, body, options);
    },
  })),
  inFiles('stores the first part of an aborted write', [KEEPS, HANGS], (inner) => ({
    async writeFile(file, body, options) {
      const chunks: Uint8Array[] = [];
      const recorded = through(body, async function* (given) {
        for await (const chunk of given) {
          chunks.push(chunk);
          yield chunk;
        }
      });
      try {
        return await inner.writeFile(file, recorded, options);
      } catch (error) {
        const bytes = Buffer.concat(chunks);
        const part = { ...body, sizeBytes: bytes.byteLength, open: () => [bytes].values() };
        const isAborted = options?.signal?.aborted === true && bytes.byteLength > 0;
        if (isAborted)
          await inner.writeFile(
            file,
            through(part as never, (given) => given),
          );
        throw error;
      }
    },
  })),
  inFiles('checks for an abort only between chunks', [HANGS], (inner) => ({
    async writeFile(file, body, { signal, ...options } = {}) {
      signal?.throwIfAborted();
      const checked = through(body, async function* (chunks) {
        for await (const chunk of chunks) {
          signal?.throwIfAborted();
          yield chunk;
        }
        signal?.throwIfAborted();
      });
      return await inner.writeFile(file, checked, options);
    },
  })),
  inFiles('completes a write after reporting it as aborted', [AT_ANY], (inner) => ({
    async writeFile(file, body, options = {}) {
      const { signal } = options;
      if (signal === undefined || body.sizeBytes < 70_000 || body.sizeBytes > 80_000) {
        return await inner.writeFile(file, body, options);
      }
      // Like an SDK that cannot cancel a request that it has started.
      const work = sleep(6).then(() => inner.writeFile(file, body));
      work.catch(() => undefined);
      try {
        await sleep(5, undefined, { signal });
      } catch {
        throw signal.reason;
      }
      return await work;
    },
  })),
  inFiles('continues to read after an abort', ['abort/a-read'], (inner) => ({
    async openFile(file, { signal, ...options } = {}) {
      signal?.throwIfAborted();
      return await inner.openFile(file, options);
    },
  })),
  inFiles('continues to list after an abort', ['abort/a-listing'], (inner) => ({
    async *listFiles(level, { signal, ...options } = {}) {
      signal?.throwIfAborted();
      yield* inner.listFiles(level, options);
    },
  })),
  inFiles(
    'undoes a finished write when its signal is aborted',
    ['abort/a-finished-call-is-left-alone'],
    (inner) => ({
      async writeFile(file, body, options) {
        const info = await inner.writeFile(file, body, options);
        const undo = (): void => void inner.deleteFiles([file]);
        if (info.sizeBytes < 10) options?.signal?.addEventListener('abort', undo);
        return info;
      },
    }),
  ),
];
