/** One call of a replica to the store that it is kept in: one request or step, or several. */
export interface StoreCall {
  /** What is done, to what: messages begin with it. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}
