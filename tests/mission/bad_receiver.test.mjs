// Bad input for `posthorn receive`: over sockets, against the real program and its folder.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { eventually, folder, launch, ready, sha256 } from '../e2e/harness.mjs';
import { exchange, request } from './bad_input.mjs';

const KEY = 'your_api_key';
const AUTH = ['WEBHOOK-AUTH', sha256(KEY)];
const JSON_TYPE = ['Content-Type', 'application/json'];
const TYPE = 'user_enabled';

async function receive(t, ...args) {
    const dir = join(folder(t), 'examples');
    const program = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, '--api-key', KEY, ...args]);
    const url = await ready(program, /receiving on (http:\S+)/);
    return Object.assign(program, { dir, url, files: () => readdirSync(dir).sort() });
}

const document = (id, type = TYPE, name = 'Ana') => JSON.stringify({
    data: { type: 'events', id, attributes: { event_type: type, created_at: '2000-01-01T00:00:00.000Z' } },
    included: [{ type: 'users', id: '1', attributes: { name } }],
});
const push = (there, body, headers = [AUTH]) => exchange(there.url, request('POST', '/', [JSON_TYPE, ...headers], body));
const status = async (...args) => (await push(...args)).status;

/** It still takes events, and has said nothing secret. */
async function unharmed(there, expected) {
    assert.equal(await status(there, document('last')), 200);
    assert.deepEqual(there.files(), [...expected, `last_${TYPE}.json`].sort());
    assert.deepEqual(readdirSync(join(there.dir, '..')).filter((name) => name !== 'elsewhere'), ['examples']);
    assert.ok(there.running);
    for (const secret of [KEY, sha256(KEY)]) assert.ok(!there.output.includes(secret));
}

test('bad input: receiver: missing, doubled or wrong WEBHOOK-AUTH is 401 before the body is read', async (t) => {
    const there = await receive(t);
    const right = sha256(KEY);
    const wrong = { none: [], empty: [''], 'the key itself': [KEY], 'upper case': [right.toUpperCase()], longer: [`${right}0`],
        cut: [right.slice(1)], 'of another key': [sha256('x')], 'of the key and a newline': [sha256(`${KEY}\n`)],
        'twice the same': [right, right], 'a wrong one behind': [right, 'x'], 'a wrong one before': ['x', right],
        'a list': [`${right}, ${right}`] };
    for (const [name, values] of Object.entries(wrong)) {
        const headers = values.map((value) => ['WEBHOOK-AUTH', value]);
        const answer = await push(there, document('1'), headers);
        assert.equal(answer.status, 401, `${name}: ${answer.text}`);
        // Nothing of its body is ever sent: the answer comes all the same.
        const early = await exchange(there.url, request('POST', '/', [JSON_TYPE, ...headers, ['Content-Length', '1000']]));
        assert.equal(early.status, 401, `${name}: ${early.text}`);
        assert.ok(early.closed, name);
    }
    await unharmed(there, []);
});

test('bad input: receiver: a hostile id or type is 200, stored under a hash, never outside its folder', async (t) => {
    const there = await receive(t);
    const hostile = ['a/b', '/etc/passwd', '../../x', '..', '.', 'a\u0000b', 'x'.repeat(300), 'a\nb', 'a\r\nb', '\u202egnp.exe', '\\..\\',
        '~', '-rf', '$(touch x)', '%2e%2e%2f', '.hidden'];
    let count = 0;
    for (const text of hostile) {
        assert.equal(await status(there, document(`t${count}`, text)), 200, `type ${JSON.stringify(text)}`);
        assert.equal(await status(there, document(text)), 200, `id ${JSON.stringify(text)}`);
        count += 2;
        assert.equal(there.files().length, count, JSON.stringify(text));
    }
    assert.ok(there.files().every((name) => /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name) && name.length < 255), there.files().join());
    assert.ok(!/[\u0000-\u0009\u000b-\u001a\u202e]/.test(there.stdout.replace(/\u001b\[[0-9;]*m/g, '')));
    await unharmed(there, there.files());
});

test('bad input: receiver: a symlink, FIFO or directory planted at the name is 500, and left alone', async (t) => {
    const there = await receive(t);
    const at = (id) => join(there.dir, `${id}_${TYPE}.json`);
    const elsewhere = join(there.dir, '..', 'elsewhere');
    writeFileSync(elsewhere, 'mine');
    mkdirSync(there.dir, { recursive: true });
    symlinkSync(elsewhere, at('link'));
    symlinkSync(join(there.dir, 'nowhere'), at('dangling'));
    execFileSync('mkfifo', [at('fifo')]);
    mkdirSync(at('folder'));
    const planted = ['link', 'dangling', 'fifo', 'folder'];
    for (const id of planted) assert.equal(await status(there, document(id)), 500, id);
    assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
    assert.ok(!existsSync(join(there.dir, 'nowhere')));
    // The sender tries again; once the thing is gone, it succeeds.
    rmSync(at('fifo'));
    assert.equal(await status(there, document('fifo')), 200);
    await unharmed(there, planted.map((id) => `${id}_${TYPE}.json`));
});

test('bad input: receiver: the same again is one file; other bytes under the id are kept beside, with a warning', async (t) => {
    const there = await receive(t);
    for (let i = 0; i < 3; i++) assert.equal(await status(there, document('8')), 200);
    assert.deepEqual(there.files(), [`8_${TYPE}.json`]);
    const before = there.output.length;
    assert.equal(await status(there, document('8', TYPE, 'Eve')), 200);
    assert.equal(await status(there, document('8', TYPE, 'Eve')), 200, 'known, too');
    const [first, ...beside] = there.files();
    assert.equal(first, `8_${TYPE}.json`);
    assert.equal(beside.length, 1);
    assert.match(beside[0], /\.conflict$/);
    assert.match(readFileSync(join(there.dir, first), 'utf8'), /Ana/);
    assert.match(readFileSync(join(there.dir, beside[0]), 'utf8'), /Eve/);
    await eventually('a warning', () => /conflict/.test(there.output.slice(before)));
    await unharmed(there, there.files());
});

test('bad input: receiver: what is no JSON, or no event, is 400', async (t) => {
    const there = await receive(t);
    const whole = document('1');
    for (const body of ['', ' ', '{', whole.slice(0, -1), `${whole}x`, `${whole}${whole}`, '[]', 'null', '1', '{"data":{}}',
        `\ufeff${whole}`, Buffer.from(whole, 'utf16le'), Buffer.from('{"a":"\xff"}', 'latin1'), '{"data":NaN}', "{'data':1}",
        '['.repeat(1e5), '{"data":1,"data":2}']) {
        const answer = await push(there, body);
        assert.equal(answer.status, 400, `${body.slice(0, 60)}: ${answer.text}`);
    }
    await unharmed(there, []);
});

test('bad input: receiver: what cannot be written is 500, so that the sender tries again', async (t) => {
    const there = await receive(t);
    assert.equal(await status(there, document('1')), 200);
    renameSync(there.dir, `${there.dir}-away`);
    rmSync(`${there.dir}-away`, { recursive: true });
    for (let i = 0; i < 3; i++) assert.equal(await status(there, document('2')), 500, 'its folder is gone');
    assert.ok(there.running);
    assert.ok(!existsSync(join(there.dir, `2_${TYPE}.json`)));
});
