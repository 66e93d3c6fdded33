// rows: 24, 34, 35, 36
// The receiving side: dispatch by event_type to programs, the public example handler through the whole
// catalogue, a file an event, and a line at once.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { exampleHandler } from '../e2e/example_handler.mjs';
import { eventually, folder, launch, post, posthorn, ready, serve, setUrl, sleep } from '../e2e/harness.mjs';

const document = ({ id = '8', type = 'user_enabled', name = 'Ana' } = {}) => JSON.stringify({
    data: { type: 'events', id, attributes: { event_type: type, created_at: '2000-01-01T00:00:00.000Z',
                                              sent_at: '2000-01-01T00:00:00.000Z' },
            relationships: { resource: { data: { type: 'users', id: '1' } } } },
    included: [{ type: 'users', id: '1', attributes: { name } }],
});

/** A `posthorn receive` with programs: { 'user_enabled': 'echo hello', ... }, each a shell script. */
async function receive(t, { programs, dir = join(folder(t), 'examples'), args = [], env } = {}) {
    if (programs && !args.includes('--handlers')) {
        const handlers = folder(t);
        for (const [name, script] of Object.entries(programs)) {
            writeFileSync(join(handlers, name), `#!/bin/sh\n${script}\n`);
            chmodSync(join(handlers, name), 0o755);
        }
        args = ['--handlers', handlers, ...args];
    }
    const program = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, ...args], { env });
    const url = await ready(program, /(http:\/\/[0-9.:]+)/);
    return Object.assign(program, {
        dir, url, args,
        files: () => (existsSync(dir) ? readdirSync(dir).sort() : []),
        lines: () => program.stdout.split('\n').slice(1, -1),
    });
}

async function push(there, body, headers = {}) {
    const response = await fetch(there.url, {
        method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });
    return response.status;
}

const line = (there, pattern) => eventually(`a line ${pattern} in ${there.stdout}`,
    () => there.lines().find((one) => pattern.test(one)));

test('row 24: each event_type to its program, the rest to default; exit code 0 is 200, all else is 500', async (t) => {
    const out = folder(t);
    const there = await receive(t, {
        programs: {
            user_enabled: `cat > ${out}/body; env > ${out}/env; echo "enabled $POSTHORN_RESOURCE_ID"; echo again >&2`,
            user_disabled: 'echo no; exit 3',
            default: `echo "$POSTHORN_EVENT_TYPE" >> ${out}/others`,
        },
        args: ['--api-key', 'your_api_key'], env: { POSTHORN_SECRET: '', POSTHORN_EVENT_ID: 'ours', MINE: 'kept' },
    });
    const auth = { 'WEBHOOK-AUTH': '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683' };
    assert.equal(await push(there, document(), auth), 200);
    assert.equal(readFileSync(join(out, 'body'), 'utf8'), document(), 'the event, byte for byte');
    const env = readFileSync(join(out, 'env'), 'utf8').split('\n');
    for (const variable of [
        'POSTHORN_EVENT_ID=8', 'POSTHORN_EVENT_TYPE=user_enabled', 'POSTHORN_RESOURCE_TYPE=users',
        'POSTHORN_RESOURCE_ID=1', 'POSTHORN_CREATED_AT=2000-01-01T00:00:00.000Z',
        'POSTHORN_SENT_AT=2000-01-01T00:00:00.000Z', 'MINE=kept']) {
        assert.ok(env.includes(variable), variable);
    }
    await line(there, / 200 stored .*8_user_enabled\.json.* \| enabled 1 \| again$/);
    assert.equal(await push(there, document({ id: '9', type: 'user_disabled' }), auth), 500);
    await line(there, / 500 handler_failed .*exit code 3.* \| no$/);
    for (const type of ['new_type', 'another.type']) {
        assert.equal(await push(there, document({ id: type, type }).replace('"id":"new_type"', '"id":"10"'), auth), 200);
    }
    assert.equal(readFileSync(join(out, 'others'), 'utf8'), 'new_type\nanother.type\n');
    assert.deepEqual(there.files().filter((name) => /user_disabled/.test(name)), [], 'not handled, not stored');
    assert.equal(await push(there, document({ id: '9', type: 'user_disabled' }), auth), 500, 'tried again');
    assert.equal(await push(there, document(), auth), 200);
    await line(there, / 200 duplicate /);
});

test('row 24: the example folder of programs works as it stands', async (t) => {
    const there = await receive(t, { args: ['--handlers', fileURLToPath(new URL('../../examples/handlers', import.meta.url))] });
    assert.equal(await push(there, document()), 200);
    await line(there, / 200 stored .* \| user 1 can use the platform since 2000-01-01T00:00:00\.000Z$/);
});

test('row 24: without a program of its own and without default a type is ignored: stored, and 200', async (t) => {
    const there = await receive(t, { programs: { user_enabled: 'exit 1' } });
    assert.equal(await push(there, document({ type: 'never_heard_of' })), 200);
    assert.deepEqual(there.files(), ['8_never_heard_of.json']);
});

test('row 24: a crash, an endless one, one that cannot be run: 500 with its reason, and nothing stored', async (t) => {
    const out = folder(t);
    const there = await receive(t, {
        programs: {
            crashes: 'kill -SEGV $$',
            hangs: `sleep 300 & echo $! > ${out}/pid; wait`,
            prints: 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done',
            denied: 'true',
        },
        args: ['--time-limit', '0.5', '--json'],
    });
    const handlers = there.args[1];
    chmodSync(join(handlers, 'denied'), 0o644);
    writeFileSync(join(handlers, 'no_interpreter'), 'hello', { mode: 0o755 });
    mkdirSync(join(handlers, 'folder'));
    const expected = {
        crashes: /^killed by SIGSEGV$/, hangs: /not done after 0\.5 s/, prints: /not done after 0\.5 s/,
        denied: /chmod/, no_interpreter: /#!/, folder: /cannot be run/,
    };
    for (const type of Object.keys(expected)) assert.equal(await push(there, document({ id: type.length + '', type })), 500, type);
    await eventually('a line each', () => there.lines().length === 6);
    for (const one of there.lines().map((text) => JSON.parse(text))) {
        assert.equal(one.outcome, 'handler_failed');
        assert.match(one.detail, expected[one.event_type]);
        assert.ok((one.output ?? '').length <= 4096);
    }
    const pid = Number(readFileSync(join(out, 'pid'), 'utf8'));
    await eventually('the whole group is gone', () => {
        try {
            return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        } catch {
            return true;
        }
    });
    assert.deepEqual(there.files(), []);
});

test('row 24: a hostile type never leaves the folder, and nothing goes through a shell', async (t) => {
    const out = folder(t);
    const there = await receive(t, { programs: { default: `printf '%s\\n' "[$POSTHORN_EVENT_TYPE]" >> ${out}/types` } });
    const handlers = there.args[1];
    const evil = join(handlers, '..', 'evil-' + handlers.slice(-6));
    writeFileSync(evil, `#!/bin/sh\ntouch ${out}/escaped\n`, { mode: 0o755 });
    t.after(() => chmodSync(evil, 0o600));
    const hostile = [
        `../evil-${handlers.slice(-6)}`, evil, `./default`, '.', '..', `x; touch ${out}/escaped`, `$(touch ${out}/escaped)`,
        '`touch /tmp/x`', '-c', 'a\nb', 'a\u0000b', '\u001b[31m', 'x'.repeat(5000), 'default/../default', '() { :; }; id',
    ];
    for (const [i, type] of hostile.entries()) assert.equal(await push(there, document({ id: `${i}`, type })), 200, type);
    assert.ok(!existsSync(join(out, 'escaped')));
    const types = readFileSync(join(out, 'types'), 'utf8').split('\n').slice(0, -1);
    assert.equal(types.length, hostile.length, 'each went to default, as one line');
    assert.deepEqual(types.filter((type) => type === '[]').length, 4, 'control bytes and what is too long are left out');
    assert.ok(readdirSync(there.dir).every((name) => /^[A-Za-z0-9._-]+$/.test(name)));
});

test('row 24: the receiver keeps its secrets from its programs', async (t) => {
    const there = await receive(t, {
        programs: { default: 'env' },
        env: { POSTHORN_API_KEY: 'your_api_key', POSTHORN_KEY: 'for-polling' },
    });
    const auth = { 'WEBHOOK-AUTH': '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683' };
    assert.equal(await push(there, document(), auth), 200);
    await line(there, /POSTHORN_KEY=for-polling/);
    assert.ok(!there.output.includes('your_api_key'));
});

test('row 24: so many programs at once, no more, and the receiver stays responsive', async (t) => {
    const out = folder(t);
    const there = await receive(t, {
        programs: {
            user_enabled: `touch ${out}/$POSTHORN_EVENT_ID; while [ ! -e ${out}/go ]; do sleep 0.05; done; ` +
                `rm ${out}/$POSTHORN_EVENT_ID`,
        },
        args: ['--at-once', '2'],
    });
    const pushes = Array.from({ length: 6 }, (_, i) => push(there, document({ id: `${i}` })));
    await eventually('two at work', () => readdirSync(out).length === 2);
    assert.equal(await push(there, document({ id: '99', type: 'other' })), 200, 'nobody waits for them');
    await sleep(200); /* time for a third to start */
    assert.equal(readdirSync(out).length, 2);
    writeFileSync(join(out, 'go'), '');
    assert.deepEqual(await Promise.all(pushes), Array(6).fill(200));
});

test('row 24: a second delivery while the first is in work gets 503, and the program runs once', async (t) => {
    const out = folder(t);
    const there = await receive(t, {
        programs: { user_enabled: `echo x >> ${out}/runs; while [ ! -e ${out}/go ]; do sleep 0.05; done` } });
    const first = push(there, document());
    await eventually('in work', () => existsSync(join(out, 'runs')));
    assert.ok(there.files().includes('8.work'));
    assert.equal(await push(there, document()), 503);
    assert.equal(await push(there, document({ name: 'Eve' })), 503, 'other content of the same id, too');
    writeFileSync(join(out, 'go'), '');
    assert.equal(await first, 200);
    assert.equal(await push(there, document()), 200);
    assert.equal(readFileSync(join(out, 'runs'), 'utf8'), 'x\n');
    assert.deepEqual(there.files(), ['8_user_enabled.json']);
});

test('row 24: kill -9 in a handler: it dies too, is handled again at the next start, and is a duplicate then', async (t) => {
    const out = folder(t);
    const programs = {
        user_enabled: `echo $$ >> ${out}/runs; cat > ${out}/body; while [ ! -e ${out}/go ]; do sleep 0.05; done` };
    const first = await receive(t, { programs });
    const lost = push(first, document()).catch(() => 'lost');
    await eventually('in work', () => existsSync(join(out, 'body')));
    const pid = Number(readFileSync(join(out, 'runs'), 'utf8'));
    await first.end('SIGKILL');
    assert.equal(await lost, 'lost');
    await eventually('the program has ended', () => !existsSync(`/proc/${pid}`) ||
        /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    assert.deepEqual(first.files(), ['8.work'], 'in work, and not done');

    const second = await receive(t, { dir: first.dir, args: first.args });
    await eventually('handled again', () => readFileSync(join(out, 'runs'), 'utf8').split('\n').length === 3);
    assert.equal(await push(second, document()), 503, 'in work again');
    writeFileSync(join(out, 'go'), '');
    await line(second, / 200 resumed .*8_user_enabled\.json/);
    assert.equal(await push(second, document()), 200);
    await line(second, / 200 duplicate /);
    assert.equal(readFileSync(join(out, 'runs'), 'utf8').split('\n').length, 3, 'twice, and no more');
    assert.deepEqual(JSON.parse(readFileSync(join(out, 'body'), 'utf8')), JSON.parse(document()));
});

test('row 24: killed again and again in its handlers, a receiver loses nothing of a server', async (t) => {
    const out = folder(t);
    const server = await serve(t, { args: ['--time-scale', '500'] });
    const programs = { default: `sleep 0.02; echo "$POSTHORN_EVENT_ID" >> ${out}/handled` };
    let there = await receive(t, { programs });
    const { port } = new URL(there.url);
    await setUrl(server, there.url);
    const ids = [];
    for (let i = 0; i < 40; i++) ids.push(await post(server));
    for (let i = 0; i < 4; i++) {
        await eventually('some progress', () => there.files().filter((name) => name.endsWith('.json')).length > 8 * i);
        await there.end('SIGKILL');
        const again = launch(t, ['receive', '--listen', `127.0.0.1:${port}`, '--dir', there.dir, ...there.args]);
        await ready(again, /(http:\/\/[0-9.:]+)/);
        there = Object.assign(again, { dir: there.dir, args: there.args, files: there.files });
    }
    await eventually('a file for each', () => ids.every((id) => there.files().includes(`${id}_user_enabled.json`)));
    const handled = new Set(readFileSync(join(out, 'handled'), 'utf8').split('\n'));
    assert.ok(ids.every((id) => handled.has(id)), 'each was handled');
    await eventually('nothing is in work', () => !there.files().some((name) => name.endsWith('.work')));
});

test('row 24: SIGTERM lets a program end, and its event is answered', async (t) => {
    const out = folder(t);
    const there = await receive(t, { programs: { user_enabled: `touch ${out}/begun; sleep 0.3` } });
    const answered = push(there, document());
    await eventually('in work', () => existsSync(join(out, 'begun')));
    assert.equal((await there.end('SIGTERM')).code, 0);
    assert.equal(await answered, 200);
    assert.deepEqual(there.files(), ['8_user_enabled.json']);
});

test('row 24: receive --secret verifies the second signature, and says what is wrong', async (t) => {
    const key = Buffer.from('0123456789abcdef0123456789abcdef');
    const secret = `whsec_${key.toString('base64')}`;
    const older = `whsec_${Buffer.from('another key of enough bytes').toString('base64')}`;
    const there = await receive(t, { args: ['--secret', older, '--secret', secret] });
    const sign = (body, { id = '8', at = Math.floor(Date.now() / 1000) } = {}) => ({
        'webhook-id': id, 'webhook-timestamp': `${at}`,
        'webhook-signature': `v1,AAAA v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`,
    });
    assert.equal(await push(there, document()), 401);
    await line(there, / 401 .*the webhook-id header is missing/);
    const { 'webhook-signature': dropped, ...two } = sign(document());
    assert.ok(dropped);
    assert.equal(await push(there, document(), two), 401);
    await line(there, /the webhook-signature header is missing/);
    assert.equal(await push(there, `${document()} `, sign(document())), 401);
    await line(there, / 401 signature_wrong .*no signature .* fits/);
    assert.equal(await push(there, document(), sign(document(), { at: Math.floor(Date.now() / 1000) - 400 })), 401);
    await line(there, / 401 signature_time .*40\d s behind this clock; 300 s are tolerated/);
    assert.deepEqual(there.files(), []);
    assert.equal(await push(there, document(), sign(document())), 200);
    assert.ok(!there.output.includes(secret));
    const wrong = await posthorn('receive', '--secret', 'whsk_xx', '--listen', '127.0.0.1:0');
    assert.equal(wrong.code, 2);
    assert.ok(!wrong.stderr.includes('whsk_xx'));
});

test('row 34: the public example handler, unmodified, lives through the whole catalogue', async (t) => {
    const server = await serve(t);
    const handler = await exampleHandler(t);
    await setUrl(server, handler.url);
    const types = JSON.parse((await posthorn('catalog', '--json')).stdout).map(({ name }) => name);
    assert.ok(types.length >= 30);
    const made = await posthorn('trigger', ...types, '--server', server.url, '--key', server.api_key);
    assert.equal(made.code, 0, made.stderr);
    await eventually('a file an event', () => {
        if (handler.dead) throw handler.dead;
        return readdirSync(handler.examples).length === types.length;
    });
    assert.deepEqual(readdirSync(handler.examples).map((name) => name.replace(/^\d+_|\.json$/g, '')).sort(),
        [...types].sort());
    assert.ok(handler.requests.every(({ method, body }) => method === 'POST' && body.length > 0), 'never probed unasked');
    assert.equal(handler.requests.length, types.length);
});

test('row 34: and through trigger --to and every scenario', async (t) => {
    const handler = await exampleHandler(t);
    const scenarios = JSON.parse((await posthorn('catalog', 'scenarios', '--json')).stdout).map(({ name }) => name);
    assert.ok(scenarios.length >= 5);
    assert.equal((await posthorn('trigger', '--every', '--to', handler.url, '--api-key', 'k')).code, 0);
    for (const name of scenarios) {
        const { code, stdout } = await posthorn('trigger', '--scenario', name, '--to', handler.url, '--api-key', 'k');
        assert.equal(code, 0, stdout);
    }
    assert.equal(handler.dead, null);
});

test('row 34: the stand-in has the habits it stands for', async (t) => {
    const working = JSON.parse((await posthorn('catalog', 'show', 'concierge_request_output_working', '--json')).stdout);
    const without = structuredClone(working.example);
    delete without.data.relationships.failures;
    for (const [method, body] of [
        ['GET'], ['OPTIONS'], ['POST', ''], ['POST', '{'], ['POST', JSON.stringify(without)]]) {
        const handler = await exampleHandler(t);
        await new Promise((resolve) => {
            http.request(handler.url, { method }, (response) => response.resume().on('close', resolve))
                .on('error', resolve).end(body);
        });
        assert.ok(handler.dead, `${method} ${body}`);
        await assert.rejects(fetch(handler.url, { method: 'POST', body: document() }));
    }
});

test('row 35: a file an event, ID_TYPE.json, pretty-printed, private, safely named, whole before its 200', async (t) => {
    const there = await receive(t);
    assert.equal(await push(there, document()), 200);
    assert.deepEqual(there.files(), ['8_user_enabled.json']);
    assert.equal(readFileSync(join(there.dir, '8_user_enabled.json'), 'utf8'),
        `${JSON.stringify(JSON.parse(document()), null, 2)}\n`);
    const outside = join(there.dir, '..');
    symlinkSync(join(outside, 'elsewhere'), join(there.dir, '9_user_enabled.json'));
    assert.equal(await push(there, document({ id: '9' })), 500, 'never through a link');
    const hostile = ['../x', '/etc/passwd', '..', 'a\u0000b', 'x'.repeat(300), '\u202egnp.exe'];
    for (const [i, type] of hostile.entries()) {
        assert.equal(await push(there, document({ id: `1${i}`, type })), 200);
        assert.equal(await push(there, document({ id: type })), 200);
    }
    assert.ok(there.files().every((name) => /^[A-Za-z0-9._-]+$/.test(name)), there.files().join());
    assert.deepEqual(readdirSync(outside), ['examples']);
    await there.end('SIGKILL');
    const names = there.files().filter((name) => name.endsWith('.json') && !name.startsWith('9_'));
    assert.equal(names.length, 1 + 2 * hostile.length);
    for (const name of names) JSON.parse(readFileSync(join(there.dir, name), 'utf8'));
});

test('row 36: one line an event at once: it is there before the sender has its answer', async (t) => {
    const there = await receive(t, { args: ['--delay', '3000'] });
    let answered = false;
    const pushed = push(there, document()).then((status) => {
        answered = true;
        return status;
    });
    const shown = await line(there, /user_enabled/);
    assert.match(shown, /^\d\d:\d\d:\d\d\.\d{3}Z 200 stored +user_enabled users\/1 .*8_user_enabled\.json$/);
    assert.equal(answered, false);
    await there.end('SIGTERM');
    assert.equal(await pushed, 200);
    assert.equal(there.lines().length, 1);
});
