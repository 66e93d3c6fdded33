// 8.21: bodies on their way out are bounded by memory-max, and their memory goes back to the system.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { api, eventually, makeUser, post, serve, setUrl } from './harness.mjs';

const EVENTS = 160, MIB = 1 << 20;

const residentMib = (server) =>
    Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/** Takes every body, and answers when it is let go: counts what is under way. */
async function holder(t) {
    const there = { taken: 0, answered: 0, waiting: [], free: false };
    const server = http.createServer((request, response) => {
        request.resume();
        request.on('end', () => {
            there.taken++;
            const end = () => {
                there.answered++;
                response.end('{"status":"success"}');
            };
            if (there.free) end();
            else there.waiting.push(end);
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    there.release = () => {
        there.free = true;
        for (const end of there.waiting.splice(0)) end();
    };
    there.url = `http://127.0.0.1:${server.address().port}/`;
    return there;
}

test('8.21: large events to a receiver that holds them stay within the budget, delay nobody, and the memory comes back', async (t) => {
    const server = await serve(t, { args: ['--memory-max', '32MiB'] });
    const slow = await holder(t), quick = await holder(t);
    quick.release();
    slow.release();
    const user = await makeUser(server);
    await setUrl(server, slow.url);
    await setUrl(server, quick.url, { id: user.user_id, key: user.api_key });
    await post(server);
    await eventually('the slow endpoint is known to be well', () => slow.answered === 1);
    slow.free = false;
    const before = residentMib(server);
    const attributes = { text: 'x'.repeat(MIB - 2000) };
    for (let i = 0; i < EVENTS; i++) await post(server, { attributes });
    await eventually('the first ones are under way', () => slow.taken > 1);
    const most = residentMib(server);
    assert.ok(most - before < 100, `${before} MiB grew to ${most} MiB`);
    assert.ok(slow.taken <= 9, `${slow.taken} under way`);

    await post(server, { user: user.user_id });
    await eventually('the other endpoint gets its event', () => quick.answered === 1);
    assert.equal(slow.answered, 1);

    slow.release();
    await eventually('all have arrived', () => slow.answered === EVENTS + 1, 120_000);
    await eventually(`the memory comes back: ${before} MiB before`, () => residentMib(server) < before + 40);
});

test('8.21: what bodies took goes back to the system within seconds', async (t) => {
    const server = await serve(t, { args: ['--memory-max', '512MiB'] });
    const slow = await holder(t);
    slow.release();
    await setUrl(server, slow.url);
    await post(server);
    await eventually('the endpoint is known to be well', () => slow.answered === 1);
    slow.free = false;
    const before = residentMib(server);
    const attributes = { text: 'x'.repeat(MIB - 2000) };
    for (let i = 0; i < EVENTS; i++) await post(server, { attributes });
    await eventually('many are under way', () => slow.taken > 50);
    slow.release();
    await eventually('all have arrived', () => slow.answered === EVENTS + 1, 120_000);
    await eventually(`the memory comes back: ${before} MiB before`, () => residentMib(server) < before + 70);
});

test('8.21, 8.25: clients that ask for long lists and never read them hold no more than the budget, and keep nobody out', async (t) => {
    const server = await serve(t, { args: ['--memory-max', '32MiB', '--rate-limit', '0'] });
    for (let i = 0; i < 8; i++) await post(server, { attributes: { text: 'x'.repeat(MIB - 2000) } });
    const list = '/api/events?page[size]=8';
    const before = residentMib(server);
    const port = Number(new URL(server.url).port);
    let ended = 0;
    const sockets = Array.from({ length: 60 }, () => {
        const socket = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
        socket.pause().on('error', () => {}).on('close', () => ended++);
        socket.write(`GET ${encodeURI(list)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.api_key}\r\n\r\n`);
        return socket;
    });
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    await eventually('those that hold most have given way', async () =>
        Number((await api(server, 'GET', '/metrics')).text.match(/answers_total\{class="2xx"\} (\d+)/)[1]) >= 60 + 8);
    assert.ok(residentMib(server) - before < 150, `${before} MiB grew to ${residentMib(server)} MiB`);
    for (let i = 0; i < 3; i++) assert.equal((await api(server, 'GET', list)).json.data.length, 8);
});
