// posthorn receive and trigger: the other end of the wire, and playing the server against it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { eventually, folder, launch, post, posthorn, ready, receiver, serve, setUrl, sha256 } from './harness.mjs';

async function receive(t, ...args) {
    const dir = join(folder(t), 'examples');
    const program = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, ...args]);
    const url = await ready(program, /receiving on (http:\S+)/);
    return Object.assign(program, { dir, url, files: () => (existsSync(dir) ? readdirSync(dir).sort() : []) });
}

const document = ({ id = '8', type = 'user_enabled', name = 'Ana' } = {}) => JSON.stringify({
    data: { type: 'events', id, attributes: { event_type: type, created_at: '2000-01-01T00:00:00.000Z',
                                              sent_at: '2000-01-01T00:00:00.000Z' },
            relationships: { resource: { data: { type: 'users', id: '1' } } } },
    included: [{ type: 'users', id: '1', attributes: { name } }],
});

async function push(there, body, headers = {}) {
    const response = await fetch(there.url, {
        method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });
    return { status: response.status, text: await response.text() };
}

test('an event becomes a file, pretty-printed, and one line', async (t) => {
    const there = await receive(t);
    const { status, text } = await push(there, document());
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text), { status: 'success' });
    assert.deepEqual(there.files(), ['8_user_enabled.json']);
    const file = readFileSync(join(there.dir, '8_user_enabled.json'), 'utf8');
    assert.deepEqual(JSON.parse(file), JSON.parse(document()));
    assert.ok(file.split('\n').length > 10, 'pretty-printed');
    await eventually('a line', () => /8.*user_enabled|user_enabled.*8/.test(there.stdout));
});

test('the same event again is 200 and still one file; other content under its id is kept beside it', async (t) => {
    const there = await receive(t);
    for (let i = 0; i < 3; i++) assert.equal((await push(there, document())).status, 200);
    assert.equal(there.files().length, 1);
    assert.equal((await push(there, document({ name: 'Eve' }))).status, 200);
    assert.equal(there.files().length, 2);
    assert.ok(there.files().some((name) => name.endsWith('.conflict')));
    assert.match(readFileSync(join(there.dir, '8_user_enabled.json'), 'utf8'), /Ana/);
});

test('with a key, WEBHOOK-AUTH is checked', async (t) => {
    const there = await receive(t, '--api-key', 'your_api_key');
    const right = '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683';
    assert.equal((await push(there, document())).status, 401);
    for (const wrong of ['your_api_key', sha256('your_api_key\n'), right.toUpperCase(), `${right}0`, '']) {
        assert.equal((await push(there, document(), { 'WEBHOOK-AUTH': wrong })).status, 401, wrong);
    }
    assert.deepEqual(there.files(), []);
    assert.equal((await push(there, document(), { 'WEBHOOK-AUTH': right })).status, 200);
    assert.equal(there.files().length, 1);
});

test('names that would leave the folder, and names that are too long, stay inside', async (t) => {
    const there = await receive(t);
    const hostile = ['../../x', 'a/b', '..', 'x'.repeat(300), 'a\nb', 'a\u0000b', '\u202eexe', '', ' '];
    let stored = 0;
    for (const type of hostile) {
        const { status } = await push(there, document({ id: `${++stored}`, type }));
        assert.ok(status === 200 || (type === '' && status === 400), `${JSON.stringify(type)}: ${status}`);
    }
    for (const id of ['../../9', '/etc/passwd', '\u0000']) assert.equal((await push(there, document({ id }))).status, 200);
    assert.ok(there.files().every((name) => /^[A-Za-z0-9._-]+$/.test(name)), there.files().join());
    assert.deepEqual(readdirSync(join(there.dir, '..')), ['examples']);
});

test('what stands at the name and is no plain file is a 500, and untouched', async (t) => {
    const there = await receive(t);
    const elsewhere = join(there.dir, '..', 'elsewhere');
    writeFileSync(elsewhere, 'mine');
    mkdirSync(there.dir, { recursive: true });
    symlinkSync(elsewhere, join(there.dir, '8_user_enabled.json'));
    mkdirSync(join(there.dir, '9_user_enabled.json'));
    assert.equal((await push(there, document())).status, 500);
    assert.equal((await push(there, document({ id: '9' }))).status, 500);
    assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
});

test('what is no event is 400', async (t) => {
    const there = await receive(t);
    for (const body of ['', '{', '[]', '{"data":{}}', `${document()}x`, 'null']) {
        assert.equal((await push(there, body)).status, 400, body);
    }
    assert.deepEqual(there.files(), []);
});

test('faults on demand: a server goes on until the receiver relents', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '200'] });
    const there = await receive(t, '--api-key', server.api_key, '--status', '503', '--for', '2');
    await setUrl(server, there.url);
    const id = await post(server);
    await eventually('the file', () => there.files().includes(`${id}_user_enabled.json`));
});

test('trigger --to plays the server: same headers, same signature, same shape', async (t) => {
    const server = await serve(t);
    const [real, mimic] = [await receiver(t), await receiver(t)];
    await setUrl(server, `${real.url}/hook`);
    const through = await posthorn('trigger', 'user_enabled', '--server', server.url, '--key', server.api_key);
    assert.equal(through.code, 0, through.stderr);
    const played = await posthorn('trigger', 'user_enabled', '--to', `${mimic.url}/hook`, '--api-key', server.api_key,
        '--secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    assert.equal(played.code, 0, played.stderr);
    const [ours] = await real.arrived(1);
    const [theirs] = await mimic.arrived(1);
    const shape = (push) => ({
        line: [push.method, push.path, push.version],
        headers: push.headers.map(([name, value]) => [name, /host|content-length|^webhook-/.test(name.toLowerCase()) && name !== 'WEBHOOK-AUTH' ? '' : value])
            .filter(([name]) => !/^(connection|accept)/i.test(name)).sort(),
        data: { ...push.json.data, id: '', attributes: Object.keys(push.json.data.attributes) },
        included: push.json.included,
    });
    assert.deepEqual(shape(theirs), shape(ours));
});

test('trigger fails when the handler does not answer 200', async (t) => {
    const there = await receive(t, '--status', '500');
    const { code } = await posthorn('trigger', 'user_enabled', '--to', there.url, '--api-key', 'k');
    assert.equal(code, 1);
});

test('every command has --help, and wrong usage is 2', async () => {
    for (const command of ['init', 'serve', 'receive', 'trigger', 'events', 'catalog']) {
        const help = await posthorn(command, '--help');
        assert.equal(help.code, 0, `${command} --help`);
        assert.match(help.stdout, new RegExp(command));
        assert.equal((await posthorn(command, '--no-such-option')).code, 2, command);
    }
    assert.equal((await posthorn('--help')).code, 0);
    assert.match((await posthorn('--version')).stdout, /\d+\.\d+\.\d+/);
    assert.equal((await posthorn('no-such-command')).code, 2);
    assert.equal((await posthorn()).code, 2);
    assert.equal((await posthorn('trigger', 'user_enabld', '--to', 'http://127.0.0.1:9', '--api-key', 'k', '--dry')).code, 2);
});

test('events list and show', async (t) => {
    const server = await serve(t);
    const id = await post(server);
    const at = ['--server', server.url, '--key', server.api_key];
    const list = await posthorn('events', 'list', ...at);
    assert.equal(list.code, 0, list.stderr);
    assert.ok(list.stdout.includes(id));
    const shown = await posthorn('events', 'show', id, '--json', ...at);
    assert.equal(shown.code, 0, shown.stderr);
    assert.doesNotThrow(() => JSON.parse(shown.stdout));
    assert.equal((await posthorn('events', 'show', '1', ...at)).code, 1);
    assert.equal((await posthorn('events', 'list', '--server', server.url, '--key', 'wrong')).code, 1);
});
