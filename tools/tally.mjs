// Counts cases honestly, for tools/test: prints "PASSED FAILED".
//
//   tally.mjs meson|again|tap EXIT_CODE FILE
//
// meson: testlog.json of `meson test`; a program's cmocka cases count one by one, any other program as one.
// again: the same cases a second time, so only failures count.
// tap:   what node --test wrote.
// A runner that failed without a failed case, ran none, or left no file, counts as one failure. Cases that were skipped
// were looked at: a machine that can do none of a part does not fail it.
import { readFileSync } from 'node:fs';

const sum = (text, pattern) => [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);

function count_meson(text) {
    let passed = 0, failed = 0, skipped = 0;
    for (const line of text.split('\n').filter(Boolean)) {
        const program = JSON.parse(line);
        if (program.result === 'SKIP') {
            skipped++;
            continue;
        }
        const output = `${program.stdout ?? ''}\n${program.stderr ?? ''}`;
        const fine = program.result === 'OK';
        const cases_passed = sum(output, /^\[  PASSED  \] (\d+) test/gm);
        const cases_failed = sum(output, /^\[  FAILED  \] (\d+) test/gm);
        passed += cases_passed || (fine ? 1 : 0);
        failed += cases_failed || (fine ? 0 : 1);
    }
    return [passed, failed, skipped];
}

function count_tap(text) {
    return [sum(text, /^# pass (\d+)$/gm), sum(text, /^# (?:fail|cancelled) (\d+)$/gm), sum(text, /^# skipped (\d+)$/gm)];
}

const [kind, code, file] = process.argv.slice(2);
let counts = [0, 0, 0];
try {
    const text = readFileSync(file, 'utf8');
    counts = kind === 'tap' ? count_tap(text) : count_meson(text);
} catch (error) {
    console.error(`tally: ${error.message}`);
}
let [passed, failed, skipped] = counts;
if (failed === 0 && (code !== '0' || passed + skipped === 0)) failed = 1;
console.log(kind === 'again' ? 0 : passed, failed);
