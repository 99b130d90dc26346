/** Runs `sluice repair`, and reads what it has found. */

import { spawn } from 'node:child_process';
import { CLI } from './replicator.ts';

export interface RepairFindings {
  readonly code: number | null;
  /** What no run may leave behind. */
  readonly problems: readonly string[];
  /** Number of moments that each destination lacked, by name. */
  readonly lacking: Readonly<Record<string, number>>;
  readonly output: string;
}

/** Parts of its JSON. */
interface Found {
  readonly destinations: readonly {
    readonly replica: string;
    readonly lacking: number;
    readonly damaged: readonly unknown[];
    readonly failures: readonly unknown[];
    readonly unread: readonly unknown[];
  }[];
  readonly lost: readonly unknown[];
  readonly conflicts: readonly unknown[];
  readonly histories: readonly (readonly string[])[];
  readonly unanswered: readonly unknown[];
}

export async function repair(
  configuration: string,
  mode: 'dry-run' | 'mend',
): Promise<RepairFindings> {
  const words = [CLI, 'repair', '-json', '-config', configuration];
  if (mode === 'dry-run') words.push('-dry-run');
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const output = stdout + stderr;
  const [found] = stdout.startsWith('[') ? (JSON.parse(stdout) as readonly Found[]) : [];
  if (found === undefined) {
    return { code, problems: [`sluice repair found no database: ${output}`], lacking: {}, output };
  }
  const { destinations, lost, conflicts, histories, unanswered } = found;
  const unexpected = {
    ...{ lost, conflicts, unanswered, histories: histories.slice(1) },
    damaged: destinations.flatMap(({ damaged }) => damaged),
    failures: destinations.flatMap(({ failures }) => failures),
    unread: destinations.flatMap(({ unread }) => unread),
  };
  const problems = Object.entries(unexpected).flatMap(([kind, list]) =>
    list.length === 0 ? [] : [`sluice repair: ${kind}: ${JSON.stringify(list)}`],
  );
  const lacking = Object.fromEntries(destinations.map((each) => [each.replica, each.lacking]));
  return { code, problems, lacking, output };
}
