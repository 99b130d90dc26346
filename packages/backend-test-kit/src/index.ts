/** Tests a storage backend against the storage contract, with any test runner or without one. */

export { chaos, type Chaos, type Fault } from '@sluice/core/backend/testing';
export type { Case, Need } from './case.ts';
export { CASES } from './cases.ts';
export { withContext, type CaseContext, type ContextOptions } from './context.ts';
export { describeBackend, type Runner } from './describe.ts';
export type { Deviation } from './deviation.ts';
export { CASE_MS_MAX, runCase, type CaseOptions, type Result, type Status } from './run-case.ts';
export { compareWithModel, RUNS, type ModelOptions, type ModelReplica } from './model.ts';
export type { Random } from './random.ts';
export { startRelay, type Relay, type RelayTarget } from './relay.ts';
export { formatReport, formatResult } from './report.ts';
export { runKit, type Report, type RunOptions } from './run.ts';
export type {
  Configuration,
  Cuttable,
  OtherProcessConfig,
  Hooks,
  Layer,
  Setup,
  Subject,
} from './subject.ts';
export {
  CREATED_AT,
  assertBytes,
  bodyOf,
  bodyWithAction,
  readIfPresent,
  inParallel,
  list,
  names,
  pattern,
  read,
  ref,
  rejectsWith,
  write,
} from './helpers.ts';
