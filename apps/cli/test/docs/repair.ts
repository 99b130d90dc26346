/** What docs/commands.md says of repair. */

export const REPAIR_MORE = `Without an argument it repairs all databases of the configuration. It may run beside a replicator. [Repair](repair.md) says
what a destination lacks, how damage is found, and what is never done. The exit code is 0 if nothing is lacking or everything is mended, and
[16](errors.md#exit-codes) if something is not.

With \`-running\` the running replicator repairs, in a process of its own, and this command waits and prints the same: the machine on which you type it needs
no credentials. If you interrupt it, the repair ends; what it has copied stays. It needs a configuration file that has the database. The last repair that was no dry run is
kept in \`repair.json\` in the staging folder, for [status](#status) and \`/metrics\`, whoever ran it.`;

export const REPAIR_SHAPE = `One object per database. \`result\` is \`whole\` (nothing was found), \`mended\` or \`open\`. \`lacking\` counts the
promised states that could not be restored before. \`histories\` has one list of names for each history; nothing is copied between them:

\`\`\`json
[{"database":"/data/app.db","result":"mended","dry_run":false,"destinations":[{"replica":"s3","target":"s3://bucket/app.db","files":9,"lacking":1,
  "damaged":[{"file":"0/000000000000002a-000000000000002a.ltx","code":"LTX_CHECKSUM_MISMATCH","why":"…"}],"still_damaged":[],"copied":[{"file":"0/000000000000002a-000000000000002a.ltx","reason":"damaged","from":"nas","size":812}],"failures":[],"unread":[]}],"lost":[],"conflicts":[],"histories":[["s3","nas"]],"unanswered":[]}]
\`\`\``;
