// The commands one by one: their output for people and for programs, their errors, and that a push of `trigger --to` is
// equal to the server's.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { answer, eventually, folder, launch, post, posthorn, POSTHORN, ready, receiver, run, serve, setUrl, sha256 }
    from './harness.mjs';

const HANDLER = join(dirname(POSTHORN), '../lib/handler');
const KEY = 'your_api_key';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const DIGEST = '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683';

async function receive(t, { dir = join(folder(t), 'examples'), args = [] } = {}) {
    const program = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, ...args]);
    const url = await ready(program, /(http:\/\/[0-9.:]+)/);
    return Object.assign(program, { dir, url, port: Number(new URL(url).port), files: () => readdirSync(dir).sort() });
}

const document = (id, type = 'user_enabled') =>
    JSON.stringify({ data: { type: 'events', id, attributes: { event_type: type } } });

const push = (there, body, headers = {}) =>
    fetch(there.url, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });

/** Writes raw bytes and gives what came back when the other side closes, or `until` matches. */
function exchange(port, bytes, until = /\r\n\r\n/) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
        let text = '';
        const end = () => {
            socket.destroy();
            resolve(text);
        };
        socket.on('data', (data) => {
            text += data;
            if (until.test(text)) end();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(text));
    });
}

// What differs between any two events, made equal, in the bytes as they are.
const neutral = (text) =>
    text.replace(/"id":"\d{10,}"/, '"id":"ID"').replace(/("(?:created|sent)_at":")[^"]{24}"/g, '$1DATE"');
const neutralHead = (head) => head.replace(/^Host: .*$/m, 'Host: HOST')
    .replace(/^(webhook-id: )\d+$/m, '$1ID').replace(/^(webhook-timestamp: )\d{10}$/m, '$1SECONDS')
    .replace(/^(webhook-signature: v1,)[A-Za-z0-9+/]{43}=$/m, '$1BASE64');

test('trigger --to cannot be told from the server: header block and body, byte for byte', async (t) => {
    const server = await serve(t);
    const [real, mimic] = [await receiver(t), await receiver(t)];
    await setUrl(server, `${real.url}/hook?x=1`);
    const types = JSON.parse((await posthorn('catalog', '--json')).stdout).map(({ name }) => name);
    assert.equal(types.length, 35);
    const through = await posthorn('trigger', ...types, '--server', server.url, '--key', server.api_key);
    assert.equal(through.code, 0, through.stderr);
    const played = await posthorn('trigger', ...types, '--to', `${mimic.url}/hook?x=1`, '--api-key', server.api_key,
        '--secret', SECRET);
    assert.equal(played.code, 0, played.stderr);
    await real.arrived(35);
    assert.equal(mimic.requests.length, 35);
    for (const type of types) {
        const of = (there) => there.requests.filter((request) => request.json.data.attributes.event_type === type);
        const [[theirs], [ours]] = [of(real), of(mimic)];
        assert.equal(neutralHead(ours.head), neutralHead(theirs.head), type);
        assert.equal(neutral(ours.body.toString()), neutral(theirs.body.toString()), type);
    }
});

test('trigger --all: the fourteen documented types in their order, each with a new id', async (t) => {
    const there = await receiver(t);
    const { code, stdout } = await posthorn('trigger', '--all', '--json', '--to', there.url, '--api-key', KEY);
    assert.equal(code, 0);
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 14);
    assert.equal(new Set(lines.map(({ id }) => id)).size, 14);
    assert.deepEqual(there.requests.map(({ id }) => id), lines.map(({ id }) => id));
    const documented = JSON.parse((await posthorn('catalog', '--json')).stdout)
        .filter(({ status }) => status === 'documented').map(({ name }) => name);
    assert.deepEqual(lines.map(({ event_type }) => event_type), documented);
    assert.ok(there.requests.every((request) => request.header('WEBHOOK-AUTH') === DIGEST));
});

test("8.15: trigger shows the receiver's own words, escaped, and what to do", async (t) => {
    const replies = [answer(401, '{"error":"invalid signature \u202e\x1b[2J"}'), answer(302, '', 'Location: /there\r\n'), 'SSH-2.0-x\r\n'];
    const there = await receiver(t, (request, number) => replies[(number - 1) % replies.length]);
    const send = async (...more) => (await posthorn('trigger', 'user_enabled', '--to', there.url, ...more)).stdout;
    assert.match(await send(), /401 unexpected_status .*\n    it said "\{"error":"invalid signature \\xe2\\x80\\xae\\x1b\[2J"\}"\n    Usual cause: the signature/);
    assert.match(await send(), /302 redirect .*it leads to "\/there"\n    it said .*\n    Set webhook_url/);
    assert.match(await send(), /bad_response .*an SSH server.*\n    it said "SSH-2\.0-x\\x0d\\x0a"\n    Check the port in the URL/);
    const told = await send('--json');
    assert.doesNotMatch(told, /[\u202e\x1b]/);
    assert.equal(JSON.parse(told).answer, '{"error":"invalid signature \\xe2\\x80\\xae\\x1b[2J"}');
});

test('trigger says what came of it: 204 is not 200, nobody there, localhost by name', async (t) => {
    const there = await receiver(t, (request, number) => answer(number === 1 ? 204 : 200, ''));
    const refused = await posthorn('trigger', 'user_enabled', '--to', there.url);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /204.*only 200 acknowledges/);
    assert.match(refused.stdout, /exactly 200/);
    const named = await posthorn('trigger', 'user_enabled', '--to', `http://localhost:${there.port}/`);
    assert.equal(named.code, 0, named.stdout + named.stderr);
    assert.equal(there.requests[1].header('Host'), `localhost:${there.port}`);
    assert.equal(there.requests[1].header('WEBHOOK-AUTH'), undefined, 'no key, no header');
    await there.close();
    const nobody = await posthorn('trigger', 'user_enabled', '--json', '--to', there.url);
    assert.equal(nobody.code, 1);
    assert.equal(JSON.parse(nobody.stdout).outcome, 'connect_refused');
});

test('trigger --scenario walks a story in order', async (t) => {
    const there = await receiver(t);
    assert.equal((await posthorn('trigger', '--scenario', 'failed_then_settled', '--to', there.url)).code, 0);
    const states = there.requests.map(({ json }) => json.data.attributes.event_type)
        .filter((type) => type.startsWith('concierge_request_output_')).map((type) => type.slice(25));
    assert.deepEqual(states, ['accepted', 'working', 'settling', 'failed', 'working', 'settling', 'settled']);
});

test('what is mistyped is guessed, and is wrong usage', async () => {
    for (const args of [['trigger', 'user_enabld', '--key', 'k'], ['catalog', 'show', 'user_enabld']]) {
        const { code, stderr } = await posthorn(...args);
        assert.equal(code, 2);
        assert.match(stderr, /did you mean user_enabled\?/);
    }
    const wrong = [
        ['trigger'], ['trigger', '--all', 'user_enabled', '--key', 'k'], ['trigger', '--scenario', 'x', '--key', 'k'],
        ['trigger', 'user_enabled', '--to', 'ftp://x/'], ['trigger', 'user_enabled', '--to', 'localhost:3000'],
        ['receive', '--status', '99'], ['receive', '--for', '2'], ['receive', '--delay', '-1'], ['receive', 'x'],
        ['events'], ['events', 'show'], ['events', 'lst', '--key', 'k'], ['deliveries', 'show'], ['catalog', 'x'],
        ['catalog', '--section', 'x'], ['events', 'list', '--limit', '0', '--key', 'k'],
    ];
    for (const args of wrong) {
        const { code, stdout, stderr } = await posthorn(...args);
        assert.equal(code, 2, args.join(' '));
        assert.equal(stdout, '');
        assert.match(stderr, /--help/);
    }
});

test('errors say what to do', async (t) => {
    const unreachable = await posthorn('events', 'list', '--server', 'http://127.0.0.1:9', '--key', 'k');
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.stderr, /no server at http:\/\/127\.0\.0\.1:9: is `posthorn serve` running\?/);
    const { code, stderr } = await run(POSTHORN, ['events', 'list'], { env: { POSTHORN_KEY: '' } });
    assert.equal(code, 2);
    assert.match(stderr, /POSTHORN_KEY/);
    const server = await serve(t);
    const wrong = await posthorn('events', 'list', '--server', server.url, '--key', 'no-such-key');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /401.*POSTHORN_KEY/);
    assert.ok(!wrong.stderr.includes('no-such-key'), 'a key is not echoed');
    const taken = await posthorn('receive', '--listen', new URL(server.url).host, '--dir', folder(t));
    assert.equal(taken.code, 1);
    const nowhere = await posthorn('receive', '--listen', '127.0.0.1:0', '--dir', '/no/such/folder');
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /No such file/);
});

test('events and deliveries, for people and for programs; server and key from the environment', async (t) => {
    const server = await serve(t);
    const there = await receiver(t, () => answer(503, 'busy'));
    await setUrl(server, there.url);
    const id = await post(server, { type: 'user_enabled' });
    await post(server, { type: 'user_disabled' });
    const env = { POSTHORN_SERVER: `${server.url}/`, POSTHORN_KEY: server.api_key };
    const ask = async (...args) => {
        const { code, stdout, stderr } = await run(POSTHORN, args, { env });
        assert.equal(code, 0, stderr);
        return stdout;
    };
    const listed = await ask('events', 'list', '--type', 'user_enabled', '--undelivered');
    assert.match(listed, new RegExp(`^sandbox, http://.*\nID .*\n${id} +user_enabled .* users/7\n$`));
    assert.equal(JSON.parse(await ask('events', 'list', '--json', '--limit', '1')).data.length, 1);
    assert.equal(JSON.parse(await ask('events', 'show', id)).included[0].attributes.name, 'Ana');
    const delivery = JSON.parse(await ask('deliveries', 'list', id, '--json')).data[0];
    await eventually('an attempt on record', async () => /503/.test(await ask('deliveries', 'show', delivery.id)));
    assert.match(await ask('deliveries', 'show', delivery.id), /unexpected_status/);
    assert.match(await ask('deliveries', 'list', id), new RegExp(`^sandbox, http://.*\nID .*\n${delivery.id} +pending`));
    assert.equal((await run(POSTHORN, ['events', 'show', '../users/5'], { env })).code, 1);
});

test('receive answers 401 before it reads the body, and says why', async (t) => {
    const there = await receive(t, { args: ['--api-key', 'older', '--api-key', KEY] });
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n';
    for (const [auth, why] of [
        ['', /missing/], ['WEBHOOK-AUTH: 00\r\n', /not the SHA-256/],
        [`WEBHOOK-AUTH: ${DIGEST}\r\nwebhook-auth: ${DIGEST}\r\n`, /more than one/]]) {
        assert.match(await exchange(there.port, `${head}${auth}\r\n`), /^HTTP\/1\.1 401 /);
        await eventually('its line', () => why.test(there.stdout));
    }
    for (const key of ['older', KEY]) {
        assert.equal((await push(there, document(`${key.length}`), { 'WEBHOOK-AUTH': sha256(key) })).status, 200);
    }
    assert.ok(!there.output.includes(DIGEST) && !there.output.includes(KEY), 'no secret in the lines');
    assert.equal(there.files().length, 2);
});

test('receive: other methods get 405', async (t) => {
    const there = await receive(t);
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
        const response = await fetch(there.url, { method });
        assert.equal(response.status, 405);
        assert.equal(response.headers.get('allow'), 'POST');
    }
    const answered = await push(there, document('1'));
    assert.equal(answered.headers.get('content-type'), 'application/json');
    assert.equal(await answered.text(), '{"status":"success"}');
});

test('receive --delay holds up nobody else, and a signal gives the answers that wait', async (t) => {
    const there = await receive(t, { args: ['--delay', '3000'] });
    let answered = 0;
    const waiting = Array.from({ length: 12 }, async (_, i) => {
        const { status } = await push(there, document(`${i}`));
        answered++;
        return status;
    });
    await eventually('all are stored', () => there.files().filter((name) => name.endsWith('.json')).length === 12);
    assert.equal((await fetch(there.url)).status, 405);
    assert.equal(answered, 0);
    const { code } = await there.end('SIGTERM');
    assert.equal(code, 0);
    assert.deepEqual(await Promise.all(waiting), Array(12).fill(200));
});

test('receive takes an event of more than a megabyte, and refuses what is beyond its limit', async (t) => {
    const there = await receive(t);
    const large = (len) => JSON.stringify({ ...JSON.parse(document('1')), included: [{ text: 'x'.repeat(len) }] });
    assert.equal((await push(there, large(1_500_000))).status, 200);
    assert.equal((await push(there, large(2_500_000)).catch(() => ({ status: 413 }))).status, 413);
    assert.equal(there.files().length, 1);
});

test('receive --status N --for K: K refusals, nothing stored, then 200', async (t) => {
    const there = await receive(t, { args: ['--status', '503', '--for', '2'] });
    const statuses = [];
    for (let i = 0; i < 4; i++) {
        statuses.push((await push(there, document('1'))).status);
        assert.equal(there.files().length, i < 2 ? 0 : 1);
    }
    assert.deepEqual(statuses, [503, 503, 200, 200]);
});

test('receive --json: one object a line, the ready line too', async (t) => {
    const there = await receive(t, { args: ['--json'] });
    for (const body of [document('1'), document('1'), document('1', 'other'), document('../x', 'a\u001b[31m'), '{']) {
        await push(there, body);
    }
    const lines = () => there.stdout.trim().split('\n').map((line) => JSON.parse(line));
    await eventually('six lines', () => there.stdout.trim().split('\n').length === 6);
    assert.equal(lines()[0].listening, there.url);
    assert.deepEqual(lines().slice(1).map(({ status, outcome }) => [status, outcome]),
        [[200, 'stored'], [200, 'duplicate'], [200, 'conflict'], [200, 'stored'], [400, 'not_json']]);
    assert.equal(lines()[1].file, join(there.dir, '1_user_enabled.json'));
    assert.equal(lines()[4].event_type, 'a\u001b[31m');
});

test('nothing a stranger sends reaches the terminal raw, and no colour goes into a pipe', async (t) => {
    const there = await receive(t);
    await push(there, document('\u0007\u001b]0;x\u0007', '\u001b[31m\u202e\n\u009b'));
    await eventually('its line', () => /stored/.test(there.stdout));
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(there.stdout.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
    assert.equal(there.stdout.trim().split('\n').length, 2);
});

test('kill -9 in the middle of a hundred pushes: what was answered is whole on disk, and known again', async (t) => {
    const first = await receive(t);
    const answered = [];
    const pushes = Array.from({ length: 100 }, async (_, i) => {
        const { status } = await push(first, document(`${i}`));
        if (status === 200) answered.push(i);
        if (answered.length === 40) first.signal('SIGKILL');
    });
    await Promise.allSettled(pushes);
    await first.end('SIGKILL');
    assert.ok(answered.length >= 40);
    const whole = first.files().filter((name) => name.endsWith('.json'));
    for (const name of whole) JSON.parse(readFileSync(join(first.dir, name), 'utf8'));
    for (const i of answered) assert.ok(whole.includes(`${i}_user_enabled.json`), `${i}`);
    const second = await receive(t, { dir: first.dir });
    for (const i of answered) assert.equal((await push(second, document(`${i}`))).status, 200);
    await eventually('every line', () => second.stdout.trim().split('\n').length === answered.length + 1);
    assert.ok(second.stdout.trim().split('\n').slice(1).every((line) => / duplicate /.test(line)));
});

test('the example program: a handler of fifty lines does all of it', async (t) => {
    const dir = join(folder(t), 'events');
    const cgi = async (body, auth, key = KEY) => {
        const env = { POSTHORN_API_KEY: key, POSTHORN_FOLDER: dir, ...(auth ? { HTTP_WEBHOOK_AUTH: auth } : {}) };
        const { code, stdout, stderr } = await run(HANDLER, [], { env, input: body });
        assert.equal(code, 0);
        return { status: Number(stdout.match(/^Status: (\d+)\r\n/)[1]), stdout, stderr };
    };
    const settled = JSON.parse((await posthorn('catalog', 'show', 'concierge_request_output_settled', '--json')).stdout);
    const body = JSON.stringify(settled.example);
    assert.equal((await cgi(body)).status, 401);
    assert.equal((await cgi(body, sha256('other'))).status, 401);
    assert.equal((await cgi(body, sha256(''), '')).status, 500, 'no key configured lets nobody in');
    assert.equal((await cgi('{', DIGEST)).status, 400);
    const done = await cgi(body, DIGEST);
    assert.equal(done.status, 200);
    assert.ok(done.stdout.endsWith('\r\n\r\n{"status":"success"}'));
    assert.match(done.stderr, /payment 2 reached its destination/);
    const again = await cgi(body, DIGEST);
    assert.equal(again.status, 200);
    assert.equal(again.stderr, '', 'handled once');
    assert.deepEqual(readdirSync(dir), ['8_concierge_request_output_settled.json']);
    assert.equal((await cgi(document('9', 'never_heard_of'), DIGEST)).status, 200);
    assert.match((await cgi(document('10', 'concierge_request_quoted'), DIGEST)).stderr, /concierge_request_quoted/);
});

test('8.24: events post: lines of a batch that have no room now are sent again, and only they', async (t) => {
    const batches = [];
    const answers = [['201', '429', '201', '429'], ['429', '422'], ['422']];
    const server = http.createServer((request, response) => {
        let text = '';
        request.on('data', (part) => (text += part));
        request.on('end', () => {
            batches.push(text.trim().split('\n').map((line) => JSON.parse(line).n));
            response.writeHead(207, { 'Content-Type': 'application/x-ndjson', 'Retry-After': '1' });
            response.end(answers[batches.length - 1].map((status) =>
                JSON.stringify({ ...(status === '201' ? {} : { errors: [{ status, detail: `answer ${batches.length}` }] }), meta: { status } })).join('\n') + '\n');
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const file = join(folder(t), 'events');
    writeFileSync(file, [1, 2, 3, 4].map((n) => JSON.stringify({ n }) + '\n').join(''));
    const { code, stdout, stderr } = await posthorn('events', 'post', file, '--server', `http://127.0.0.1:${server.address().port}`, '--key', 'k'.repeat(20));
    assert.deepEqual([code, stdout, stderr], [1, '2 accepted, 2 refused\n', `${file}:4: 422: answer 2\n${file}:2: 422: answer 3\n`], 'by their lines in the file');
    assert.deepEqual(batches, [[1, 2, 3, 4], [2, 4], [2]]);
});
