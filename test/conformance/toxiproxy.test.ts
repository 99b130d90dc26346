/**
 * Four backends over a network that is cut, slow, stalled or reset in the middle of a call, as
 * toxiproxy does it to their real servers. What is seen past the proxy is whole at every moment; a
 * call ends well once the network is well again, and with REPLICA_UNAVAILABLE where it stays bad;
 * nothing is left open; and what the retries cost is counted, printed and bounded.
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
import { assertBytes, bodyOf, held, list, pattern, read, ref } from './context.ts';

const FILE = ref(0, 1);
const OLD = pattern(1_000, 9);
/** As core tries by itself (ATTEMPTS_MAX), and fewer where each one waits for long. */
const ATTEMPTS = 5;
const LONG_ATTEMPTS = 3;
/**
 * Silence that is a failure, where a network is to be found dead: core's own is longer. No wait
 * before a retry is as long, so that the clock can tell them apart.
 */
const SILENCE_MS = 1_111;
/** Longer than any call may take, on a busy machine too. */
const PATIENCE_MS = 60_000;
/** What a slow call takes, and the silence that it must not be taken for on a busy machine. */
const [SLOW_MS, SLOW_SILENCE_MS] = [4_000, 3_000];
/** Of calls that are stopped in the middle: what they would take, and when they are. No event tells. */
const [WHOLE_MS, MIDDLE_MS] = [1_000, 400];
/** What a call says beside its body: heads of HTTP, or the greetings of SSH and some windows of its. */
const TALK_BYTES = 32_768;
/** Of a file, in all calls: what was on its way when a connection ended comes again. */
const FETCHED_SHARE_MAX = 1.3;

type Call = 'write' | 'write in parts' | 'write if absent' | 'read' | 'list';

/** What is written or read: less than a part of any of the backends, or more than two. */
const SIZES: Readonly<Record<Call, (partSizeBytes: number) => number>> = {
  write: () => 600_000,
  [IN_PARTS]: (partSizeBytes) => partSizeBytes * IN_PARTS_COUNT,
  'write if absent': () => 600_000,
  read: () => 2_000_000,
  list: () => 1_000,
};
/** What the name holds before. */
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
  /** By the size of what is written or read. */
  readonly toxic?: (sizeBytes: number) => Toxic;
  /** After MIDDLE_MS of the call. */
  readonly later?: () => Toxic;
  /** When the network is well again. */
  readonly until?: 'the first retry' | 'never';
  /** Calls of the backend, the first one among them: least and most. */
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

// The second call may come before the network is quite well.
const once = { until: 'the first retry', calls: [2, 3], ends: 'well' } as const;
const settled = { ...once, calls: [2, 5] } as const;
const forGood = { until: 'never', calls: [ATTEMPTS, ATTEMPTS], ends: 'unavailable' } as const;
const forLong = { ...forGood, calls: [LONG_ATTEMPTS, LONG_ATTEMPTS] } as const;
/** A restore may have another destination to read from. */
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
  // What was written before the answer was lost is found by a listing and a read of its end.
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
    test(`a ${call}, ${network}: ends ${ends}`, async ({ expect }) => {
      await play(scenario, kind, server, toxiproxy, costs, expect);
    });
  }
}

/** Plays one scenario with a replica, a destination and a proxy of its own. */
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
  let silenceMs = network.startsWith('stalled') ? SILENCE_MS : PATIENCE_MS;
  if (network === 'slow') silenceMs = SLOW_SILENCE_MS;
  const destination = new Destination(account.destination, {
    attemptsMax: ends === 'well' ? ATTEMPTS : calls[1],
    random: () => 0,
    stallMs: SILENCE_MS,
    // A body that is sent as one piece is silent for as long as that takes.
    silenceMs: network === 'slow' ? PATIENCE_MS : SILENCE_MS,
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
      silenceMs = PATIENCE_MS;
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
  // What was given up holds no connection, but for the one of SSH, which all calls share.
  if (ends !== 'well') await until('they are let go', () => sent.open <= 1, CLOSE_MS_MAX);
  const closing = performance.now();
  await destination.close();
  const closedMs = performance.now() - closing;

  await until('its sockets are closed', () => sent.open === 0, CLOSE_MS_MAX - closedMs);
  const cost: Cost = { ...sent, calls: account.calls, tookMs };
  costs.set(`a ${call}, ${network}`, cost);
  await witness.end();
  const found = await held(past, FILE);
  await direct.close();
  await proxy.remove();

  if (ends === 'well') expect(outcome).toBeUndefined();
  else expect(outcome).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  if (network === 'slow') expect(tookMs).toBeGreaterThan(SLOW_SILENCE_MS);
  expect(tookMs).toBeLessThan(PATIENCE_MS);
  assertBytes(found, ends === 'well' ? after : before);
  expect(account.pending).toBe(0);
  const [least, most] = calls;
  expect(cost.calls).toBeGreaterThanOrEqual(least);
  expect(cost.calls).toBeLessThanOrEqual(most);
  const { requests, connections, sentBytes, receivedBytes } = cost;
  expect(requests).toBeLessThanOrEqual(cost.calls * kind.requestsMax(call));
  expect(connections).toBeLessThanOrEqual(Math.max(cost.calls, requests));
  // No byte is fetched again but those that were on their way.
  const talk = cost.calls * TALK_BYTES;
  const sends = call.startsWith('write') ? cost.calls * kind.bodiesMax(call) : 0;
  expect(sentBytes).toBeLessThanOrEqual(sends * bytes.byteLength + talk);
  expect(receivedBytes).toBeLessThanOrEqual(bytes.byteLength * FETCHED_SHARE_MAX + talk);
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
