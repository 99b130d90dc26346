/**
 * Four backends with real servers behind toxiproxy, which cuts, slows, stalls or resets connections
 * during a call. Without the proxy only complete files are visible at any moment. A call succeeds once
 * the network recovers, and fails with REPLICA_UNAVAILABLE if it does not. No socket stays open. The cost
 * of retries is measured, printed and bounded.
 */

import { Destination } from '@sluice/core';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { CLOSE_MS_MAX } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { afterAll, beforeAll, describe, test, type ExpectStatic } from 'vitest';
import { accounted } from '../servers/accounted.ts';
import {
  IN_PARTS,
  IN_PARTS_COUNT,
  PROXIED,
  type ProxiedKind,
  type ProxiedServer,
} from '../servers/behind-proxy.ts';
import { startToxiproxy, type Toxic, type Toxiproxy } from '../servers/toxiproxy.ts';
import { watchTraffic, type Traffic, type TrafficWatch } from '../servers/traffic.ts';
import { watchName, type Whole } from '../servers/witness.ts';
import { describeWith } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { assertBytes, bodyOf, readIfPresent, list, pattern, read, ref } from './context.ts';

const FILE = ref(0, 1);
const OLD = pattern(1_000, 9);
/** Core's default (ATTEMPTS_MAX), and fewer attempts if each one waits long. */
const ATTEMPTS = 5;
const LONG_ATTEMPTS = 3;
/**
 * Silence after which a call fails; core's default is longer. No delay before a retry has this length, so
 * the test clock can distinguish them.
 */
const SILENCE_MS = 1_111;
/** Longer than any call takes, also on a busy machine. */
const CALL_MS_MAX = 60_000;
/** Duration of a slow call, and the silence limit that it must not exceed. */
const [SLOW_MS, SLOW_SILENCE_MS] = [4_000, 3_000];
/** Duration of a call that is stopped in the middle, and the time of the stop. There is no event for it. */
const [WHOLE_MS, MIDDLE_MS] = [1_000, 400];
/** Bytes of a call beside its body: HTTP headers, or SSH handshakes and some SSH windows. */
const OVERHEAD_BYTES = 32_768;
/** Maximum bytes read per byte of a file: bytes in flight are read again after a cut. */
const FETCHED_SHARE_MAX = 1.3;

type Call = 'write' | 'write in parts' | 'write if absent' | 'read' | 'list';

/** Size of the file: less than one part of any backend, or more than two. */
const SIZES: Readonly<Record<Call, (partSizeBytes: number) => number>> = {
  write: () => 600_000,
  [IN_PARTS]: (partSizeBytes) => partSizeBytes * IN_PARTS_COUNT,
  'write if absent': () => 600_000,
  read: () => 2_000_000,
  list: () => 1_000,
};
/** Content of the file before the call. */
const BEFORE: Readonly<Record<Call, (bytes: Uint8Array) => Whole>> = {
  write: () => OLD,
  'write in parts': () => OLD,
  'write if absent': () => 'none',
  read: (bytes) => bytes,
  list: () => OLD,
};

interface Cost extends Traffic {
  readonly calls: number;
  readonly tookMs: number;
}

interface Scenario {
  readonly call: Call;
  readonly network: string;
  /** The toxic, by the size of the file. */
  readonly toxic?: (sizeBytes: number) => Toxic;
  /** A second toxic, added after MIDDLE_MS. */
  readonly later?: () => Toxic;
  /** When the network recovers. */
  readonly until?: 'the first retry' | 'never';
  /** Minimum and maximum number of backend calls, including the first. */
  readonly calls: readonly [number, number];
  readonly ends: 'well' | 'unavailable';
}

const cut =
  (stream: Toxic['stream'], share = 0.5) =>
  (size: number): Toxic => ({ type: 'limit_data', stream, bytes: Math.round(size * share) });
const slow =
  (stream: Toxic['stream'], tookMs = SLOW_MS) =>
  (sizeBytes: number): Toxic => ({
    type: 'bandwidth',
    stream,
    rate: Math.ceil(sizeBytes / tookMs),
  });
const stalled = (stream: Toxic['stream']) => (): Toxic => ({ type: 'timeout', stream, timeout: 0 });
const reset = (stream: Toxic['stream']) => (): Toxic => ({
  type: 'reset_peer',
  stream,
  timeout: 0,
});

// The second call may start before the network has recovered.
const once = { until: 'the first retry', calls: [2, 3], ends: 'well' } as const;
const settled = { ...once, calls: [2, 5] } as const;
const forGood = { until: 'never', calls: [ATTEMPTS, ATTEMPTS], ends: 'unavailable' } as const;
const forLong = { ...forGood, calls: [LONG_ATTEMPTS, LONG_ATTEMPTS] } as const;
/** Reads give up early, because a restore may have another destination. */
const silent = { ...forGood, calls: [2, 2] } as const;
const through = { until: 'never', calls: [1, 1], ends: 'well' } as const;

const SCENARIOS: readonly Scenario[] = [
  { call: 'write', network: 'well', ...through },
  { call: 'write', network: 'cut once', toxic: cut('upstream'), ...once },
  { call: 'write', network: 'cut always', toxic: cut('upstream'), ...forGood },
  { call: 'write', network: 'slow', toxic: slow('upstream'), ...through },
  { call: 'write', network: 'stalled once', toxic: stalled('upstream'), ...once },
  {
    call: 'write',
    network: 'stalled halfway once',
    toxic: slow('upstream', WHOLE_MS),
    later: stalled('upstream'),
    ...once,
  },
  { call: 'write', network: 'stalled always', toxic: stalled('upstream'), ...forLong },
  { call: 'write', network: 'reset once', toxic: reset('upstream'), ...once },
  { call: 'write', network: 'reset always', toxic: reset('upstream'), ...forGood },
  { call: 'write in parts', network: 'well', ...through },
  { call: 'write in parts', network: 'cut once', toxic: cut('upstream', 0.05), ...once },
  { call: 'write in parts', network: 'cut always', toxic: cut('upstream', 0.05), ...forLong },
  { call: 'write if absent', network: 'well', ...through },
  // A listing and a read of the file's end show that the write succeeded before its response was lost.
  { call: 'write if absent', network: 'stalled answer', toxic: stalled('downstream'), ...settled },
  { call: 'write if absent', network: 'reset answer', toxic: reset('downstream'), ...settled },
  { call: 'read', network: 'well', ...through },
  {
    call: 'read',
    network: 'cut again and again',
    toxic: cut('downstream', 0.4),
    ...through,
    calls: [3, 5],
  },
  { call: 'read', network: 'cut at once always', toxic: cut('downstream', 0), ...forGood },
  { call: 'read', network: 'slow', toxic: slow('downstream'), ...through },
  { call: 'read', network: 'stalled once', toxic: stalled('downstream'), ...once },
  {
    call: 'read',
    network: 'stalled halfway once',
    toxic: slow('downstream', WHOLE_MS),
    later: stalled('downstream'),
    ...once,
  },
  { call: 'read', network: 'stalled always', toxic: stalled('downstream'), ...silent },
  { call: 'read', network: 'reset once', toxic: reset('downstream'), ...once },
  { call: 'list', network: 'well', ...through },
  { call: 'list', network: 'reset once', toxic: reset('downstream'), ...once },
  { call: 'list', network: 'stalled once', toxic: stalled('upstream'), ...once },
];

let traffic: TrafficWatch;
beforeAll(() => {
  traffic = watchTraffic();
});
afterAll(() => traffic.stop());

describe.concurrent('through toxiproxy', () => {
  for (const kind of PROXIED) {
    describeWith([...kind.tools, 'toxiproxy'], kind.name, () => describeKind(kind));
  }
});

function describeKind(kind: ProxiedKind): void {
  let server: ProxiedServer;
  let toxiproxy: Toxiproxy;
  const costs = new Map<string, Cost>();
  beforeAll(async () => {
    [server, toxiproxy] = await Promise.all([kind.start(), startToxiproxy()]);
  });
  afterAll(async () => {
    await Promise.all([toxiproxy.stop(), server.stop()]);
    print(kind, costs);
  });

  for (const scenario of SCENARIOS.filter((each) => kind.isWitnessOf(each.call))) {
    const { call, network, ends } = scenario;
    const outcome = ends === 'well' ? 'succeeds' : 'fails with REPLICA_UNAVAILABLE';
    test(`a ${call} (network: ${network}) ${outcome}`, async ({ expect }) => {
      await play(scenario, kind, server, toxiproxy, costs, expect);
    });
  }
}

/** Runs one scenario with its own replica, destination and proxy. */
async function play(
  scenario: Scenario,
  kind: ProxiedKind,
  server: ProxiedServer,
  toxiproxy: Toxiproxy,
  costs: Map<string, Cost>,
  expect: ExpectStatic,
): Promise<void> {
  const { call, network, toxic, later, calls, ends } = scenario;
  const path = `${server.root}/${call} ${network}`.replaceAll(' ', '-');
  const bytes = pattern(SIZES[call](kind.partSizeBytes), 1);
  const before = BEFORE[call](bytes);
  const after = call.startsWith('write') ? bytes : before;
  const direct = await server.connect(server.port, 'write');
  const past = new Replica(direct, path);
  if (before !== 'none') await past.writeFile(FILE, bodyOf(before));
  const proxy = await toxiproxy.proxyTo(server.port);
  const sent = traffic.to(proxy.port);
  if (toxic !== undefined) await proxy.add(toxic(bytes.byteLength));

  const account = accounted(await server.connect(proxy.port, 'write'));
  let cleared: Promise<void> | undefined;
  let silenceMs = network.startsWith('stalled') ? SILENCE_MS : CALL_MS_MAX;
  if (network === 'slow') silenceMs = SLOW_SILENCE_MS;
  const destination = new Destination(account.destination, {
    attemptsMax: ends === 'well' ? ATTEMPTS : calls[1],
    random: () => 0,
    stallMs: SILENCE_MS,
    // A body that is sent in one piece makes no progress until it is complete.
    silenceMs: network === 'slow' ? CALL_MS_MAX : SILENCE_MS,
    clock: {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      after(ms, ring) {
        const timer = setTimeout(ring, ms === SILENCE_MS ? silenceMs : ms);
        return () => clearTimeout(timer);
      },
    },
    onRetry() {
      if (scenario.until === 'never') return;
      silenceMs = CALL_MS_MAX;
      cleared ??= proxy.clear();
    },
  });
  const witness = watchName(past, FILE, [before, after]);
  const began = performance.now();
  const turned = later === undefined ? undefined : sleep(MIDDLE_MS).then(() => proxy.add(later()));
  const outcome = await make(call, destination.replica(path), bytes).then(
    () => undefined,
    (error: unknown) => error,
  );
  const tookMs = performance.now() - began;
  await turned;
  await cleared;
  // A failed call keeps no connection open, except that all calls share one SSH connection.
  if (ends !== 'well') await until('its sockets are closed', () => sent.open <= 1, CLOSE_MS_MAX);
  const closing = performance.now();
  await destination.close();
  const closedMs = performance.now() - closing;

  await until('its sockets are closed', () => sent.open === 0, CLOSE_MS_MAX - closedMs);
  const cost: Cost = { ...sent, calls: account.calls, tookMs };
  costs.set(`a ${call}, ${network}`, cost);
  await witness.end();
  const found = await readIfPresent(past, FILE);
  await direct.close();
  await proxy.remove();

  if (ends === 'well') expect(outcome).toBeUndefined();
  else expect(outcome).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  if (network === 'slow') expect(tookMs).toBeGreaterThan(SLOW_SILENCE_MS);
  expect(tookMs).toBeLessThan(CALL_MS_MAX);
  assertBytes(found, ends === 'well' ? after : before);
  expect(account.pending).toBe(0);
  const [least, most] = calls;
  expect(cost.calls).toBeGreaterThanOrEqual(least);
  expect(cost.calls).toBeLessThanOrEqual(most);
  const { requests, connections, sentBytes, receivedBytes } = cost;
  expect(requests).toBeLessThanOrEqual(cost.calls * kind.requestsMax(call));
  expect(connections).toBeLessThanOrEqual(Math.max(cost.calls, requests));
  // Only bytes in flight are read again.
  const overhead = cost.calls * OVERHEAD_BYTES;
  const sends = call.startsWith('write') ? cost.calls * kind.bodiesMax(call) : 0;
  expect(sentBytes).toBeLessThanOrEqual(sends * bytes.byteLength + overhead);
  expect(receivedBytes).toBeLessThanOrEqual(bytes.byteLength * FETCHED_SHARE_MAX + overhead);
}

async function make(call: Call, replica: Replica, bytes: Uint8Array): Promise<void> {
  if (call === 'read') assertBytes(await read(replica, FILE), bytes);
  else if (call === 'list') assert.equal((await list(replica, 'all')).length, 1);
  else {
    const options = call === 'write if absent' ? ({ condition: 'if-absent' } as const) : {};
    await replica.writeFile(FILE, bodyOf(bytes), options);
  }
}

function print(kind: ProxiedKind, costs: ReadonlyMap<string, Cost>): void {
  const rows = Array.from(costs, ([what, cost]) => {
    const columns = [cost.calls, cost.requests, cost.connections];
    const sizes = [cost.sentBytes, cost.receivedBytes].map((size) => Math.round(size / 1024));
    const cells = [...columns, ...sizes, Math.round(cost.tookMs)];
    return what.padEnd(44) + cells.map((cell) => String(cell).padStart(12)).join('');
  });
  const head = ['calls', 'requests', 'connections', 'KiB up', 'KiB down', 'ms'];
  const title = kind.name.padEnd(44) + head.map((cell) => cell.padStart(12)).join('');
  console.log([title, ...rows.toSorted()].join('\n'));
}
