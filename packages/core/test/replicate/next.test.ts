import { describe, expect, test } from 'vitest';
import { Backlog, type StagedIncrement, type StagedSnapshot } from '../../src/replicate/backlog.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import {
  isStaged,
  nextStep as decide,
  type DestinationView,
  type NextInput,
  type NextStep,
} from '../../src/replicate/destination/next.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const LINEAGE = 0xabcn;

/** Without merged files, unless the input has some. */
function nextStep(input: Omit<NextInput, 'merges'> & Partial<NextInput>): NextStep {
  return decide({ merges: [], ...input });
}

function staged(txid: number, content: 'increment' | 'image' = 'increment'): StagedIncrement {
  return {
    lineage: LINEAGE,
    txid: BigInt(txid),
    path: `/staging/${txid}`,
    sizeBytes: 100,
    content,
    pageSize: 4096,
    timestampMs: txid,
    since: txid,
    asOf: txid,
  };
}

function backlogOf(...files: StagedIncrement[]): Backlog {
  const backlog = new Backlog();
  backlog.reset(files);
  return backlog;
}

/** Files as [level, minTXID, maxTXID]. */
function filesOf(...files: [number, number, number][]): FileSet {
  return FileSet.of(
    files.map(([level, min, max]) => ({
      level,
      minTXID: toTXID(min),
      maxTXID: toTXID(max),
      sizeBytes: 100,
      modifiedAt: new Date(0),
    })),
  );
}

function view(files: FileSet, chain: DestinationView['chain']): DestinationView {
  return {
    files,
    highest: files.highest,
    chain,
    lineage: LINEAGE,
    since: 0n,
    why: undefined,
    pageSize: 4096,
    seeding: undefined,
  };
}

const SNAPSHOT: StagedSnapshot = {
  lineage: LINEAGE,
  txid: 7n,
  path: '/staging/snapshot',
  sizeBytes: 1000,
  pageSize: 4096,
  timestampMs: 7,
};

function writesOf(step: NextStep): string[] {
  if (step.kind !== 'seed') return [step.kind];
  return step.seed.writes.map(({ ref }) => `${ref.level}/${ref.minTXID}-${ref.maxTXID}`);
}

describe('the next file to a destination', () => {
  test('an increment follows its predecessor', () => {
    const step = nextStep({
      view: view(filesOf([0, 4, 4]), 'ours'),
      backlog: backlogOf(staged(4), staged(5), staged(6)),
      snapshot: undefined,
      head: 6n,
    });
    expect(step).toMatchObject({ kind: 'increment', file: { txid: 5n } });
  });

  test('a destination that has everything is idle', () => {
    const step = nextStep({
      view: view(filesOf([0, 6, 6]), 'ours'),
      backlog: backlogOf(staged(6)),
      snapshot: undefined,
      head: 6n,
    });
    expect(step.kind).toBe('idle');
  });

  test('a first image is written to level 0, then to the snapshots', () => {
    const input = {
      view: view(new FileSet(), 'empty'),
      backlog: backlogOf(staged(1, 'image')),
      snapshot: undefined,
      head: 1n,
    } as const;
    expect(writesOf(nextStep(input))).toEqual(['0/1-1', '9/1-1']);
  });

  test('an image that directly follows is written to level 0 first, then to each level in use, even over another writer', () => {
    for (const chain of ['ours', 'foreign'] as const) {
      const step = nextStep({
        view: view(filesOf([0, 6, 6], [1, 1, 4], [9, 1, 1]), chain),
        backlog: backlogOf(staged(7, 'image')),
        snapshot: undefined,
        head: 7n,
      });
      expect(writesOf(step)).toEqual(['0/7-7', '9/1-7', '1/5-7']);
    }
  });

  test('an image after a TXID gap is written as a snapshot first, then at each merged level, then at level 0', () => {
    const step = nextStep({
      view: view(filesOf([0, 4, 4], [1, 1, 4], [2, 1, 2], [9, 1, 1]), 'ours'),
      backlog: backlogOf(staged(7, 'image')),
      snapshot: undefined,
      head: 7n,
    });
    expect(writesOf(step)).toEqual(['9/1-7', '1/5-7', '2/3-7', '0/7-7']);
  });

  test('a TXID gap is closed at level 1 even if it is empty, because a compaction would begin below', () => {
    const step = nextStep({
      view: view(filesOf([0, 4, 4]), 'ours'),
      backlog: backlogOf(staged(7, 'image')),
      snapshot: undefined,
      head: 7n,
    });
    expect(writesOf(step)).toEqual(['9/1-7', '1/1-7', '0/7-7']);
  });

  test('an image of another page size is a seam, regardless of its TXID', () => {
    const step = nextStep({
      view: { ...view(filesOf([0, 6, 6], [1, 1, 4]), 'ours'), pageSize: 1024 },
      backlog: backlogOf(staged(7, 'image')),
      snapshot: undefined,
      head: 7n,
    });
    expect(writesOf(step)).toEqual(['9/1-7', '1/5-7', '0/7-7']);
  });

  test('nothing at or above an announced image is sent before it is complete', () => {
    const backlog = backlogOf(staged(6));
    backlog.gate(7n);
    backlog.add(staged(8));
    const input = { view: view(filesOf([0, 6, 6]), 'ours'), snapshot: undefined, head: 8n };
    expect(nextStep({ ...input, backlog }).kind).not.toBe('increment');
    backlog.add(staged(7, 'image'));
    expect(writesOf(nextStep({ ...input, backlog }))).toEqual(['0/7-7', '9/1-7']);
  });

  test('a destination whose next file is gone requests a snapshot and is seeded by it', () => {
    const input = {
      view: view(filesOf([0, 2, 2]), 'ours'),
      backlog: backlogOf(staged(7), staged(8)),
      head: 8n,
    } as const;
    expect(nextStep({ ...input, snapshot: undefined }).kind).toBe('needs-snapshot');
    const step = nextStep({ ...input, snapshot: SNAPSHOT });
    expect(writesOf(step)).toEqual(['9/1-7', '1/1-7', '0/7-7']);
    if (step.kind !== 'seed') throw new Error('not a seed');
    expect(step.seed.writes.at(-1)?.source.path).toBe('/staging/7');
  });

  test('a seed over foreign files has all pages at level 0', () => {
    const step = nextStep({
      view: view(filesOf([0, 6, 6]), 'foreign'),
      backlog: backlogOf(staged(7), staged(8)),
      snapshot: SNAPSHOT,
      head: 8n,
    });
    if (step.kind !== 'seed') throw new Error('not a seed');
    expect(step.seed.writes.every(({ source }) => source.path === SNAPSHOT.path)).toBe(true);
  });

  test('a snapshot is not used as a seed if the files after it are gone', () => {
    const step = nextStep({
      view: view(filesOf([0, 2, 2]), 'ours'),
      backlog: backlogOf(staged(10)),
      snapshot: SNAPSHOT,
      head: 10n,
    });
    expect(step.kind).toBe('needs-snapshot');
  });

  test('a destination that is ahead needs an image above it', () => {
    const step = nextStep({
      view: view(filesOf([0, 20, 20]), 'foreign'),
      backlog: backlogOf(staged(7)),
      snapshot: SNAPSHOT,
      head: 7n,
    });
    expect(step).toMatchObject({ kind: 'needs-image', floor: 20n });
  });

  test('a seed continues only while its remaining files are staged', () => {
    const seeding = view(filesOf([0, 2, 2]), 'ours');
    const backlog = backlogOf(staged(7), staged(8));
    const step = nextStep({ view: seeding, backlog, snapshot: SNAPSHOT, head: 8n });
    if (step.kind !== 'seed') throw new Error('not a seed');
    const input = { view: seeding, backlog, snapshot: SNAPSHOT };
    expect(isStaged(step.seed, input)).toBe(true);
    expect(isStaged(step.seed, { ...input, snapshot: undefined })).toBe(false);
    expect(isStaged(step.seed, { ...input, backlog: backlogOf(staged(8)) })).toBe(false);
    const sent = view(filesOf([9, 1, 7], [1, 1, 7]), 'ours');
    expect(isStaged(step.seed, { ...input, view: sent, snapshot: undefined })).toBe(true);
  });

  test('after an incomplete seed only another image follows, and closes the seam', () => {
    const half = view(filesOf([0, 2, 2], [9, 1, 7]), 'half-seeded');
    const backlog = backlogOf(staged(8), staged(9));
    expect(nextStep({ view: half, backlog, snapshot: undefined, head: 9n }).kind).toBe(
      'needs-snapshot',
    );
    const snapshot = { ...SNAPSHOT, txid: 8n };
    const step = nextStep({ view: half, backlog, snapshot, head: 9n });
    expect(writesOf(step)).toEqual(['9/1-8', '1/1-8', '0/8-8']);
    if (step.kind !== 'seed') throw new Error('not a seed');
    expect(step.seed.writes.every(({ source }) => source.path === snapshot.path)).toBe(true);
  });

  test('a snapshot closes a hole in a level, but none that a higher level covers', () => {
    const files = filesOf(
      [0, 7, 7],
      [9, 1, 5],
      [1, 1, 2],
      [1, 5, 7],
      [2, 1, 2],
      [2, 6, 7],
      [3, 1, 5],
    );
    const backlog = backlogOf(staged(7), staged(8));
    const step = nextStep({
      view: view(files, 'damaged'),
      backlog,
      snapshot: { ...SNAPSHOT, txid: 8n },
      head: 8n,
    });
    expect(writesOf(step)).toEqual(['9/1-8', '1/8-8', '2/8-8', '3/6-8', '0/8-8']);
    const holed = filesOf([0, 7, 7], [9, 1, 5], [1, 1, 2], [1, 5, 7], [2, 1, 2]);
    const closed = nextStep({
      view: view(holed, 'damaged'),
      backlog,
      snapshot: { ...SNAPSHOT, txid: 8n },
      head: 8n,
    });
    expect(writesOf(closed)).toEqual(['9/1-8', '1/3-8', '2/3-8', '0/8-8']);
  });

  test('an increment of another lineage is replaced by a snapshot', () => {
    const input = {
      view: { ...view(filesOf([0, 4, 4], [9, 1, 1]), 'ours'), lineage: 7n },
      backlog: backlogOf(staged(5), staged(6)),
      head: 6n,
    } as const;
    expect(nextStep({ ...input, snapshot: undefined }).kind).toBe('needs-snapshot');
    const step = nextStep({ ...input, snapshot: { ...SNAPSHOT, txid: 6n } });
    expect(writesOf(step)).toEqual(['9/1-6', '1/1-6', '0/6-6']);
    if (step.kind !== 'seed') throw new Error('not a seed');
    expect(step.seed.writes.every(({ source }) => source.path === SNAPSHOT.path)).toBe(true);
  });

  test('damage is repaired by a snapshot at the newest TXID if that file is ours', () => {
    const damaged = view(filesOf([0, 5, 5], [0, 7, 7], [1, 1, 5]), 'damaged');
    const input = { backlog: backlogOf(staged(7)), snapshot: SNAPSHOT, head: 7n };
    const step = nextStep({ ...input, view: damaged });
    expect(writesOf(step)).toEqual(['9/1-7', '1/6-7', '0/7-7']); // the last one exists
    expect(nextStep({ ...input, view: damaged, snapshot: undefined }).kind).toBe('needs-snapshot');
    const unknown = { ...damaged, lineage: 0n };
    expect(nextStep({ ...input, view: unknown })).toMatchObject({ kind: 'needs-image', floor: 7n });
  });

  test('only an image follows a taken name that is not listed', () => {
    const taken = { ...view(filesOf([0, 6, 6]), 'foreign'), highest: 7n };
    const input = { backlog: backlogOf(staged(7)), snapshot: undefined, head: 7n };
    expect(nextStep({ ...input, view: taken })).toMatchObject({ kind: 'needs-image', floor: 7n });
    const backlog = backlogOf(staged(7), staged(8, 'image'));
    const step = nextStep({ ...input, view: taken, backlog, head: 8n });
    expect(writesOf(step)).toEqual(['9/1-8', '1/1-8', '0/8-8']);
  });

  test('a destination that is ahead of us never counts as up to date', () => {
    const ahead = view(filesOf([0, 9, 9]), 'ours');
    const input = { backlog: backlogOf(staged(7)), snapshot: undefined, head: 7n };
    const why = 'it ends with TXID 0000000000000009, but nothing newer was staged';
    const step = nextStep({ ...input, view: ahead });
    expect(step).toMatchObject({ kind: 'needs-image', floor: 9n, why });
  });
});
