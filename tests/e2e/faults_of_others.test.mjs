// Faults that were seen in other webhook servers, with this one in their place. resend.test.mjs has one more: a resend that fails.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { answer, api, delivery, eventually, eventBody, post, receiver, serve } from './harness.mjs';

for (const success of ['200', '2xx', [200, 299]])
    test(`faults of others: 3xx never counts, with success ${JSON.stringify(success)}`, async (t) => {
        const server = await serve(t, { args: ['--time-scale', '200'] });
        const hook = await receiver(t, (_, number) => answer([300, 302, 304, 399, 200][number - 1], ''));
        const id = server.user_id, attributes = { url: hook.url, success };
        assert.equal((await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } })).status, 200);
        const sent = await post(server);
        await eventually('the fifth answer acknowledges', async () => (await delivery(server, sent)).attributes.state === 'delivered');
        assert.equal((await hook.arrived(5)).length, 5);
        for (const code of [300, 399])
            assert.equal((await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { success: [code] } } })).status, 422);
    });

/** Posts and closes the connection before the answer, as a producer whose network fails. */
const postAndLeave = (server, body, key) => new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname, () =>
        socket.write(`POST /api/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: ${server.api_key}\r\nIdempotency-Key: ${key}\r\n` +
                     `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy()));
    socket.on('close', resolve).on('error', reject);
});

for (const signal of [undefined, 'SIGKILL'])
    test(`faults of others: a POST whose answer was lost is repeated and delivered once${signal ? ', over a kill' : ''}`, async (t) => {
        let server = await serve(t);
        const hook = await receiver(t, () => answer(200));
        const id = server.user_id;
        assert.equal((await api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes: { url: hook.url } } })).status, 200);
        const body = eventBody();
        await postAndLeave(server, JSON.stringify(body), 'lost');
        await hook.arrived(1);
        if (signal) {
            await server.end(signal);
            server = await serve(t, { install: server });
        }
        const again = await api(server, 'POST', '/api/events', body, { headers: { 'Idempotency-Key': 'lost' } });
        assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [201, 'true'], again.text);
        await eventually('it is delivered', async () => (await delivery(server, again.json.data.id)).attributes.state === 'delivered');
        const last = await post(server);
        await eventually('the last one is delivered', async () => (await delivery(server, last)).attributes.state === 'delivered');
        const ids = new Set(hook.requests.map(({ body }) => JSON.parse(body).data.id));
        assert.deepEqual([...ids], [again.json.data.id, last]);
        if (!signal) assert.equal(hook.requests.length, 2);
    });
