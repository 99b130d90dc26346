/** The page of the replicator: a handler of web requests, and what it reads while nobody looks. */

import path from 'node:path';
import { completeOptions, type DatabaseStatus } from '@sluice/core';
import { isError, messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { createDashboard, type DashboardHandler, type DashboardSource } from '@sluice/dashboard';
import type {
  CommandOrder,
  CostView,
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
} from '@sluice/dashboard';
import { parseAddress } from '../http/address.ts';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { costOf, sizeOf } from '../costing/cost-of.ts';
import { Destinations } from '../destinations.ts';
import type { ConfigFile } from '../drilling/order.ts';
import type { Secrets } from '../secrets.ts';
import { cpuMs } from './cpu-time.ts';
import { DrillCache } from './drill-cache.ts';
import { readHistories } from './histories.ts';
import { downloadOf, planFor, refuseDatabasePath, restoreTo } from './restores.ts';
import { SampleBuffer } from './samples.ts';

export interface PageOptions {
  readonly config: Pick<Config, 'addr' | 'page'>;
  /** Those of now: they may change while the process runs. */
  readonly databases: () => readonly DatabaseConfig[];
  readonly status: () => readonly DatabaseStatus[];
  /** undefined if the configuration is a command line. */
  readonly configFile: ConfigFile | undefined;
  /** Nothing that the page shows contains them. */
  readonly secrets: Secrets;
  readonly logger: Logger;
  /** undefined: commands are not accepted. */
  readonly command?: DashboardSource['command'] | undefined;
}

export interface Page {
  readonly handle: DashboardHandler;
  close(): Promise<void>;
}

/** undefined if the page is turned off. CONFIG_INVALID if it is turned on and needs a token. */
export function createPage(options: PageOptions): Page | undefined {
  const { config, logger } = options;
  const { enabled, token, hosts } = config.page;
  if (enabled === false || config.addr === undefined) return undefined;
  const isLocal = isLoopback(parseAddress(config.addr)?.host ?? '');
  if (!isLocal && token === undefined) {
    const why = `addr ${config.addr} is reachable from other machines, and there is no page.token`;
    if (enabled === undefined) {
      logger.info(`the page is off: ${why}`);
      return undefined;
    }
    throw new ReplicationError(
      'CONFIG_INVALID',
      `${why}: set page.token-file, or let addr begin with 127.0.0.1`,
    );
  }
  const source = new ReplicatorSource(options);
  const readers = isLocal ? 'anyone' : 'token';
  const handle = createDashboard(source, { token, hosts, readers });
  return { handle, close: async () => await source.close() };
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}

/** Reads of destinations at once: each costs requests, and readers have no token. */
const READS_MAX = 4;

class ReplicatorSource implements DashboardSource {
  readonly #options: PageOptions;
  readonly #drills: DrillCache;
  readonly #samples = new SampleBuffer();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #reads = 0;

  constructor(options: PageOptions) {
    this.#options = options;
    this.#drills = new DrillCache(options.databases, options.logger);
    this.#sample();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error('the replicator ends'));
    await this.#drills.close();
  }

  async status(): Promise<readonly DatabaseStatus[]> {
    await this.#drills.refresh();
    return this.#options.status().map((each) => (hasMessages(each) ? this.#cleaned(each) : each));
  }

  drills(database: string): readonly DrillSummary[] | undefined {
    const found = this.#drills.of(database);
    const isPlain = found?.every(
      ({ last, failure }) => failure === undefined && last?.result !== 'failed',
    );
    return isPlain === true ? found : this.#cleaned(found);
  }

  settings(database: string): DatabaseSettings | undefined {
    const found = this.#options.databases().find(({ options }) => options.path === database);
    if (found === undefined) return undefined;
    const complete = completeOptions(found.options);
    const { configFile } = this.#options;
    const [first] = found.destinations;
    return {
      maxLagSeconds: complete.maxLagMs / 1_000,
      stagingMaxBytes: complete.stagingMaxBytes,
      checkpointPages: complete.minCheckpointPageCount,
      checkpointSeconds: complete.checkpointIntervalMs / 1_000,
      truncatePages: complete.truncatePageN,
      snapshotSeconds: complete.snapshotIntervalMs / 1_000,
      configFile: configFile && path.resolve(configFile.file),
      // Without a configuration, a restore names the destination.
      restoreFrom: configFile === undefined ? first?.target : undefined,
    };
  }

  async history(database: string, signal: AbortSignal): Promise<readonly DestinationHistory[]> {
    return await this.#reading(async () => {
      await using connections = new Destinations(this.#options.logger, 'read');
      return await readHistories(this.#find(database), connections, this.#until(signal));
    });
  }

  async plan(database: string, target: PlanTarget, signal: AbortSignal): Promise<PlanView> {
    return await this.#reading(
      async () => await planFor(this.#find(database), target, this.#context(signal)),
    );
  }

  samples(database: string): Samples | undefined {
    return this.#cleaned(this.#samples.of(database));
  }

  async costs(database: string, signal: AbortSignal): Promise<readonly CostView[]> {
    return await this.#reading(async () => {
      const found = this.#find(database);
      const fileBytes = await sizeOf(found);
      await using connections = new Destinations(this.#options.logger, 'read');
      const context = { database: found, fileBytes, connections, signal: this.#until(signal) };
      return await Promise.all(found.destinations.map(async (each) => await costAt(each, context)));
    });
  }

  async restore(order: RestoreOrder, signal: AbortSignal): Promise<RestoreResult> {
    const database = this.#find(order.database);
    refuseDatabasePath(order.output, this.#options.databases());
    return await this.#withCleanErrors(
      async () => await restoreTo(database, order, this.#context(signal)),
    );
  }

  async download(order: DownloadOrder, signal: AbortSignal): Promise<Download> {
    const database = this.#find(order.database);
    return await this.#withCleanErrors(
      async () => await downloadOf(database, order.target, this.#context(signal)),
    );
  }

  async command(order: CommandOrder, signal: AbortSignal): Promise<unknown> {
    const { command } = this.#options;
    if (command === undefined) {
      throw new ReplicationError(
        'CONFIG_INVALID',
        'this process ends by itself, and takes no commands',
      );
    }
    const onProgress = (progress: unknown): void => order.onProgress(this.#cleaned(progress));
    return await this.#withCleanErrors(async () =>
      this.#cleaned(await command({ ...order, onProgress }, this.#until(signal))),
    );
  }

  #find(database: string): DatabaseConfig {
    const found = this.#options.databases().find(({ options }) => options.path === database);
    if (found !== undefined) return found;
    throw new ReplicationError('CONFIG_INVALID', `there is no database ${database}`);
  }

  #context(signal: AbortSignal): { logger: Logger; signal: AbortSignal } {
    return { logger: this.#options.logger, signal: this.#until(signal) };
  }

  #until(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#stop.signal]);
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    if (this.#reads >= READS_MAX) {
      throw new Error('other pages are reading the destinations: try again');
    }
    this.#reads += 1;
    try {
      return this.#cleaned(await this.#withCleanErrors(read));
    } finally {
      this.#reads -= 1;
    }
  }

  /** A vendor's error message may quote a secret. */
  #cleaned<T>(value: T): T {
    if (value === undefined) return value;
    return JSON.parse(this.#options.secrets.clean(JSON.stringify(value))) as T;
  }

  async #withCleanErrors<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const message = this.#options.secrets.clean(messageOf(error));
      throw isError(error) ? new ReplicationError(error.code, message) : new Error(message);
    }
  }

  #sample(): void {
    const startedMs = cpuMs();
    this.#samples.add(this.#options.status(), Date.now());
    const waitMs = this.#samples.intervalMs(cpuMs() - startedMs);
    this.#timer = setTimeout(() => this.#sample(), waitMs);
    this.#timer.unref();
  }
}

/** Whether there is text from outside in a status. */
function hasMessages({ healthy, error, snapshotError, destinations }: DatabaseStatus): boolean {
  return (
    !healthy ||
    error !== undefined ||
    snapshotError !== undefined ||
    destinations.some(
      (each) =>
        each.lastError !== undefined ||
        each.mergeError !== undefined ||
        each.snapshotError !== undefined ||
        each.damage !== undefined,
    )
  );
}

interface CostInput {
  readonly database: DatabaseConfig;
  readonly fileBytes: number | undefined;
  readonly connections: Destinations;
  readonly signal: AbortSignal;
}

/** Nothing is given: everything is observed. */
const FLAGS = {
  commitsPerHour: undefined,
  bytesPerCommit: undefined,
  databaseBytes: undefined,
  hotBytes: undefined,
  restoresPerMonth: 0,
  prices: undefined,
  schedule: {},
} as const;

async function costAt(
  destination: DatabaseConfig['destinations'][number],
  { connections, ...context }: CostInput,
): Promise<CostView> {
  const { name } = destination;
  try {
    const costing = await costOf(destination, connections, { ...context, flags: FLAGS });
    const { requests, sentBytes, storedBytes } = costing.forecast;
    const { prices, money } = costing;
    const dated = prices.date === undefined ? '' : `, ${prices.date}`;
    return {
      destination: name,
      requests,
      sentBytes,
      storedBytes,
      money: { total: money.total, currency: prices.currency },
      prices: `${prices.name}${dated}`,
    };
  } catch (error) {
    context.signal.throwIfAborted();
    const hint = isError(error, 'CONFIG_INVALID') ? 'too little is stored yet to tell' : undefined;
    return { destination: name, error: hint ?? messageOf(error) };
  }
}
