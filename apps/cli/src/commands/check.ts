/**
 * sluice check: tests destinations one after another, each in a replica of its own, and prints each
 * result at once. The exit code is that of the first destination that cannot keep backups.
 */

import {
  checkDestination,
  checkFailure,
  Destination,
  connectionFailure,
  type CheckFigures,
  type CheckOptions,
  type CheckProgress,
  type CheckReport,
  type FeatureReport,
} from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { ProgressLine } from '../check-progress.ts';
import { checkTargets, type CheckTarget } from '../check-targets.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { EXIT_OF_ERROR } from '../exit-of-error.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const targets = await checkTargets(args, shell);
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const printer = args.has('json') ? jsonPrinter(shell) : textPrinter(shell);
  const reports: { target: CheckTarget; report: CheckReport }[] = [];
  await interruptible(async (signal) => {
    for (const target of targets) {
      printer.begins(target);
      using progress = new ProgressLine(`  ${target.destination.name}`, stderr);
      const onFeature = (feature: FeatureReport): void => {
        progress.clear();
        printer.feature(withAdvice(feature, target, shell), signal);
      };
      const onProgress = (now: CheckProgress): void => progress.update(now);
      const report = await checkTarget(target, { logger, onFeature, onProgress, signal });
      printer.ends(report);
      reports.push({ target, report });
    }
  });
  if (args.has('json')) {
    printJSON(
      shell,
      reports.map(({ target, report }) => toJSON(target, report, shell)),
    );
  }
  const [failure] = reports.flatMap(({ report }) => checkFailure(report) ?? []);
  if (failure === undefined) return EXIT_CODES.ok;
  return EXIT_CODES[failure.code === undefined ? 'failed' : EXIT_OF_ERROR[failure.code]];
}

interface Context {
  readonly logger: Logger;
  readonly onFeature: (feature: FeatureReport) => void;
  readonly onProgress: (progress: CheckProgress) => void;
  readonly signal: AbortSignal;
}

/**
 * Uses two connections: the one that looks at the replica's own path is read-only. The test of
 * aborts opens and closes a third one.
 */
async function checkTarget(
  { destination }: CheckTarget,
  { logger, onFeature, onProgress, signal }: Context,
): Promise<CheckReport> {
  const { backend, config, path, target, partBytes, provider } = destination;
  // The place itself is tested, with files that are not encrypted.
  const plain = { ...destination, encryption: undefined };
  await using writing = new Destinations(logger, 'write');
  await using reading = new Destinations(logger, 'read');
  let connected: Pick<CheckOptions, 'destination' | 'reader'>;
  try {
    connected = {
      destination: await writing.connect(plain, signal),
      reader: await reading.connect(plain, signal),
    };
  } catch (error) {
    signal.throwIfAborted();
    const report = connectionFailure(target, path, error);
    for (const feature of report.features) onFeature(feature);
    return report;
  }
  return await checkDestination({
    ...connected,
    path,
    partBytes,
    provider,
    connect: async (probeLogger) => {
      const context = { logger: probeLogger, access: 'write', signal } as const;
      return new Destination(await backend.connect(config, context));
    },
    onFeature,
    onProgress,
    signal,
  });
}

/** Removes secrets; if a permission is or may be missing, adds the provider's name of it. */
function withAdvice(
  report: FeatureReport,
  { destination }: CheckTarget,
  shell: Shell,
): FeatureReport {
  const { feature, verdict, missing, seen, next } = report;
  // Leftovers of an abort are reported as text only; the usual reason is a missing permission.
  const lacked = missing ?? (feature === 'abort' && verdict === 'does not' ? 'abort' : undefined);
  const right = lacked === undefined ? undefined : destination.backend.permissions?.[lacked];
  return {
    ...report,
    seen: shell.secrets.clean(seen),
    next: next === undefined || right === undefined ? next : `${next}; it takes ${right}`,
  };
}

interface Printer {
  begins(target: CheckTarget): void;
  feature(report: FeatureReport, signal: AbortSignal): void;
  ends(report: CheckReport): void;
}

/**
 * Prints everything at the end. But an interrupted check has no end, so its leftovers are printed at
 * once.
 */
function jsonPrinter({ stderr }: Shell): Printer {
  return {
    begins: () => undefined,
    feature({ feature, verdict, seen }, signal) {
      if (!signal.aborted || feature !== 'delete' || verdict === 'works') return;
      stderr.write(`sluice check: ${seen}\n`);
    },
    ends: () => undefined,
  };
}

/** The width of the longest. */
const FEATURE_WIDTH = 'if-absent-large'.length;
const VERDICT_WIDTH = 'not judged'.length;

function textPrinter({ stdout }: Shell): Printer {
  const print = (line: string): void => void stdout.write(`${line}\n`);
  return {
    begins({ destination: { name, target }, others }) {
      print(`${name}: ${target}${others > 0 ? `, and ${others} more in the same folder` : ''}`);
    },
    feature({ feature, verdict, seen, next }) {
      print(`  ${feature.padEnd(FEATURE_WIDTH)}  ${verdict.padEnd(VERDICT_WIDTH)}  ${seen}`);
      if (next !== undefined) print(`  ${''.padEnd(FEATURE_WIDTH)}  next: ${next}`);
    },
    ends({ figures }) {
      const measured = figuresOf(figures);
      if (measured !== '') print(`  ${measured}`);
    },
  };
}

function figuresOf({
  readMs,
  writeMs,
  upBytesPerSecond,
  downBytesPerSecond,
}: CheckFigures): string {
  const ms = (what: string, value: number | undefined): string[] =>
    value === undefined ? [] : [`a small ${what} ${value.toFixed(1)} ms`];
  const speed = (way: string, value: number | undefined): string[] =>
    value === undefined ? [] : [`${way} ${formatBytes(value)}/s`];
  return [
    ...ms('write', writeMs),
    ...ms('read', readMs),
    ...speed('up', upBytesPerSecond),
    ...speed('down', downBytesPerSecond),
  ].join(', ');
}

function toJSON(target: CheckTarget, report: CheckReport, shell: Shell): object {
  const { name, type, target: place } = target.destination;
  const { figures } = report;
  return {
    name,
    type,
    target: place,
    others: target.others,
    path: report.path,
    ok: checkFailure(report) === undefined,
    features: report.features.map((feature) => withAdvice(feature, target, shell)),
    write_ms: figures.writeMs,
    read_ms: figures.readMs,
    up_bytes_per_second: figures.upBytesPerSecond,
    down_bytes_per_second: figures.downBytesPerSecond,
    left: report.left,
  };
}
