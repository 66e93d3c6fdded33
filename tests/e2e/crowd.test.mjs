// 8.25: one client with many connections keeps nobody else out, and stops no delivery.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { POSTHORN, api, delivery, eventually, folder, initialize, post, receiver, setUrl } from './harness.mjs';

const CROWD = 410;

/** A command of ours that may have so many descriptors. */
async function limited(t, descriptors, args, pattern) {
    const child = spawn('prlimit', [`--nofile=${descriptors}:${descriptors}`, POSTHORN, ...args],
        { stdio: ['ignore', 'pipe', 'pipe'] });
    const program = { output: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (program.output += data));
    t.after(() => child.kill('SIGKILL'));
    const [, url] = await eventually('the ready line', () => program.output.match(pattern));
    return Object.assign(program, { url });
}

/** So many connections of one client: with nothing sent, a byte, a head without its end, a body without its end. */
async function crowd(t, url, count, localAddress) {
    const { hostname: host, port } = new URL(url);
    const said = ['', 'G', 'GET / HTTP/1.1\r\nHost: x\r\n', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1'];
    const sockets = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    await Promise.all(Array.from({ length: count }, (_, i) => new Promise((resolve) => {
        const socket = net.connect({ host, port: Number(port), localAddress }, () => {
            if (said[i % 4]) socket.write(said[i % 4]);
            resolve();
        });
        socket.on('error', resolve);
        sockets.push(socket);
    })));
}

/** Twenty at once, each on a connection of its own; each is answered. */
const newcomers = (url, localAddress, line, answer) => Promise.all(Array.from({ length: 20 }, () => new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(url);
    const socket = net.connect({ host, port: Number(port), localAddress }, () =>
        socket.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`));
    let text = '';
    socket.on('data', (part) => (text += part));
    socket.on('error', reject);
    socket.on('close', () => (answer.test(text) ? resolve() : reject(new Error(`kept out: ${text}`))));
})));

test('8.25: 256 descriptors, and clients that want them all: deliveries go on, and newcomers are served', async (t) => {
    const { data, user_id, api_key } = await initialize(t);
    const server = await limited(t, 256, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev', '--rate-limit', '0'],
        /ready: (http\S+)/);
    Object.assign(server, { user_id, api_key });
    assert.match(server.output, /connections-max 10000 and slots \d+ need \d+ file descriptors, but the limit is 256/);
    const there = await receiver(t);
    await setUrl(server, there.url);
    await crowd(t, server.url, CROWD, '127.0.0.2');
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push(await post(server)); // each is a newcomer, or one that waits between requests
    await newcomers(server.url, '127.0.0.2', 'GET /health', /^HTTP\/1.1 200/);
    await there.arrived(20);
    for (const id of ids) {
        const attributes = await eventually('delivered', async () => {
            const { attributes: now } = await delivery(server, id);
            return now.state === 'delivered' && now;
        });
        assert.equal(attributes.attempt_count, 1);
    }
    assert.doesNotMatch(server.output, /cannot accept/);
});

test('8.25: connections-max, and one client that has them all: newcomers win', async (t) => {
    const { data, user_id, api_key } = await initialize(t);
    const server = await limited(t, 4096, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev', '--connections-max', '400'],
        /ready: (http\S+)/);
    await crowd(t, server.url, CROWD);
    const answers = await Promise.all(Array.from({ length: 20 }, () =>
        api({ ...server, user_id, api_key }, 'GET', '/health', undefined, { key: null, headers: { Connection: 'close' } })));
    assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
});

test('8.25: posthorn receive, the same', async (t) => {
    const there = await limited(t, 256, ['receive', '--listen', '127.0.0.1:0', '--dir', join(folder(t), 'events'),
        '--api-key', 'a-key-of-some-length'], /(http:\/\/127\.0\.0\.1:\d+)/);
    await crowd(t, there.url, CROWD, '127.0.0.2');
    await newcomers(there.url, '127.0.0.3', 'POST /', /^HTTP\/1.1 401/);
});
