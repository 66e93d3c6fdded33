// The headers and the auth of an endpoint: sent on every push, and shown nowhere.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { api, eventBody, eventually, folder, initialize, post, posthorn, receiver, run, serve, POSTHORN } from './harness.mjs';

const SECRET = 'tops3cret-of-nobody';

async function made(server, attributes) {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.data;
}
const patch = (server, id, attributes, options) =>
    api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } }, options);
const patched = async (server, id, attributes) => {
    const answer = await patch(server, id, attributes);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data.attributes;
};
/** The pairs of a push whose name is among these. */
async function pushed(server, hook, ...names) {
    const before = hook.requests.length;
    await post(server);
    await eventually('the push', () => hook.requests.length > before);
    return hook.requests[before].headers.filter(([name]) => names.includes(name.toLowerCase()));
}

test('headers: every push has them, also after a restart, and no answer, log or file shows a value', async (t) => {
    const hook = await receiver(t);
    const install = await initialize(t);
    let server = await serve(t, { install });
    const answers = [];
    const keep = async (...request) => {
        const answer = await api(server, ...request);
        answers.push(answer.text);
        return answer;
    };
    const attributes = { url: hook.url, headers: { 'X-Tenant': `${SECRET} one`, 'x-api-key': `${SECRET}"\\two` } };
    const body = { data: { type: 'endpoints', attributes } };
    const { json } = await keep('POST', '/api/endpoints', body, { headers: { 'Idempotency-Key': 'k' } });
    const id = json.data.id, masked = { 'X-Tenant': '***', 'x-api-key': '***' };
    assert.deepEqual(json.data.attributes.headers, masked);
    await keep('POST', '/api/endpoints', body, { headers: { 'Idempotency-Key': 'k' } });
    const sent = [['X-Tenant', `${SECRET} one`], ['x-api-key', `${SECRET}"\\two`]];
    assert.deepEqual(await pushed(server, hook, 'x-tenant', 'x-api-key'), sent);
    const shown = await keep('GET', `/api/endpoints/${id}`);
    assert.deepEqual(shown.json.data.attributes.headers, masked);
    await keep('PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { description: 'x' } } });
    await keep('PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { headers: { 'X-Tenant': SECRET, Host: SECRET } } } });
    for (const path of ['/api/endpoints', `/api/users/${server.user_id}/endpoints`, '/api/events', '/api/deliveries', '/metrics', '/api/meta'])
        await keep('GET', path);
    const cli = await run(POSTHORN, ['endpoints', 'show', id, '--server', server.url, '--key', server.api_key]);
    assert.ok(cli.stdout.includes('X-Tenant'), cli.stdout + cli.stderr);
    answers.push(cli.stdout);
    await server.end();
    answers.push(server.output);
    server = await serve(t, { install });
    assert.deepEqual(await pushed(server, hook, 'x-tenant', 'x-api-key'), sent);
    await server.end();
    for (const text of answers) assert.ok(!text.includes(SECRET), text);
    for (const name of readdirSync(install.data))
        assert.ok(!readFileSync(join(install.data, name)).includes(SECRET), `${name} has it`);
});

test('headers: *** keeps a value, and nothing else does', async (t) => {
    const hook = await receiver(t);
    const server = await serve(t);
    const { id } = await made(server, { url: hook.url, headers: { 'X-A': 'one', 'X-B': 'two' } });
    const first = await api(server, 'GET', `/api/endpoints/${id}`);
    assert.deepEqual(await patched(server, id, { headers: { 'x-a': '***', 'X-C': 'three' } }), { ...first.json.data.attributes,
        headers: { 'x-a': '***', 'X-C': '***' }, updated_at: (await api(server, 'GET', `/api/endpoints/${id}`)).json.data.attributes.updated_at });
    assert.deepEqual(await pushed(server, hook, 'x-a', 'x-b', 'x-c'), [['x-a', 'one'], ['X-C', 'three']]);

    const wrong = await patch(server, id, { headers: { 'x-a': '***', 'X-B': '***' } });
    assert.deepEqual([wrong.status, wrong.json.errors[0].source.pointer], [422, '/data/attributes/headers/X-B']);
    const fresh = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { headers: { 'X-A': '***' } } } });
    assert.deepEqual([fresh.status, fresh.json.errors[0].source.pointer], [422, '/data/attributes/headers/X-A']);

    const late = await patch(server, id, { headers: {} }, { headers: { 'If-Match': first.headers.get('etag') } });
    assert.equal(late.status, 412, late.text);
    const now = (await api(server, 'GET', `/api/endpoints/${id}`)).headers.get('etag');
    const inTime = await patch(server, id, { headers: { 'X-A': '***' } }, { headers: { 'If-Match': now } });
    assert.equal(inTime.status, 200, inTime.text);
    assert.deepEqual(await pushed(server, hook, 'x-a', 'x-c'), [['X-A', 'one']]);
    assert.deepEqual((await patched(server, id, { headers: null })).headers, {});
    assert.deepEqual(await pushed(server, hook, 'x-a', 'x-c'), []);
});

test('headers: wrong values', async (t) => {
    const server = await serve(t);
    const { id } = await made(server, { headers: { 'X-A': 'one' } });
    const before = (await api(server, 'GET', `/api/endpoints/${id}`)).text;
    const reserved = ['Host', 'host', 'Content-Length', 'content-md5', 'Transfer-Encoding', 'Connection', 'Keep-Alive', 'Trailer', 'TE', 'Upgrade', 'Expect',
        'Proxy-Authorization', 'WEBHOOK-AUTH', 'Webhook-Auth', 'webhook-id', 'webhook-anything', 'CE-id', 'Posthorn-Event', 'User-Agent', 'Accept', 'Accept-Encoding',
        'Stripe-Signature', 'X-Hub-Signature-256', 'X-Shopify-Hmac-SHA256', 'X-Slack-Signature', 'x-slack-request-timestamp', 'Signature', 'Signature-Input'];
    const names = ['', 'a b', 'a:b', 'a\r\nb', 'naïve', 'x'.repeat(65), '(x)', 'a"b', ' X'];
    const values = ['', ' x', 'x ', '\tx', 'a\r\nX-Evil: 1', 'a\nb', 'a\0b', 'a\x7fb', 'naïve', '\u{1f600}', 'x'.repeat(2049), 7, null, true, ['x'], {}];
    const escape = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1');
    const rows = [
        ...reserved.map((name) => [{ [name]: 'x' }, name]),
        ...names.map((name) => [{ [name]: 'x' }, name]),
        ...values.map((value) => [{ 'X-Ok': 'ok', 'X-Bad': value }, 'X-Bad']),
        [{ 'X-A': '1', 'x-a': '2' }, 'x-a'],
        [Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, 'x']))],
        [Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`X-${i}`, 'x'.repeat(2048)]))],
        ...['X-A: 1', 7, true, ['X-A', '1']].map((headers) => [headers]),
    ];
    for (const [headers, name] of rows) {
        const answer = await patch(server, id, { description: 'half', headers });
        const shown = JSON.stringify(headers).slice(0, 80);
        assert.equal(answer.status, 422, `${shown}: ${answer.text}`);
        const error = answer.json.errors[0];
        assert.equal(error.code, 'attribute_invalid', shown);
        const pointer = `/data/attributes/headers${name === undefined ? '' : `/${escape(name)}`}`;
        if (name?.length === 65) assert.ok(error.source.pointer.startsWith('/data/attributes/headers/xxxx'));
        else assert.equal(error.source.pointer, pointer, shown);
    }
    const twice = await api(server, 'PATCH', `/api/endpoints/${id}`, `{"data":{"type":"endpoints","id":"${id}","attributes":{"headers":{"X-A":"1","X-A":"2"}}}}`);
    assert.equal(twice.status, 400, twice.text);
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`)).text, before);
});

test('headers: another key file sends nothing without them; check and secrets reset say so', async (t) => {
    const hook = await receiver(t);
    const install = await initialize(t);
    let server = await serve(t, { install });
    const { id } = await made(server, { url: hook.url, headers: { 'X-A': SECRET } });
    await server.end();
    assert.equal((await posthorn('check', install.data)).code, 0);
    // Values of one endpoint do not open in another, nor under other names.
    const sql = (text) => execFileSync('sqlite3', [join(install.data, 'posthorn.db'), text]);
    sql(`UPDATE endpoints SET header_names = 'X-B' WHERE id = ${id}`);
    const found = await posthorn('check', install.data);
    assert.equal(found.code, 1, found.stdout);
    assert.ok(found.stdout.includes(`endpoints ${id}: its headers do not open with this key file: nothing is sent`), found.stdout);
    server = await serve(t, { install });
    await post(server);
    await eventually('it is held', () => server.output.includes('nothing is sent to this receiver: its headers cannot be decrypted'));
    assert.equal(hook.requests.length, 0);
    // Given again, they are sent.
    assert.equal((await patch(server, id, { headers: { 'X-A': '***' } })).status, 422);
    await patched(server, id, { headers: { 'X-A': 'again' } });
    await eventually('the push', () => hook.requests.length === 1);
    assert.equal(Object.fromEntries(hook.requests[0].headers)['X-A'], 'again');
    await server.end();

    // A backup with its key file has them; a database with a new key file has none.
    const backup = join(folder(t), 'backup'), restored = join(folder(t), 'data');
    assert.equal((await posthorn('backup', backup, '--data', install.data)).code, 0);
    assert.equal((await posthorn('restore', backup, '--data', restored)).code, 0);
    server = await serve(t, { install: { ...install, data: restored } });
    assert.deepEqual(await pushed(server, hook, 'x-a'), [['X-A', 'again']]);
    await server.end();
    rmSync(join(install.data, 'posthorn.key'));
    const reset = await posthorn('secrets', 'reset', '--data', install.data, '--json');
    assert.deepEqual([reset.code, JSON.parse(reset.stdout).headers_dropped], [0, 1], reset.stderr);
    server = await serve(t, { install });
    assert.deepEqual((await api(server, 'GET', `/api/endpoints/${id}`)).json.data.attributes.headers, {});
});

test('auth: bearer and basic are the header Authorization of every push, and no answer, log or file shows a secret', async (t) => {
    const hook = await receiver(t);
    const install = await initialize(t);
    let server = await serve(t, { install });
    const answers = [];
    const asks = async (...request) => {
        const answer = await api(server, ...request);
        answers.push(answer.text);
        return answer.json?.data?.attributes?.auth;
    };
    const { id } = await made(server, { url: hook.url, headers: { 'X-A': 'one' } });
    const set = (auth) => asks('PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { auth } } });
    assert.deepEqual(await set({ type: 'bearer', token: SECRET }), { type: 'bearer', token: '***' });
    assert.deepEqual(await pushed(server, hook, 'authorization', 'x-a'), [['X-A', 'one'], ['Authorization', `Bearer ${SECRET}`]]);
    const basic = { type: 'basic', username: 'us er', password: `${SECRET}: "x` };
    assert.deepEqual(await set(basic), { ...basic, password: '***' });
    const sent = [['Authorization', `Basic ${Buffer.from(`us er:${SECRET}: "x`).toString('base64')}`]];
    assert.deepEqual(await pushed(server, hook, 'authorization'), sent);
    await asks('GET', '/api/endpoints');
    assert.deepEqual(await set({ ...basic, password: '***' }), { ...basic, password: '***' });
    await server.end();
    for (const name of readdirSync(install.data)) // while it is set: what is replaced leaves the file
        assert.ok(!readFileSync(join(install.data, name)).includes(SECRET), `${name} has it`);
    answers.push(server.output);
    server = await serve(t, { install });
    assert.deepEqual(await pushed(server, hook, 'authorization'), sent);
    await set(null);
    assert.deepEqual(await pushed(server, hook, 'authorization'), []);
    const large = { type: 'bearer', token: '~'.repeat(4096) };
    await set(large);
    assert.deepEqual(await pushed(server, hook, 'authorization'), [['Authorization', `Bearer ${large.token}`]]);
    await set({ type: 'basic', username: 'u'.repeat(256), password: 'p'.repeat(1024) });
    assert.equal((await pushed(server, hook, 'authorization'))[0][1].length, 6 + 1708);
    await server.end();
    for (const text of answers) assert.ok(!text.includes(SECRET), text);
});

test('auth: wrong values, and *** where there is nothing to keep', async (t) => {
    const server = await serve(t);
    const { id } = await made(server, { auth: { type: 'basic', username: 'one', password: 'two' } });
    const before = (await api(server, 'GET', `/api/endpoints/${id}`)).text;
    const bad = ['', ' x', 'a\r\nb', 'na\u00efve', 7, null, ['x']];
    const rows = [
        ...['bearer', 7, [], {}, { token: 'x' }].map((auth) => [auth, '']),
        ...['Bearer', 'oauth', 7, null].map((type) => [{ type, token: 'x' }, '/type']),
        ...[...bad, 'a b', 'x'.repeat(4097)].map((token) => [{ type: 'bearer', token }, '/token']),
        ...[...bad, 'a:b', 'x'.repeat(257)].map((username) => [{ type: 'basic', username, password: 'x' }, '/username']),
        ...[...bad, 'a\tb', 'x'.repeat(1025)].map((password) => [{ type: 'basic', username: 'x', password }, '/password']),
        [{ type: 'basic', username: 'x' }, ''], [{ type: 'basic', password: 'x' }, ''], [{ type: 'bearer' }, ''],
        [{ type: 'bearer', token: 'x', username: 'x' }, '/username'], [{ type: 'basic', username: 'x', password: 'x', realm: 'x' }, '/realm'],
        [{ type: 'basic', username: 'other', password: '***' }, '/password'], [{ type: 'bearer', token: '***' }, '/token'],
    ];
    for (const [auth, pointer] of rows) {
        const answer = await patch(server, id, { description: 'half', auth });
        const shown = JSON.stringify(auth).slice(0, 80);
        assert.deepEqual([answer.status, answer.json.errors[0].code, answer.json.errors[0].source.pointer],
            [422, 'attribute_invalid', `/data/attributes/auth${pointer}`], shown);
    }
    let answer = await patch(server, id, { headers: { authorization: 'x' } });
    assert.deepEqual([answer.status, answer.json.errors[0].source.pointer], [422, '/data/attributes/headers/Authorization']);
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`)).text, before);
    await patched(server, id, { auth: null, headers: { Authorization: 'Key x' } });
    answer = await patch(server, id, { auth: { type: 'bearer', token: 'x' } });
    assert.deepEqual([answer.status, answer.json.errors[0].source.pointer], [422, '/data/attributes/auth']);
});

test('auth: a secret does not open for another username; nothing is sent without it', async (t) => {
    const hook = await receiver(t);
    const install = await initialize(t);
    let server = await serve(t, { install });
    const { id } = await made(server, { url: hook.url, auth: { type: 'basic', username: 'one', password: SECRET } });
    await server.end();
    execFileSync('sqlite3', [join(install.data, 'posthorn.db'), `UPDATE endpoints SET auth = replace(auth, 'one', 'two') WHERE id = ${id}`]);
    const found = await posthorn('check', '--data', install.data);
    assert.ok(found.stdout.includes(`endpoints ${id}: its auth does not open with this key file: nothing is sent`), found.stdout);
    server = await serve(t, { install });
    await post(server);
    await eventually('it is held', () => server.output.includes('nothing is sent to this receiver: its auth cannot be decrypted'));
    assert.equal(hook.requests.length, 0);
    await patched(server, id, { auth: { type: 'bearer', token: 'again' } });
    await hook.arrived(1);
    assert.equal(Object.fromEntries(hook.requests[0].headers).Authorization, 'Bearer again');
});

test('headers: the largest, with everything else that is large: the token, every signature, several secrets, the URL', async (t) => {
    const hook = await receiver(t);
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const headers = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`X-${i}`.padEnd(64, 'n'), 'v'.repeat(300)]));
    const size = () => Object.entries(headers).join('').replace(/,/g, '').length;
    headers.Last = 'w';
    delete headers['X-0'.padEnd(64, 'n')];
    headers.Last = 'w'.repeat(1 + 8192 - size());
    assert.deepEqual([Object.keys(headers).length, size()], [20, 8192]);
    const auth = { type: 'bearer', token: 't'.repeat(4096) };
    const signatures = ['webhook-auth', 'standard', 'stripe', 'github', 'shopify', 'slack', 'standard-ed25519', 'rfc9421'];
    const url = `${hook.url}/`.padEnd(2048, 'p');
    const { id } = await made(server, { url, headers, auth, signatures, format: 'cloudevents-binary' });
    const secret = (algorithm) => api(server, 'POST', `/api/endpoints/${id}/signing_secrets`, { data: { type: 'signing_secrets', attributes: { algorithm } } });
    let number = 0;
    while ((await secret(number % 3 ? 'v1' : 'v1a')).status === 201) number++;
    const { data: secrets } = (await api(server, 'GET', `/api/endpoints/${id}/signing_secrets`)).json;
    assert.ok(secrets.length > 5);
    const more = await patch(server, id, { headers: { ...headers, Last: `${headers.Last}w` } });
    assert.deepEqual([more.status, more.json.errors[0].source.pointer], [422, '/data/attributes/headers']);
    const resource = { type: 'r'.repeat(64), id: '"'.repeat(64) }; // three characters each in ce-subject
    const event = await post(server, { resource, type: 't'.repeat(128) });
    await hook.arrived(1);
    const [request] = hook.requests;
    assert.equal(`${hook.url}${request.path}`, url);
    for (const [name, value] of Object.entries(headers)) assert.equal(request.header(name), value);
    assert.equal(request.header('Authorization'), `Bearer ${auth.token}`);
    for (const name of ['WEBHOOK-AUTH', 'webhook-signature', 'Stripe-Signature', 'X-Hub-Signature-256', 'X-Shopify-Hmac-Sha256', 'X-Slack-Signature', 'Signature', 'Signature-Input', 'ce-subject'])
        assert.ok(request.headers.some(([given, value]) => given.toLowerCase() === name.toLowerCase() && value), name);
    assert.equal(request.header('webhook-signature').split(' ').length, secrets.length, 'each secret signs');
    await eventually('it is delivered', async () => (await api(server, 'GET', `/api/events/${event}/deliveries`)).json.data[0].attributes.state === 'delivered');
});
