// The record agrees with the receiver: every send is an attempt, with its connection.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nameServer } from '../faults/names.mjs';
import { answer, api, delivery, eventually, post, posthorn, receiver, serve, setUrl, sleep } from './harness.mjs';

const FAST = ['--time-scale', '200']; /* backoff of 50, 150, 450 ms */

async function attemptsOf(server, eventId) {
    const { id } = await eventually('delivered', async () => {
        const one = await delivery(server, eventId);
        return one.attributes.state === 'delivered' && one;
    });
    return (await api(server, 'GET', `/api/deliveries/${id}`)).json.data.attributes.attempts;
}

test('8.29: a connection that is closed under a request: each send is an attempt on record', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await receiver(t, (request, number) => (number % 2 === 0 ? null : answer(200)));
    await setUrl(server, there.url);
    await attemptsOf(server, await post(server));
    for (let i = 0; i < 5; i++) {
        const event = await post(server);
        const attempts = await attemptsOf(server, event);
        assert.equal(there.of(event).length, attempts.length, 'sent as often as recorded');
        assert.equal(attempts.length, 2);
        assert.deepEqual(there.of(event)[1].body, there.of(event)[0].body);
        const [cut, last] = attempts;
        assert.ok(cut.reused_connection);
        /* on a machine that has no time it may come too late to have been under way */
        assert.ok(['idle_closed', 'closed_early', 'reset'].includes(cut.reason), cut.reason);
        assert.equal(cut.counted, cut.reason !== 'idle_closed');
        assert.ok(!last.reused_connection, 'a failed connection is not used for the retry');
        assert.equal(last.attempt, cut.counted ? 2 : 1);
        assert.equal(last.status, 200);
    }
});

test('8.29: a send that is under way when it is cancelled, first or resent, is on record, and why says so', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    let let_go = () => {};
    const there = await receiver(t, () => new Promise((resolve) => (let_go = () => resolve(answer(200)))));
    await setUrl(server, there.url);
    const event = await post(server);
    const { id } = await delivery(server, event);
    const now = async () => (await api(server, 'GET', `/api/deliveries/${id}`)).json.data.attributes;
    const told = async () => (await posthorn('why', event, '--server', server.url, '--key', server.api_key)).stdout;
    const overtaken = async (sends) => {
        await there.arrived(sends);
        assert.equal((await api(server, 'POST', `/api/deliveries/${id}/cancel`)).status, 200);
        let_go();
        return eventually('it is on record', async () => {
            const one = await now();
            return one.attempts.length === sends && one;
        });
    };
    const first = await overtaken(1);
    assert.deepEqual([first.state, first.attempt_count], ['cancelled', 0]);
    assert.deepEqual([first.attempts[0].status, first.attempts[0].counted], [200, false]);
    assert.match(await told(), /^Cancelled while it was being sent, .*under way when it was cancelled: your server said 200\./m);

    await api(server, 'POST', `/api/deliveries/${id}/resend`);
    await there.arrived(2);
    let_go();
    await eventually('delivered', async () => (await now()).state === 'delivered');
    await api(server, 'POST', `/api/deliveries/${id}/resend`);
    const last = await overtaken(3);
    assert.deepEqual([last.state, last.attempt_count], ['delivered', 1]);
    assert.match(await told(), /^Delivered .*under way when it was cancelled: your server said 200\./m);
    assert.equal(there.of(event).length, last.attempts.length);
});

test('8.29: a handler that saves and then goes down: closed_early, and the schedule', async (t) => {
    const server = await serve(t, { args: FAST });
    const there = await receiver(t, async (request, number) => {
        if (number !== 2) return answer(200);
        await sleep(300);
        setImmediate(there.close); /* as a process that ends: all connections, and nobody listens any more */
        return null;
    });
    await setUrl(server, there.url);
    await attemptsOf(server, await post(server));
    const event = await post(server);
    const first = await eventually('an attempt on record', async () => {
        const { id } = await delivery(server, event);
        return (await api(server, 'GET', `/api/deliveries/${id}`)).json.data.attributes.attempts[0];
    });
    assert.ok(['closed_early', 'reset'].includes(first.reason), first.reason);
    assert.ok(first.counted && first.reused_connection);
    assert.equal(there.of(event).length, 1);
});

test('8.4: an address that moves is seen, however busy the connection is, and a retry finds the new one at once', async (t) => {
    const old = await receiver(t);
    const moved = await receiver(t, () => answer(200), { host: '127.0.0.2', port: old.port });
    let where = '127.0.0.1';
    const names = await nameServer(t, { 'moved.example.net': (type) => (type === 'A' ? [where] : []) }, { port: 0 });
    const server = await serve(t, { args: [...FAST, '--connection-age', '1s', '--dns-servers', names.address] });
    await setUrl(server, `http://moved.example.net:${old.port}/`);
    await attemptsOf(server, await post(server));
    await attemptsOf(server, await post(server));
    where = '127.0.0.2';
    /* one event right after the other: the connection is never idle for long */
    await eventually('an event at the new address', async () => {
        await attemptsOf(server, await post(server));
        return moved.requests.length > 0;
    });
    assert.ok(old.requests.length > 1, 'the first two went to the old one');
});

test('8.4: a connection on which an attempt failed is not used for the retry', async (t) => {
    const old = await receiver(t, (request, number) => answer(number < 3 ? 200 : 503));
    const moved = await receiver(t, () => answer(200), { host: '127.0.0.2', port: old.port });
    let where = '127.0.0.1';
    const names = await nameServer(t, { 'moved.example.net': (type) => (type === 'A' ? [where] : []) }, { port: 0 });
    const server = await serve(t, { args: [...FAST, '--dns-servers', names.address] });
    await setUrl(server, `http://moved.example.net:${old.port}/`);
    await attemptsOf(server, await post(server));
    await attemptsOf(server, await post(server));
    where = '127.0.0.2';
    const attempts = await attemptsOf(server, await post(server));
    assert.deepEqual(attempts.map((one) => one.address), [`127.0.0.1:${old.port}`, `127.0.0.2:${old.port}`]);
    assert.equal(moved.requests.length, 1);
});
