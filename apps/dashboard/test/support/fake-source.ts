/** A source whose databases a test changes. */

import type { DatabaseStatus } from '@sluice/core';
import type {
  DashboardSource,
  DatabaseSettings,
  DestinationHistory,
  Download,
  DownloadOrder,
  DrillSummary,
  PlanTarget,
  PlanView,
  RestoreOrder,
  RestoreResult,
  Samples,
} from '../../src/index.ts';

type DestinationStatus = DatabaseStatus['destinations'][number];
type Facts = DatabaseStatus['facts']['destinations'][number];

const TXID = '000000000000002a';
const HOUR_MS = 3_600_000;

export function destination(
  name: string,
  overrides: Partial<DestinationStatus> = {},
): DestinationStatus {
  return {
    name,
    type: 'file',
    target: `file:///backup/${name}`,
    state: 'streaming',
    txid: TXID,
    lagSeconds: 0,
    pendingFiles: 0,
    pendingBytes: 0,
    files: 214,
    bytes: 48_000_000,
    bytesSent: 123_456,
    lastSuccessAt: new Date(Date.now() - 4_000).toISOString(),
    lastError: undefined,
    ...overrides,
  };
}

export function status(path: string, overrides: Partial<DatabaseStatus> = {}): DatabaseStatus {
  const destinations = overrides.destinations ?? [destination('near'), destination('offsite')];
  const facts = (name: string): Facts => ({
    name,
    confirmedAgeMs: 800,
    isCurrent: true,
    stalledMs: 0,
    failingMs: 0,
    snapshotStalledMs: 0,
    snapshotFailingMs: 0,
    error: undefined,
  });
  return {
    path,
    state: 'following',
    at: new Date().toISOString(),
    pid: 1,
    writer: { pid: 1, host: 'h', boot: '', monotonicMs: 0, heartbeatMs: 10_000 },
    marks: undefined,
    txid: TXID,
    pageSize: 4096,
    stagedFiles: 2,
    stagedBytes: 81_000,
    commitsSeen: 71_204,
    walBytes: 3_400_000,
    healthy: true,
    problems: [],
    facts: {
      absence: undefined,
      failure: undefined,
      threadSilentMs: 0,
      lookAgeMs: 700,
      stagedAgeMs: 800,
      imageStalledMs: 0,
      recordStalledMs: 0,
      stateFileAgeMs: 0,
      freshMs: 3_000,
      destinations: destinations.map(({ name }) => facts(name)),
    },
    compaction: [],
    error: undefined,
    destinations,
    ...overrides,
  };
}

/** A database one of whose destinations has failed for four minutes. */
export function failingStatus(path: string): DatabaseStatus {
  const at = new Date(Date.now() - 2_000).toISOString();
  const message = 'connect to offsite: connection refused';
  const whole = status(path, {
    destinations: [
      destination('near'),
      destination('offsite', {
        state: 'failing',
        txid: '0000000000000021',
        lagSeconds: 240,
        pendingFiles: 9,
        pendingBytes: 41_000,
        lastSuccessAt: new Date(Date.now() - 240_000).toISOString(),
        lastError: { code: 'REPLICA_UNAVAILABLE', message, at },
      }),
    ],
    healthy: false,
    problems: [
      {
        stage: 'send',
        destination: 'offsite',
        message: `offsite has failed for 240 s: ${message}`,
      },
    ],
  });
  const [near, offsite] = whole.facts.destinations as [Facts, Facts];
  const facts = [near, { ...offsite, failingMs: 240_000, confirmedAgeMs: 240_000, error: message }];
  return { ...whole, facts: { ...whole.facts, destinations: facts } };
}

export function okDrill(name: string, overrides: Partial<DrillSummary> = {}): DrillSummary {
  return {
    destination: name,
    last: {
      result: 'ok',
      kind: 'full',
      at: new Date(Date.now() - 5 * HOUR_MS).toISOString(),
      txid: TXID,
      restoreMs: 2_140,
      lossWindowMs: 0,
      problems: [],
    },
    everySeconds: 86_400,
    ...overrides,
  };
}

export class FakeSource implements DashboardSource {
  statuses: readonly DatabaseStatus[];
  drillsByDatabase = new Map<string, readonly DrillSummary[] | undefined>();
  /** Set: the status cannot be read. */
  failure: Error | undefined;
  /** Never resolves while set. */
  isHanging = false;
  command?: NonNullable<DashboardSource['command']>;
  readonly restored: RestoreOrder[] = [];
  readonly planned: PlanTarget[] = [];
  readonly endMs: number = Date.now() - 4_000;
  readonly #drills = [okDrill('near'), { destination: 'offsite' }];

  constructor(statuses: readonly DatabaseStatus[]) {
    this.statuses = statuses;
  }

  async status(): Promise<readonly DatabaseStatus[]> {
    if (this.isHanging) await new Promise(() => undefined);
    if (this.failure !== undefined) throw this.failure;
    const at = new Date().toISOString();
    return this.statuses.map((each) => (each.state === 'ended' ? each : { ...each, at }));
  }

  drills(path: string): readonly DrillSummary[] | undefined {
    if (this.drillsByDatabase.has(path)) return this.drillsByDatabase.get(path);
    return this.#drills;
  }

  settings(path: string): DatabaseSettings | undefined {
    if (!this.statuses.some((each) => each.path === path)) return undefined;
    return {
      maxLagSeconds: 60,
      stagingMaxBytes: 1024 ** 3,
      checkpointPages: 1_000,
      checkpointSeconds: 60,
      truncatePages: 121_359,
      snapshotSeconds: 86_400,
      configFile: '/etc/sluice.yml',
    };
  }

  history(path: string): Promise<readonly DestinationHistory[]> {
    const found = this.statuses.find((each) => each.path === path);
    return Promise.resolve(
      (found?.destinations ?? []).map(({ name, target }, index) =>
        this.#history(name, target, index),
      ),
    );
  }

  #history(replica: string, target: string, index: number): DestinationHistory {
    const at = (hoursAgo: number): { txid: string; timestamp: string } => ({
      txid: Math.round(200_000 - hoursAgo * 1_000)
        .toString(16)
        .padStart(16, '0'),
      timestamp: new Date(this.endMs - hoursAgo * HOUR_MS).toISOString(),
    });
    const gap = { from_txid: at(60).txid, to_txid: at(52).txid, before: at(60), after: at(52) };
    return {
      replica,
      target,
      first: at(96),
      newest: at(0),
      moments_total: 5_210,
      moments: [],
      spans: [
        { level: 0, from: at(1), to: at(0), files: 2_400 },
        { level: 1, from: at(24), to: at(1), files: 2_700 },
        { level: 2, from: at(index === 1 ? 52 : 96), to: at(24), files: 72 },
        ...(index === 1 ? [{ level: 3, from: at(96), to: at(60), files: 36 }] : []),
      ],
      gaps_total: index === 1 ? 1 : 0,
      gaps: index === 1 ? [gap] : [],
      snapshots_total: 4,
      snapshots: [4, 28, 52, 76].map((hours) => ({ ...at(hours), size: 48_000_000 })),
      levels: [{ level: 0, files: 12, size: 48_000 }],
    };
  }

  plan(_: string, target: PlanTarget): Promise<PlanView> {
    this.planned.push(target);
    const timestamp = target.kind === 'timestamp' ? target.at : new Date(this.endMs).toISOString();
    const names = ['1-2a.ltx', '2b-3f.ltx', '40-40.ltx'];
    return Promise.resolve({
      txid: TXID,
      timestamp,
      from: [{ name: 'near', target: 'file:///backup/near' }],
      bytes: 50_200_000,
      fileCount: 14,
      files: names.map((name, index) => ({
        name,
        level: [9, 1, 0][index],
        size: [48_000_000, 2_100_000, 9_000][index] ?? 0,
        replica: 'near',
      })),
      notes: [],
    });
  }

  samples(path: string): Samples {
    const found = this.statuses.find((each) => each.path === path);
    const count = 360;
    const end = Math.floor(Date.now() / 10_000) * 10;
    const indexes = Array.from({ length: count }, (_, index) => index);
    const wave = (index: number, phase: number): number =>
      Math.abs(Math.sin(index / 23 + phase) + 0.4 * Math.sin(index / 5 + phase));
    return {
      at: indexes.map((index) => end - (count - index) * 10),
      walBytes: indexes.map((index) => 1_000_000 + 3_000_000 * wave(index, 2)),
      stagedBytes: indexes.map((index) => 80_000 * wave(index, 1)),
      commitsPerSecond: indexes.map((index) => 14 * wave(index, 0)),
      destinations: (found?.destinations ?? []).map(({ name }, offset) => ({
        name,
        lagSeconds: indexes.map((index) => 0.4 + (1 + offset) * wave(index, offset)),
        sentBytesPerSecond: indexes.map((index) => 20_000 * wave(index, offset)),
      })),
      errors: [
        {
          code: 'REPLICA_RATE_LIMITED',
          destination: 'offsite',
          count: 3,
          lastAt: new Date(Date.now() - HOUR_MS).toISOString(),
          message: 'put offsite: too many requests',
        },
      ],
    };
  }

  restore(order: RestoreOrder): Promise<RestoreResult> {
    this.restored.push(order);
    order.onProgress(10, 20);
    return Promise.resolve({ output: order.output, txid: TXID, bytesRead: 20, durationMs: 1_200 });
  }

  download({ database }: DownloadOrder): Promise<Download> {
    const bytes = new TextEncoder().encode('SQLite format 3\0');
    return Promise.resolve({
      fileName: `${database.split('/').at(-1)}`,
      sizeBytes: bytes.length,
      body: new Blob([bytes]).stream(),
    });
  }
}
