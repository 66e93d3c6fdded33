// SIGHUP: certificates, authorities and log-level are read again, and no connection is cut off.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import tls from 'node:tls';
import { api, delivery, eventually, folder, initialize, launch, post, ready, serve, setUrl } from './harness.mjs';

/** An authority and certificates of it: `make(name)` writes NAME.pem and NAME.key. */
function authority(dir, ca) {
    const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-subj', `/CN=${ca}`, '-days', '30');
    writeFileSync(join(dir, 'san'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    return {
        pem: readFileSync(join(dir, `${ca}.pem`)),
        file: join(dir, `${ca}.pem`),
        make(name) {
            openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
            openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-set_serial', String(Math.ceil(Math.random() * 1e9)),
                '-extfile', 'san', '-days', '30', '-out', `${name}.pem`);
            return { cert: readFileSync(join(dir, `${name}.pem`)), key: readFileSync(join(dir, `${name}.key`)) };
        },
    };
}

/** The server's certificate as a new client sees it, which shows `own` if it has one: { subject, status }. */
function look(port, ca, own = {}) {
    return new Promise((resolve) => {
        const request = https.get({ host: '127.0.0.1', port, path: '/health', ca, agent: false, ...own }, (response) => {
            const subject = response.socket.getPeerCertificate().subject.CN;
            response.resume().on('end', () => resolve({ subject, status: response.statusCode }));
        });
        request.on('error', (error) => resolve({ error: error.code }));
    });
}

/** One connection, kept: each call is a request on it. */
async function keptAlive(t, port, ca) {
    const socket = tls.connect({ host: '127.0.0.1', port, ca });
    t.after(() => socket.destroy());
    let got = '', closed = false;
    socket.on('data', (data) => (got += data)).on('close', () => (closed = true)).on('error', () => {});
    await new Promise((resolve) => socket.on('secureConnect', resolve));
    return async () => {
        const before = got.length;
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
        await eventually('an answer on the kept connection', () => closed || got.slice(before).includes('"status"'));
        assert.equal(closed, false, 'the kept connection was cut off');
        return { subject: socket.getPeerCertificate().subject.CN, status: Number(got.slice(before).split(' ')[1]) };
    };
}

/** Sends SIGHUP and waits until that has been dealt with; the log lines that it made. */
async function reload(server) {
    const before = server.stderr.length;
    server.signal('SIGHUP');
    await eventually('the reload is done', () => /reload: done/.test(server.stderr.slice(before)));
    return server.stderr.slice(before);
}

/** A server over TLS whose settings are in a file: { dir, ca, put(settings), ... }. */
async function secured(t, more = {}) {
    const dir = folder(t);
    const ca = authority(dir, 'authority');
    const first = ca.make('first');
    const at = (name) => join(dir, name);
    copyFileSync(at('first.pem'), at('api.pem'));
    copyFileSync(at('first.key'), at('api.key'));
    const put = (settings) => writeFileSync(at('posthorn.conf'),
        Object.entries({ 'tls-cert': at('api.pem'), 'tls-key': at('api.key'), ...settings }).map(([name, value]) => `${name} = ${value}\n`).join(''));
    put(more);
    const install = await initialize(t);
    const server = await serve(t, { install, args: ['--config', at('posthorn.conf')] });
    return { dir, at, ca, first, put, server, port: new URL(server.url).port };
}

test('8.28: SIGHUP: new connections see the renewed certificate, a kept one goes on', async (t) => {
    const { at, ca, server, port } = await secured(t);
    const kept = await keptAlive(t, port, ca.pem);
    assert.deepEqual(await kept(), { subject: 'first', status: 200 });
    ca.make('second');
    renameSync(at('second.pem'), at('api.pem'));
    // A renewal in two steps: as long as the key is the old one, the former pair stays.
    const half = await reload(server);
    assert.match(half, /error listener: tls-key \S+api\.key: /);
    assert.match(half, /error reload: the former certificate/);
    assert.deepEqual(await look(port, ca.pem), { subject: 'first', status: 200 });
    renameSync(at('second.key'), at('api.key'));
    assert.match(await reload(server), /new connections get the certificate tls-cert=\S+api\.pem/);
    await eventually('the new certificate', async () => (await look(port, ca.pem)).subject === 'second');
    assert.deepEqual(await kept(), { subject: 'first', status: 200 }, 'the connection that stood');
    assert.equal((await look(port, ca.pem)).status, 200);
});

test('8.28: SIGHUP: what cannot be read or does not fit leaves the former in force', async (t) => {
    const { at, ca, put, server, port } = await secured(t);
    const still = async (subject = 'first') => assert.deepEqual(await look(port, ca.pem), { subject, status: 200 });
    rmSync(at('api.pem'));
    assert.match(await reload(server), /tls-cert \S+api\.pem: No such file/);
    await still();
    execFileSync('mkfifo', [at('api.pem')]);
    assert.match(await reload(server), /tls-cert \S+api\.pem: is not a regular file/);
    await still();
    rmSync(at('api.pem'));
    writeFileSync(at('api.pem'), 'half a certif');
    assert.match(await reload(server), /tls-cert \S+api\.pem: /);
    await still();
    copyFileSync(at('first.pem'), at('api.pem'));
    put({ 'tls-client-ca': at('nothing.pem') });
    assert.match(await reload(server), /tls-client-ca \S+nothing\.pem: No such file/);
    await still();
    put({ 'ca-file': at('first.key') });
    const lines = await reload(server);
    assert.match(lines, /error tls: ca-file \S+first\.key: holds no certificates/);
    assert.match(lines, /error reload: the former authorities stay/);
    put({ 'log-level': 'loud', 'tls-cert': at('elsewhere.pem') });
    assert.match(await reload(server), /error reload: the settings stay as they were.*log-level takes error, warn, info or debug, not 'loud'/);
    await still();
    rmSync(at('posthorn.conf'));
    assert.match(await reload(server), /error reload: the settings stay as they were.*posthorn\.conf: cannot be read: No such file/);
    execFileSync('mkfifo', [at('posthorn.conf')]);
    assert.match(await reload(server), /error reload: the settings stay as they were.*posthorn\.conf: is not a regular file/);
    rmSync(at('posthorn.conf'));
    // And once all of it fits again, it is taken over: another file, by its name.
    ca.make('third');
    put({ 'tls-cert': at('third.pem'), 'tls-key': at('third.key') });
    assert.match(await reload(server), /new connections get the certificate tls-cert=\S+third\.pem/);
    await eventually('the third certificate', async () => (await look(port, ca.pem)).subject === 'third');
    assert.deepEqual(await server.end(), { code: 0, signal: null });
});

test('8.28: SIGHUP: client authorities begin and end with new connections', async (t) => {
    const { at, ca, put, server, port } = await secured(t);
    const kept = await keptAlive(t, port, ca.pem);
    assert.equal((await kept()).status, 200);
    const own = authority(folder(t), 'clients');
    const client = own.make('client');
    copyFileSync(own.file, at('clients.pem'));
    put({ 'tls-client-ca': at('clients.pem') });
    await reload(server);
    await eventually('a certificate is demanded', async () => (await look(port, ca.pem)).status === 403);
    assert.equal((await look(port, ca.pem, client)).status, 200);
    assert.equal((await kept()).status, 200, 'nothing was demanded of the connection that stood');
    const other = authority(folder(t), 'clients');
    copyFileSync(other.file, at('clients.pem'));
    await reload(server);
    await eventually('of another authority', async () => (await look(port, ca.pem, client)).status === 403);
    assert.equal((await look(port, ca.pem, other.make('client'))).status, 200);
    put({});
    await reload(server);
    await eventually('no longer', async () => (await look(port, ca.pem)).status === 200);
});

test('8.28: SIGHUP: log-level changes, the command line wins, the rest is named', async (t) => {
    const dir = folder(t), file = join(dir, 'posthorn.conf');
    writeFileSync(file, 'log-level = info\n');
    const server = await serve(t, { args: ['--config', file, '--slots', '64'] });
    writeFileSync(file, `log-level = debug\nslots = 128\nqueue-max = 100\nmetrics-key = geheim\nallow-port = 8123\ntls-cert = ${file}\ntls-key = ${file}\n`);
    const lines = await reload(server);
    assert.match(lines, /log-level is debug now, and was info/);
    assert.match(lines, /warn reload: changed, and needs a restart: allow-port, metrics-key, queue-max, tls-cert, tls-key\n/);
    assert.doesNotMatch(lines, /geheim|slots/);
    writeFileSync(file, 'log-level = error\n');
    server.signal('SIGHUP');
    await eventually('error', () => /log-level is error now, and was debug/.test(server.stderr));
    const length = server.stderr.length;
    writeFileSync(file, 'log-level = warn\nqueue-max = 101\n');
    server.signal('SIGHUP');
    await eventually('warn', () => /needs a restart: queue-max/.test(server.stderr.slice(length)));
    assert.doesNotMatch(server.stderr.slice(length), / info /);
    assert.equal((await api(server, 'GET', '/health', undefined, { key: null })).status, 200);
});

test('8.28: SIGHUP: other authorities for receivers, and the delivery under way is not cut', async (t) => {
    const dir = folder(t), file = join(dir, 'trusted.pem');
    const one = authority(dir, 'one'), two = authority(dir, 'two');
    let received = 0;
    const held = [];
    const receiver = (own, hold) => new Promise((resolve) => {
        const listening = https.createServer(own, (request, response) => {
            received++;
            request.resume().on('end', () => {
                const answer = () => response.end('{"status":"success"}');
                hold && held.length === 0 ? held.push(answer) : answer();
            });
        }).on('tlsClientError', () => {});
        t.after(() => { listening.closeAllConnections(); listening.close(); });
        listening.listen(0, '127.0.0.1', () => resolve(`https://127.0.0.1:${listening.address().port}/`));
    });
    const ofOne = await receiver(one.make('a'), true), ofTwo = await receiver(two.make('b'), false);
    copyFileSync(one.file, file);
    const server = await serve(t, { args: ['--ca-file', file, '--time-scale', '100', '--backoff-factor', '1'] });
    await setUrl(server, ofOne);
    const underWay = await post(server);
    await eventually('the receiver has it', () => held.length);
    copyFileSync(two.file, file);
    await reload(server);
    held[0]();
    const delivered = (id) => eventually('delivered', async () => {
        const { attributes } = await delivery(server, id);
        return attributes.state === 'delivered' && attributes.attempt_count;
    });
    assert.equal(await delivered(underWay), 1, 'the attempt under way went on');
    assert.equal(received, 1);
    await setUrl(server, ofTwo);
    assert.equal(await delivered(await post(server)), 1, 'the new authority is trusted');
    await setUrl(server, await receiver(one.make('c'), false));
    const refused = await post(server);
    await eventually('the former authority is not', async () =>
        (await delivery(server, refused)).attributes.last_reason === 'tls_untrusted');
});

test('8.28: SIGHUP while it starts, many at once, and while it drains', async (t) => {
    const { at, ca, server, port, dir } = await secured(t);
    const clients = Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 10; i++) assert.equal((await look(port, ca.pem)).status, 200);
    });
    for (let i = 0; i < 200; i++) server.signal('SIGHUP');
    await Promise.all(clients);
    ca.make('last');
    renameSync(at('last.pem'), at('api.pem'));
    renameSync(at('last.key'), at('api.key'));
    server.signal('SIGHUP');
    await eventually('the last certificate', async () => (await look(port, ca.pem)).subject === 'last');
    server.signal('SIGTERM');
    server.signal('SIGHUP');
    server.signal('SIGHUP');
    assert.deepEqual(await server.ended, { code: 0, signal: null });

    const again = launch(t, ['serve', '--data', server.data, '--listen', '127.0.0.1:0', '--config', join(dir, 'posthorn.conf')]);
    // Not before main has begun: until then the signal ends the process. Once it is ready, main takes it out by sigwait.
    await eventually('it holds SIGHUP back', () => {
        const status = readFileSync(`/proc/${again.pid}/status`, 'utf8');
        const blocked = parseInt(status.match(/SigBlk:\s*(\w+)/)[1].slice(-1), 16) & 1;
        return /^Name:\s*posthorn$/m.test(status) && (blocked || /ready: https/.test(again.output));
    });
    for (let i = 0; i < 20; i++) again.signal('SIGHUP');
    const url = await ready(again, /ready: (https\S+)/);
    await eventually('what came while it started', () => /reload: done/.test(again.stderr));
    assert.equal((await look(new URL(url).port, ca.pem)).status, 200);
    assert.deepEqual(await again.end(), { code: 0, signal: null });
});

test('8.28: the service has a reload', async () => {
    const unit = readFileSync(new URL('../../packaging/posthorn.service', import.meta.url), 'utf8');
    assert.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
});
