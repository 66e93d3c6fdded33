// What a 201 is worth: the program ends at the worst moment, and everything accepted arrives all the same.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, delivery, eventBody, eventually, initialize, launch, post, receiver, run, POSTHORN, serve, setUrl, sleep } from './harness.mjs';

const KILLS = Number(process.env.E2E_KILLS ?? 8);

test('kill -9 right after the 201: after the restart the event arrives', async (t) => {
    const install = await initialize(t);
    let server = await serve(t, { install });
    /* Not there yet, so that the event can only arrive after the restart. */
    const early = await receiver(t);
    await early.close();
    await setUrl(server, early.url);
    const id = await post(server);
    await server.end('SIGKILL');
    const there = await receiver(t, () => answer(200), { port: early.port });
    server = await serve(t, { install, args: ['--time-scale', '100'] });
    await eventually('the event', () => there.of(id).length >= 1, 60_000);
});

test(`${KILLS} kills at random moments: everything accepted arrives, and little of it twice`, async (t) => {
    const install = await initialize(t);
    const there = await receiver(t);
    const accepted = [];
    let kills = 0;
    let server = await serve(t, { install });
    await setUrl(server, there.url);
    while (kills < KILLS) {
        let alive = true;
        const producers = Array.from({ length: 4 }, async () => {
            while (alive) {
                try {
                    accepted.push(await post(server));
                } catch {
                    return; /* not accepted: nothing was promised */
                }
            }
        });
        await sleep(Math.random() * 400);
        alive = false;
        await server.end('SIGKILL');
        await Promise.all(producers);
        kills++;
        server = await serve(t, { install });
    }
    assert.ok(accepted.length > 0, 'the producers got something in');
    const arrived = () => new Set(there.requests.map(({ id }) => id));
    await eventually('everything accepted', () => {
        const seen = arrived();
        return accepted.every((id) => seen.has(id));
    }, 120_000);
    assert.equal(new Set(accepted).size, accepted.length, 'no id was given twice');
});

test('three 500s with a restart between: four identical bodies', async (t) => {
    const install = await initialize(t);
    const args = ['--time-scale', '100'];
    const there = await receiver(t, (push, number) => answer(number <= 3 ? 500 : 200));
    let server = await serve(t, { install, args });
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(2);
    await server.end('SIGTERM');
    server = await serve(t, { install, args });
    await there.arrived(4);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    const bodies = there.of(id).map((push) => push.body.toString('hex'));
    assert.equal(bodies.length, 4);
    assert.equal(new Set(bodies).size, 1);
    assert.equal(new Set(there.requests.map((push) => push.json.data.attributes.sent_at)).size, 1);
});

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
