// docs/mission.md against the tests that it names: a row without a test, or a test that is not there, is red.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

const ROWS = 51;
const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** The names of a file's tests as they stand there, without their quotes. */
function namesIn(source) {
    return [...source.matchAll(/^\s*test\((?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`)/gm)]
        .map(([, single, double, template]) => (single ?? double ?? template).replace(/\\(.)/g, '$1'));
}

/** Does `name` stand for the test `written`, whose ${...} may be anything? */
function isNamed(written, name) {
    const literal = (text) => text.replace(/[.*+?^$()[\]{}|\\/]/g, '\\$&');
    return new RegExp(`^${written.split(/\$\{[^}]*\}/).map(literal).join('.*')}$`).test(name);
}

const rowsOf = (name) => /^rows? ([0-9, ]+):/.exec(name)?.[1].split(', ').map(Number) ?? [];

const files = Object.fromEntries(readdirSync(new URL('.', import.meta.url))
    .filter((file) => file.endsWith('.test.mjs')).map((file) => [file, namesIn(read(file))]));

const table = read('../../docs/mission.md').split('\n').filter((line) => /^\| \d/.test(line)).map((line) => {
    const [row, , , shown, command] = line.slice(2, -2).split(' | ');
    const tests = shown.split('<br>').map((one) => /^\[[\w/.]+\]\(\.\.\/(tests\/[\w/.]+)\): (.+)$/.exec(one) ?? assert.fail(one));
    return { row: Number(row), command, tests: tests.map(([, file, name]) => ({ file, name })) };
});

test('the table has the 51 rows in their order, each with its command', () => {
    assert.deepEqual(table.map(({ row }) => row), Array.from({ length: ROWS }, (_, i) => i + 1));
    for (const { row, command } of table) assert.equal(command, `\`tools/mission ${row}\``);
});

test('every row has a test in tests/mission, and the table names one of them', () => {
    const shown = new Set(Object.values(files).flat().flatMap(rowsOf));
    for (const { row, tests } of table) {
        assert.ok(shown.has(row), `row ${row} has no test`);
        assert.ok(tests.some(({ name }) => rowsOf(name).includes(row)), `the table names no test of row ${row}`);
    }
    assert.ok([...shown].every((row) => row >= 1 && row <= ROWS), 'no test of a row that is not there');
});

test('every test that the table names is there, under that name', () => {
    for (const { row, tests } of table)
        for (const { file, name } of tests) {
            const source = read(`../../${file}`);
            const there = file.endsWith('.c') ? new RegExp(`^static void ${name}\\(`, 'm').test(source)
                                              : namesIn(source).some((written) => isNamed(written, name));
            assert.ok(there, `row ${row}: ${file} has no test "${name}"`);
        }
});

test('no two tests of the suite have the same name', () => {
    const names = Object.values(files).flat();
    assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
});
