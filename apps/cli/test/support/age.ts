/** Two pairs of keys that were made for these tests by age-keygen. */

export interface AgeKeys {
  readonly recipient: string;
  readonly identity: string;
}

export const KEYS: AgeKeys = {
  recipient: 'age1ztgm6a0c9269pn09mzfyvqe9cllrv7nfyp75uq853ca09jkk7fvsaj9uel',
  identity: 'AGE-SECRET-KEY-18T8VTD97PN8U2ERLSNATW8PK78HR0ZQ0S69X9NY42SWYUF5D56TQKF0UXU',
};

export const OTHER_KEYS: AgeKeys = {
  recipient: 'age12gx3hwv4wm6ftghs790xaafrcf6009ffk0qckzgdvgrqdx8lrppqg7jnds',
  identity: 'AGE-SECRET-KEY-14J8QUSP4DVDMN2LPC7MMY55NAM6H958KJQCP6JPT4J4S2FZLXESSWRW90Y',
};

/** As age-keygen writes it. */
export function identityFile({ recipient, identity }: AgeKeys): string {
  return `# created: 2026-01-31T12:00:00Z\n# public key: ${recipient}\n${identity}\n`;
}
