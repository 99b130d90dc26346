import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { YAMLFile } from '../../src/config/yaml.ts';

function parse(text: string): YAMLFile {
  return new YAMLFile(text, 'test.yml', (written) => written);
}

test('every key and every item has its line', () => {
  const tree = parse(`# a comment
dbs:
  - path: /a

    replicas:
      - type: s3
        bucket:
          b
  - path: /b
`);
  expect(tree.lineOf(['dbs'])).toBe(2);
  expect(tree.lineOf(['dbs', 0, 'path'])).toBe(3);
  expect(tree.lineOf(['dbs', 0, 'replicas', 0, 'bucket'])).toBe(7);
  expect(tree.lineOf(['dbs', 1])).toBe(9);
  // A missing value has the line of its nearest existing parent.
  expect(tree.lineOf(['dbs', 1, 'replicas'])).toBe(9);
  expect(tree.lineOf(['addr'])).toBe(2);
});

test('values of nested aliases are counted, and too many are an error', () => {
  const lists = Array.from({ length: 8 }, (_, level) => {
    const item = level === 0 ? 'x' : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array.from({ length: 9 }, () => item).join(', ')}]`;
  });
  expect(() => parse(lists.join('\n'))).toThrow(/test\.yml:\d+: more than \d+ values, including/);
});

test('scalars remain strings', () => {
  const written = '{ a: 0600, b: 1e5, c: yes, d: 2024-01-01, e: "5", f: 12345678901234567890 }';
  expect(parse(written).root).toEqual({
    a: '0600',
    b: '1e5',
    c: 'yes',
    d: '2024-01-01',
    e: '5',
    f: '12345678901234567890',
  });
});

test.each(['~', 'null', ''])('an unquoted "%s" is null, and a quoted one is a string', (text) => {
  expect(parse(`a: ${text}`).root).toEqual({ a: null });
  if (text !== '') expect(parse(`a: "${text}"`).root).toEqual({ a: text });
});

test('aliases and merges are resolved, and own keys override merged ones', () => {
  const tree = parse(`
base: &base { region: r, bucket: b }
other: &other { region: x, path: p }
one: *base
two: { <<: *base, bucket: own }
three: { <<: [*base, *other] }
`);
  expect(tree.root).toMatchObject({
    one: { region: 'r', bucket: 'b' },
    two: { region: 'r', bucket: 'own' },
    three: { region: 'r', bucket: 'b', path: 'p' },
  });
});

test('merged and aliased values have their line, and whether they are quoted', () => {
  const tree = parse(`base: &base
  region: r
  zone: "z"
two: { <<: *base, own: x }
three: *base
`);
  expect(tree.lineOf(['two', 'region'])).toBe(2);
  expect(tree.lineOf(['three', 'zone'])).toBe(3);
  expect([tree.isPlain(['two', 'region']), tree.isPlain(['two', 'zone'])]).toEqual([true, false]);
  expect(tree.isPlain(['two', 'none'])).toBe(false);
});

test('all syntax errors are reported with their lines', () => {
  expect(() => parse('a: 1\na: 2\nb: [1\nc: "x')).toThrow(/test\.yml is not YAML:\ntest\.yml:\d/);
  expect(() => parse('a: 1\nb: 2\na: 3')).toThrow(
    'test.yml:3: the key a is already in line 1: remove one of them',
  );
  expect(() => parse('dbs:\n  - path: /a\n    replica: { type: s3,\n      type: file }\n')).toThrow(
    'test.yml:4: the key type is already in line 3: remove one of them',
  );
  expect(() => parse('- &x\n  a: 1\n- "b": 1\n  c: { a: 1 }\n  b: 2')).toThrow(
    'test.yml:5: the key b is already in line 3: remove one of them',
  );
});

test('an alias that contains itself is an error', () => {
  expect(() => parse('# one\na: &a { b: *a }')).toThrow('test.yml:2: more than 32 levels deep');
});

test('any value is parsed back from its YAML', () => {
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
      expect(parse(text).root).toEqual(tree);
    }),
  );
});
