/** Judges a backend by the promises of its contract, from outside. Bound to no test runner. */

export { chaos, type Chaos, type Fault } from '@sluice/core/backend/testing';
export type { Case, Need } from './case.ts';
export { CASES } from './cases.ts';
export { withContext, type CaseContext, type Trial } from './context.ts';
export { describeBackend, type Runner } from './describe.ts';
export type { Deviation } from './deviation.ts';
export { CASE_MS_MAX, judge, type JudgeOptions, type Result, type Verdict } from './judge.ts';
export { judgeByModel, RUNS, type ModelOptions, type ModelReplica } from './model.ts';
export type { Random } from './random.ts';
export { startRelay, type Relay, type RelayTarget } from './relay.ts';
export { formatReport, formatResult } from './report.ts';
export { runKit, type Report, type RunOptions } from './run.ts';
export type {
  Configuration,
  Cuttable,
  Elsewhere,
  Hooks,
  Layer,
  Setup,
  Subject,
} from './subject.ts';
export {
  CREATED_AT,
  assertBytes,
  bodyOf,
  bodyThat,
  held,
  inParallel,
  list,
  names,
  pattern,
  read,
  ref,
  rejectsWith,
  write,
} from './words.ts';
