// rows: 26, 27, 29, 30
//
// Answers that count, and the retries after all others. The policy's arithmetic is tested on a virtual
// clock in tests/core/policy.c, every fault of a receiver in tests/net; here is what the whole program makes of it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import net from 'node:net';
import test from 'node:test';
import {
    answer, api, delivery, eventually, makeUser, post, posthorn, POSTHORN, receiver, run, serve, setUrl,
} from '../e2e/harness.mjs';

const FAST = ['--rate-limit', '0', '--time-scale', '200']; /* backoff of 50, 150, 450 ms */

const attributes = async (server, id) => (await delivery(server, id)).attributes;
const becomes = (server, id, state, limitMs) => eventually(`${id} is ${state}`, async () => {
    const shown = await attributes(server, id);
    return shown.state === state && shown;
}, limitMs);
const attempts = async (server, id) =>
    (await api(server, 'GET', `/api/deliveries/${(await delivery(server, id)).id}`)).json.data.attributes.attempts;

/** A user of its own for each case, all at one server: { name: event id }. */
async function postToEach(server, urls) {
    const events = {};
    for (const [name, url] of Object.entries(urls)) {
        const user = await makeUser(server, name);
        await setUrl(server, url, { id: user.user_id, key: user.api_key });
        events[name] = await post(server, { user: user.user_id });
    }
    return events;
}

test('row 26: only 200 acknowledges; 201, 204 and 3xx are tried again, and the reason says so', async (t) => {
    const server = await serve(t, { args: FAST });
    const seen = {};
    const there = await receiver(t, ({ path }) => {
        const status = path.slice(1);
        const number = seen[status] = (seen[status] ?? 0) + 1;
        if (number > 1) return answer(200);
        return ['204', '304'].includes(status) ? `HTTP/1.1 ${status} Some Words\r\n\r\n` : answer(status);
    });
    const statuses = ['201', '202', '203', '204', '206', '299', '300', '301', '302', '304', '307', '308'];
    const events = await postToEach(server, Object.fromEntries(statuses.map((status) => [status, `${there.url}/${status}`])));
    for (const [status, id] of Object.entries(events)) {
        await becomes(server, id, 'delivered');
        const [first, second] = await attempts(server, id);
        assert.deepEqual([first.status, second.status], [Number(status), 200]);
        assert.equal(first.reason, status[0] === '3' ? 'redirect' : 'unexpected_status');
        assert.equal(there.of(id).length, 2);
    }
    const late = await receiver(t, () => 'HTTP/1.1 204 No Content\r\n\r\n');
    await setUrl(server, late.url);
    const id = await post(server);
    await late.arrived(1);
    await eventually('it is on record', async () => (await attributes(server, id)).attempt_count > 0);
    const { stdout } = await posthorn('why', id, '--server', server.url, '--key', server.api_key);
    assert.match(stdout, /your server said 204; we need 200/);
});

test('row 26: success 2xx is an option of the endpoint', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await receiver(t, (push, number) => answer([204, 300][number - 1] ?? 201, ''));
    await setUrl(server, there.url);
    const body = { data: { type: 'users', id: '5', attributes: { success: '2xx' } } };
    assert.equal((await api(server, 'PATCH', '/api/users/me', body)).status, 200);
    const first = await post(server);
    await becomes(server, first, 'delivered');
    assert.equal(there.of(first).length, 1);
    const second = await post(server);
    await becomes(server, second, 'delivered');
    assert.deepEqual((await attempts(server, second)).map(({ status }) => status), [300, 201]);
});

/* What is no answer of 200, and what posthorn calls it: promises, "receivers that misbehave". */
const FAULTS = {
    500: [() => answer(500), 'unexpected_status'],
    503: [() => answer(503), 'unexpected_status'],
    404: [() => answer(404), 'unexpected_status'],
    429: [() => answer(429), 'unexpected_status'],
    600: [() => answer(600), 'unexpected_status'],
    410: [() => answer(410), 'gone'],
    302: [() => answer(302), 'redirect'],
    'closes without an answer': [() => null, 'closed_early'],
    'ends inside the headers': [(end) => end('HTTP/1.1 200 OK\r\nContent-Type: te'), 'truncated_headers'],
    'a status of four digits': [() => 'HTTP/1.1 0200 OK\r\n\r\n', 'bad_response'],
    'a status with letters': [() => 'HTTP/1.1 2OO OK\r\n\r\n', 'bad_response'],
    'another protocol': [() => 'ICY 200 OK\r\n\r\n', 'bad_response'],
    'no status line': [() => '{"status":"success"}\r\n\r\n', 'bad_response'],
    'a space before the colon': [() => 'HTTP/1.1 200 OK\r\nX : 1\r\n\r\n', 'bad_response'],
    'only interim answers': [() => 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(9) + answer(200), 'bad_response'],
    'switches protocols': [() => 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'bad_response'],
    'ten thousand headers': [() => `HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(10_000)}\r\n`, 'headers_too_large'],
    'a header of a megabyte': [() => `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1 << 20)}\r\n\r\n`, 'headers_too_large'],
};

/** Answers with the fault that its path names, and from the second request on with 200. */
async function faulty(t) {
    const bodies = {};
    const server = net.createServer((socket) => {
        let text = Buffer.alloc(0);
        socket.on('error', () => {});
        socket.on('data', (data) => {
            text = Buffer.concat([text, data]);
            const end = text.indexOf('\r\n\r\n');
            const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
            if (end < 0 || text.length < end + 4 + length) return;
            const name = decodeURIComponent(/^POST \/(\S*)/.exec(text)[1]);
            (bodies[name] ??= []).push(text.subarray(end + 4, end + 4 + length).toString());
            text = Buffer.alloc(0);
            if (bodies[name].length > 1) return socket.end(answer(200));
            const bytes = FAULTS[name][0]((last) => socket.end(last) && undefined);
            if (bytes === null) socket.destroy();
            else if (bytes !== undefined) socket.write(bytes);
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { url: `http://127.0.0.1:${server.address().port}`, bodies };
}

test('row 27: every other end of an attempt is a failure with a reason of its own, and is tried again', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await faulty(t);
    const events = await postToEach(server,
        Object.fromEntries(Object.keys(FAULTS).map((name) => [name, `${there.url}/${encodeURIComponent(name)}`])));
    for (const [name, [, reason]] of Object.entries(FAULTS)) {
        await becomes(server, events[name], 'delivered');
        const [first] = await attempts(server, events[name]);
        assert.equal(first.reason, reason, name);
        assert.equal(first.counted, true, name);
        assert.equal(there.bodies[name].length, 2, name);
        assert.equal(there.bodies[name][0], there.bodies[name][1], 'the same bytes');
    }
});

test('row 27: no connection at all: refused, nobody behind TLS, a name that does not exist', async (t) => {
    const server = await serve(t, { args: [...FAST, '--dns-servers', '127.0.0.1:1'] });
    const gone = await receiver(t);
    await gone.close();
    const plain = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise((resolve) => plain.listen(0, '127.0.0.1', resolve));
    t.after(() => plain.close());
    const events = await postToEach(server, {
        connect_refused: `${gone.url}/`,
        tls_protocol: `https://127.0.0.1:${plain.address().port}/`,
        dns: 'http://nobody.example.com/',
    });
    const reason = (name, pattern) => eventually(`${name} is on record`, async () =>
        pattern.test((await attributes(server, events[name])).last_reason ?? ''));
    await reason('connect_refused', /^connect_refused$/);
    await reason('tls_protocol', /^tls_protocol$/);
    await reason('dns', /^(dns_\w+|local_outage)$/);
});

test('row 29: never sooner than an exponential backoff says: base, three times that, nine times that', async (t) => {
    const base = 400;
    const server = await serve(t, { args: ['--backoff-base', `${base}ms`, '--backoff-jitter', '10'] });
    const there = await receiver(t, (push, number) => answer(number < 4 ? 500 : 200));
    await setUrl(server, there.url);
    const id = await post(server);
    await becomes(server, id, 'delivered');
    const begun = (await attempts(server, id)).map(({ started_at, duration_ms }) => ({ at: Date.parse(started_at), duration_ms }));
    assert.equal(begun.length, 4);
    for (let n = 1; n < begun.length; n++) {
        const gap = begun[n].at - begun[n - 1].at - begun[n - 1].duration_ms;
        assert.ok(gap >= 0.9 * base * 3 ** (n - 1) - 2, `${gap} ms before attempt ${n + 1}`);
    }
});

test('row 29: the ratio of the medians, and jitter, on a virtual clock', async (t) => {
    const program = join(dirname(POSTHORN), '../tests/core/test_core_policy');
    if (!existsSync(program)) return t.skip('built without tests');
    const { code, stdout, stderr } = await run(program, []);
    assert.equal(code, 0, stderr);
    assert.match(stdout + stderr, /\[ +OK \] medians_grow_by_three/);
});

test('row 29: base, factor, cap and jitter are settings', async (t) => {
    const server = await serve(t, { args: ['--backoff-base', '7h', '--backoff-factor', '5', '--backoff-cap', '8h', '--backoff-jitter', '0'] });
    const there = await receiver(t, () => answer(500));
    await setUrl(server, there.url);
    const id = await post(server);
    await eventually('it is on record', async () => (await attributes(server, id)).attempt_count === 1);
    const left = (await attributes(server, id)).next_attempt_in_ms;
    assert.ok(left > 6.9 * 3600_000 && left <= 7 * 3600_000, `${left} ms`);
});

test('row 30: for three days; then given up, kept, and it can be sent again', async (t) => {
    const scale = 100_000; /* 72 h in 2.6 s */
    const server = await serve(t, { args: ['--time-scale', String(scale)] });
    let status = 500;
    const there = await receiver(t, () => answer(status));
    await setUrl(server, there.url);
    const id = await post(server);
    const ended = await becomes(server, id, 'given_up', 60_000);
    assert.equal(new Set(there.of(id).map((push) => push.body.toString('hex'))).size, 1, 'the same bytes each time');
    const took = Date.parse(ended.finished_at) - Date.parse(ended.first_attempt_at);
    assert.ok(took >= 72 * 3600_000 / scale - 5, `given up after ${took} ms`);
    const tries = there.of(id).length;
    assert.ok(tries >= 8, `${tries} attempts`);
    const { id: delivery_id } = await delivery(server, id);
    status = 200;
    const resent = await api(server, 'POST', `/api/deliveries/${delivery_id}/resend`);
    assert.equal(resent.status, 200, resent.text);
    await becomes(server, id, 'delivered');
    const [first, ...more] = there.of(id).map(({ body }) => body.toString());
    assert.equal(more.at(-1), first, 'the same event');
});

test('row 30: about 14 attempts in at least 72 hours, on a virtual clock', async (t) => {
    const program = join(dirname(POSTHORN), '../tests/core/test_core_policy');
    if (!existsSync(program)) return t.skip('built without tests');
    const { code, stdout, stderr } = await run(program, []);
    assert.equal(code, 0, stderr);
    assert.match(stdout + stderr, /\[ +OK \] a_dead_receiver_from_first_to_last/);
});
