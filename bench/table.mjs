// How rows are shown on the terminal.
export const number = (value, digits = 0) =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

const measured = (row) => `${number(row.value, row.digits)} ${row.unit}`.trim();
const spread = (row) => (row.samples.length > 1 ? row.samples.map((sample) => number(sample, row.digits)).join(', ') : '');
export const aim = (row) => (row.aim === undefined ? '' : `${row.better === 'less' ? '<=' : '>='} ${number(row.aim, row.aim < 10 ? row.digits : 0)}`);
export const met = (row) => row.aim === undefined || (row.better === 'less' ? row.value <= row.aim : row.value >= row.aim);

export function table(rows) {
    const cells = rows.map((row) => row.skipped
        ? [row.what, 'skipped', row.skipped]
        : [row.what, measured(row), [spread(row) && `(${spread(row)})`, row.note].filter(Boolean).join(' '),
           aim(row), row.aim === undefined ? '' : met(row) ? 'met' : 'NOT MET']);
    const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => (line[column] ?? '').length)));
    return cells.map((line) => line.map((cell, i) => (i === 1 ? cell.padStart(widths[1]) : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd()).join('\n');
}
