// Issue 8.21, the receiver's side: `posthorn receive` holds bodies and parsed events within a budget.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { api, eventBody, eventually, folder, launch, ready, serve } from './harness.mjs';

const MIB = 1 << 20;
const resident = (program) => Number(readFileSync(`/proc/${program.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;

async function receive(t, ...args) {
    const program = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', join(folder(t), 'd'), '--memory-max', '16', ...args]);
    return Object.assign(program, { url: await ready(program, /receiving on (http\S+)/) });
}

const event = (id, included) => JSON.stringify({ data: { id: String(id), type: 'events', attributes: { event_type: 'ping', created_at: '2000-01-01T00:00:00.000Z' },
    relationships: { resource: { data: { type: 'pings', id: '1' } } } }, included });
const push = (there, body) => fetch(there.url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    .then((response) => response.status, () => 0);

test('8.21: bodies that are not whole yet take no more memory than the budget; the slowest get 503, and a newcomer is served', async (t) => {
    const there = await receive(t);
    const before = resident(there);
    const port = Number(new URL(there.url).port);
    const body = Buffer.alloc(MIB - 1, ' ');
    const answers = [];
    const sockets = Array.from({ length: 60 }, () => {
        const socket = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
        socket.on('error', () => {}).on('data', (data) => answers.push(data.toString('latin1').split(' ')[1]));
        socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n`);
        socket.write(body);
        return socket;
    });
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    await eventually('those for whom there is no room are refused', () => answers.filter((status) => status === '503').length >= 40);
    assert.ok(resident(there) - before < 24 * MIB, `${(resident(there) - before) / MIB} MiB`);
    assert.equal(await push(there, event(8, [{ type: 'pings', id: '1', attributes: { text: 'x'.repeat(900_000) } }])), 200);
    sockets.forEach((socket) => socket.destroy());
    await eventually('there is room again, and the memory is given back', async () =>
        (await push(there, event(7, []))) === 200 && resident(there) - before < 8 * MIB);
});

test('8.21: many large events at once, handled or stored: a few at a time, and none is lost that comes again', async (t) => {
    const handlers = join(folder(t), 'h');
    mkdirSync(handlers);
    writeFileSync(join(handlers, 'default'), '#!/bin/sh\ncat >/dev/null; sleep 0.2\n');
    chmodSync(join(handlers, 'default'), 0o755);
    for (const args of [[], ['--handlers', handlers]]) {
        const there = await receive(t, ...args);
        const before = resident(there);
        let peak = 0;
        const watch = setInterval(() => { try { peak = Math.max(peak, resident(there)); } catch { /* it ended */ } }, 5);
        t.after(() => clearInterval(watch));
        const bodies = Array.from({ length: 24 }, (_, i) => event(i + 1, [{ type: 'pings', id: '1', attributes: { list: Array(5000).fill(0), text: 'x'.repeat(900_000) } }]));
        await Promise.all(bodies.map((body) => eventually('it is taken in the end', async () => (await push(there, body)) === 200, 60_000)));
        assert.ok(peak - before < 28 * MIB, `${(peak - before) / MIB} MiB with ${args.join(' ')}`);
        clearInterval(watch);
        await eventually('the memory is given back', () => resident(there) - before < 16 * MIB);
    }
});

test('8.21: the API ends the slowest bodies when there is no room, and takes those of newcomers', async (t) => {
    const server = await serve(t, { args: ['--memory-max', '16MiB'] });
    const before = resident(server);
    const port = Number(new URL(server.url).port);
    const text = JSON.stringify(eventBody({ attributes: { text: 'x'.repeat(1_000_000) } }));
    const answers = [];
    const sockets = Array.from({ length: 120 }, () => {
        const socket = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
        socket.on('error', () => {}).on('data', (data) => answers.push(data.toString('latin1')));
        socket.write(`POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.api_key}\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`);
        socket.write(text.slice(0, -1));
        return socket;
    });
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    await eventually('those for whom there is no room are refused', () => answers.filter((one) => / 503 .*Retry-After: 1/s.test(one)).length >= 100);
    await eventually('what was freed is given back', () => resident(server) - before < 32 * MIB);
    assert.equal((await api(server, 'POST', '/api/events', text)).status, 201);
    sockets.forEach((socket) => socket.destroy());
    assert.equal((await api(server, 'POST', '/api/events', text)).status, 201);
    await eventually('the memory is given back', () => resident(server) - before < 24 * MIB);
});
