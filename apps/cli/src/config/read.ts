/** Reads a configuration with the keys of Sluice and of Litestream 0.3 and 0.5. Reports all problems together. */

import path from 'node:path';
import { isMap } from '@sluice/core/config';
import { toLogLevel } from '../log.ts';
import type { Secrets } from '../secrets.ts';
import type { Environment } from '../shell.ts';
import { findClashes } from './clashes.ts';
import { readDatabase, type DatabaseContext, type ReadDatabase } from './database.ts';
import { keysOfPackages, typesByKey } from './defaults.ts';
import type { Config, DatabaseConfig } from './model.ts';
import { collectNotifySecrets, heartbeatSettings } from './fields/notify.ts';
import { readPage } from './fields/page.ts';
import { findOverlaps } from './overlaps.ts';
import { findDirectoryOverlaps, readDirectory, type ReadDirectory } from './directory.ts';
import { Problems, spell, type Path } from './problems.ts';
import { DATABASE, REPLICA, TOP, type TopSection } from './schema.ts';
import { readSection, withoutLitestream, type Note, type Section } from './section.ts';
import { VariablesOfFile } from './variables.ts';
import { YAMLFile } from './yaml.ts';

const COMMAND_LINE = 'the command line';
/** Used for a timeout of 0: enough time for one request. */
const ONE_TRY_MS = 2_000;

export interface ReadOptions {
  /** For messages. */
  readonly source: string;
  /** The folder from which packages of backends are resolved first. */
  readonly folder: string;
  readonly environment: Environment;
  readonly variables: 'expand' | 'leave';
  readonly secrets: Secrets;
}

/** CONFIG_INVALID with all problems. */
export async function readConfig(text: string, options: ReadOptions): Promise<Config> {
  const { source, environment } = options;
  const variables = new VariablesOfFile(text, source, options.variables, environment);
  const file = new YAMLFile(variables.markedText, source, (written, at) =>
    variables.fillIn(written, at),
  );
  const problems = new Problems();
  const notes: Note[] = [];
  const publicKeys = new Set(
    [TOP, DATABASE, REPLICA]
      .flatMap(({ shape }) => Object.keys(shape))
      .filter((key) => !['url', 'encryption', 'age'].includes(key)),
  );
  const written = asMap(file.root, problems);
  const { read, section } = await readTop(written, options.folder, problems, notes);
  const { databases, directories, items } = await readDatabases(section['dbs'], {
    folder: options.folder,
    top: section,
    intervals: read,
    encryption: read,
    defaults: read,
    problems,
    notes,
    secrets: options.secrets,
    environment,
    isPlain: (at: Path) => file.isPlain(at),
    publicKeys,
  });
  findClashes(databases, problems);
  findOverlaps(databases, problems);
  findDirectoryOverlaps(directories, databases, problems);
  const unset = variables.unset(publicKeys);
  if (problems.count > 0) for (const { line, note } of unset) problems.add([], note, line); // the likely cause
  const told = { heartbeat: heartbeatSettings(read), notify: read.notify ?? [] };
  collectNotifySecrets(told, options.secrets);
  const isCommandLine = source === COMMAND_LINE;
  problems.throwAny(source, isCommandLine ? undefined : (at) => file.lineOf(at));
  return {
    source,
    databases: databases.map(({ config }) => config),
    directories: directories.map(({ config }) => config),
    items,
    addr: read.addr,
    page: readPage(read.page, options.secrets),
    exec: read.exec,
    ...told,
    litestreamNames: read.metrics['litestream-names'],
    shutdownSyncTimeoutMs: read['shutdown-sync-timeout'] || ONE_TRY_MS,
    shutdownSyncIntervalMs: read['shutdown-sync-interval'],
    ...readLog(read, environment, [
      ...unset.map(({ line, note }) => `${source}:${line}: ${note}`),
      ...describeNotes(notes),
    ]),
  };
}

/** Reads a database and its URLs from a command line, as if they were in a file. */
export async function readCommandLine(
  database: string,
  urls: readonly string[],
  options: Omit<ReadOptions, 'source' | 'folder' | 'variables'>,
): Promise<Config> {
  const text = JSON.stringify({
    dbs: [{ path: database, replicas: urls.map((url) => ({ url })) }],
  });
  const folder = path.resolve();
  return await readConfig(text, { ...options, source: COMMAND_LINE, folder, variables: 'leave' });
}

interface Top {
  readonly read: TopSection;
  /** As written, without keys that only Litestream has. */
  readonly section: Section;
}

async function readTop(
  written: Section,
  folder: string,
  problems: Problems,
  notes: Note[],
): Promise<Top> {
  const ours = withoutLitestream(written, [], 'top', { problems, notes });
  // Keys of destinations are allowed at the top level, as defaults.
  const section = withoutLitestream(ours, [], 'replica', { problems, notes });
  const isKnown = Object.keys(section).every((key) => key in TOP.shape);
  const defaults = isKnown
    ? []
    : [...(await typesByKey(folder)).keys(), ...(await keysOfPackages(section['dbs'], folder))];
  const beside = defaults.filter((key) => key !== 'path');
  const what = 'the configuration';
  const read = readSection(TOP, section, [], { problems, what, beside });
  if (section['dbs'] === undefined && problems.count === 0) {
    problems.add([], 'dbs is missing: add the list of databases');
  }
  return { read: read ?? TOP.parse({}), section };
}

interface Read {
  readonly databases: readonly ReadDatabase[];
  readonly directories: readonly ReadDirectory[];
  readonly items: readonly DatabaseConfig[];
}

async function readDatabases(written: unknown, context: DatabaseContext): Promise<Read> {
  if (!Array.isArray(written)) return { databases: [], directories: [], items: [] };
  if (written.length === 0) {
    context.problems.add(['dbs'], 'dbs is empty: there is nothing to replicate');
  }
  const databases: ReadDatabase[] = [];
  const directories: ReadDirectory[] = [];
  const items: DatabaseConfig[] = [];
  for (const [index, item] of (written as readonly unknown[]).entries()) {
    const at = ['dbs', index];
    if (isMap(item) && 'dir' in item) {
      const directory = await readDirectory(item, at, context);
      if (directory === undefined) continue;
      directories.push(directory);
      items.push(directory.config.template);
    } else {
      const database = await readDatabase(item, at, context);
      if (database === undefined) continue;
      databases.push(database);
      items.push(database.config);
    }
  }
  return { databases, directories, items };
}

function asMap(root: unknown, problems: Problems): Section {
  if (isMap(root)) return root;
  if (root !== null && root !== undefined) {
    problems.add([], 'the configuration must be a map of keys, including dbs');
  }
  return {};
}

/** One line per key, however many databases have it: "dbs[0].replicas[0].retention and 2 more: …". */
function describeNotes(notes: readonly Note[]): string[] {
  const lines = new Map<string, { readonly first: Note; count: number }>();
  for (const note of notes) {
    const key = JSON.stringify([note.path.filter((step) => typeof step === 'string'), note.note]);
    const line = lines.get(key) ?? { first: note, count: 0 };
    lines.set(key, line);
    line.count += 1;
  }
  return [...lines.values()].map(({ first, count }) => {
    const more = count === 1 ? '' : ` and ${count - 1} more`;
    return `${spell(first.path)}${more}: ${first.note}`;
  });
}

function readLog(
  { logging }: TopSection,
  environment: Environment,
  notes: readonly string[],
): Pick<Config, 'log' | 'notes'> {
  const written = environment['LOG_LEVEL'] ?? '';
  const level = toLogLevel(written);
  const isUnknown = written !== '' && level === undefined;
  return {
    log: {
      level: level ?? logging.level,
      type: logging.type,
      to: logging.stderr ? 'stderr' : 'stdout',
    },
    notes: isUnknown ? [...notes, `LOG_LEVEL is ignored: "${written}" is not a log level`] : notes,
  };
}
