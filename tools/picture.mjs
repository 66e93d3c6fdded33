// Makes a picture of a terminal session, for the README (the picture is kept; make it anew when the demo changes):
//
//   tools/demo | sed '/^# One of them/,/^}/d' | node tools/picture.mjs > docs/demo.svg
import { readFileSync } from 'node:fs';

const LINES_MAX = 60, COLUMNS_MAX = 132, LINE = 17, LEFT = 16, TOP = 40;
const clip = (line) => (line.length > COLUMNS_MAX ? `${line.slice(0, COLUMNS_MAX - 1)}…` : line);
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const colour = (line) =>
    line.startsWith('# ') ? '#7d8590' : line.startsWith('$ ') ? '#7ee787' : / 200 /.test(line) ? '#a5d6ff' : '#e6edf3';

let lines = readFileSync(0, 'utf8').replace(/\x1b\[[0-9;]*m/g, '').trim().split('\n').map(clip);
if (lines.length > LINES_MAX) lines = [...lines.slice(0, LINES_MAX - 1), '…'];
const [width, height] = [COLUMNS_MAX * 7.8 + 2 * LEFT, lines.length * LINE + TOP + 12];

console.log(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="make demo">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g fill="#30363d"><circle cx="20" cy="18" r="5"/><circle cx="38" cy="18" r="5"/><circle cx="56" cy="18" r="5"/></g>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13" xml:space="preserve">
${lines.map((line, i) => `<text x="${LEFT}" y="${TOP + (i + 1) * LINE - 4}" fill="${colour(line)}">${escape(line)}</text>`).join('\n')}
</g>
</svg>`);
