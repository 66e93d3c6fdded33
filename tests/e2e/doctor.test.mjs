// `posthorn doctor` against receivers as they are found: one connection at a time, signatures, certificates, other protocols.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { Webhook } from 'standardwebhooks';
import { answer, api, folder, posthorn, receiver, serve } from './harness.mjs';

const doctor = async (...args) => {
    const { code, stdout, stderr } = await posthorn('doctor', '--dev', '--json', ...args);
    return { code, stderr, steps: stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
};
const of = (found, step, result) => found.steps.filter((one) => one.step === step && one.result === result);

/** As gunicorn with its one sync worker: it reads from the next connection when the last one is closed, and closes after each answer. */
async function oneAtATime(t) {
    const waiting = [], state = { connections: 0, requests: 0 };
    let busy = false;
    const next = () => {
        const socket = waiting.shift();
        busy = Boolean(socket);
        if (!socket) return;
        socket.on('close', next);
        socket.on('end', () => socket.end()); /* nothing was sent: the worker goes on */
        let text = '';
        socket.on('data', (data) => {
            text += data.toString('latin1');
            const head = text.indexOf('\r\n\r\n');
            const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
            if (head < 0 || text.length < head + 4 + length) return;
            state.requests++;
            socket.end(answer(200, '{}', 'Connection: close\r\n'));
        });
        socket.resume();
    };
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
        state.connections++;
        socket.on('error', () => {});
        waiting.push(socket);
        if (!busy) next();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return Object.assign(state, { url: `http://127.0.0.1:${server.address().port}/` });
}

test('8.30: doctor --ping has one connection at a time, for a server that serves one', async (t) => {
    const there = await oneAtATime(t);
    const found = await doctor('--ping', there.url);
    assert.equal(found.code, 0, JSON.stringify(found));
    assert.deepEqual([there.connections, there.requests], [2, 1]);
});

test('8.30: doctor --ping says which headers of a push are missing', async (t) => {
    const { url, requests } = await receiver(t);
    const bare = await doctor('--ping', url);
    assert.equal(bare.code, 0);
    const notes = of(bare, 'ping', 'note');
    assert.match(notes[0].detail, /without WEBHOOK-AUTH/);
    assert.match(notes[1].detail, /without webhook-id, webhook-timestamp and webhook-signature \(Standard Webhooks\)/);
    assert.match(notes[1].remedy, /--secret, or --server and --key/);
    const whole = await doctor('--ping', '--api-key', 'k', '--secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', url);
    assert.equal(of(whole, 'ping', 'note').length, 0);
    assert.ok(requests[1].header('webhook-signature'));
});

test("8.30: doctor --ping takes the key's own secret from the server", async (t) => {
    const server = await serve(t);
    const { url, requests } = await receiver(t);
    const asks = ['--ping', '--server', server.url, '--key', server.api_key, url];
    const found = await doctor(...asks);
    assert.equal(found.code, 0, JSON.stringify(found));
    assert.equal(of(found, 'ping', 'note').length, 0);
    const { json } = await api(server, 'POST', '/api/signing_secrets/default/reveal');
    const headers = Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, requests[0].header(name)]));
    new Webhook(json.data.attributes.secret).verify(requests[0].body.toString(), headers);
    assert.ok(requests[0].header('WEBHOOK-AUTH'));

    await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets' } });
    await api(server, 'DELETE', '/api/signing_secrets/default');
    assert.match(of(await doctor(...asks), 'ping', 'note')[0].remedy, /has been replaced, or there is no such endpoint: give --secret/);
});

test('doctor --ping signs as the endpoint on the server does: the default one, or another', async (t) => {
    const server = await serve(t);
    const { url, requests } = await receiver(t);
    const make = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url, signatures: ['github', 'rfc9421'] } } });
    await api(server, 'PATCH', `/api/endpoints/${server.user_id}`, { data: { type: 'endpoints', id: server.user_id, attributes: { signatures: ['stripe'] } } });
    const asks = ['--ping', '--server', server.url, '--key', server.api_key, url];
    const names = ['WEBHOOK-AUTH', 'webhook-signature', 'Stripe-Signature', 'X-Hub-Signature-256', 'Signature'];
    const signed = () => names.filter((name) => requests.at(-1).header(name));
    assert.equal((await doctor(...asks)).code, 0);
    assert.deepEqual(signed(), ['Stripe-Signature']);
    const other = await doctor(...asks, '--endpoint', make.json.data.id);
    assert.equal(other.code, 0, JSON.stringify(other));
    assert.deepEqual(signed(), ['X-Hub-Signature-256']);
    assert.match(of(other, 'ping', 'note')[0].detail, /without the signatures of Ed25519/);
    const { secret } = (await api(server, 'POST', `/api/endpoints/${make.json.data.id}/signing_secrets/default/reveal`)).json.data.attributes;
    assert.equal(requests.at(-1).header('X-Hub-Signature-256'), `sha256=${createHmac('sha256', secret).update(requests.at(-1).body).digest('hex')}`);
    assert.equal((await doctor(...asks, '--signatures', 'slack')).code, 0);
    assert.deepEqual(signed(), []);
    assert.equal((await doctor(...asks, '--endpoint', '4711')).code, 0); // as without a secret
});

/** A certificate of its own for localhost, with these extensions; trusted with --ca-file. */
function certificate(t, ...extensions) {
    const dir = folder(t);
    writeFileSync(join(dir, 'config'), ['[req]', 'distinguished_name=dn', 'x509_extensions=e', '[dn]', '[e]',
        'subjectAltName=DNS:localhost,IP:127.0.0.1', ...extensions, ''].join('\n'));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'cert', '-subj', '/CN=localhost',
        '-days', '30', '-config', 'config'], { cwd: dir, stdio: 'ignore' });
    return { file: join(dir, 'cert'), key: readFileSync(join(dir, 'key')), cert: readFileSync(join(dir, 'cert')) };
}

async function listening(t, server) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return server.address().port;
}

test('8.20: doctor: a certificate that is not for servers is called that', async (t) => {
    const own = certificate(t, 'basicConstraints=critical,CA:TRUE', 'extendedKeyUsage=clientAuth');
    const port = await listening(t, https.createServer(own));
    const found = await doctor('--ca-file', own.file, `https://localhost:${port}/`);
    const [failed] = of(found, 'tls', 'failed');
    assert.match(failed.detail, /is not for servers/);
    assert.match(failed.remedy, /extended key usage must have .*serverAuth/);
    assert.doesNotMatch(failed.remedy, /chain/);
});

test('8.31: doctor says in its TLS step what the sender would: by itself, expired, no TLS, an end', async (t) => {
    const own = certificate(t, 'basicConstraints=critical,CA:FALSE');
    const says = async (port, host = '127.0.0.1') => of(await doctor(`https://${host}:${port}/`), 'tls', 'failed')[0].detail;
    assert.match(await says(await listening(t, https.createServer(own))), /signed by itself, not by an authority: CN=localhost/);
    assert.match(await says(await listening(t, http.createServer())), /speaks HTTP without TLS: the URL must begin with http:\/\//);
    const ends = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end()));
    assert.match(await says(await listening(t, ends)), /closed the connection in the TLS handshake/);
    const mail = net.createServer((socket) => socket.on('error', () => {}).end('220 mail.example ESMTP \x1b[2J\r\n'));
    assert.match(await says(await listening(t, mail)), /a mail or FTP server answers at this port; it begins with "220 mail\.example ESMTP \\x1b/);
});

test('8.31: doctor --ping knows a port of TLS that says nothing to plain HTTP, and one that is only slow', async (t) => {
    const own = certificate(t, 'basicConstraints=critical,CA:FALSE');
    const secure = https.createServer(own);
    const silent = net.createServer((socket) => socket.on('error', () => {}).once('data', (data) => {
        if (data[0] !== 0x16) return; /* no ClientHello: it waits for one */
        socket.pause();
        socket.unshift(data);
        secure.emit('connection', socket);
    }));
    const slow = net.createServer((socket) => socket.on('error', () => {}).resume());
    const pings = await Promise.all([silent, slow].map(async (server) => doctor('--ping', `http://127.0.0.1:${await listening(t, server)}/`)));
    for (const found of pings) assert.match(of(found, 'ping', 'failed')[0].detail, /time limit of 15 s/);
    assert.match(of(pings[0], 'tls', 'failed')[0].detail, /^this port speaks TLS: the URL must begin with https:\/\/$/);
    assert.equal(of(pings[1], 'tls', 'failed').length, 0);
});

test('8.20: doctor: a server that speaks HTTP/2 only is called that', async (t) => {
    const own = certificate(t, 'basicConstraints=critical,CA:TRUE');
    const port = await listening(t, http2.createSecureServer({ ...own, allowHTTP1: false }));
    const found = await doctor('--ca-file', own.file, `https://localhost:${port}/`);
    assert.match(JSON.stringify(found.steps), /speaks HTTP\/2 only, and webhooks are sent in HTTP\/1\.1/);
    const plain = await listening(t, http2.createServer());
    assert.match(JSON.stringify((await doctor('--ping', `http://127.0.0.1:${plain}/`)).steps), /speaks HTTP\/2 only/);
});
