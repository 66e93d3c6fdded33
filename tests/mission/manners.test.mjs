// rows: 47 (the key of one is 401 on the other), 48, and the API's manners: pace, versions, request ids, idempotency keys,
// batches; the answers to bad input about keys and events.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { dirname, join } from 'node:path';
import test from 'node:test';
import {
    POSTHORN, api, delivery, eventBody, eventually, folder, initialize, launch, makeUser, post, posthorn, receiver, run,
    serve, setUrl, sha256, sleep,
} from '../e2e/harness.mjs';

/** A receiver that keeps the address each push came from. */
async function watcher(t, host = '127.0.0.1') {
    const from = [];
    const server = http.createServer((request, response) => {
        from.push(request.socket.remoteAddress);
        request.resume();
        request.on('end', () => response.writeHead(200, { Connection: 'close' }).end('{}'));
    });
    await new Promise((resolve) => server.listen(0, host, resolve));
    t.after(() => (server.closeAllConnections(), server.close()));
    const { port } = server.address();
    return { from, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` };
}

/** The raw answer to raw bytes. */
function exchange(server, text) {
    return new Promise((resolve, reject) => {
        const { hostname, port } = new URL(server.url);
        const socket = net.connect(Number(port), hostname, () => socket.write(text));
        let answer = '';
        socket.on('data', (data) => (answer += data));
        socket.on('close', () => resolve(answer));
        socket.on('error', reject);
    });
}

/** A request from an address of this machine of its own. */
function from(localAddress, server, path, key) {
    return new Promise((resolve, reject) => {
        const request = http.get(server.url + path, { localAddress, headers: { Authorization: key } }, (response) => {
            let text = '';
            response.on('data', (data) => (text += data));
            response.on('end', () => resolve({ status: response.statusCode, json: JSON.parse(text) }));
        });
        request.on('error', reject);
    });
}

const patchKey = (server, id, attributes, options) =>
    api(server, 'PATCH', `/api/api_keys/${id}`, { data: { type: 'api_keys', id, attributes } }, options);
const keysOf = async (server, key) => (await api(server, 'GET', '/api/api_keys', undefined, { key })).json.data;

/* ---- row 48: addresses ---- */

test('row 48: deliveries come from the source address, and it is published', async (t) => {
    const hook = await watcher(t);
    const server = await serve(t, { args: ['--source-address', '127.0.0.2'] });
    await setUrl(server, `${hook.url}/hook`);
    await post(server);
    await eventually('the push', () => hook.from.length === 1);
    assert.deepEqual(hook.from, ['127.0.0.2']);

    const { json } = await api(server, 'GET', '/api/meta', undefined, { key: null });
    assert.deepEqual(json.meta.source_addresses, ['127.0.0.2']);
    assert.equal(json.meta.mode, 'sandbox');
    assert.match(json.meta.version, /^\d+\.\d+\.\d+$/);
    const ips = await posthorn('ips', '--server', server.url);
    assert.deepEqual([ips.code, ips.stdout], [0, '127.0.0.2\n']);
});

test('row 48: several source addresses take turns, and a family without one is not used', async (t) => {
    const [hook, six] = [await watcher(t), await watcher(t, '::1')];
    const server = await serve(t, { args: ['--source-address', '127.0.0.2', '--source-address', '127.0.0.3'] });
    await setUrl(server, hook.url);
    for (let i = 0; i < 4; i++) {
        await post(server);
        await eventually('the push', () => hook.from.length === i + 1);
    }
    assert.deepEqual([...new Set(hook.from)].sort(), ['127.0.0.2', '127.0.0.3']);
    await setUrl(server, six.url);
    const id = await post(server);
    const shown = await eventually('an attempt', async () => {
        const found = await delivery(server, id);
        return found.attributes.last_reason && found;
    });
    assert.equal(shown.attributes.last_reason, 'blocked_address');
    assert.deepEqual(six.from, []);
});

test('row 48: an address that is none of this machine is told at the start', async (t) => {
    const { data } = await initialize(t);
    const program = launch(t, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--source-address', '192.0.2.77']);
    const { code } = await program.ended;
    assert.equal(code, 2);
    assert.match(program.stderr, /source-address: 192\.0\.2\.77 is not an address of this machine/);
});

test('row 48: posthorn ips speaks to firewalls', async (t) => {
    const server = await serve(t, { args: ['--source-address', '127.0.0.2', '--source-address', '::1'] });
    const print = async (...args) => {
        const { code, stdout, stderr } = await posthorn('ips', '--server', server.url, ...args);
        assert.equal(code, 0, stderr);
        return stdout;
    };
    assert.equal(await print('--format', 'plain'), '127.0.0.2\n::1\n');
    assert.equal(await print('--format', 'nginx'), 'allow 127.0.0.2;\nallow ::1;\ndeny all;\n');
    assert.equal(await print('--format', 'caddy'),
        '@not_posthorn not remote_ip 127.0.0.2 ::1\nrespond @not_posthorn 403\n');
    assert.equal(await print('--format', 'ufw'),
        'ufw allow proto tcp from 127.0.0.2 to any port 443\nufw allow proto tcp from ::1 to any port 443\n');
    assert.deepEqual(JSON.parse(await print('--format', 'json')), ['127.0.0.2', '::1']);
    assert.deepEqual(JSON.parse(await print('--json')), ['127.0.0.2', '::1']);
    const nft = await print('--format', 'nftables');
    assert.match(nft, /set posthorn_ipv4 \{\n\s+type ipv4_addr\n\s+elements = \{ 127\.0\.0\.2 \}\n\s+\}/);
    assert.match(nft, /set posthorn_ipv6 \{\n\s+type ipv6_addr\n\s+elements = \{ ::1 \}\n\s+\}/);
    assert.equal((await posthorn('ips', '--server', server.url, '--format', 'iptables')).code, 2);
    const open = await serve(t);
    const none = await posthorn('ips', '--server', open.url);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no fixed source addresses/);
});

test('row 48: a key can be bound to the addresses of its client', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const [{ id }] = await keysOf(server, user.api_key);
    const bound = await patchKey(server, id, { allow_from: ['127.0.0.4', '127.1.0.0/16', '2001:db8::/32'] });
    assert.equal(bound.status, 200, bound.text);
    assert.deepEqual(bound.json.data.attributes.allow_from, ['127.0.0.4', '127.1.0.0/16', '2001:db8::/32']);
    for (const [address, status] of [['127.0.0.4', 200], ['127.1.2.3', 200], ['127.0.0.5', 403], ['127.0.0.1', 403]]) {
        const answer = await from(address, server, '/api/users/me', user.api_key);
        assert.equal(answer.status, status, address);
        if (status === 403) assert.equal(answer.json.errors[0].code, 'address_not_allowed');
    }
    assert.equal((await patchKey(server, id, { allow_from: [] })).status, 200);
    assert.equal((await from('127.0.0.5', server, '/api/users/me', user.api_key)).status, 200);
});

test('row 47: sandbox and production share nothing: a key of one is 401 on the other', async (t) => {
    const sandbox = await serve(t);
    const production = await serve(t, { args: ['--mode', 'production'], dev: false });
    for (const [here, there] of [[sandbox, production], [production, sandbox]]) {
        assert.equal((await api(here, 'GET', '/api/users/me')).status, 200);
        assert.equal((await api(here, 'GET', '/api/users/me', undefined, { key: there.api_key })).status, 401);
    }
    assert.equal((await api(production, 'GET', '/api/meta')).json.meta.mode, 'production');
});

/** In a network namespace of its own, where there is one to be had: the page's ports are free there. */
function isolated() {
    const tries = [['unshare', '--net', '--map-root-user'], ['unshare', '--net']];
    return tries.find(([file, ...args]) => spawnSync(file, [...args, 'ip', 'link', 'set', 'lo', 'up']).status === 0) ?? [];
}

test('row 48: the commands of docs/addresses.md, as they are printed', { timeout: 60_000 }, async (t) => {
    const page = readFileSync(new URL('../../docs/addresses.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text);
    assert.ok(blocks.length >= 4);
    const dir = folder(t);
    const prelude = 'set -e\ntrap \'kill $(jobs -p) 2>/dev/null; wait\' EXIT\nip link set lo up 2>/dev/null || true\n';
    writeFileSync(join(dir, 'page.sh'), prelude + blocks.join('\n'));
    const [file, ...args] = [...isolated(), 'bash', 'page.sh'];
    const { code, stdout, stderr } = await run(file, args, { cwd: dir, limitMs: 50_000,
        env: { PATH: `${dirname(POSTHORN)}:${process.env.PATH}`, POSTHORN_SERVER: '', POSTHORN_KEY: '' } });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /"source_addresses":\["127\.0\.0\.2","127\.0\.0\.3"\]/);
    assert.match(stdout, /127\.0\.0\.2\n127\.0\.0\.3\n/);
    assert.match(stdout, /"allow_from":\["127\.0\.0\.1","192\.0\.2\.0\/24","2001:db8::\/32"\]/);
    assert.match(stdout, /"code":"address_not_allowed"[^\n]*\n?$/);
    const written = (name) => readFileSync(join(dir, name), 'utf8');
    assert.match(written('posthorn.nft'), /^table inet filter \{/);
    assert.match(written('posthorn-allow.conf'), /^allow 127\.0\.0\.2;\nallow 127\.0\.0\.3;\ndeny all;\n$/);
    assert.match(written('posthorn.caddy'), /^@not_posthorn not remote_ip 127\.0\.0\.2 127\.0\.0\.3\n/);
    assert.equal(written('posthorn-ufw.sh').trimEnd().split('\n').length, 2);
});

/* ---- manners ---- */

test('manners: five requests a second a key, then 429 with what to do', async (t) => {
    const server = await serve(t);
    const [slow, other] = [await makeUser(server), await makeUser(server)];
    const look = (key) => api(server, 'GET', '/api/users/me', undefined, { key });
    const answers = [];
    do answers.push(await look(slow.api_key)); // as fast as they come: faster than five a second, or it ends by itself
    while (answers.at(-1).status === 200 && answers.length < 5000);
    const refused = answers.at(-1);
    assert.ok(answers.length > 5);
    assert.equal(answers[0].headers.get('ratelimit-limit'), '5');
    assert.equal(answers[0].headers.get('ratelimit-remaining'), '4');
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('ratelimit-remaining'), '0');
    assert.equal(refused.json.errors[0].code, 'rate_limited');
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal((await look(other.api_key)).status, 200);
    await sleep(1000 * refused.headers.get('retry-after'));
    assert.equal((await look(slow.api_key)).status, 200);
});

test('manners: the producer is not slowed, and a Master gives others their pace', async (t) => {
    const server = await serve(t);
    const made = await Promise.all(Array.from({ length: 100 }, () => api(server, 'POST', '/api/events', eventBody())));
    assert.deepEqual([...new Set(made.map(({ status }) => status))], [201]);
    assert.equal(made[0].headers.get('ratelimit-limit'), null);
    const user = await makeUser(server);
    const [{ id, attributes }] = await keysOf(server, user.api_key);
    assert.equal(attributes.rate_per_s, null);
    assert.equal((await patchKey(server, id, { rate_per_s: 'unlimited' }, { key: user.api_key })).status, 403);
    assert.equal((await patchKey(server, id, { rate_per_s: 'unlimited' })).status, 200);
    const many = await Promise.all(Array.from({ length: 50 },
        () => api(server, 'GET', '/api/users/me', undefined, { key: user.api_key })));
    assert.ok(many.every(({ status }) => status === 200));
    const free = await serve(t, { args: ['--rate-limit', '0'] });
    const anybody = await makeUser(free);
    const more = await Promise.all(Array.from({ length: 50 },
        () => api(free, 'GET', '/api/users/me', undefined, { key: anybody.api_key })));
    assert.ok(more.every(({ status }) => status === 200));
});

test('manners: Version is answered, and an unknown one is an error', async (t) => {
    const server = await serve(t);
    for (const [version, status] of [[undefined, 200], ['1.0.0', 200], ['2.0.0', 400], ['1', 400], ['latest', 400]]) {
        const answer = await api(server, 'GET', '/api/users/me', undefined, { headers: version ? { Version: version } : {} });
        assert.equal(answer.status, status, version);
        assert.equal(answer.headers.get('version'), '1.0.0');
        if (status === 400) assert.deepEqual(answer.json.errors[0].source, { header: 'Version' });
    }
});

test('manners: a request has an id, in the answer, in its errors and in the log', async (t) => {
    const server = await serve(t, { args: ['--log-level', 'debug'] });
    const fine = await api(server, 'GET', '/api/users/me?', undefined, { headers: { 'X-Request-Id': 'trace-1/a' } });
    assert.equal(fine.headers.get('x-request-id'), 'trace-1/a');
    const wrong = await api(server, 'GET', '/api/nowhere', undefined, { headers: { 'X-Request-Id': '<b>' } });
    const id = wrong.headers.get('x-request-id');
    assert.match(id, /^[0-9a-f-]{10,}$/);
    assert.equal(wrong.json.errors[0].id, id);
    await eventually('both in the log', () =>
        /GET \/api\/users\/me: 200 .*request=trace-1\/a/.test(server.stderr) &&
        server.stderr.includes(`GET /api/nowhere: 404 peer=127.0.0.1 request=${id}`));
    assert.ok(!server.stderr.includes(server.api_key));
    // What is refused before it reaches the API has one, too.
    const refused = await exchange(server, `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.match(refused, /^HTTP\/1\.1 414 /);
    assert.equal(refused.match(/X-Request-Id: (\S+)/)[1], JSON.parse(refused.split('\r\n\r\n')[1]).errors[0].id);
});

/* ---- idempotency keys ---- */

test('bad input, Events: the same Idempotency-Key a hundred times at once is one event; each gets the first answer, or 409 until there is one', async (t) => {
    const hook = await receiver(t);
    const server = await serve(t);
    await setUrl(server, hook.url);
    const body = JSON.stringify(eventBody({ type: 'paid' }));
    const send = (key, text = body) => api(server, 'POST', '/api/events', text, { headers: { 'Idempotency-Key': key } });
    // As a client does that heeds the 409.
    const until = async () => {
        for (;;) {
            const answer = await send('once');
            if (answer.status !== 409) return answer;
            assert.deepEqual([answer.json.errors[0].code, answer.headers.get('retry-after')], ['idempotency_in_flight', '1']);
        }
    };
    const answers = await Promise.all(Array.from({ length: 100 }, until));
    for (const answer of answers) {
        assert.equal(answer.status, 201);
        assert.equal(answer.text, answers[0].text);
        assert.equal(answer.headers.get('location'), answers[0].headers.get('location'));
    }
    const { json } = await api(server, 'GET', '/api/events?filter[event_type]=paid');
    assert.equal(json.data.length, 1);
    await hook.arrived(1);
    assert.equal((await send('once', body.replace('Ana', 'Eve'))).status, 422);
    assert.equal((await send('once', ` ${body}`)).status, 422);
    // Empty and too long; the longest and the oddest that may be.
    assert.equal((await send('')).status, 400);
    const long = await send('k'.repeat(257));
    assert.deepEqual([long.status, long.json.errors[0].source], [400, { header: 'Idempotency-Key' }]);
    assert.equal((await send('k'.repeat(256))).status, 201);
    assert.equal((await send("' OR 1=1 -- %_")).status, 201);
    // And after a crash.
    await server.end('SIGKILL');
    const again = await serve(t, { install: server });
    const answer = await api(again, 'POST', '/api/events', body, { headers: { 'Idempotency-Key': 'once' } });
    assert.deepEqual([answer.status, answer.text], [201, answers[0].text]);
    assert.equal(hook.of(answers[0].json.data.id).length, 1);
});

/* ---- batches ---- */

const lines = (count, make = (i) => eventBody({ type: 'payment_paid', attributes: { number: i } })) =>
    Array.from({ length: count }, (_, i) => JSON.stringify(make(i))).join('\n');
const postLines = (server, text, headers = {}) =>
    api(server, 'POST', '/api/events', text, { headers: { 'Content-Type': 'application/x-ndjson', ...headers } });
const parsed = (answer) => answer.text.trimEnd().split('\n').map((line) => JSON.parse(line));

test('batches: a line in, a durable answer a line out, and each is delivered once', async (t) => {
    const hook = await receiver(t);
    const server = await serve(t);
    await setUrl(server, hook.url);
    const answer = await postLines(server, lines(300));
    await server.end('SIGKILL'); // what was answered is on disk
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('content-type'), 'application/x-ndjson');
    const answers = parsed(answer);
    assert.equal(answers.length, 300);
    answers.forEach((one, i) => assert.deepEqual(one.meta, { line: i + 1, status: '201' }));
    const ids = answers.map((one) => one.data.id);
    assert.equal(new Set(ids).size, 300);
    assert.deepEqual([...ids].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)), ids);
    await serve(t, { install: server });
    await eventually('every line at the receiver', () => ids.every((id) => hook.of(id).length > 0));
    const number = (id) => hook.of(id)[0].json.included[0].attributes.number;
    ids.forEach((id, i) => assert.equal(number(id), i));
});

test('batches: a bad line is named and stops no other', async (t) => {
    const server = await serve(t);
    const good = JSON.stringify(eventBody());
    const answer = await postLines(server,
        [good, '{"data":', good, good.replace('user_enabled', 'a/b'), '', `${good.slice(0, -1)},}`].join('\r\n'));
    assert.equal(answer.status, 207);
    const answers = parsed(answer);
    assert.deepEqual(answers.map(({ meta }) => [meta.line, meta.status]),
        [[1, '201'], [2, '400'], [3, '201'], [4, '422'], [6, '201']]);
    assert.equal(answers[1].errors[0].meta.line, 2);
    assert.equal(answers[3].errors[0].source.pointer, '/data/attributes/event_type');
    assert.equal(answers[4].meta.warnings[0].code, 'json_trailing_comma');
    for (const one of answers) assert.equal(one.jsonapi.version, '1.1');
    const { json } = await api(server, 'GET', '/api/events');
    assert.equal(json.data.length, 3);
});

test('batches: sent twice with one Idempotency-Key it is one batch; limits are said', async (t) => {
    const server = await serve(t);
    const text = lines(20);
    const [first, again] = [await postLines(server, text, { 'Idempotency-Key': 'b' }),
                            await postLines(server, text, { 'Idempotency-Key': 'b' })];
    assert.deepEqual([first.status, again.status, again.text], [201, 201, first.text]);
    const own = (key, type) => JSON.stringify({ ...eventBody({ type }), meta: { idempotency_key: key } });
    const mixed = parsed(await postLines(server, [own('x', 'a'), own('x', 'a'), own('x', 'b')].join('\n')));
    assert.equal(mixed[1].data.id, mixed[0].data.id);
    assert.deepEqual([mixed[2].meta.status, mixed[2].errors[0].code], ['422', 'idempotency_conflict']);
    assert.equal((await postLines(server, lines(1001, () => ({})))).status, 413);
    assert.equal((await postLines(server, '\n\n')).status, 400);
    assert.equal((await postLines(server, lines(1), { Accept: 'application/x-ndjson' })).status, 201);
    const small = await serve(t, { args: ['--disk-reserve', '1024GiB'] });
    const full = await postLines(small, lines(3));
    assert.equal(full.status, 507);
    assert.ok(Number(full.headers.get('retry-after')) > 0);
});

test('batches: posthorn events post sends a document, or a file of lines', async (t) => {
    const server = await serve(t);
    const dir = folder(t);
    const env = { POSTHORN_SERVER: server.url, POSTHORN_KEY: server.api_key };
    const file = join(dir, 'events.ndjson');
    writeFileSync(file, `${lines(400)}\n{"data":{}}\n${lines(200)}\n`);
    const sent = await run(POSTHORN, ['events', 'post', file], { env });
    assert.deepEqual([sent.code, sent.stdout], [1, '600 accepted, 1 refused\n']);
    assert.match(sent.stderr, /events\.ndjson:401: 400: /);
    writeFileSync(join(dir, 'one.json'), JSON.stringify(eventBody({ type: 'alone' }), null, 4));
    const one = await run(POSTHORN, ['events', 'post', join(dir, 'one.json')], { env });
    assert.match(one.stdout, /^\d+\n$/);
    const piped = await run(POSTHORN, ['events', 'post', '-', '--json'], { env, input: lines(3) });
    assert.equal(piped.code, 0, piped.stderr);
    assert.deepEqual(piped.stdout.trimEnd().split('\n').map((line) => JSON.parse(line).meta.line), [1, 2, 3]);
    assert.equal((await run(POSTHORN, ['events', 'post', join(dir, 'nowhere')], { env })).code, 1);
});

/* ---- bad input: keys and events ---- */

test('bad input, Auth: who is let in, and what the others are told', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const look = async (headers, path = '/api/users/me') => api(server, 'GET', path, undefined, { key: null, headers });
    const told401 = async (answer) => {
        const { status, headers, json } = await answer;
        assert.equal(status, 401);
        assert.match(headers.get('www-authenticate'), /^Bearer/);
        assert.ok(json.errors[0].code.startsWith('auth_'));
    };
    await told401(look({}));
    await told401(look({ Authorization: 'wrong' }));
    await told401(look({}, `/api/users/me?api_key=${server.api_key}`));
    await told401(look({}, `/api/users/me?Authorization=${server.api_key}`));
    await told401(look({ Authorization: sha256(server.api_key) }));
    await told401(look({ Authorization: server.api_key.slice(0, -1) }));
    await told401(look({ Authorization: `${server.api_key}x` }));
    const twice = await exchange(server, 'GET /api/users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
        `Authorization: ${server.api_key}\r\nAuthorization: ${server.api_key}\r\n\r\n`);
    assert.match(twice, /^HTTP\/1\.1 400 /);
    assert.ok(!twice.includes(server.api_key));
    // Regular doing a Master's work; acting as another; a key that was revoked.
    assert.equal((await api(server, 'GET', '/api/users', undefined, { key: user.api_key })).status, 403);
    assert.equal((await api(server, 'POST', '/api/users', { data: { type: 'users' } }, { key: user.api_key })).status, 403);
    assert.equal((await look({ Authorization: `${user.api_key}; user=5` })).status, 403);
    const second = await api(server, 'POST', '/api/api_keys', { data: { type: 'api_keys' } }, { key: user.api_key });
    const token = second.json.data.attributes.token;
    assert.equal((await look({ Authorization: token })).status, 200);
    assert.equal((await api(server, 'DELETE', `/api/api_keys/${second.json.data.id}`)).status, 204);
    await told401(look({ Authorization: token }));
});

test('bad input, Auth: a thousand guesses are slowed, valid users are not', async (t) => {
    const server = await serve(t);
    const guesses = Array.from({ length: 1000 }, (_, i) =>
        api(server, 'GET', '/api/users/me', undefined, { key: `guess-${i}` }));
    for (let i = 0; i < 20; i++) assert.equal((await api(server, 'GET', '/api/users/me')).status, 200);
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    assert.ok(statuses.every((status) => status === 401 || status === 429));
    assert.ok(statuses.filter((status) => status === 429).length > 500);
});

test('bad input, Events: what is no event is told where, and nothing is kept', async (t) => {
    const server = await serve(t);
    const event = (attributes) => ({ data: { type: 'events', attributes } });
    const types = ['', 'a'.repeat(129), 'a/b', '../x', 'a\r\nb', 'a\u0000b', '..', 'ñ', 'a b', null, 5];
    for (const event_type of types) {
        const { status, json } = await api(server, 'POST', '/api/events', event({ event_type }));
        assert.equal(status, 422, JSON.stringify(event_type));
        assert.equal(json.errors[0].source.pointer, '/data/attributes/event_type');
    }
    for (const created_at of ['2024-02-30T00:00:00Z', '2024-02-01T00:00:00', '2024-02-01', '', 0, 'now']) {
        const { status, json } = await api(server, 'POST', '/api/events', event({ event_type: 'x', created_at }));
        assert.equal(status, 422, String(created_at));
        assert.equal(json.errors[0].source.pointer, '/data/attributes/created_at');
    }
    assert.equal((await api(server, 'GET', '/api/events')).json.data.length, 0);
    assert.equal((await api(server, 'POST', '/api/events', event({ event_type: 'A-z_0.9' }))).status, 201);
    const full = await serve(t, { args: ['--disk-reserve', '1024GiB'] });
    const refused = await api(full, 'POST', '/api/events', event({ event_type: 'x' }));
    assert.equal(refused.status, 507);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
});
