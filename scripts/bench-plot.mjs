// Draws the results of benchmarks as an SVG: a group of bars per row, scaled to the longest, with a line at the
// target.

import { format, reaches } from './bench-tables.mjs';

const WIDTH = 860;
const LABELS_WIDTH = 330;
const VALUES_WIDTH = 110;
const BARS_WIDTH = WIDTH - LABELS_WIDTH - VALUES_WIDTH;
const LINE_HEIGHT = 18;
const GAP = 12;
const COLORS = { ours: '#0969da', missed: '#cf222e', beside: '#8c959f', bar: '#1a7f37' };

export function drawPlot(results) {
  const parts = [];
  let y = GAP;
  for (const { name, rows } of Object.values(results)) {
    parts.push(text(GAP, y + 14, name, 'font-weight="bold"'));
    y += LINE_HEIGHT + 4;
    for (const row of rows) {
      parts.push(drawRow(row, y));
      y += lines(row).length * LINE_HEIGHT + GAP;
    }
    y += GAP;
  }
  const style = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2328"';
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  const paper = `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${paper}\n${parts.join('\n')}\n</svg>\n`;
}

function drawRow(row, top) {
  const values = lines(row);
  const hasBar = typeof row.bar === 'number';
  const longest = Math.max(...values.map(({ value }) => value), hasBar ? row.bar : 0);
  const scale = longest > 0 ? BARS_WIDTH / longest : 0;
  const parts = values.map(({ label, value, color }, index) => {
    const y = top + index * LINE_HEIGHT;
    const width = Math.max(1, value * scale).toFixed(1);
    const height = LINE_HEIGHT - 4;
    const bar = `<rect x="${LABELS_WIDTH}" y="${y}" width="${width}" height="${height}" fill="${color}"/>`;
    const end = LABELS_WIDTH + Number(width) + 6;
    return `${text(GAP * 2, y + 11, label)}${bar}${text(end, y + 11, `${format(value)} ${row.unit}`)}`;
  });
  if (!hasBar) return parts.join('\n');
  const x = (LABELS_WIDTH + row.bar * scale).toFixed(1);
  const bottom = top + values.length * LINE_HEIGHT - 2;
  const line = `<line x1="${x}" y1="${top - 2}" x2="${x}" y2="${bottom}" stroke="${COLORS.bar}" stroke-width="2"/>`;
  return [...parts, line].join('\n');
}

function lines(row) {
  const beside = Object.entries(row.beside ?? {}).filter(([, value]) => typeof value === 'number');
  return [
    { label: row.what, value: row.ours, color: reaches(row) ? COLORS.ours : COLORS.missed },
    ...beside.map(([label, value]) => ({ label: `   ${label}`, value, color: COLORS.beside })),
  ];
}

function text(x, y, content, attributes = '') {
  const safe = content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<text x="${x}" y="${y}" xml:space="preserve" ${attributes}>${safe}</text>`;
}
