export { ReplicationError, isError } from './error.ts';
