import { expect, test } from 'vitest';
import {
  newestOfEachLineage,
  orderByLineage,
  type LineageEnd,
} from '../../src/restore/plan/lineages.ts';
import { randomFrom } from '../support/random.ts';

interface State extends LineageEnd {
  readonly name: string;
}

function state(name: string, lineage: bigint, txid: bigint, day = 1): State {
  return { name, lineage, txid, at: new Date(Date.UTC(2026, 0, day)) };
}

/** `parts`: "b<a" if the files of a include the last file of b. */
function order(states: readonly State[], ...parts: string[]): string {
  const ordered = orderByLineage(states, (part, whole) =>
    parts.includes(`${part.name}<${whole.name}`),
  );
  return `${ordered.kind}: ${ordered.states.map(({ name }) => name).join(' ')}`;
}

test('within one lineage the highest TXID is the newest, regardless of clocks', () => {
  const states = [state('a', 7n, 5n, 9), state('b', 7n, 7n, 1), state('c', 7n, 6n, 5)];
  expect(order(states)).toBe('ordered: b c a');
});

test('equal states keep their order', () => {
  expect(order([state('b', 7n, 5n), state('a', 7n, 5n)])).toBe('ordered: b a');
});

test('TXIDs above 2^53 are compared exactly', () => {
  expect(order([state('a', 7n, 2n ** 60n), state('b', 7n, 2n ** 60n + 1n)])).toBe('ordered: b a');
});

test('an old lineage with higher TXIDs is not newer: the two have diverged, the latest first', () => {
  const states = [state('old', 1n, 1_000n, 1), state('new', 2n, 50n, 9)];
  expect(order(states)).toBe('diverged: new old');
});

test('a destination is older if the other one has its last file', () => {
  const states = [state('behind', 1n, 1_000n, 1), state('new', 2n, 50n, 9)];
  expect(order(states, 'behind<new')).toBe('ordered: new behind');
});

test('states without a lineage are compared only by their files', () => {
  const states = [state('behind', 0n, 5n), state('far', 0n, 7n)];
  expect(order(states)).toBe('diverged: behind far');
  expect(order(states, 'behind<far')).toBe('ordered: far behind');
  const copies = [state('one', 0n, 7n), state('other', 0n, 7n)];
  expect(order(copies, 'one<other', 'other<one')).toBe('ordered: one other');
});

test('one history has diverged from the newest of two states of another', () => {
  const states = [state('a', 1n, 5n, 1), state('b', 1n, 6n, 2), state('c', 2n, 7n, 3)];
  expect(order(states)).toBe('diverged: c b');
  expect(order(states, 'b<c')).toBe('ordered: c b a');
});

test('an empty input gives an empty result', () => {
  expect(order([])).toBe('ordered: ');
});

test('a lineage has one newest state, even if several are equal', () => {
  const states = [state('a', 1n, 5n), state('b', 1n, 5n), state('c', 0n, 5n), state('d', 0n, 5n)];
  expect(newestOfEachLineage(states).map(({ name }) => name)).toEqual(['a', 'c', 'd']);
});

/**
 * Histories are branches of a tree; a destination has the files of its branch up to some node. A state
 * is the newest if and only if its path contains every other end.
 */
test('the first state is newer than all others if and only if the histories form one line', () => {
  const random = randomFrom(20_26);
  for (let round = 0; round < 2_000; round += 1) {
    const parents = Array.from({ length: 8 }, (_, node) =>
      node === 0 ? -1 : random.int(0, node - 1),
    );
    const pathOf = (node: number): number[] =>
      node < 0 ? [] : [...pathOf(parents[node] as number), node];
    const ends = Array.from({ length: random.int(1, 5) }, () => random.int(0, 7));
    // A lineage continues while a node is its parent's first child.
    const lineageOf = (node: number): bigint => {
      const parent = parents[node] as number;
      const isFirst = parent >= 0 && parents.indexOf(parent) === node;
      return isFirst ? lineageOf(parent) : BigInt(node + 1);
    };
    const states = ends.map((node, index) => ({
      ...state(`${index}`, lineageOf(node), BigInt(pathOf(node).length)),
      node,
    }));
    const isPartOf = (part: { node: number }, whole: { node: number }): boolean =>
      pathOf(whole.node).includes(part.node);
    const ordered = orderByLineage(states, isPartOf);
    const isLine = states.some((whole) => states.every((part) => isPartOf(part, whole)));
    expect(ordered.kind).toBe(isLine ? 'ordered' : 'diverged');
    if (ordered.kind === 'ordered') {
      expect(ordered.states).toHaveLength(states.length);
      const [newest] = ordered.states;
      expect(newest !== undefined && states.every((part) => isPartOf(part, newest))).toBe(true);
    }
  }
});
