// No route out: the fault is ours. One probe for all, one line of history for a stretch of it; then everything goes.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, serve, setUrl } from '../e2e/harness.mjs';
import { enter, sh } from './room.mjs';

const outside = await enter();
const EVENTS = 200, PROBES = 300, ADDRESS = '203.0.113.9', LONG_MS = 90_000;

const number = async (server, name) => Number((await (await fetch(`${server.url}/metrics`)).text())
    .match(new RegExp(`^posthorn_${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm'))[1]);

test('8.6: without a route there is one probe for all and one line a delivery, and none is lost', outside, async (t) => {
    /* Once as fast: a probe every 25 ms. */
    const server = await serve(t, { args: ['--rate-limit', '0', '--time-scale', '200', '--allow-target', `${ADDRESS}/32`] });
    const port = 8899;
    await setUrl(server, `http://${ADDRESS}:${port}/`);
    const made = await fetch(`${server.url}/api/events`, {
        method: 'POST', body: Array(EVENTS).fill(JSON.stringify(eventBody())).join('\n'),
        headers: { Authorization: server.api_key, 'Content-Type': 'application/x-ndjson' },
    });
    const ids = (await made.text()).trim().split('\n').map((line) => JSON.parse(line).data.id);
    assert.equal(ids.length, EVENTS);
    await eventually('it was tried often', async () => (await number(server, 'released_total')) >= PROBES, LONG_MS);
    const shown = async (id) => (await api(server, 'GET', `/api/deliveries/${(await delivery(server, id)).id}`)).json.data.attributes;
    for (const id of ids) {
        const { attempts, attempt_count, state } = await shown(id);
        assert.ok(attempts.length <= 1, `${attempts.length} lines for one stretch`);
        assert.ok(attempts.every(({ reason, counted }) => reason === 'local_outage' && !counted));
        assert.deepEqual([attempt_count, state], [0, 'pending']);
    }
    sh(`ip addr add ${ADDRESS}/32 dev lo`);
    const receiver = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => data.includes('\r\n\r\n') && socket.write(answer(200)));
    });
    await new Promise((resolve) => receiver.listen(port, ADDRESS, resolve));
    t.after(() => receiver.close());
    await eventually('all go on', async () => (await number(server, 'deliveries{state="delivered"}')) === EVENTS, LONG_MS);
});
