import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitWords } from '../src/shell-words.ts';

test.each([
  ['node server.js', ['node', 'server.js']],
  ['  a \t b\n', ['a', 'b']],
  ['', []],
  [`sh -c 'exit 3'`, ['sh', '-c', 'exit 3']],
  [`sh -c "echo \\"hi\\" \\\\ \\n"`, ['sh', '-c', 'echo "hi" \\ \\n']],
  [`a''b "" ''`, ['ab', '', '']],
  [`a\\ b \\'`, ['a b', "'"]],
  [`'a\\'b`, ['a\\b']],
  [`--flag="x y"'z'`, ['--flag=x yz']],
  [`"a;b" 'c|d' e\\&f $HOME`, ['a;b', 'c|d', 'e&f', '$HOME']],
])('%j is %j', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

test.each(['a; b', 'a && b', 'a | b', 'a > b', 'a < b', '(a)', 'a `b`'])(
  '%j is refused because it needs a shell',
  (line) => {
    expect(() => splitWords(line)).toThrow(/only works in a shell: write sh -c/);
  },
);

test.each([`a 'b`, `a "b`, `"a\\"`])('%j has an unclosed quote', (line) => {
  expect(() => splitWords(line)).toThrow(/is not closed/);
});

test('a shell splits in the same way', () => {
  const piece = fc.oneof(
    fc
      .string({ unit: fc.constantFrom('a', 'b', '$', '=', '-'), minLength: 1 })
      .map((text) => `'${text}'`),
    fc
      .string({ unit: fc.constantFrom('a', 'b', ' ', '='), minLength: 1 })
      .map((text) => `"${text}"`),
    fc.constantFrom('x', 'yz', '\\ ', '\\"', "\\'", '\\\\', '"\\""', '"\\\\"', "''", '""', ' '),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const line = pieces.join('');
      const print = `for word in ${line}; do printf '%s\\0' "$word"; done`;
      const theirs = execFileSync('sh', ['-c', print]).toString().split('\0').slice(0, -1);
      expect(splitWords(line)).toEqual(theirs);
    }),
    { numRuns: 60 },
  );
});
