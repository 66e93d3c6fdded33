// The API towards strangers: guessed keys, public pages, figures.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { answer, api, eventually, eventBody, makeUser, post, receiver, serve, setUrl } from './harness.mjs';

/** Sends raw bytes from an address of the loopback, and collects what comes back until the end (or `until`). */
export function raw(server, bytes, { localAddress = '127.0.0.1', until } = {}) {
    const { hostname, port } = new URL(server.url ?? server);
    return new Promise((resolve, reject) => {
        const socket = net.connect({ host: hostname, port: Number(port), localAddress });
        let text = '';
        const done = () => {
            socket.destroy();
            resolve(text);
        };
        socket.on('connect', () => socket.write(bytes));
        socket.on('data', (data) => {
            text += data;
            if (until?.(text)) done();
        });
        socket.on('end', done);
        socket.on('error', (error) => (text ? done() : reject(error)));
    });
}
const statusOf = (text) => Number(text.match(/^HTTP\/1\.1 (\d+)/)?.[1]);
const whole = (text) => text.includes('\r\n\r\n');

const CHUNKED = 'Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n';
const head = (method, path, key, fields = '') =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\n${key ? `Authorization: ${key}\r\n` : ''}${fields}\r\n`;

test('8.26: guesses of every shape are slowed alike, before their body is read', async (t) => {
    const server = await serve(t);
    const shapes = {
        small: head('POST', '/api/events', 'wrong', 'Content-Type: application/json\r\nContent-Length: 2\r\n') + '{}',
        chunked: head('POST', '/api/events', 'wrong', CHUNKED),
        large: head('POST', '/api/events', 'Bearer wrong', 'Content-Length: 1000000\r\n'),
        put: head('PUT', '/api/users/me/tls', 'wrong', CHUNKED),
        expecting: head('PATCH', '/api/users/me', 'wrong', `${CHUNKED}Expect: 100-continue\r\n`),
        scheme: head('POST', '/api/events', 'Basic d3Jvbmc6d3Jvbmc=', CHUNKED),
        user: head('POST', '/api/events', 'wrong; user=5', CHUNKED),
        get: head('GET', '/api/users/me', 'wrong'),
        head: head('HEAD', '/api/users/me', 'wrong'),
        snapshots: head('GET', '/api/nothing', 'wrong'),
    };
    let last = 10;
    for (const [shape, bytes] of Object.entries(shapes)) {
        const localAddress = `127.0.1.${last++}`; // the throttle knows each for itself
        const answers = await Promise.all(Array.from({ length: 60 }, () =>
            raw(server, bytes, { localAddress, until: whole })));
        const count = (status) => answers.filter((text) => statusOf(text) === status).length;
        assert.equal(count(401) + count(429), 60, shape);
        assert.ok(count(401) >= 10 && count(401) <= 30, `${shape}: ${count(401)} times 401`);
        assert.ok(!answers.some((text) => text.includes('100 Continue')), shape);
        // A key that is valid is not held up from there.
        const fine = await raw(server, head('GET', '/api/meta', server.api_key), { localAddress, until: whole });
        assert.equal(statusOf(fine), 200);
    }
});

test('8.26: where a key makes no difference, nothing tells a valid one', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    for (const [method, path, status] of [['POST', '/api/a/b/c/d/e', 404], ['DELETE', '/api/events', 405], ['GET', '/docs', 200]])
        for (const key of [server.api_key, 'wrong']) {
            const text = await raw(server, head(method, path, key, `${CHUNKED}Expect: 100-continue\r\n`), { until: whole });
            assert.equal(statusOf(text), status, `${method} ${path} ${text}`);
        }
});

test('8.26: a valid key spends its pace on what it may not do, and is a guess from elsewhere', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '5'] });
    const user = await makeUser(server);
    const many = async (key, localAddress) => {
        const answers = await Promise.all(Array.from({ length: 60 }, () =>
            raw(server, head('GET', '/api/users/me', key), { localAddress, until: whole })));
        return (status) => answers.filter((text) => statusOf(text) === status).length;
    };
    const acting = await many(`${user.api_key}; user=5`, '127.0.2.1');
    assert.ok(acting(403) < 30 && acting(429) > 0, `${acting(403)} times 403`);
    await api(server, 'POST', '/api/api_keys', { data: { type: 'api_keys', attributes: {} } }); // unlimited
    const made = await api(server, 'POST', '/api/api_keys',
        { data: { type: 'api_keys', attributes: { allow_from: ['127.0.0.1'], rate_per_s: 'unlimited' } } });
    const elsewhere = await many(made.json.data.attributes.token, '127.0.2.2');
    assert.ok(elsewhere(403) < 30 && elsewhere(429) > 0, `${elsewhere(403)} times 403`);
});

test('8.26: what needs no key has a pace by address, /health has none', async (t) => {
    const server = await serve(t, { args: ['--public-rate', '5'] });
    let last = 10;
    for (const path of ['/metrics', '/docs', '/openapi.json', '/api/event_types', '/api/meta']) {
        const from = { localAddress: `127.0.3.${last++}`, until: whole };
        const ask = async (count, target, method = 'GET') => {
            const answers = [];
            for (let i = 0; i < count; i++) answers.push(await raw(server, head(method, target), from));
            return answers;
        };
        const answers = await ask(40, path);
        const refused = answers.filter((text) => statusOf(text) === 429);
        assert.equal(statusOf(answers[0]), 200, answers[0]);
        assert.ok(refused.length > 0, path);
        assert.match(refused[0], /\r\nRetry-After: \d+\r\n/);
        assert.ok((await ask(40, path, 'HEAD')).some((text) => statusOf(text) === 429));
        assert.ok((await ask(20, '/health')).every((text) => statusOf(text) === 200));
    }
    assert.equal(statusOf(await raw(server, head('GET', '/metrics'), { localAddress: '127.0.3.99', until: whole })), 200);
});

test('8.26: /metrics at an address of its own, and with a key', async (t) => {
    const server = await serve(t, { args: ['--metrics-listen', '127.0.0.1:0'], env: { POSTHORN_METRICS_KEY: 'figures' } });
    const [, url] = await eventually('the address', () => server.stderr.match(/metrics at (http:\S+)\/metrics/));
    assert.equal((await api(server, 'GET', '/metrics', undefined, { key: 'figures' })).status, 404);
    const at = (path, key) => api({ url }, 'GET', path, undefined, { key });
    for (const key of [null, 'wrong', 'figure', server.api_key, 'figures figures'])
        assert.equal((await at('/metrics', key)).status, 401, key);
    for (const key of ['figures', 'Bearer figures']) {
        const { status, text } = await at('/metrics', key);
        assert.equal(status, 200);
        assert.match(text, /^posthorn_info\{/m);
    }
    assert.equal((await at('/health', null)).status, 200);
    for (const path of ['/docs', '/api/users/me', '/api/events', '/'])
        assert.equal((await at(path, server.api_key)).status, 404, path);
    const guesses = await Promise.all(Array.from({ length: 60 }, () =>
        raw(url, head('GET', '/metrics', 'wrong'), { localAddress: '127.0.4.1', until: whole })));
    assert.ok(guesses.filter((text) => statusOf(text) === 429).length > 20);
});

test('8.14: figures that were missing or always 0', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const there = await receiver(t, () => null);
    await setUrl(server, there.url);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await post(server));
    const { json } = await api(server, 'GET', `/api/events/${ids[0]}/deliveries`);
    await eventually('cancelled', async () =>
        (await api(server, 'POST', `/api/deliveries/${json.data[0].id}/cancel`)).status === 200);
    const figure = async (name) => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
    };
    await eventually('CPU time of the engine', async () => (await figure('posthorn_engine_cpu_seconds_total')) > 0);
    assert.equal(await figure('posthorn_deliveries{state="cancelled"}'), 1);
    assert.equal(await figure('posthorn_deliveries{state="pending"}'), 2);
    assert.equal(await figure('posthorn_endpoints'), 1);
});

test('8.14: what waits longest, how many endpoints fail, and single endpoints that are asked for', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0', '--time-scale', '100', '--metrics-key', 'figures'] });
    const there = await receiver(t, () => answer(500));
    const fine = await receiver(t);
    const other = await makeUser(server);
    await setUrl(server, there.url);
    await setUrl(server, fine.url, { id: other.user_id, key: other.api_key });
    const at = async (query = '') => fetch(`${server.url}/metrics${query}`, { headers: { Authorization: 'figures' } });
    const figures = async (query) => {
        const text = await (await at(query)).text();
        return (name) => Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
    };
    let figure = await figures();
    assert.equal(figure('posthorn_oldest_waiting_seconds'), 0);
    assert.equal(figure('posthorn_endpoints_failing'), 0);
    await post(server, { user: other.user_id });
    for (let i = 0; i < 3; i++) await post(server);
    await eventually('it fails, and what waits gets older', async () => {
        figure = await figures();
        return figure('posthorn_endpoints_failing') === 1 && figure('posthorn_oldest_waiting_seconds') >= 1;
    });
    const [mine, theirs] = [server.user_id, other.user_id];
    for (const query of [`?endpoint=${mine}&endpoint=${theirs}`, `?endpoint=${mine},${theirs},999`]) {
        await eventually('the other has been delivered to', async () => {
            figure = await figures(query);
            return figure(`posthorn_endpoint_delivered_total{endpoint="${theirs}"}`) === 1;
        });
        const of = (name, id) => figure(`posthorn_endpoint_${name}{endpoint="${id}"}`);
        assert.equal(of('failing', mine), 1);
        assert.equal(of('failing', theirs), 0);
        assert.equal(of('waiting', mine) + of('in_hand', mine), 3);
        assert.equal(of('waiting', theirs) + of('in_hand', theirs), 0);
        assert.equal(of('delivered_total', mine), 0);
        assert.ok(of('window', theirs) >= 1);
        assert.ok(Number.isNaN(of('waiting', 999)));
    }
    const many = Array.from({ length: 51 }, (_, i) => `endpoint=${i + 1}`).join('&');
    for (const query of [`?${many}`, '?endpoint=x', '?endpoint=', '?endpoint=0']) assert.equal((await at(query)).status, 400, query);
    const open = await serve(t);
    assert.equal((await fetch(`${open.url}/metrics?endpoint=5`)).status, 403);
});

test('a body over the setting body-max is 413, and the answer says the setting', async (t) => {
    const server = await serve(t, { args: ['--body-max', '4096'] });
    const head = `POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.api_key}\r\nContent-Type: application/json\r\n`;
    const text = await raw(server, `${head}Content-Length: 4097\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /A body may have at most 4096 bytes \(setting body-max\)\./);
});
