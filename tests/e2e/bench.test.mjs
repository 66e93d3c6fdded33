// Every part of `make bench` still runs: with tiny counts, against the program under test. The figures mean nothing here.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder, POSTHORN, run } from './harness.mjs';

const bench = fileURLToPath(new URL('../../bench/', import.meta.url));
const parts = readdirSync(join(bench, 'parts')).map((file) => file.replace('.mjs', ''));

const small = { BENCH_SLOW: '300', BENCH_SLOW_MS: '50', BENCH_SLOW_SECONDS: '2', BENCH_NEWCOMER_MS: '5', BENCH_REFUSING: '300', BENCH_PRODUCERS: '3,9', BENCH_PATIENCE: '15',
                BENCH_BODIES_SLOW_MS: '10', BENCH_PURGE_OWNERS: '7' };

function measure(part, json) {
    return run('node', [join(bench, 'run.mjs')], {
        limitMs: 120_000,
        env: { ...small, BENCH_PARTS: part, BENCH_SCALE: '0.001', BENCH_JSON: json, BENCH_POSTHORN: POSTHORN, BENCH_AGAINST: POSTHORN,
               BENCH_BUILD: join(dirname(POSTHORN), '..') },
    });
}

/* Most of each is waiting. */
describe('bench', { concurrency: 4 }, () => {
    for (const part of parts) {
        test(`bench: ${part} measures something`, async (t) => {
            const json = join(folder(t), 'bench.json');
            const ran = await measure(part, json);
            assert.equal(ran.code, 0, ran.stderr);
            const { rows } = JSON.parse(readFileSync(json, 'utf8')).parts[part];
            assert.ok(rows.length > 0);
            for (const row of rows) {
                assert.equal(row.skipped, undefined, `${row.what}: ${row.skipped}`);
                assert.ok(Number.isFinite(row.value) && row.samples.every(Number.isFinite), `${row.key}: ${row.value} of ${row.samples}`);
                assert.doesNotMatch(row.note ?? '', /not arrived/, row.what);
            }
            assert.equal(new Set(rows.map((row) => row.key)).size, rows.length, 'a key appears twice');
        });
    }
});

test('bench: compare says what changed beyond noise, and nothing else', async (t) => {
    const at = folder(t);
    const file = (name, rows) => {
        writeFileSync(join(at, name), JSON.stringify({ parts: { part: { rows } } }));
        return join(at, name);
    };
    const row = (key, better, samples) => ({ key, what: key, unit: 'us', digits: 1, better, samples, value: samples[Math.floor((samples.length - 1) / 2)] });
    const before = file('a.json', [row('slower', 'less', [40, 41, 44]), row('noisy', 'less', [40, 41, 60]), row('faster', 'more', [100, 110, 120]),
                                   row('single', 'less', [100]), { key: 'new', what: 'new', skipped: 'no such command' }]);
    const after = file('b.json', [row('slower', 'less', [45, 46, 47]), row('noisy', 'less', [55, 56, 57]), row('faster', 'more', [130, 131, 140]),
                                  row('single', 'less', [110]), row('new', 'less', [5])]);
    const { code, stdout } = await run(join(bench, 'compare'), [before, after]);
    assert.equal(code, 0);
    assert.match(stdout, /^WORSE +slower +41 +46 us +\+12 % +slower$/m);
    assert.match(stdout, /^better +faster/m);
    assert.match(stdout, /^missing +new +skipped: no such command +5 us +new$/m);
    assert.doesNotMatch(stdout, /noisy|single/);
    assert.match(stdout, /^1 better, 1 worse, 0 other, 2 within noise, 1 in one of them only$/m);
});
