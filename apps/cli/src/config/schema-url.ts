/** URL of the published sluice.schema.json. The first line of a configuration may name it for editors. */
export const SCHEMA_URL =
  'https://raw.githubusercontent.com/sluice/sluice/main/apps/cli/sluice.schema.json';
