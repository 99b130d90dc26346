import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { lineOf, parseTree, type Node } from '../../src/config/document.ts';

function parse(text: string): Node {
  return parseTree(text, 'test.yml', (written) => written);
}

/** The tree without its lines. */
function plain(node: Node): unknown {
  switch (node.kind) {
    case 'nothing':
      return undefined;
    case 'text':
      return node.text;
    case 'list':
      return node.items.map(plain);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
  }
}

test('every key and every item knows its line', () => {
  const tree = parse(`# a comment
dbs:
  - path: /a

    replicas:
      - type: s3
        bucket:
          b
  - path: /b
`);
  expect(lineOf(tree, ['dbs'])).toBe(2);
  expect(lineOf(tree, ['dbs', 0, 'path'])).toBe(3);
  expect(lineOf(tree, ['dbs', 0, 'replicas', 0, 'bucket'])).toBe(7);
  expect(lineOf(tree, ['dbs', 1])).toBe(9);
  // What is not there is at the nearest thing above it.
  expect(lineOf(tree, ['dbs', 1, 'replicas'])).toBe(9);
  expect(lineOf(tree, ['addr'])).toBe(2);
});

test('aliases of aliases are counted, and end in words', () => {
  const lists = Array.from({ length: 8 }, (_, level) => {
    const item = level === 0 ? 'x' : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array.from({ length: 9 }, () => item).join(', ')}]`;
  });
  expect(() => parse(lists.join('\n'))).toThrow(/test\.yml:\d+: more than \d+ values, with those/);
});

test('scalars stay the texts that were written', () => {
  const written = '{ a: 0600, b: 1e5, c: yes, d: 2024-01-01, e: "5", f: 12345678901234567890 }';
  expect(plain(parse(written))).toEqual({
    a: '0600',
    b: '1e5',
    c: 'yes',
    d: '2024-01-01',
    e: '5',
    f: '12345678901234567890',
  });
});

test.each(['~', 'null', ''])('a plain "%s" is no value, and a quoted one is a text', (text) => {
  expect(parse(`a: ${text}`)).toMatchObject({
    entries: new Map([['a', { value: { kind: 'nothing' } }]]),
  });
  if (text !== '') expect(plain(parse(`a: "${text}"`))).toEqual({ a: text });
});

test('aliases and merges are resolved, and what is written wins over what is merged', () => {
  const tree = parse(`
base: &base { region: r, bucket: b }
other: &other { region: x, path: p }
one: *base
two: { <<: *base, bucket: own }
three: { <<: [*base, *other] }
`);
  expect(plain(tree)).toMatchObject({
    one: { region: 'r', bucket: 'b' },
    two: { region: 'r', bucket: 'own' },
    three: { region: 'r', bucket: 'b', path: 'p' },
  });
});

test('all places that are no YAML are named with their lines', () => {
  expect(() => parse('a: 1\na: 2\nb: [1\nc: "x')).toThrow(/test\.yml is not YAML:\ntest\.yml:\d/);
  expect(() => parse('a: 1\nb: 2\na: 3')).toThrow(/test\.yml:3: Map keys must be unique/);
});

test('an alias that holds itself is an error, and no hang', () => {
  expect(() => parse('# one\na: &a { b: *a }')).toThrow('test.yml:2: more than 32 levels deep');
});

test('what is stringified is parsed to the same', () => {
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.array(tie('node'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => key !== '<<'),
        tie('node'),
        { maxKeys: 4 },
      ),
    ),
  })).node;
  fc.assert(
    fc.property(value, (tree) => {
      const text = stringify(tree, { defaultStringType: 'QUOTE_DOUBLE', lineWidth: 0 });
      expect(plain(parse(text))).toEqual(tree);
    }),
  );
});
