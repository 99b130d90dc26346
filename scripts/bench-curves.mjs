// Draws the curves of a benchmark as an SVG: one chart below the other, each with axes, lines, and a legend.

const WIDTH = 860;
const CHART_HEIGHT = 250;
const MARGIN = { left: 70, right: 220, top: 34, bottom: 44 };
const TICKS = 5;
const COLORS = ['#0969da', '#1a7f37', '#cf222e', '#8250df', '#9a6700', '#6e7781'];

export function drawCurves(curves) {
  const height = curves.length * CHART_HEIGHT;
  const style = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2328"';
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const paper = `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`;
  const charts = curves.map((each, index) => drawChart(each, index * CHART_HEIGHT));
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${paper}\n${charts.join('\n')}\n</svg>\n`;
}

function drawChart({ title, x, y, log, lines }, offset) {
  const named = Object.entries(lines).map(([label, points]) => [label, parsePoints(points)]);
  const all = named.flatMap(([, points]) => points);
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const [top, bottom] = [offset + MARGIN.top, offset + CHART_HEIGHT - MARGIN.bottom];
  const isLog = (axis) => log === axis || log === 'both';
  const across = scale(
    all.map(([value]) => value),
    isLog('x'),
    left,
    right,
  );
  const up = scale(
    all.map(([, value]) => value),
    isLog('y'),
    bottom,
    top,
  );
  const grid = [
    ...across.ticks.map((value) => {
      const at = across.at(value).toFixed(1);
      return `${stroke(at, top, at, bottom)}${text(at, bottom + 16, show(value), 'middle')}`;
    }),
    ...up.ticks.map((value) => {
      const at = up.at(value).toFixed(1);
      return `${stroke(left, at, right, at)}${text(left - 6, Number(at) + 4, show(value), 'end')}`;
    }),
  ];
  const drawn = named.map(([label, points], index) => {
    const color = COLORS[index % COLORS.length];
    const path = points.map(([a, b]) => `${across.at(a).toFixed(1)},${up.at(b).toFixed(1)}`);
    const height = top + 10 + index * 18;
    const key = `<rect x="${right + 14}" y="${height - 9}" width="12" height="10" fill="${color}"/>`;
    const line = `<polyline points="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`;
    return `${line}${key}${text(right + 32, height, label)}`;
  });
  return [
    text(left, offset + 20, title, 'start', 'font-weight="bold"'),
    ...grid,
    ...drawn,
    text((left + right) / 2, bottom + 34, x, 'middle'),
    text(left - 6, top - 6, y, 'end'),
  ].join('\n');
}

function parsePoints(points) {
  return points.split(' ').map((point) => point.split(',').map(Number));
}

/** Maps values to coordinates. A linear axis starts at 0; a logarithmic one has no values of 0 or less. */
function scale(values, isLog, from, to) {
  const positive = values.filter((value) => value > 0);
  if (!isLog || positive.length === 0) {
    const step = niceStep(Math.max(...values, 1e-9) / TICKS);
    const count = Math.max(1, Math.ceil(Math.max(...values, 0) / step));
    const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
    return { ticks, at: (value) => from + ((to - from) * value) / (count * step) };
  }
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  const share = (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { ticks, at: (value) => from + (to - from) * share(value) };
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * 0.999);
}

function show(value) {
  return Number(value.toPrecision(6)).toLocaleString('en', { maximumFractionDigits: 6 });
}

function stroke(x1, y1, x2, y2) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#d0d7de"/>`;
}

function text(x, y, content, anchor = 'start', attributes = '') {
  const safe = content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" ${attributes}>${safe}</text>`;
}
