/**
 * The command line tool: finds the command, loads only its code, and returns its exit code. Keep
 * the imports here few, because even -help loads them.
 */

import { EXIT_CODES } from './exit-codes.ts';
import { helpOf, helpOfAll } from './help.ts';
import type { Shell } from './shell.ts';
import { COMMANDS, findCommand } from './surface/commands.ts';
import { refusalOf } from './support.ts';

/** Returns the exit code of `sluice <words>`. Prints errors to stderr. */
export async function runCLI(words: readonly string[], shell: Shell): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined) {
    shell.stderr.write(helpOfAll());
    return EXIT_CODES.usage;
  }
  if (/^(-h|--?help|help)$/.test(first)) {
    return await help(rest[0], shell);
  }
  const command = findCommand(first.replace(/^--?version$/, 'version'));
  if (command === undefined) {
    shell.stderr.write(await unknownCommand(first));
    return EXIT_CODES.usage;
  }
  if (command.support.kind === 'refused') {
    shell.stderr.write(`sluice ${command.name}: ${refusalOf(command.support)}\n`);
    return EXIT_CODES.usage;
  }
  const { runCommand } = await import('./run-command.ts');
  return await runCommand(command, rest, shell);
}

/** `sluice help`, with a command, a page or an error code. */
async function help(topic: string | undefined, shell: Shell): Promise<number> {
  const command = topic === undefined ? undefined : findCommand(topic);
  if (topic === undefined || command !== undefined) {
    shell.stdout.write(command === undefined ? helpOfAll() : helpOf(command));
    return EXIT_CODES.ok;
  }
  const { readTopic } = await import('./help-page.ts');
  const text = readTopic(topic);
  if (text === undefined) {
    const closest = await closestCommand(topic);
    const hint =
      closest === undefined
        ? '"sluice help" lists the commands, "sluice help pages" the pages'
        : `did you mean ${closest}?`;
    shell.stderr.write(`sluice help ${topic}: no such command, page or error code; ${hint}\n`);
    return EXIT_CODES.usage;
  }
  shell.stdout.write(text);
  return EXIT_CODES.ok;
}

async function unknownCommand(name: string): Promise<string> {
  if (name.startsWith('-')) {
    return `sluice: ${name} must follow the command: "sluice COMMAND ${name}"; see "sluice help"\n`;
  }
  const suggestion = await closestCommand(name);
  const hint = suggestion === undefined ? 'see "sluice help"' : `did you mean ${suggestion}?`;
  return `sluice ${name}: unknown command; ${hint}\n`;
}

async function closestCommand(name: string): Promise<string | undefined> {
  const { nearest } = await import('@sluice/core/config');
  const known = COMMANDS.filter(({ support }) => support.kind !== 'refused');
  return nearest(
    name,
    known.map((command) => command.name),
  );
}
