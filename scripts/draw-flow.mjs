// Draws docs/flow.svg, the diagram in README.md: the path of a commit from the application to every destination,
// and of a restore. With `--check` it writes nothing, and exits with 1 if the file is out of date.

import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './set-up.mjs';

const FILE = path.join(ROOT, 'docs', 'flow.svg');
const WIDTH = 860;
const HEIGHT = 300;
const BOX = { width: 150, height: 52 };
const COLORS = {
  app: '#8c959f',
  ours: '#0969da',
  destination: '#1a7f37',
  text: '#1f2328',
  paper: '#ffffff',
};

const DESTINATIONS = [
  'S3, R2, B2, MinIO …',
  'Google Cloud Storage',
  'Azure Blob Storage',
  'SFTP server',
  'local folder',
];
const LEFT = { app: 20, wal: 20, follow: 245, staging: 450, destination: 690 };
const ROW = 56;

const drawing = draw();
if (process.argv.includes('--check')) {
  const isCurrent = fs.existsSync(FILE) && fs.readFileSync(FILE, 'utf8') === drawing;
  if (!isCurrent) console.log('docs/flow.svg is out of date: run node scripts/draw-flow.mjs');
  process.exitCode = isCurrent ? 0 : 1;
} else {
  fs.writeFileSync(FILE, drawing);
}

function draw() {
  const middle = 10 + 2 * ROW;
  const parts = [
    box(LEFT.app, middle - ROW, 'your application', 'commits to app.db', COLORS.app),
    box(LEFT.wal, middle + ROW, 'app.db-wal', 'write-ahead log', COLORS.app),
    arrow(LEFT.app + 75, middle - ROW + BOX.height, LEFT.app + 75, middle + ROW, COLORS.app),
    box(LEFT.follow, middle + ROW, 'follow', 'read new WAL frames', COLORS.ours),
    arrow(LEFT.wal + BOX.width, middle + ROW + 26, LEFT.follow, middle + ROW + 26, COLORS.ours),
    box(LEFT.staging, middle + ROW, 'staging folder', 'LTX files, fsynced', COLORS.ours),
    arrow(LEFT.follow + BOX.width, middle + ROW + 26, LEFT.staging, middle + ROW + 26, COLORS.ours),
    box(LEFT.follow, middle - ROW, 'restore', 'verify every byte', COLORS.ours),
    arrow(LEFT.follow, middle - ROW + 26, LEFT.app + BOX.width, middle - ROW + 26, COLORS.ours),
    caption(LEFT.staging + 75, middle - ROW + 46, 'any one of them'),
    caption(LEFT.staging + 75, middle - ROW + 60, 'is enough'),
    ...DESTINATIONS.flatMap((name, row) => destination(name, 10 + row * ROW, middle)),
  ];
  const style = `font-family="system-ui, sans-serif" font-size="13" fill="${COLORS.text}"`;
  const title =
    'A commit goes from the WAL through the staging folder to every destination; a restore reads from any one.';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ${style}>`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="${COLORS.paper}"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function destination(name, top, middle) {
  const center = top + 20;
  return [
    `<rect x="${LEFT.destination}" y="${top}" width="${BOX.width}" height="40" rx="6" fill="none" stroke="${COLORS.destination}" stroke-width="2"/>`,
    label(LEFT.destination + 75, center + 5, name),
    arrow(LEFT.staging + BOX.width, middle + ROW + 26, LEFT.destination, center, COLORS.ours),
    ...(top < middle
      ? [line(LEFT.destination, center, LEFT.follow + BOX.width, middle - ROW + 26)]
      : []),
  ];
}

function box(x, y, name, what, color) {
  return [
    `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6" fill="none" stroke="${color}" stroke-width="2"/>`,
    label(x + 75, y + 22, name, 'font-weight="bold"'),
    caption(x + 75, y + 40, what),
  ].join('\n');
}

function label(x, y, text, attributes = '') {
  return `<text x="${x}" y="${y}" text-anchor="middle" ${attributes}>${text}</text>`;
}

function caption(x, y, text) {
  return label(x, y, text, 'font-size="11"');
}

/** From a destination to `restore`. Dashed, because only one of them is read. */
function line(x1, y1, x2, y2) {
  return `<path d="M${x1} ${y1} L${x2} ${y2}" stroke="${COLORS.destination}" stroke-dasharray="4 4" fill="none"/>`;
}

function arrow(x1, y1, x2, y2, color) {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const wing = (turn) =>
    `${(x2 - 8 * Math.cos(angle + turn)).toFixed(1)} ${(y2 - 8 * Math.sin(angle + turn)).toFixed(1)}`;
  return (
    `<path d="M${x1} ${y1} L${x2} ${y2}" stroke="${color}" stroke-width="1.5" fill="none"/>` +
    `<path d="M${wing(0.4)} L${x2} ${y2} L${wing(-0.4)} Z" fill="${color}"/>`
  );
}
