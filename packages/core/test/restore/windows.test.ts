/** Restores from local files in database order give the same result as other restores. */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import type { LTXFileRef } from '../../src/store/layout.ts';
import { readLocalFile, type ReadLocalFile } from '../../src/restore/decode/local-file.ts';
import { WindowDecoder } from '../../src/restore/decode/window-decoder.ts';
import { windowsOf } from '../../src/restore/decode/windows.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { Bucket, encodeFile, forgeFile, History } from './bucket.ts';
import { newSetting } from './setting.ts';
import { temporaryFolder } from './temporary.ts';

const kernel = createKernel();

/** Opens files with these bytes, newest first. Descriptors are closed by the end of the process. */
async function opened(
  files: readonly { min: number; max: number; bytes: Uint8Array }[],
): Promise<ReadLocalFile[]> {
  const folder = temporaryFolder();
  return await Promise.all(
    files.map(async ({ min, max, bytes }, index) => {
      const name = path.join(folder, String(index));
      fs.writeFileSync(name, bytes);
      const info = {
        level: 0,
        minTXID: toTXID(min),
        maxTXID: toTXID(max),
        sizeBytes: bytes.length,
        modifiedAt: new Date(0),
      };
      const local = { sizeBytes: bytes.length, descriptor: fs.openSync(name, 'r') };
      return await readLocalFile(info, { ...local, close: async () => {} }, kernel);
    }),
  );
}

/** A client of a bucket whose files are also in a folder. */
function localClient(bucket: Bucket): { client: ReplicaFiles; openedFiles: () => number } {
  const client = bucket.client();
  const folder = temporaryFolder();
  let open = 0;
  return {
    openedFiles: () => open,
    client: {
      listFiles: client.listFiles.bind(client),
      openFile: client.openFile.bind(client),
      writeFile: client.writeFile.bind(client),
      deleteFiles: client.deleteFiles.bind(client),
      async openLocalFile({ level, minTXID, maxTXID }: LTXFileRef) {
        const bytes = bucket.bytes(level, Number(minTXID), Number(maxTXID));
        const name = path.join(folder, `${level}-${minTXID}-${maxTXID}`);
        fs.writeFileSync(name, bytes);
        const handle = await fs.promises.open(name, 'r');
        open += 1;
        const close = async (): Promise<void> => {
          open -= 1;
          await handle.close();
        };
        return { sizeBytes: bytes.length, descriptor: handle.fd, close };
      },
    },
  };
}

describe('windows', () => {
  test('contain each frame of each file once, and each page up to the end of the database', () => {
    const seed = seedOf();
    console.log(`restore windows: SLUICE_SEED=${seed}`);
    const random = randomFrom(seed);
    for (let round = 0; round < 300; round++) {
      const commit = random.int(1, 60);
      const maps = Array.from({ length: random.int(1, 5) }, () => {
        const pgnos = Array.from({ length: 90 }, (_, i) => i + 1).filter(() => random.chance(0.3));
        const offsets = Float64Array.from({ length: pgnos.length + 1 }, (_, i) => 100 + i * 10);
        return { pgnos: Uint32Array.from(pgnos), offsets };
      });
      const windowPages = random.int(1, 20);
      const windows = [...windowsOf(maps, commit, windowPages)];
      for (const [file, { pgnos, offsets }] of maps.entries()) {
        const slices = windows.flatMap((window) => {
          const slice = window.slices.find((each) => each.file === file);
          return slice === undefined ? [] : [{ ...slice, window }];
        });
        let at = 0;
        for (const { start, end, pages, window } of slices) {
          expect(start).toBe(offsets[at]);
          expect(pgnos[at]).toBeGreaterThanOrEqual(window.firstPgno);
          at += pages;
          expect(end).toBe(offsets[at]);
          expect(pgnos[at - 1]).toBeLessThanOrEqual(window.lastPgno);
        }
        expect(at).toBe(pgnos.length);
      }
      const covered = windows.filter(({ firstPgno }) => firstPgno <= commit);
      expect(covered.map(({ firstPgno }) => firstPgno)).toEqual(
        Array.from({ length: Math.ceil(commit / windowPages) }, (_, i) => 1 + i * windowPages),
      );
    }
  });

  test('a file of a huge database with few pages needs few windows', () => {
    const map = {
      pgnos: Uint32Array.of(1, 4_000_000_000),
      offsets: Float64Array.of(100, 200, 300),
    };
    expect([...windowsOf([map], 1, 4096)]).toHaveLength(2);
  });
});

describe('decoded window by window', () => {
  test('a history with any encodings is restored exactly, even if the database has shrunk', async () => {
    const seed = seedOf();
    console.log(`restore windows: SLUICE_SEED=${seed}`);
    const random = randomFrom(seed);
    for (let round = 0; round < 30; round++) {
      const history = new History(512);
      const sizes = Array.from({ length: 6 }, () => random.int(1, 60));
      for (const size of sizes) history.commit(random, size, 10);
      const base = random.int(1, 6);
      const encoding = (): 'block' | 'frame' => random.pick(['block', 'frame']);
      const contents = [{ min: 1, max: base, ...history.image(base) }];
      for (let txid = base + 1; txid <= 6; txid++) {
        contents.unshift({ min: txid, max: txid, ...history.content(txid, txid) });
      }
      const files = await opened(
        contents.map(({ min, max, ...content }) => ({
          min,
          max,
          bytes: encodeFile(min, max, { ...content, encoding: encoding() }),
        })),
      );
      const name = path.join(temporaryFolder(), 'output');
      const output = fs.openSync(name, 'w');
      const commit = files[0]?.header.commit ?? 0;
      const windowPages = random.int(1, 20);
      const descriptors = files.map(({ descriptor }) => descriptor);
      const decoder = new WindowDecoder({
        output: { cached: output, direct: undefined },
        files: descriptors,
        pageSize: 512,
        commit,
        windowPages,
      });
      const maps = files.map(({ map }) => map);
      for (const window of windowsOf(maps, commit, windowPages)) await decoder.decode(window);
      fs.closeSync(output);
      for (const descriptor of descriptors) fs.closeSync(descriptor);
      expect(fs.readFileSync(name).equals(history.bytes(6))).toBe(true);
    }
  });

  test('a slice that does not match the index is rejected, and the error names its file', async () => {
    const history = new History(512);
    history.commit(randomFrom(3), 12, 12);
    const [file] = await opened([{ min: 1, max: 1, bytes: encodeFile(1, 1, history.image(1)) }]);
    if (file === undefined) throw new Error('no file');
    const output = fs.openSync(path.join(temporaryFolder(), 'output'), 'w');
    const settings = {
      output: { cached: output, direct: undefined },
      files: [file.descriptor],
      pageSize: 512,
      commit: 12,
      windowPages: 12,
    };
    const [window] = windowsOf([file.map], 12, 12);
    const [slice] = window?.slices ?? [];
    if (window === undefined || slice === undefined) throw new Error('no window');
    for (const other of [
      { pages: 11 },
      { end: slice.end - 1 },
      { start: slice.start + 1 },
      { end: slice.end + 6 }, // the end of the pages
      { end: slice.end + 100_000 },
    ]) {
      const damaged = { ...window, slices: [{ ...slice, ...other }] };
      const decode = new WindowDecoder(settings).decode(damaged);
      await expect(decode).rejects.toThrow(expect.objectContaining({ file: 0 }));
    }
    const late = { ...window, firstPgno: 2, lastPgno: 13 };
    await expect(new WindowDecoder(settings).decode(late)).rejects.toThrow(
      'not those that its index names',
    );
    fs.closeSync(output);
  });

  test('the error for a page that no file has names the page', async () => {
    const history = new History(512);
    history.commit(randomFrom(3), 12, 12);
    const bytes = encodeFile(2, 2, { ...history.image(1), commit: 14 });
    const [file] = await opened([{ min: 2, max: 2, bytes }]);
    const output = fs.openSync(path.join(temporaryFolder(), 'output'), 'w');
    const files = [file?.descriptor ?? -1];
    const decoder = new WindowDecoder({
      output: { cached: output, direct: undefined },
      files,
      pageSize: 512,
      commit: 14,
      windowPages: 99,
    });
    const [window] = windowsOf([file?.map ?? never()], 14, 99);
    await expect(decoder.decode(window ?? never())).rejects.toThrow('page 13 of 14');
    fs.closeSync(output);
  });
});

describe('a restore from local files', () => {
  const PAGE_SIZE = 4096;
  /** Too large to be restored without threads. */
  const PAGES = 3400;

  function makeBucket(): { bucket: Bucket; history: History } {
    const history = new History(PAGE_SIZE);
    const random = randomFrom(11);
    for (const size of [PAGES, PAGES + 10, PAGES - 10]) history.commit(random, size, 300);
    const bucket = new Bucket();
    bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
    for (const txid of [2, 3]) {
      bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
    }
    expect(bucket.bytes(9, 1, 1).length).toBeGreaterThan(4 * 1024 * 1024);
    return { bucket, history };
  }

  test('restores the same bytes, reads all files, and closes them', async () => {
    const { bucket, history } = makeBucket();
    const { client, openedFiles } = localClient(bucket);
    const settings = newSetting();
    let progress = { doneBytes: 0, totalBytes: 1 };
    const report = await settings.run({ client, onProgress: (now) => (progress = now) });
    expect(Buffer.compare(settings.bytes(), history.bytes(3))).toBe(0);
    expect(progress.doneBytes).toBe(progress.totalBytes);
    expect(report).toMatchObject({ filesRead: 3, bytesRead: progress.totalBytes });
    expect(openedFiles()).toBe(0);
  });

  test('fails if any byte of a file is changed', async () => {
    const seed = seedOf();
    console.log(`restore windows: SLUICE_SEED=${seed}`);
    const random = randomFrom(seed);
    for (const [level, txid] of [
      [9, 1],
      [0, 2],
      [0, 3],
    ] as const) {
      const { bucket } = makeBucket();
      const right = bucket.bytes(level, txid, txid);
      const places = [50, 150, right.length - 4, right.length - 20, right.length - 30];
      for (const at of [...places, random.int(0, right.length - 1)]) {
        const damaged = right.slice();
        damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(0, 7));
        bucket.put(level, txid, txid, damaged);
        const { client, openedFiles } = localClient(bucket);
        const settings = newSetting();
        const error = await settings.fail({ client });
        expect({ at, code: error.code }).toEqual({ at, code: expect.stringMatching(/^LTX_/) });
        expect(settings.names()).toEqual([]);
        expect(openedFiles()).toBe(0);
      }
    }
  });

  test.each(['right', 'empty'] as const)(
    'with a file whose index is %s succeeds only if the index is right',
    async (index) => {
      const pgnos = Array.from({ length: 300_000 }, (_, i) => i + 1);
      const bucket = new Bucket();
      const forged = forgeFile(1, 6, { pageSize: 512, commit: pgnos.length, pgnos, index });
      bucket.put(9, 1, 6, forged);
      expect(forged.length).toBeGreaterThan(4 * 1024 * 1024);
      const settings = newSetting();
      const run = settings.run({ client: localClient(bucket).client });
      if (index === 'right') {
        await run;
        expect(settings.bytes().length).toBe(pgnos.length * 512);
      } else {
        await expect(run).rejects.toMatchObject({ code: 'LTX_INVALID' });
        expect(settings.names()).toEqual([]);
      }
    },
  );

  test('ends on abort and leaves nothing behind', async () => {
    const { bucket } = makeBucket();
    const { client, openedFiles } = localClient(bucket);
    const settings = newSetting();
    const controller = new AbortController();
    const run = settings.run({
      client,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    expect(settings.names()).toEqual([]);
    expect(openedFiles()).toBe(0);
  });
});

function never(): never {
  throw new Error('it is there');
}
