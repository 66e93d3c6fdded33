// Item 8.9: a resend does not rewrite the past.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { answer, api, delivery, eventually, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const why = async (server, id) =>
    (await posthorn('why', id, '--server', server.url, '--key', server.api_key)).stdout;

test('8.9: a failing resend and a cancel leave a delivered event delivered', async (t) => {
    let status = 200;
    const there = await receiver(t, () => answer(status));
    const server = await serve(t);
    await setUrl(server, there.url);
    const id = await post(server);
    const first = await eventually('delivered', async () => {
        const one = await delivery(server, id);
        return one.attributes.state === 'delivered' && one;
    });
    status = 500;
    assert.equal((await api(server, 'POST', `/api/deliveries/${first.id}/resend`)).status, 200);
    const failed = await eventually('the resend has failed', async () => {
        const one = await delivery(server, id);
        return one.attributes.attempt_count === 2 && one;
    });
    assert.equal(failed.attributes.state, 'delivered');
    assert.equal(failed.attributes.finished_at, first.attributes.finished_at);
    assert.equal(failed.attributes.resending, true);
    assert.match(await why(server, id), /Delivered at the first try.*Sent again since, once\..*to be sent once more\. Next try/s);
    const cancelled = await api(server, 'POST', `/api/deliveries/${first.id}/cancel`);
    assert.equal(cancelled.status, 200);
    assert.equal(cancelled.json.data.attributes.state, 'delivered');
    assert.equal(cancelled.json.data.attributes.attempt_count, 2);
    assert.equal(cancelled.json.data.attributes.finished_at, first.attributes.finished_at);
    const told = await why(server, id);
    assert.match(told, /Delivered at the first try/);
    assert.doesNotMatch(told, /Cancelled|once more/);
    assert.equal((await api(server, 'POST', `/api/deliveries/${first.id}/cancel`)).status, 409);
});

test('8.9: a resend of a delivery that waits is now', async (t) => {
    let status = 503;
    const there = await receiver(t, () => answer(status));
    const server = await serve(t);
    await setUrl(server, there.url);
    const id = await post(server);
    const waits = await eventually('it waits for its next try', async () => {
        const one = await delivery(server, id);
        return one.attributes.attempt_count === 1 && one;
    });
    status = 200;
    assert.equal((await api(server, 'POST', `/api/deliveries/${waits.id}/resend`)).status, 200);
    const one = await eventually('delivered', async () => {
        const now = await delivery(server, id);
        return now.attributes.state === 'delivered' && now;
    }, 8_000); /* the first backoff is 10 s */
    assert.equal(one.attributes.attempt_count, 2);
});

test('8.9: a resend survives a kill, and is never taken for the first one', async (t) => {
    const there = await receiver(t);
    let server = await serve(t);
    await setUrl(server, there.url);
    const id = await post(server);
    const first = await eventually('delivered', async () => {
        const one = await delivery(server, id);
        return one.attributes.state === 'delivered' && one;
    });
    there.requests.length = 0;
    await api(server, 'POST', `/api/deliveries/${first.id}/resend`);
    await server.end('SIGKILL');
    server = await serve(t, { install: server });
    await eventually('sent again', async () => {
        const one = await delivery(server, id);
        return one.attributes.attempt_count === 2 && !one.attributes.resending;
    });
    const one = await delivery(server, id);
    assert.equal(one.attributes.finished_at, first.attributes.finished_at);
    assert.ok(there.of(id).length >= 1);
});

test('posthorn resend: by the id of an event or of a delivery', async (t) => {
    const there = await receiver(t);
    const server = await serve(t);
    await setUrl(server, there.url);
    const id = await post(server);
    const { id: deliveryId } = await eventually('delivered', async () => {
        const one = await delivery(server, id);
        return one.attributes.state === 'delivered' && one;
    });
    const at = ['--server', server.url, '--key', server.api_key];
    const sent = await posthorn('resend', id, ...at);
    assert.deepEqual([sent.code, sent.stdout], [0, `delivery ${deliveryId} will be sent now; see \`posthorn why ${deliveryId}\`\n`]);
    await there.arrived(2);
    await eventually('it is told', async () => (await delivery(server, id)).attributes.attempt_count === 2);
    const again = await posthorn('resend', deliveryId, '--json', ...at);
    assert.equal(JSON.parse(again.stdout).data.id, deliveryId);
    await there.arrived(3);
    const wrong = await posthorn('resend', '1', ...at);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /404|not|no /);
});

test('8.9: posthorn resend sends all deliveries of an event, page after page, and heeds a 429', async (t) => {
    const sent = [];
    const page = (ids, next) => ({ jsonapi: { version: '1.1' }, data: ids.map((id) => ({ type: 'deliveries', id })), links: { next } });
    const all = Array.from({ length: 150 }, (_, i) => String(i + 1));
    let hasty = 1;
    const there = http.createServer((request, response) => {
        const give = (status, body, headers = {}) => response.writeHead(status, { 'Content-Type': 'application/vnd.api+json', ...headers }).end(JSON.stringify(body));
        if (request.method === 'POST' && sent.length === 120 && hasty-- > 0)
            give(429, { errors: [{ status: '429', title: 'Too fast' }] }, { 'Retry-After': '1' });
        else if (request.method === 'POST') {
            sent.push(request.url.split('/')[3]);
            give(200, { data: { type: 'deliveries', id: sent.at(-1) } });
        } else if (request.url.includes('after'))
            give(200, page(all.slice(100), null));
        else
            give(200, page(all.slice(0, 100), '/api/events/7/deliveries?page[size]=100&page[after]=100'));
    });
    await new Promise((resolve) => there.listen(0, '127.0.0.1', resolve));
    t.after(() => there.close());
    const at = ['--server', `http://127.0.0.1:${there.address().port}`, '--key', 'k'];
    const { code, stdout, stderr } = await posthorn('resend', '7', ...at);
    assert.equal(code, 0, stderr);
    assert.deepEqual(sent, all);
    assert.equal(stdout.trim().split('\n').length, 150);
    assert.equal((await posthorn('deliveries', 'list', '7', ...at)).stdout.trim().split('\n').length, 152);
});

test('resend: one that fails harms nothing: the old schedule goes on', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t, () => answer(500));
    await setUrl(server, hook.url);
    const id = await post(server);
    const tried = (count) => eventually(`tried ${count} times`, async () => {
        const one = await delivery(server, id);
        return one.attributes.attempt_count === count && !one.attributes.in_flight && one;
    });
    let left = (await tried(1)).attributes.next_attempt_in_ms;
    for (const count of [2, 3]) { // else the next step would be due after 30 s and 90 s
        const resent = await api(server, 'POST', `/api/deliveries/${(await delivery(server, id)).id}/resend`);
        assert.equal(resent.status, 200, resent.text);
        const { state, next_attempt_in_ms } = (await tried(count)).attributes;
        assert.equal(state, 'pending');
        assert.ok(next_attempt_in_ms <= left, `${next_attempt_in_ms} ms, where ${left} ms were left`);
        left = next_attempt_in_ms;
    }
});
