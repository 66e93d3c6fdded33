// No route out: the fault is ours. One probe for all, one line of history for a stretch of it; then everything goes.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, post, receiver, serve, setUrl } from '../e2e/harness.mjs';
import { nameServer } from './names.mjs';
import { enter, sh } from './room.mjs';

const outside = await enter();
const EVENTS = 200, PROBES = 300, SOURCE = '198.51.100.7', PORT = 8899, LONG_MS = 90_000;

const number = async (server, name) => Number((await (await fetch(`${server.url}/metrics`)).text())
    .match(new RegExp(`^posthorn_${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm'))[1]);

/* How there is no way to `address`, and what ends it. */
const forms = {
    'without a route': { begin: () => {}, end: () => {} },
    'with a route that is unreachable': {
        begin: (address) => sh(`ip route add unreachable ${address}`), end: (address) => sh(`ip route del ${address}`),
    },
    'with a route that is prohibited': {
        begin: (address) => sh(`ip route add prohibit ${address}`), end: (address) => sh(`ip route del ${address}`),
    },
    'with a source address that is gone': {
        args: ['--source-address', SOURCE],
        before: () => sh(`ip addr add ${SOURCE}/32 dev lo`),
        begin: () => sh(`ip addr del ${SOURCE}/32 dev lo`), end: () => sh(`ip addr add ${SOURCE}/32 dev lo`),
    },
};

for (const [index, [name, form]] of Object.entries(forms).entries())
    test(`8.6: ${name} there is one probe for all and one line a delivery, and none is lost`, outside, async (t) => {
        const address = `203.0.113.${9 + index}`;
        form.before?.();
        /* Once as fast: a probe every 25 ms. */
        const server = await serve(t, { args: ['--rate-limit', '0', '--time-scale', '200', '--allow-target', `${address}/32`, ...(form.args ?? [])] });
        form.begin(address);
        await setUrl(server, `http://${address}:${PORT}/`);
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
        assert.match(server.stderr, /warn delivery: endpoint is held up by a fault of posthorn's own machine: user=5 endpoint=5 reason=local_outage/);
        form.end(address);
        sh(`ip addr add ${address}/32 dev lo`);
        const there = net.createServer((socket) => {
            socket.on('error', () => {});
            socket.on('data', (data) => data.includes('\r\n\r\n') && socket.write(answer(200)));
        });
        await new Promise((resolve) => there.listen(PORT, address, resolve));
        t.after(() => there.close());
        await eventually('all go on', async () => (await number(server, 'deliveries{state="delivered"}')) === EVENTS, LONG_MS);
    });

for (const mute of [false, true])
    test(`8.3: resolv.conf is read again while ${mute ? 'its server is silent' : 'nobody serves where it says'}`, outside, async (t) => {
        sh('mkdir -p /mnt/etc && cp -a /etc/. /mnt/etc/ && mount --bind /mnt/etc /etc && rm -f /etc/resolv.conf');
        t.after(() => sh('umount /etc'));
        writeFileSync('/etc/resolv.conf', 'nameserver 127.0.0.77\n');
        if (mute) {
            const silent = dgram.createSocket('udp4');
            await new Promise((resolve) => silent.bind(53, '127.0.0.77', resolve));
            t.after(() => silent.close());
        }
        await nameServer(t, { 'hook.example.com': ['127.0.0.1'] });
        const server = await serve(t, { args: ['--time-scale', '200'] });
        const there = await receiver(t);
        await setUrl(server, `http://hook.example.com:${there.port}/`);
        const event = await post(server);
        await eventually('no resolver', async () => (await number(server, 'released_total')) >= 1, LONG_MS);
        writeFileSync('/etc/resolv.conf', 'nameserver 127.0.0.1\n');
        await there.arrived(1, LONG_MS);
        assert.equal(there.requests[0].id, event);
    });
