/** Tools for tests of a backend: the replica, the policies, an in-memory client, injected faults. */

export { untilAborted } from './store/abort.ts';
export { chaos, type Chaos, type Fault } from './store/chaos.ts';
export { allLevelsPrefix, keyOf, parseKey, type LTXFileRef } from './store/layout.ts';
export { memoryClient, MemoryStore, type MemoryOptions } from './store/memory.ts';
export { complete } from './store/policy/complete.ts';
export { withPolicies } from './store/policy/policies.ts';
export type { NamedObjectInfo, NamedObjects } from './replica/named-objects.ts';
export { Replica, type LTXFileInfo } from './replica/replica.ts';
export { toTXID } from './ltx/txid.ts';
