/** The text of a first sluice.yml. A line that starts with `# ` and a key can be used without the `# `. */

import { SCHEMA_URL } from '../config/schema-url.ts';

/** What is replicated: one database, or each one of a folder. */
export type Subject = 'database' | 'folder';

export function renderConfiguration(
  database: string,
  urls: readonly string[],
  subject: Subject,
): string {
  return `# yaml-language-server: $schema=${SCHEMA_URL}
# Every commit of the databases below is sent to each of their destinations. docs/configuration.md has all keys.
# Check this file with "sluice config check", and the destinations with "sluice check".
# Credentials come from the environment, for example AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

# A page, /status for monitors, and /metrics for Prometheus. Without a host before the colon, only this machine can reach them.
# addr: ':9090'

# Who is told when data would be lost, and when all is well again.
# notify:
#   - url: https://ntfy.sh/my-backups

# When Sluice is stopped, it sends the last commits. It gives up at a destination that has failed for this long. The
# service manager must wait longer: docs/operations.md.
# shutdown-sync-timeout: 30s

# How long every state can be restored. Older files are deleted.
# snapshot:
#   retention: 168h

# Restore each destination alone once a day, and check the result.
# drill:
#   every: 24h

dbs:
${SUBJECTS[subject](quote(database))}\
    replicas:
${urls.map((url) => `      - url: ${quote(url)}\n`).join('')}\
      # Each further destination is independent of the others.
      # - url: s3://my-bucket/app.db?region=eu-west-1
`;
}

const SUBJECTS: Readonly<Record<Subject, (place: string) => string>> = {
  database: (place) => `  - path: ${place}
    # If the database is missing when Sluice starts, and there is a backup, restore it first.
    # restore-if-db-not-exists: true
`,
  folder: (place) => `  - dir: ${place}
    # Each database goes to a folder of its own at the destinations. New ones are found by themselves.
    pattern: '*.db'
    # Also in folders below.
    # recursive: true
`,
};

/** A YAML string in which "$" does not start a variable. */
function quote(text: string): string {
  const escaped = text.replaceAll('$', '$$$$');
  return /^[\w/.:?=&@%+-]+$/.test(escaped) && !escaped.endsWith(':')
    ? escaped
    : JSON.stringify(escaped);
}
