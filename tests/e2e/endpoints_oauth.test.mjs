// auth oauth2 of an endpoint: the access token comes from a token server, a real one and hostile ones.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import Provider from 'oidc-provider';
import { answer, api, delivery, eventually, initialize, makeUser, post, posthorn, receiver, serve } from './harness.mjs';

const SECRET = 'tops3cret of:n%body+', TOKEN = 't0ken-of-nobody';
const FAST = ['--time-scale', '1000'];

async function made(server, attributes) {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.data;
}
const patch = (server, id, attributes) =>
    api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
const oauth2 = (token_url, more = {}) => ({ type: 'oauth2', token_url, client_id: 'post horn:1', client_secret: SECRET, ...more });
const bearer = (request) => request.header('Authorization');

/** oidc-provider on a port: { url, issued: tokens, find(token), close }. */
async function provider(t, { secret = SECRET, ttl = 600, port = 0 } = {}) {
    const server = http.createServer();
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    const oidc = new Provider(origin, {
        clients: [{
            client_id: 'post horn:1', client_secret: secret, grant_types: ['client_credentials'],
            redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic', scope: 'push read',
        }],
        scopes: ['push', 'read'],
        features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
        ttl: { ClientCredentials: ttl },
        cookies: { keys: ['x'] },
    });
    const issued = [], refused = [];
    oidc.on('client_credentials.saved', (token) => issued.push(token.jti));
    oidc.on('grant.error', (ctx, error) => refused.push(error.error));
    server.on('request', oidc.callback());
    const close = () => new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
    });
    t.after(close);
    return {
        issued, refused, close, port: server.address().port, url: `${origin}/token`,
        find: async (header) => oidc.ClientCredentials.find(header.replace(/^Bearer /, '')),
    };
}

const token = (text = TOKEN, more = {}) => JSON.stringify({ access_token: text, token_type: 'Bearer', expires_in: 600, ...more });

test('oauth2: the token of a real server goes with every push, is asked for once, and no answer, log or file shows a secret', async (t) => {
    const hook = await receiver(t), tokens = await provider(t);
    const install = await initialize(t);
    let server = await serve(t, { install });
    const shown = { ...oauth2(tokens.url, { scope: 'push read' }), client_secret: '***' };
    const { id, attributes } = await made(server, { url: hook.url, headers: { 'X-A': 'one' }, auth: oauth2(tokens.url, { scope: 'push read' }) });
    assert.deepEqual(attributes.auth, shown);
    for (let i = 0; i < 3; i++) await post(server);
    await hook.arrived(3);
    assert.equal(tokens.issued.length, 1);
    for (const request of hook.requests) {
        assert.equal(bearer(request), `Bearer ${tokens.issued[0]}`);
        assert.equal(request.header('X-A'), 'one');
    }
    assert.equal((await tokens.find(bearer(hook.requests[0]))).scope, 'push read');

    // *** keeps the secret of this account, and of no other.
    let kept = await patch(server, id, { auth: { ...shown, scope: 'push' } });
    assert.deepEqual(kept.json.data.attributes.auth, { ...shown, scope: 'push' });
    for (const [name, value] of [['token_url', `${tokens.url}x`], ['client_id', 'other']]) {
        const refused = await patch(server, id, { auth: { ...shown, [name]: value } });
        assert.deepEqual([refused.status, refused.json.errors[0].source.pointer], [422, '/data/attributes/auth/client_secret']);
    }
    const { scope, ...without } = shown;
    kept = await patch(server, id, { auth: without });
    assert.deepEqual(kept.json.data.attributes.auth, without);
    await post(server);
    await hook.arrived(4);
    assert.equal((await tokens.find(bearer(hook.requests[3]))).scope, undefined);
    const output = [kept.text];
    await server.end();
    output.push(server.output);

    // A restart asks again: a token is kept in memory only.
    server = await serve(t, { install });
    await post(server);
    await hook.arrived(5);
    assert.equal(tokens.issued.length, 3);
    assert.equal(bearer(hook.requests[4]), `Bearer ${tokens.issued[2]}`);
    output.push((await api(server, 'GET', `/api/endpoints/${id}`)).text);
    await server.end();
    output.push(server.output, (await posthorn('check', '--data', install.data)).stdout);
    for (const name of readdirSync(install.data)) output.push(readFileSync(join(install.data, name), 'latin1'));
    for (const secret of [SECRET, encodeURIComponent(SECRET), ...tokens.issued])
        for (const text of output) assert.ok(!text.includes(secret), text.slice(0, 200));
});

test('oauth2: an expired token is asked for again before it expires', async (t) => {
    const hook = await receiver(t), tokens = await provider(t, { ttl: 2 });
    const server = await serve(t);
    await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await eventually('a second token', async () => {
        await post(server);
        return tokens.issued.length >= 2;
    });
    for (const request of hook.requests) assert.ok(tokens.issued.includes(bearer(request).slice(7)));
});

test('oauth2: after a 401, one more token and one more try within the attempt', async (t) => {
    const tokens = await provider(t);
    let revoked = new Set(), always = false;
    const hook = await receiver(t, (request) => answer(always || revoked.has(bearer(request)) ? 401 : 200));
    const server = await serve(t);
    for (const format of ['guide', 'cloudevents']) {
        revoked = new Set();
        const endpoint = await made(server, { url: hook.url, format, auth: oauth2(tokens.url) });
        let before = hook.requests.length;
        await post(server);
        await hook.arrived(before + 1);
        revoked.add(bearer(hook.requests[before]));
        const asked = tokens.issued.length;
        before = hook.requests.length;
        const event = await post(server);
        await eventually('delivered', async () => (await delivery(server, event)).attributes.state === 'delivered');
        const [refused, taken] = hook.requests.slice(before);
        assert.equal(tokens.issued.length, asked + 1);
        assert.equal(hook.requests.length, before + 2);
        assert.notEqual(bearer(refused), bearer(taken));
        assert.deepEqual(refused.body, taken.body);
        for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'WEBHOOK-AUTH'])
            assert.equal(refused.header(name), taken.header(name), name);
        assert.equal((await delivery(server, event)).attributes.attempt_count, 1);
        assert.equal((await api(server, 'DELETE', `/api/endpoints/${endpoint.id}`)).status, 204);
    }
    // A receiver that never takes it gets two requests an attempt, and its answer is the reason.
    always = true;
    await made(server, { url: hook.url, auth: oauth2(tokens.url), retry: { schedule: [1209600] } });
    const before = hook.requests.length, asked = tokens.issued.length;
    const event = await post(server);
    await eventually('an attempt', async () => (await delivery(server, event)).attributes.attempt_count === 1);
    const { last_reason, last_status } = (await delivery(server, event)).attributes;
    assert.deepEqual([last_reason, last_status], ['unexpected_status', 401]);
    assert.equal(hook.requests.length, before + 2);
    assert.equal(tokens.issued.length, asked + 2);
});

test('oauth2: a secret that was changed at the token server is no_token with its code, until it is set here', async (t) => {
    const hook = await receiver(t);
    let tokens = await provider(t);
    const server = await serve(t, { args: FAST });
    const { id } = await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await post(server);
    await hook.arrived(1);
    await tokens.close();
    tokens = await provider(t, { secret: 'another', port: tokens.port });
    await patch(server, id, { description: 'a new version has no token yet' });
    const event = await post(server);
    await eventually('it fails', async () => (await delivery(server, event)).attributes.attempt_count >= 1);
    const { attributes } = await delivery(server, event);
    assert.deepEqual([attributes.last_reason, attributes.last_status], ['no_token', null]);
    assert.ok(tokens.refused.every((code) => code === 'invalid_client') && tokens.refused.length >= 1);
    const why = await posthorn('why', event, '--server', server.url, '--key', server.api_key);
    assert.match(why.stdout, /the token server answered 401 invalid_client/, why.stdout + why.stderr);
    assert.equal(hook.requests.length, 1);
    assert.equal((await patch(server, id, { auth: oauth2(tokens.url, { client_secret: 'another' }) })).status, 200);
    await eventually('delivered', async () => (await delivery(server, event)).attributes.state === 'delivered');
    assert.equal(bearer(hook.requests.at(-1)), `Bearer ${tokens.issued.at(-1)}`);
});

test('oauth2: a thousand deliveries at once ask for one token', async (t) => {
    const held = [];
    let open = false;
    const hook = await receiver(t);
    const tokens = await receiver(t, () => (open ? answer(200, token()) : new Promise((resolve) => held.push(resolve))));
    const server = await serve(t);
    const { id } = await made(server, { url: hook.url, status: 'paused', in_flight_max: 256, auth: oauth2(tokens.url) });
    await Promise.all(Array.from({ length: 20 }, async () => {
        for (let i = 0; i < 50; i++) await post(server);
    }));
    assert.equal((await patch(server, id, { status: 'active' })).status, 200);
    await tokens.arrived(1);
    await eventually('many wait', async () => (await api(server, 'GET', '/api/meta')).status === 200);
    open = true;
    held.forEach((resolve) => resolve(answer(200, token())));
    await hook.arrived(1000);
    assert.equal(tokens.requests.length, 1);
    const [request] = tokens.requests;
    assert.equal(request.body.toString(), 'grant_type=client_credentials');
    const encoded = `post+horn%3A1:${encodeURIComponent(SECRET).replaceAll('%20', '+')}`;
    assert.equal(bearer(request), `Basic ${Buffer.from(encoded).toString('base64')}`);
    assert.equal(request.header('Content-Type'), 'application/x-www-form-urlencoded');
    for (const push of hook.requests) assert.equal(bearer(push), `Bearer ${TOKEN}`);
});

const json = (body, head = '') => answer(200, body, head);
const typed = (type, body) => `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const WORD = 'w0rd-of-the-token-server';

test('oauth2: what a hostile or broken token server answers is no_token, and is never sent, kept, followed or said', async (t) => {
    const hook = await receiver(t), trap = await receiver(t, () => json(token()));
    const install = await initialize(t), server = await serve(t, { install });
    const drip = (socket, bytes, again) => {
        socket.write(bytes);
        const timer = setInterval(() => socket.write(again), 5);
        socket.on('close', () => clearInterval(timer));
    };
    const raw = async (behave) => {
        const sockets = new Set();
        const listener = net.createServer((socket) => {
            sockets.add(socket);
            socket.on('error', () => {});
            socket.once('data', () => behave(socket));
        });
        await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
        t.after(() => (sockets.forEach((socket) => socket.destroy()), listener.close()));
        return `http://127.0.0.1:${listener.address().port}/token`;
    };
    const says = async (bytes) => `${(await receiver(t, () => bytes)).url}/token`;
    const closed = await receiver(t);
    await closed.close();
    const rows = [
        [await raw((socket) => drip(socket, 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"access_token":"', 'x'.repeat(65536))), 'answered 200: its body is cut'],
        [await raw((socket) => drip(socket, 'HTTP/1.1 200 OK\r\n', `X-A: ${'x'.repeat(4000)}\r\n`)), 'headers_too_large'],
        [await raw(() => {}), 'timeout'],
        [await raw((socket) => drip(socket, `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n${token()}`, ' ')), 'answered 200: its body is cut'],
        [await says(null), 'closed_early'],
        [`${closed.url}/token`, 'connect_refused'],
        [await says(`HTTP/1.1 302 Found\r\nLocation: ${trap.url}/token\r\nContent-Length: 0\r\n\r\n`), 'answered 302: its status is not 200'],
        [await says(`HTTP/1.1 307 Moved\r\nLocation: ${trap.url}/token\r\nContent-Length: 0\r\n\r\n`), 'answered 307: its status is not 200'],
        [await says(typed('text/html', `<html>${WORD}</html>`)), 'answered 200: its Content-Type is not application/json'],
        [await says(typed('text/html\r\nContent-Type: application/json', token())), 'its Content-Type is not application/json'],
        [await says(json(`<html>${WORD}</html>`)), 'answered 200: its body is not a JSON object'],
        [await says(json(token(`${WORD}\r\nX-Evil: 1`))), 'its access_token is not'],
        [await says(json(token(WORD.repeat(200)))), 'its access_token is not'],
        [await says(json(token(WORD, { token_type: 'mac' }))), 'its token_type is not Bearer'],
        [await says(json(token(WORD, { expires_in: -5 }))), 'its expires_in is not a positive integer'],
        [await says(json(token(WORD, { expires_in: 0.5 }))), 'its expires_in is not a positive integer'],
        [await says(json(`{"access_token":"${WORD}","token_type":"Bearer","expires_in":99999999999999999999}`)), 'its body is not a JSON object'],
        [await says(answer(400, JSON.stringify({ error: 'invalid_scope', error_description: WORD }))), 'answered 400 invalid_scope'],
        [await says(answer(400, JSON.stringify({ error: WORD }))), 'answered 400: its status is not 200'],
        [await says(answer(503, WORD)), 'answered 503: its status is not 200'],
    ];
    const output = [];
    await Promise.all(rows.map(async ([token_url, expected]) => {
        const user = await makeUser(server);
        const made = await api(server, 'POST', '/api/endpoints',
            { data: { type: 'endpoints', attributes: { url: hook.url, timeout: 4, retry: { schedule: [1209600] }, auth: oauth2(token_url) } } }, { key: user.api_key });
        assert.equal(made.status, 201, made.text);
        const event = await post(server, { user: user.user_id });
        const shown = async () => {
            const answer = await api(server, 'GET', `/api/events/${event}/deliveries`);
            assert.equal(answer.status, 200, answer.text);
            return answer.json.data[0];
        };
        await eventually(`an attempt: ${expected}`, async () => (await shown()).attributes.attempt_count === 1);
        assert.equal((await shown()).attributes.last_reason, 'no_token', expected);
        const one = await api(server, 'GET', `/api/deliveries/${(await shown()).id}`);
        assert.equal(one.status, 200, one.text);
        const [attempt] = one.json.data.attributes.attempts;
        assert.ok(attempt.detail.includes(expected), `${expected}: ${JSON.stringify(attempt)}`);
        const why = await posthorn('why', event, '--server', server.url, '--key', server.api_key);
        assert.ok(why.stdout.includes(expected), why.stdout);
        output.push(one.text, why.stdout);
    }));
    assert.deepEqual([hook.requests.length, trap.requests.length], [0, 0]);
    await server.end();
    output.push(server.output);
    for (const name of readdirSync(install.data)) output.push(readFileSync(join(install.data, name), 'latin1'));
    for (const text of output) assert.ok(!text.includes(WORD), text.slice(0, 300));
});

test('oauth2: a huge expires_in counts as a day, and the token is used', async (t) => {
    const hook = await receiver(t), tokens = await receiver(t, () => json(token(TOKEN, { expires_in: Number.MAX_SAFE_INTEGER })));
    const server = await serve(t);
    await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await post(server);
    await hook.arrived(1);
    await post(server);
    await hook.arrived(2);
    assert.equal(tokens.requests.length, 1);
});

test('oauth2: the guard judges the token_url when it is set and when it is dialled', async (t) => {
    const hook = await receiver(t), tokens = await receiver(t, () => json(token()));
    const install = await initialize(t);
    let server = await serve(t, { install });
    const { id } = await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await server.end();
    server = await serve(t, { install, dev: false, args: ['--allow-http', '--allow-target', `127.0.0.1:${hook.port}`] });
    const event = await post(server);
    await eventually('refused', async () => (await delivery(server, event)).attributes.last_reason === 'no_token');
    const why = await posthorn('why', event, '--server', server.url, '--key', server.api_key);
    assert.ok(why.stdout.includes('do not allow the token_url'), why.stdout);
    assert.deepEqual([tokens.requests.length, hook.requests.length], [0, 0]);
    for (const [token_url, code] of [['http://10.0.0.1/', 'url_address'], ['https://[::1]/', 'url_address'], ['https://a.internal/', 'url_host'],
        ['https://u:p@example.com/', 'url_userinfo'], ['https://example.com:22/', 'url_port'], ['ftp://example.com/', 'url_scheme'], ['x', 'url_scheme']]) {
        const answer = await patch(server, id, { auth: oauth2(token_url) });
        assert.equal(answer.status, 422, token_url + answer.text);
        assert.deepEqual([answer.status, answer.json.errors[0].code, answer.json.errors[0].source.pointer], [422, code, '/data/attributes/auth/token_url'], token_url);
    }
});

test('oauth2: wrong values', async (t) => {
    const server = await serve(t), good = oauth2('https://example.com/token');
    const { id } = await made(server, { auth: good });
    const before = (await api(server, 'GET', `/api/endpoints/${id}`)).text;
    const bad = ['', ' x', 'a\r\nb', 'na\u00efve', 'a\tb', 7, null, ['x']];
    const rows = [
        ...['token_url', 'client_id', 'client_secret'].map((name) => [{ ...good, [name]: undefined }, '']),
        ...['', 7, null].map((token_url) => [{ ...good, token_url }, '/token_url']),
        ...[...bad, 'x'.repeat(257)].map((client_id) => [{ ...good, client_id }, '/client_id']),
        ...[...bad, 'x'.repeat(1025)].map((client_secret) => [{ ...good, client_secret }, '/client_secret']),
        ...[...bad, 'a  b', 'a"', 'a\\', 'x'.repeat(513)].map((scope) => [{ ...good, scope }, '/scope']),
        ...['token', 'username', 'password', 'audience'].map((name) => [{ ...good, [name]: 'x' }, `/${name}`]),
        [{ type: 'basic', username: 'x', password: 'x', scope: 'x' }, '/scope'],
        [{ ...good, client_id: 'other', client_secret: '***' }, '/client_secret'],
    ];
    for (const [auth, pointer] of rows) {
        const answer = await patch(server, id, { description: 'half', auth });
        assert.deepEqual([answer.status, answer.json.errors[0].code, answer.json.errors[0].source.pointer],
            [422, 'attribute_invalid', `/data/attributes/auth${pointer}`], JSON.stringify(auth).slice(0, 120));
    }
    assert.equal((await api(server, 'GET', `/api/endpoints/${id}`)).text, before);
    const url = `https://example.com/${'x'.repeat(2028)}`;
    const longest = { type: 'oauth2', token_url: url, client_id: 'i'.repeat(256), client_secret: 's'.repeat(1024), scope: 'c'.repeat(512) };
    const answer = await patch(server, id, { auth: longest });
    assert.deepEqual(answer.json.data.attributes.auth, { ...longest, client_secret: '***' });
    const longer = await patch(server, id, { auth: { ...longest, token_url: `${url}x` } });
    assert.deepEqual([longer.status, longer.json.errors[0].source.pointer], [422, '/data/attributes/auth/token_url']);
});

test('oauth2: many 401 at once ask for one new token', async (t) => {
    const COUNT = 20;
    let tokensMade = 0;
    const held = [];
    const tokens = await receiver(t, () => json(token(`${TOKEN}-${++tokensMade}`)));
    const hook = await receiver(t, (request) => {
        if (tokensMade !== 1 || hook.requests.length === 1 || bearer(request) !== `Bearer ${TOKEN}-1`) return answer(200);
        return new Promise((resolve) => {
            held.push(resolve);
            if (held.length === COUNT) held.forEach((refuse) => refuse(answer(401)));
        });
    });
    const server = await serve(t);
    await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await post(server);
    await hook.arrived(1);
    const events = [];
    for (let i = 0; i < COUNT; i++) events.push(await post(server));
    await hook.arrived(1 + 2 * COUNT);
    assert.equal(tokensMade, 2);
    for (const event of events) {
        const [refused, taken] = hook.of(event);
        assert.deepEqual([bearer(refused), bearer(taken)], [`Bearer ${TOKEN}-1`, `Bearer ${TOKEN}-2`]);
    }
});

test('oauth2: an endpoint that is changed during the request gets a token of its own; both events arrive', async (t) => {
    const held = [];
    const hook = await receiver(t);
    const tokens = await receiver(t, (request, number) => (number === 1 ? new Promise((resolve) => held.push(resolve)) : json(token('later'))));
    const server = await serve(t);
    const { id } = await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    const former = await post(server);
    await tokens.arrived(1);
    assert.equal((await patch(server, id, { auth: oauth2(tokens.url, { scope: 'more' }) })).status, 200);
    const later = await post(server);
    await hook.arrived(1);
    assert.equal(bearer(hook.of(later)[0]), 'Bearer later');
    assert.match(tokens.requests[1].body.toString(), /&scope=more$/);
    held[0](json(token('former')));
    await hook.arrived(2);
    assert.equal(bearer(hook.of(former)[0]), 'Bearer former');
});

test('oauth2: a 401 to an attempt from before a change costs the changed endpoint no token', async (t) => {
    let tokensMade = 0;
    const held = [];
    const tokens = await receiver(t, () => json(token(`${TOKEN}-${++tokensMade}`)));
    const hook = await receiver(t, (request, number) =>
        (number === 1 || bearer(request) !== `Bearer ${TOKEN}-1` ? answer(200) : new Promise((resolve) => held.push(resolve))));
    const server = await serve(t);
    const { id } = await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    await post(server);
    await hook.arrived(1);
    const former = [];
    for (let i = 0; i < 4; i++) former.push(await post(server));
    await hook.arrived(5);
    assert.equal((await patch(server, id, { auth: oauth2(tokens.url, { scope: 'more' }) })).status, 200);
    for (const [i, event] of former.entries()) {
        const later = await post(server);
        await eventually('the later event', () => hook.of(later).length === 1);
        held[i](answer(401));
        await eventually('the 401 is on record', async () => (await delivery(server, event)).attributes.last_status === 401);
    }
    assert.equal(tokensMade, 2);
});

test('oauth2: a stop while a token is asked for uses up no attempt, and the event is sent after the start', async (t) => {
    let open = false;
    const hook = await receiver(t), tokens = await receiver(t, () => (open ? json(token()) : new Promise(() => {})));
    const install = await initialize(t);
    let server = await serve(t, { install, args: ['--drain', '1s'] });
    await made(server, { url: hook.url, auth: oauth2(tokens.url) });
    const event = await post(server);
    await tokens.arrived(1);
    await server.end();
    open = true;
    server = await serve(t, { install });
    await hook.arrived(1);
    await eventually('delivered', async () => (await delivery(server, event)).attributes.state === 'delivered');
    assert.equal((await delivery(server, event)).attributes.attempt_count, 1);
});
