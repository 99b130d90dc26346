/** A unit of systemd for `sluice replicate`. docs/operations.md explains it. */

import type { Deployment } from './deployment.ts';
import { EXIT_CODES } from '../exit-codes.ts';

/** A hanging event loop is restarted after this time. */
const WATCHDOG_SECONDS = 120;
/** Systemd waits this long after SIGTERM. Sluice asks for more time while its last sync makes progress. */
const STOP_SECONDS = 90;
const HOMES = ['/home', '/root', '/run/user'];
const TEMPORARY = ['/tmp', '/var/tmp'];

export function renderUnit({ config, database, folders, account, program }: Deployment): string {
  const isIn = (roots: readonly string[]): boolean =>
    [...folders, config, ...program].some((file) =>
      roots.some((root) => `${file}/`.startsWith(`${root}/`)),
    );
  const command = [...program, 'replicate', '-config', config].map(quote).join(' ');
  const { usage, fenced } = EXIT_CODES;
  // A single executable file unpacks itself there.
  const cache = program.length === 1 ? 'CacheDirectory=sluice\n' : '';
  return `# Sluice for ${database}
# Install it with: cp sluice.service /etc/systemd/system/ && systemctl daemon-reload && systemctl enable --now sluice
# Credentials: lines such as AWS_ACCESS_KEY_ID=… in /etc/sluice.env, readable for root only.
[Unit]
Description=Sluice, continuous backup of SQLite
Wants=network-online.target
After=network-online.target local-fs.target
StartLimitIntervalSec=0

[Service]
# It is ready when every database was opened once. The messages come from systemd-notify, a child process.
Type=notify
NotifyAccess=all
WatchdogSec=${WATCHDOG_SECONDS}
ExecStart=${command}
# Reads the configuration again: systemctl reload sluice
ExecReload=/bin/kill -HUP $MAINPID
EnvironmentFile=-/etc/sluice.env
${cache}\
Restart=always
RestartSec=5
# A wrong configuration, and a replica that belongs to another replicator, need a person.
RestartPreventExitStatus=${usage} ${fenced}
# The last sync asks for more time while it makes progress.
KillMode=mixed
TimeoutStopSec=${STOP_SECONDS}

# The user that owns the database: Sluice and the application write the same -wal and -shm files.
User=${account.uid}
Group=${account.gid}
UMask=0077

# Only these folders are writable: the folder of the database, where the staging folder is too, and local destinations.
ProtectSystem=strict
ReadWritePaths=${folders.map(quote).join(' ')}
ProtectHome=${isIn(HOMES) ? 'no' : 'yes'}
PrivateTmp=${isIn(TEMPORARY) ? 'no' : 'yes'}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
# SQLite gives the files beside a database the owner of the database.
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: V8 compiles JavaScript to machine code.

[Install]
WantedBy=multi-user.target
`;
}

/** A word of a unit file: "%" and "$" have a meaning of their own there. */
function quote(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', () => '$$');
  return /[\s"'\\;]/.test(escaped) ? `"${escaped.replaceAll(/["\\]/g, '\\$&')}"` : escaped;
}
