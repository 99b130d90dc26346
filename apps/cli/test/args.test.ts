import { expect, test } from 'vitest';
import { parseArguments } from '../src/args.ts';
import type { Command } from '../src/surface/command.ts';
import { COMMANDS, findCommand } from '../src/surface/commands.ts';

const restore = findCommand('restore') as Command;

test.each([
  [['-o', 'x', 'db']],
  [['--o', 'x', 'db']],
  [['-o=x', 'db']],
  [['--o=x', 'db']],
  [['db', '-o', 'x']],
  [['db', '--o=x']],
])('a value may be written in Go’s ways, before or after the database: %j', (words) => {
  const args = parseArguments(restore, words);
  expect(args.text('o')).toBe('x');
  expect(args.positionals).toEqual(['db']);
});

test.each([
  ['-json', 'on'],
  ['--json', 'on'],
  ['-json=true', 'on'],
  ['-json=1', 'on'],
  ['-json=T', 'on'],
  ['-json=false', 'off'],
  ['--json=0', 'off'],
])('%s turns the switch %s', (word, state) => {
  expect(parseArguments(restore, [word]).has('json')).toBe(state === 'on');
});

test('a word after a switch is not its value', () => {
  const args = parseArguments(restore, ['-if-db-not-exists', 'true']);
  expect(args.positionals).toEqual(['true']);
});

test('a value may start with a dash and contain an equals sign', () => {
  const args = parseArguments(restore, ['-o', '-x', '-config=a=b']);
  expect(args.text('o')).toBe('-x');
  expect(args.text('config')).toBe('a=b');
});

test('words after -- are not flags', () => {
  expect(parseArguments(restore, ['--', '-o', 'x']).positionals).toEqual(['-o', 'x']);
});

test('the last of two equal flags counts', () => {
  const args = parseArguments(restore, ['-o', 'a', '-json', '-o=b', '-json=false']);
  expect([args.text('o'), args.has('json')]).toEqual(['b', false]);
});

test.each([
  ['version', ['x']],
  ['databases', ['/data/app.db']],
  ['status', ['/data/app.db', '/data/other.db']],
])('%s refuses an argument too many by name: %j', (name, words) => {
  expect(() => parseArguments(findCommand(name) as Command, words)).toThrow(
    `: remove "${words.at(-1)}"`,
  );
});

test.each([
  [['-ooo', 'x'], /unknown flag -ooo/],
  [['-timestmap', 'x'], /did you mean -timestamp\?/],
  [['-o'], /-o needs a value/],
  [['-o', ''], /-o is empty: is a variable unset\?/],
  [['-config='], /-config is empty/],
  [['-json=perhaps'], /-json is a switch: true or false, not "perhaps"/],
])('%j is refused in words', (words, message) => {
  expect(() => parseArguments(restore, words)).toThrow(message);
});

test('-no-expand-env is a separate switch, not the negation of another', () => {
  expect(parseArguments(restore, ['-no-expand-env']).has('no-expand-env')).toBe(true);
  expect(() => parseArguments(restore, ['-expand-env'])).toThrow(/did you mean -no-expand-env/);
});

const rows = COMMANDS.flatMap((command) =>
  command.flags.map((flag) => ({ command, flag, name: `${command.name} -${flag.name}` })),
);

test.each(rows)('$name works, or is refused with the alternative', ({ command, flag }) => {
  const valued = flag.kind === 'text' ? [`-${flag.name}`, 'value'] : [`-${flag.name}=value`];
  const words = flag.kind === 'switch' ? [`-${flag.name}`] : valued;
  const { support } = flag;
  if (support.kind === 'refused') {
    expect(support.instead.length).toBeGreaterThan(8);
    const parse = (): unknown => parseArguments(command, words);
    expect(parse).toThrow(
      `sluice ${command.name}: -${flag.name}: ${support.reason}; ${support.instead}`,
    );
    return;
  }
  const args = parseArguments(command, words);
  if (flag.kind === 'switch') expect(args.has(flag.name)).toBe(true);
  else expect(args.text(flag.name)).toBe('value');
});

test('an optional value follows "=", so that the next word is an argument', () => {
  const repair = COMMANDS.find(({ name }) => name === 'repair') as Command;
  const bare = parseArguments(repair, ['-read-data', 'app.db']);
  expect(bare.has('read-data')).toBe(true);
  expect(bare.text('read-data')).toBeUndefined();
  expect(bare.positionals).toEqual(['app.db']);
  const valued = parseArguments(repair, ['-read-data=1/7', 'app.db']);
  expect(valued.text('read-data')).toBe('1/7');
});
