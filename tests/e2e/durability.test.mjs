// Start and end of the program. The promise of a 201 when it ends at the worst moment: tests/mission/durable.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, delivery, eventBody, initialize, launch, post, receiver, run, POSTHORN, serve, setUrl, sleep } from './harness.mjs';

test('a second server on the same data refuses to start with exit code 3', async (t) => {
    const server = await serve(t);
    const second = launch(t, ['serve', '--data', server.data, '--listen', '127.0.0.1:0', '--dev']);
    const { code } = await second.ended;
    assert.equal(code, 3, second.output);
    assert.ok(server.running);
    await post(server);
});

test('SIGTERM lets what is under way end, and records it', async (t) => {
    const install = await initialize(t);
    const there = await receiver(t, async () => {
        await sleep(700);
        return answer(200);
    });
    let server = await serve(t, { install });
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(1);
    assert.deepEqual(await server.end('SIGTERM'), { code: 0, signal: null });
    server = await serve(t, { install });
    assert.equal((await delivery(server, id)).attributes.state, 'delivered');
    await sleep(300);
    assert.equal(there.of(id).length, 1, 'not sent again');
});

test('a second SIGTERM ends it at once', async (t) => {
    const there = await receiver(t, () => new Promise(() => {}));
    const server = await serve(t);
    await setUrl(server, there.url);
    await post(server);
    await there.arrived(1);
    server.signal('SIGTERM');
    await sleep(300);
    assert.ok(server.running, 'the first one waits for the attempt');
    const begun = Date.now();
    await server.end('SIGTERM');
    assert.ok(Date.now() - begun < 10_000);
});

test('init twice does not make a second first user', async (t) => {
    const { data } = await initialize(t);
    const again = await run(POSTHORN, ['init', '--data', data, '--json']);
    assert.notEqual(again.code, 0);
    assert.ok(!/api_key"\s*:\s*"[^"]/.test(again.stdout), 'no other key is shown');
});

test('the body of a POST may be as the guide prints: a trailing comma', async (t) => {
    const server = await serve(t);
    const body = JSON.stringify(eventBody()).replace(/\}$/, ',}');
    const made = await fetch(`${server.url}/api/events`, {
        method: 'POST', body, headers: { Authorization: server.api_key, 'Content-Type': 'application/json' } });
    assert.equal(made.status, 201);
});
