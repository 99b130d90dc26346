import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { isError } from '../../../src/error.ts';
import { readBytes } from '../../../src/file-system.ts';
import { createKernel } from '../../../src/kernel/kernel.ts';
import { toTXID } from '../../../src/ltx/txid.ts';
import {
  mergeFiles,
  type MergeOrder,
  type MergePorts,
} from '../../../src/replicate/levels/merge-files.ts';
import { StagedLevels } from '../../../src/replicate/levels/staged-levels.ts';
import { verifyMerge } from '../../../src/replicate/levels/verify-merge.ts';
import { headerWith, type Page, readFile, writeFile } from '../../support/ltx-files.ts';
import { MemoryFiles } from '../../support/memory-file-system.ts';
import { randomFrom } from '../../support/random.ts';

const kernel = createKernel();
const FOLDER = '/staging';

function page(pgno: number, fill: number): Page {
  return { pgno, bytes: new Uint8Array(512).fill(fill) };
}

function file(txid: number, commit: number, pages: readonly Page[]): Uint8Array {
  const header = { commit, minTXID: toTXID(txid), maxTXID: toTXID(txid), timestampMs: txid };
  return writeFile(kernel, headerWith({ ...header, nodeID: 7n }), pages).whole;
}

/** Three transactions: a change, a smaller database, and growth. */
const INPUTS = [
  file(2, 4, [page(1, 2), page(4, 2)]),
  file(3, 3, [page(1, 3)]),
  file(4, 5, [page(2, 4), page(4, 4), page(5, 4)]),
];
const MERGED = [page(1, 3), page(2, 4), page(4, 4), page(5, 4)];

let files: MemoryFiles;
let ports: MergePorts;

async function stage(name: string, bytes: Uint8Array): Promise<void> {
  const handle = await files.create(`${FOLDER}/${name}`);
  await handle.append(bytes);
  await handle.sync();
  await handle.close();
  await files.syncFolder(FOLDER);
}

async function orderOf(inputs: readonly Uint8Array[] = INPUTS): Promise<MergeOrder> {
  for (const [index, bytes] of inputs.entries()) await stage(`${index}.ltx`, bytes);
  return {
    folder: FOLDER,
    level: 1,
    inputs: inputs.map(({ length }, index) => ({
      path: `${FOLDER}/${index}.ltx`,
      sizeBytes: length,
    })),
    encoding: 'block',
    verify: 'verify',
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

beforeEach(async () => {
  files = new MemoryFiles();
  ports = { files, kernel };
  await files.makeFolder(FOLDER);
  await files.syncFolder('/');
});

describe('a merge of staged files', () => {
  test('is staged under its level and TXIDs, with the time and lineage of its inputs', async () => {
    const merged = await mergeFiles(await orderOf(), ports);
    expect(merged).toMatchObject({
      path: `${FOLDER}/ltx/1/0000000000000002-0000000000000004.ltx`,
      level: 1,
      minTXID: 2n,
      maxTXID: 4n,
      timestampMs: 4,
      lineage: 7n,
      pageSize: 512,
    });
    const bytes = await readBytes(files, merged.path);
    expect(bytes?.length).toBe(merged.sizeBytes);
    const { pages } = readFile(kernel, [bytes as Uint8Array]);
    expect(pages.map(({ pgno, bytes: [fill] }) => [pgno, fill])).toEqual(
      MERGED.map(({ pgno, bytes: [fill] }) => [pgno, fill]),
    );
  });

  test('leaves nothing if an input is damaged', async () => {
    const order = await orderOf();
    const damaged = (INPUTS[1] as Uint8Array).slice();
    damaged[150] = (damaged[150] ?? 0) ^ 1;
    await stage('1.ltx', damaged);
    const error = await mergeFiles(order, ports).catch((thrown: unknown) => thrown);
    expect(isError(error) && error.code.startsWith('LTX_')).toBe(true);
    expect(await files.list(`${FOLDER}/ltx/1`)).toEqual([]);
  });

  test('is found by the next start, which looks only into levels that were merged', async () => {
    const merged = await mergeFiles(await orderOf(), ports);
    const listed: string[] = [];
    const levels = new StagedLevels({
      folder: FOLDER,
      files: new Proxy(files, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          return (...args: unknown[]): unknown => {
            if (name === 'list') listed.push(String(args[0]));
            return Reflect.apply(member, target, args) as unknown;
          };
        },
      }),
      levels: [{ level: 1, intervalMs: 1 }],
      onDamaged: (name) => expect.unreachable(name),
    });
    await levels.load();
    expect(levels.files).toEqual([merged]);
    expect(listed).toEqual([`${FOLDER}/ltx`, `${FOLDER}/ltx/1`]);
  });

  test('an input that does not exist is STAGING_FAILED', async () => {
    const order = await orderOf();
    await files.remove(`${FOLDER}/0.ltx`);
    await expect(mergeFiles(order, ports)).rejects.toMatchObject({ code: 'STAGING_FAILED' });
  });

  test('after a crash at any step there is no file, or the whole file', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40 }), fc.integer(), async (steps, seed) => {
        files = new MemoryFiles();
        await files.makeFolder(FOLDER);
        await files.syncFolder('/');
        const order = await orderOf();
        let left = steps;
        const stop = new Error('crashed');
        const failing = new Proxy(files, {
          get(target, name) {
            const member: unknown = Reflect.get(target, name);
            if (typeof member !== 'function') return member;
            return (...args: unknown[]): unknown => {
              left -= 1;
              if (left < 0) throw stop;
              return Reflect.apply(member, target, args) as unknown;
            };
          },
        });
        await mergeFiles(order, { files: failing, kernel }).catch(() => undefined);
        files.crash(randomFrom(seed));
        const damaged: string[] = [];
        const levels = new StagedLevels({
          folder: FOLDER,
          files,
          levels: [{ level: 1, intervalMs: 1 }],
          onDamaged: (name) => damaged.push(name),
        });
        await levels.load();
        expect(damaged).toEqual([]);
        const [found] = levels.files;
        seen.add(found === undefined ? 'nothing' : 'a file');
        if (found === undefined) return;
        const bytes = (await readBytes(files, found.path)) as Uint8Array;
        expect(readFile(kernel, [bytes]).pages).toHaveLength(MERGED.length);
      }),
      { numRuns: 200 },
    );
    expect([...seen].sort()).toEqual(['a file', 'nothing']);
  });
});

describe('the verification of a merge', () => {
  const open = (bytes: Uint8Array) => () => once(bytes);

  async function verify(
    pages: readonly Page[],
    fields: { commit?: number; timestampMs?: number } = {},
    rangePages?: number,
  ): Promise<string | undefined> {
    const header = headerWith({
      ...{ minTXID: toTXID(2), maxTXID: toTXID(4), commit: 5, timestampMs: 4, ...fields },
    });
    const merged = writeFile(kernel, header, pages).whole;
    return await verifyMerge(kernel, INPUTS.map(open), open(merged), rangePages);
  }

  test('accepts the newest version of each page', async () => {
    for (const rangePages of [undefined, 1, 2, 3]) {
      expect(await verify(MERGED, {}, rangePages)).toBeUndefined();
    }
  });

  test('finds an older version, a page too few or too many, and a wrong header', async () => {
    for (const rangePages of [undefined, 1, 3]) {
      const [first, ...rest] = MERGED as [Page, ...Page[]];
      expect(await verify([page(1, 2), ...rest], {}, rangePages)).toMatch('page 1 is not');
      expect(await verify(rest, {}, rangePages)).toMatch('page 1 is missing');
      expect(await verify(MERGED.slice(0, -1), {}, rangePages)).toMatch('page 5 is missing');
      const more = [first, page(2, 4), page(3, 9), ...MERGED.slice(2)];
      expect(await verify(more, {}, rangePages)).toMatch('page 3 is not');
      expect(await verify(MERGED, { commit: 6 }, rangePages)).toMatch('header');
      expect(await verify(MERGED, { timestampMs: 3 }, rangePages)).toMatch('header');
    }
  });

  test('a wrong merge is not staged, and its inputs stay', async () => {
    const order = await orderOf();
    // A kernel that damages one page of the output. The checksum of the file is right.
    const wrong = createKernel();
    const encode = wrong.encodePages.bind(wrong);
    wrong.encodePages = (pgnos, pages, ...rest) => {
      const changed = pages.slice();
      changed[0] = 99;
      return encode(pgnos, changed, ...rest);
    };
    await expect(mergeFiles(order, { files, kernel: wrong })).rejects.toThrow(
      /page 1 is not its newest version/,
    );
    expect(await files.list(`${FOLDER}/ltx/1`)).toEqual([]);
    expect(await files.list(FOLDER)).toEqual(['0.ltx', '1.ltx', '2.ltx', 'ltx']);
  });
});
