// rows: 4, 10, 15, 28
//
// The promise of a 201: the program ends at the worst moment, and everything accepted arrives all the same, under its
// one id and with its one body.
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, initialize, post, receiver, serve, setUrl, sleep } from '../e2e/harness.mjs';

test('row 4: kill -9 right after the 201: after the restart the event arrives', async (t) => {
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

test('row 10: 100,000 events over 20 restarts and a restored backup: no id is ever given twice', async (t) => {
    const BATCH = 1000, ROUNDS = 20, EVENTS = 100_000;
    const install = await initialize(t);
    const backup = `${install.data}.backup`;
    t.after(() => rmSync(backup, { recursive: true, force: true }));
    const line = JSON.stringify(eventBody({ attributes: {} }));
    const lines = `${line}\n`.repeat(BATCH);
    const ids = new Set();
    let last = 0n;
    for (let round = 0; round < ROUNDS; round++) {
        const server = await serve(t, { install, args: ['--rate-limit', '0'] });
        for (let i = 0; i < EVENTS / ROUNDS / BATCH; i++) {
            const made = await fetch(`${server.url}/api/events`, {
                method: 'POST', body: lines,
                headers: { Authorization: server.api_key, 'Content-Type': 'application/x-ndjson' },
            });
            assert.equal(made.status, 201);
            for (const text of (await made.text()).trim().split('\n')) {
                const { id } = JSON.parse(text).data;
                assert.match(id, /^[1-9]\d*$/, 'a decimal string');
                ids.add(id);
                if (BigInt(id) > last) last = BigInt(id);
            }
        }
        /* The folder of round 5 comes back after round 15: the ids of rounds 6 to 15 are unknown to it. */
        await server.end(round % 2 ? 'SIGKILL' : 'SIGTERM');
        if (round === 5) cpSync(install.data, backup, { recursive: true });
        if (round === 15) {
            rmSync(install.data, { recursive: true });
            cpSync(backup, install.data, { recursive: true });
        }
        assert.equal(ids.size, (round + 1) * EVENTS / ROUNDS, `after round ${round}`);
    }
    assert.equal(ids.size, EVENTS);
});

test('row 10: the same id on every retry and every resend', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '200'] });
    const there = await receiver(t, (push, number) => answer(number <= 2 ? 500 : 200));
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(3);
    const delivered = () => eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    await delivered();
    await api(server, 'POST', `/api/deliveries/${(await delivery(server, id)).id}/resend`);
    await there.arrived(4);
    for (const push of there.requests) assert.equal(push.id, id);
});

test('row 15: sent_at: null until then, durable before attempt 1, never changed: three 500s with a restart between', async (t) => {
    const install = await initialize(t);
    const args = ['--time-scale', '100'];
    let server = await serve(t, { install, args });
    const shown = [];
    const there = await receiver(t, async (push, number) => {
        if (number === 1) shown.push((await api(server, 'GET', `/api/events/${push.id}`)).json.data.attributes.sent_at);
        return answer(number <= 3 ? 500 : 200);
    });
    const unsent = await post(server);
    assert.equal((await api(server, 'GET', `/api/events/${unsent}`)).json.data.attributes.sent_at, null);
    await setUrl(server, there.url);
    const id = await post(server);
    await there.arrived(2);
    await server.end('SIGKILL');
    server = await serve(t, { install, args });
    await there.arrived(4);
    await eventually('delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
    const pushes = there.of(id);
    assert.ok(pushes.length >= 4);
    assert.equal(new Set(pushes.map((push) => push.body.toString('hex'))).size, 1, 'identical bodies');
    const { sent_at } = pushes[0].json.data.attributes;
    assert.deepEqual(shown, [sent_at], 'on record before the first attempt was answered');
    assert.equal((await api(server, 'GET', `/api/events/${id}`)).json.data.attributes.sent_at, sent_at);
});

test('row 28: a hundred kills at random moments: everything accepted arrives', { timeout: 300_000 }, async (t) => {
    const KILLS = 100;
    const install = await initialize(t);
    const there = await receiver(t);
    const accepted = [];
    let server = await serve(t, { install, args: ['--rate-limit', '0'] });
    await setUrl(server, there.url);
    for (let kills = 0; kills < KILLS; kills++) {
        const producers = Array.from({ length: 4 }, async () => {
            for (;;) {
                try {
                    accepted.push(await post(server));
                } catch {
                    return; /* not accepted: nothing was promised */
                }
            }
        });
        await sleep(Math.random() * 60);
        await server.end('SIGKILL');
        await Promise.all(producers);
        server = await serve(t, { install, args: ['--rate-limit', '0', '--time-scale', '100'] });
    }
    assert.ok(accepted.length >= KILLS, 'the producers got something in');
    await eventually('everything accepted', () => {
        const seen = new Set(there.requests.map(({ id }) => id));
        return accepted.every((id) => seen.has(id));
    }, 120_000);
    assert.equal(new Set(accepted).size, accepted.length, 'no id was given twice');
});
