/** A full snapshot is sent once. Further files of the same bytes are copied at the destination. */

import { expect, test } from 'vitest';
import { COPY_BYTES_MIN } from '../../src/replicate/destination/server-copy.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { Scene, refusal, writing, type SceneOptions, type Server } from './scene.ts';

/** A destination in memory that counts the bytes of the files it gets, and of those it copies. */
function counting(change: Server = (files) => files): {
  server: Server;
  written: string[];
  copied: string[];
} {
  const written: string[] = [];
  const copied: string[] = [];
  const server: Server = (files) => {
    const changed = { ...files, ...change(files) };
    return {
      ...changed,
      async writeFile(file, body, options) {
        const info = await changed.writeFile(file, body, options);
        written.push(`${file.level}/${file.minTXID}-${file.maxTXID}`);
        return info;
      },
      async copyFile(from, to, options) {
        const info = await changed.copyFile?.(from, to, options);
        copied.push(`${to.level}/${to.minTXID}-${to.maxTXID}`);
        return info ?? Promise.reject(refusal('REPLICA_UNSUPPORTED'));
      },
    };
  };
  return { server, written, copied };
}

async function seeded(options: SceneOptions): Promise<Scene> {
  const scene = new Scene({ copyBytesMin: 1, ...options });
  scene.staged.image();
  scene.start();
  expect(await scene.drained()).toBe('complete');
  expect(await scene.names()).toEqual(['0/1-1', '9/1-1']);
  await scene.expectRestored();
  return scene;
}

/** The bytes of both files of a first image. */
async function bothFiles(scene: Scene): Promise<Buffer[]> {
  return await Promise.all(
    (await scene.files()).map(async (file) => {
      const { body } = await scene.client().openFile(file);
      return Buffer.concat(await Array.fromAsync(body));
    }),
  );
}

test('a first full snapshot is sent once, and copied at the destination', async () => {
  const { server, written, copied } = counting();
  const scene = await seeded({ server });
  expect(written).toEqual(['0/1-1']);
  expect(copied).toEqual(['9/1-1']);
  const [level0, snapshot] = await scene.files();
  expect(scene.uploader.health.bytesSent).toBe(level0?.sizeBytes);
  expect(snapshot?.createdAt).toEqual(level0?.createdAt);
  const [a, b] = await bothFiles(scene);
  expect(b?.equals(a as Buffer)).toBe(true);
  const { sizeBytes = 0 } = level0 ?? {};
  expect(scene.messages.join('\n')).toContain(`full snapshot sent: ${sizeBytes} B `);
});

test('later files count as sent again', async () => {
  const { server, written } = counting();
  const scene = await seeded({ server });
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  expect(written).toEqual(['0/1-1', '0/2-2']);
  const level0 = (await scene.files()).filter(({ level }) => level === 0);
  const sizes = level0.map(({ sizeBytes }) => sizeBytes);
  expect(scene.uploader.health.bytesSent).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test.for(['REPLICA_UNSUPPORTED', 'REPLICA_UNAVAILABLE', 'REPLICA_PERMISSION_DENIED'] as const)(
  'if the copy fails with %s, the file is sent',
  async (code) => {
    const { server, written } = counting((files) => ({
      ...files,
      copyFile: () => Promise.reject(refusal(code)),
    }));
    const scene = await seeded({ server });
    expect(written).toEqual(['0/1-1', '9/1-1']);
    expect(scene.messages.join('\n')).toContain('the file is sent instead');
  },
);

test('a copy whose answer was lost is settled like a write', async () => {
  const { server } = counting((files) => ({
    ...files,
    async copyFile(from, to, options) {
      await files.copyFile?.(from, to, options);
      throw refusal('REPLICA_UNAVAILABLE');
    },
  }));
  const scene = await seeded({ server });
  expect(scene.needs).toEqual([]);
});

test.for(['short', 'changed'] as const)('a copy that is %s is replaced', async (damage) => {
  const { server, written } = counting((files) => ({
    ...files,
    async copyFile(from, to) {
      const { body, sizeBytes } = await files.openFile(from);
      const bytes = Buffer.concat(await Array.fromAsync(body));
      const bad = damage === 'short' ? bytes.subarray(0, -16) : bytes.with(sizeBytes - 1, 0x5a);
      return await files.writeFile(to, {
        sizeBytes: bad.length,
        open: async function* () {
          yield bad;
        },
      });
    },
  }));
  const scene = await seeded({ server });
  expect(written).toEqual(['0/1-1', '9/1-1']);
  const [a, b] = await bothFiles(scene);
  expect(b?.equals(a as Buffer)).toBe(true);
  expect(scene.messages.join('\n')).toMatch(/the copy has .*; it is written again/);
});

test('a copy never replaces a file that no listing showed', async () => {
  let isHidden = true;
  const { server, copied } = counting((files) => ({
    ...files,
    async *listFiles(level, options) {
      for await (const file of files.listFiles(level, options)) {
        if (!isHidden || file.level !== 9) yield file;
      }
    },
  }));
  const scene = new Scene({ server, copyBytesMin: 1 });
  const foreign = Buffer.from('a snapshot of another writer');
  await scene.client().writeFile({ level: 9, minTXID: 1n, maxTXID: 1n } as never, {
    sizeBytes: foreign.length,
    open: async function* () {
      yield foreign;
    },
  });
  scene.staged.image();
  scene.start();
  await scene.until('the conflict is found', () =>
    scene.messages.join().includes('another writer'),
  );
  isHidden = false;
  expect(copied).toEqual([]);
  const [, snapshot] = await bothFiles(scene);
  expect(snapshot?.equals(foreign)).toBe(true);
});

test('a destination without ranges gets the file, because verifying the copy would read it whole', async () => {
  const { server, written, copied } = counting();
  const { ranges, ...capabilities } = memoryClient().capabilities;
  expect(ranges).toBe(true);
  await seeded({ server, capabilities });
  expect(copied).toEqual([]);
  expect(written).toEqual(['0/1-1', '9/1-1']);
});

test('a destination that does not copy gets both files', async () => {
  let writes = 0;
  const server = writing((file, body, options, client) => {
    writes += 1;
    return client.writeFile(file, body, options);
  });
  const scene = await seeded({ server });
  expect(writes).toBe(3); // one verifies conditional writes
  const [level0] = await scene.files();
  expect(scene.uploader.health.bytesSent).toBe(2 * (level0?.sizeBytes ?? 0));
});

test('a small file is sent twice: that takes fewer requests than a copy', async () => {
  const { server, written, copied } = counting();
  await seeded({ server, copyBytesMin: COPY_BYTES_MIN });
  expect(copied).toEqual([]);
  expect(written).toEqual(['0/1-1', '9/1-1']);
});
