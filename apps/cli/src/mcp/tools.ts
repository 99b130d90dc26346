/**
 * The tools of `sluice mcp`. Each one is a command of this tool, with -json, that changes neither a database nor a
 * backup. Pure.
 *
 * A model chooses the arguments, so they are checked here: a database is one of the configuration, never a URL, which
 * could name any server or file; and no SQL is accepted.
 */

import { z } from 'zod';

/** Checked arguments. */
export type ToolInput = Readonly<Record<string, string | number | undefined>>;

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  /** The words of the command, without the configuration. `input` was checked. */
  readonly words: (input: ToolInput) => readonly string[];
}

const database = z
  .string()
  .min(1)
  .refine((path) => !path.includes(':/'), 'must be the path of a database, not a URL')
  .describe('path of a database of the configuration; the tool status lists them');
const replica = z
  .string()
  .min(1)
  .optional()
  .describe('name of one destination of the database; default: all of them');
const txid = z
  .string()
  .regex(/^[0-9a-fA-F]{16}$/)
  .optional()
  .describe('the state with this transaction ID: 16 hex digits');
const time = z.string().min(1).optional().describe('RFC 3339, or relative, such as "2h ago"');

/** Longer answers would fill the memory of a model. */
const MOMENTS_MAX = 1_000;

export const TOOLS: readonly Tool[] = [
  {
    name: 'status',
    title: 'Status of backups',
    description:
      'Would data be lost now? Health, lag and problems of each database and each of its destinations, and the last drill, scrub and repair.',
    input: z.strictObject({ database: database.optional() }),
    words: (input) => ['status', ...named(input)],
  },
  {
    name: 'history',
    title: 'What can be restored',
    description:
      'Which states of a database each destination can restore: the oldest and the newest one, snapshots, gaps, and with since, until or limit single moments.',
    input: z.strictObject({
      database,
      replica,
      since: time,
      until: time,
      limit: z.int().min(1).max(MOMENTS_MAX).optional().describe('longest list of moments'),
    }),
    words: (input) => [
      'history',
      ...flags(input, ['replica', 'since', 'until', 'limit']),
      ...named(input),
    ],
  },
  {
    name: 'restore_plan',
    title: 'Plan of a restore',
    description:
      'Which files a restore of the newest state, or of a state by TXID or time, would read, and from where. Restores nothing.',
    input: z.strictObject({ database, replica, txid, timestamp: time }),
    words: (input) => [
      'restore',
      '-dry-run',
      ...flags(input, ['replica', 'txid', 'timestamp']),
      ...named(input),
    ],
  },
  {
    name: 'drill',
    title: 'Restore drill',
    description:
      'Proves that each destination of a database, alone, can be restored: restores it to a scratch folder, checks every byte and compares it with the live database, then removes the copy. It reads the whole backup, so it may take minutes and cost requests and traffic.',
    input: z.strictObject({
      database,
      replica,
      at: z.enum(['latest', 'random']).optional().describe('which state; default latest'),
      txid,
      timestamp: time,
    }),
    words: (input) => [
      'drill',
      ...flags(input, ['replica', 'at', 'txid', 'timestamp']),
      ...named(input),
    ],
  },
];

/** `-name=value`, so that a value is never taken for a flag. */
function flags(input: ToolInput, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = input[name];
    return value === undefined ? [] : [`-${name}=${value}`];
  });
}

function named({ database: path }: ToolInput): string[] {
  return path === undefined ? [] : ['--', `${path}`];
}
