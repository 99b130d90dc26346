// Writes the results of benchmarks as tables into a page, between `<!-- bench NAME -->` and `<!-- /bench NAME -->`.

/** Replaces the tables of all results in the page. Tables without markers are added at the end. */
export function withTables(page, results) {
  let text = page;
  for (const result of Object.values(results)) {
    const { begin, end } = markers(result.name);
    const block = `${begin}\n\n${table(result)}\n${end}`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from === -1 || to === -1) text = `${text.trimEnd()}\n\n## ${result.name}\n\n${block}\n`;
    else text = text.slice(0, from) + block + text.slice(to + end.length);
  }
  return text;
}

/** Whether a row reaches its target. True without a target. */
export function reaches({ ours, bar, lowerIsBetter = false }) {
  if (typeof bar !== 'number') return true;
  return lowerIsBetter ? ours <= bar : ours >= bar;
}

/** Three significant digits; thousands are grouped. */
export function format(value) {
  if (typeof value !== 'number') return String(value ?? '');
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

function markers(name) {
  return { begin: `<!-- bench ${name} -->`, end: `<!-- /bench ${name} -->` };
}

/** Where the curves of a benchmark are drawn. */
export function curvesFile(name) {
  return `docs/benchmarks-${name}.svg`;
}

function table({ name, rows, command, machine, node, date, note, curves }) {
  const labels = [...new Set(rows.flatMap((row) => Object.keys(row.beside ?? {})))];
  const head = ['what', 'Sluice', 'bar', ...labels];
  const body = rows.map((row) => [
    `${row.what} (${row.unit})`,
    `**${format(row.ours)}**`,
    bar(row),
    ...labels.map((label) => format(row.beside?.[label])),
  ]);
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  const rule = line(head.map((_, index) => (index === 0 ? '---' : '---:')));
  const remark = note === undefined ? '' : `\n${note}\n`;
  const titles = curves?.map(({ title }) => title).join('; ');
  const drawn = curves === undefined ? '' : `\n![${titles}](${curvesFile(name)})\n`;
  return `${line(head)}${rule}${body.map(line).join('')}${remark}${drawn}\n\`${command}\`; ${machine}; Node ${node}; ${date}\n`;
}

function bar(row) {
  if (row.bar === undefined) return '';
  const sign = row.lowerIsBetter ? '<=' : '>=';
  return `${typeof row.bar === 'number' ? `${sign} ` : ''}${format(row.bar)}${reaches(row) ? '' : ' (missed)'}`;
}
