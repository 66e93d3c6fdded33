// The sentences for people: why, doctor, tail; and shell completions.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { exampleHandler } from './example_handler.mjs';
import {
    answer, api, delivery, eventually, folder, launch, makeUser, post, posthorn, receiver, run, serve,
    setUrl,
} from './harness.mjs';

/** The command as its caller: its output, after exit code 0. */
async function ask(server, ...args) {
    const { code, stdout, stderr } = await posthorn(...args, '--server', server.url, '--key', server.api_key);
    assert.equal(code, 0, stderr);
    return stdout;
}

const retried = (server, event, times) => eventually(`${times} attempts on record`, async () =>
    (await delivery(server, event)).attributes.attempt_count >= times);
const ended = (server, event, state) => eventually(`the delivery is ${state}`, async () =>
    (await delivery(server, event)).attributes.state === state);

/* ---- why ---- */

test('why: tried so often, what the server said last, when the next try is, and what to do', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] });
    const { url } = await receiver(t, () => answer(204, ''));
    await setUrl(server, url);
    const event = await post(server);
    await retried(server, event, 3);
    const { id } = await delivery(server, event);
    for (const one of [event, id]) {
        const said = await ask(server, 'why', one);
        assert.match(said, /Tried \d+ times\. Last: your server said 204; we need 200\. (Next try (in [\d.]+ (s|min)|as soon)|The next try is under way)/);
        assert.match(said, /Let your handler answer with exactly 200/);
    }
    assert.match(await ask(server, 'why', event), new RegExp(`^Event ${event}, user_enabled\\.`));
});

test('why: delivered, at the first try or after some', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '1000'] });
    const { url } = await receiver(t, (request, number) => answer(number === 2 ? 500 : 200));
    await setUrl(server, url);
    const first = await post(server);
    await ended(server, first, 'delivered');
    assert.match(await ask(server, 'why', first), /Delivered at the first try, at 2\S+Z\. Last: your server said 200\.\n$/);
    const second = await post(server);
    await ended(server, second, 'delivered');
    assert.match(await ask(server, 'why', second), /Delivered after 2 tries/);
});

test('why: given up, and it can be sent again', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '1000', '--window', '10m'] });
    const { url } = await receiver(t, () => answer(503));
    await setUrl(server, url);
    const event = await post(server);
    await ended(server, event, 'given_up');
    const { id } = await delivery(server, event);
    assert.match(await ask(server, 'why', event), new RegExp(
        `Given up after \\d+ tries.*Last: your server said 503; we need 200\\. .* POST /api/deliveries/${id}/resend`));
});

test('why: cancelled', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(500));
    await setUrl(server, url);
    const event = await post(server);
    await retried(server, event, 1);
    const { id } = await delivery(server, event);
    await api(server, 'POST', `/api/deliveries/${id}/cancel`);
    assert.match(await ask(server, 'why', id), /^Cancelled after one try, at .*said 500.*resend sends it after all/);
});

test('why: nobody there, blocked by the guard, nobody to send it to', async (t) => {
    const server = await serve(t);
    const gone = await receiver(t);
    await gone.close();
    await setUrl(server, gone.url);
    const refused = await post(server);
    await retried(server, refused, 1);
    assert.match(await ask(server, 'why', refused), /Tried once\. Last: your server refused the connection\. Next try in \d+ s\. Check that your server runs/);
    await setUrl(server, null);
    assert.match(await ask(server, 'why', refused), /Held: there is no webhook_url/);
    assert.match(await ask(server, 'why', await post(server)), /Sent to nobody: no webhook_url was set/);
});

test('why: the guard forbade it; that heals when the record does', async (t) => {
    const install = await serve(t); // allows loopback: the URL is taken
    await setUrl(install, 'http://127.0.0.1:9999/');
    await install.end();
    const server = await serve(t, { install, dev: false, args: ['--allow-http'] });
    const event = await post(server);
    await retried(server, event, 1);
    assert.match(await ask(server, 'why', event),
        /Tried once\. Last: blocked before anything was sent: (the host resolves to an address that is not allowed|the URL is not allowed)/);
});

test('why: held, because the user is paused or has no key', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t);
    await setUrl(server, url);
    const pause = (paused) => api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: '5', attributes: { paused } } });
    assert.equal((await pause(true)).status, 200);
    const event = await post(server);
    assert.match(await ask(server, 'why', event), /^Not sent yet\. Held: endpoint 5 is paused since /m);
    const document = JSON.parse(await ask(server, 'why', event, '--json'));
    assert.equal(document.event.id, event);
    assert.equal(document.deliveries[0].attributes.held, 'paused');
    assert.match(document.deliveries[0].attributes.why, /^Not sent yet/);
    await pause(false);
    await ended(server, event, 'delivered');
    assert.equal(JSON.parse(await ask(server, 'why', event, '--json')).deliveries[0].attributes.held, null);
});

test('why: what is not there, and what is somebody else\'s', async (t) => {
    const server = await serve(t);
    const somebody = await makeUser(server);
    const event = await post(server);
    for (const [id, key] of [['424242', server.api_key], [event, somebody.api_key], ['../users/5', server.api_key]]) {
        const { code, stdout, stderr } = await posthorn('why', id, '--server', server.url, '--key', key);
        assert.deepEqual([code, stdout], [1, ''], id);
        assert.match(stderr, /you have no event or delivery/);
    }
    assert.equal((await posthorn('why', '--key', 'k')).code, 2);
});

/* ---- tail ---- */

test('tail: new events and each end of an attempt, live; a signal ends it with 0', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '20'] });
    const { url } = await receiver(t, (request, number) => answer(number === 1 ? 500 : 200));
    await setUrl(server, url);
    const before = await post(server);
    await ended(server, before, 'delivered');
    const env = { POSTHORN_SERVER: server.url, POSTHORN_KEY: server.api_key };
    const people = launch(t, ['tail', '--every', '0.2'], { env });
    const programs = launch(t, ['tail', '--every', '0.2', '--json'], { env });
    for (const one of [people, programs]) await eventually('it follows', () => /printing new events/.test(one.stderr));
    const event = await post(server);
    const failing = await post(server, { type: 'user_disabled' });
    await eventually('both are there and delivered', () => [people, programs].every((one) =>
        [event, failing].every((id) => new RegExp(`deliver(ed|y).*${id}`).test(one.stdout))));
    assert.match(people.stdout, new RegExp(`^\\d\\d:\\d\\d:\\d\\d event +${event} user_enabled users/7$`, 'm'));
    assert.match(people.stdout, new RegExp(`^\\d\\d:\\d\\d:\\d\\d delivered +${event} user_enabled, tried once: your server said 200$`, 'm'));
    const lines = programs.stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(lines.filter((line) => line.what === 'event').map((line) => line.event), [event, failing]);
    assert.deepEqual(lines.find((line) => line.what === 'event').resource, { type: 'users', id: '7' });
    assert.equal(lines.find((line) => line.what === 'delivery' && line.event === event).state, 'delivered');
    assert.ok(!people.stdout.includes(before) && !programs.stdout.includes(before), 'what was before is not shown');
    assert.deepEqual(await people.end('SIGINT'), { code: 0, signal: null });
    assert.deepEqual(await programs.end('SIGTERM'), { code: 0, signal: null });
});

test('tail: a failure is a line, with the next try', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(500));
    await setUrl(server, url);
    const there = launch(t, ['tail', '--every', '0.2', '--server', server.url, '--key', server.api_key]);
    await eventually('it follows', () => /printing new events/.test(there.stderr));
    const event = await post(server);
    await eventually('the failure', () => new RegExp(
        `failed +${event} user_enabled, tried once: your server said 500; we need 200; next try in \\d+ s\n`).test(there.stdout));
    await server.end();
    await eventually('it says that the server is gone, and stays', () => /is `posthorn serve` running/.test(there.stderr));
    assert.deepEqual(await there.end('SIGINT'), { code: 0, signal: null });
});

test('tail: many at once, each one once, in their order; only one\'s own', async (t) => {
    const server = await serve(t);
    const somebody = await makeUser(server);
    const there = launch(t, ['tail', '--every', '0.2', '--json', '--server', server.url, '--key', somebody.api_key]);
    await eventually('it follows', () => /printing new events/.test(there.stderr));
    await post(server);
    const ids = [];
    for (let i = 0; i < 90; i++) ids.push(await post(server, { user: somebody.user_id }));
    await eventually('all of them', () => there.stdout.includes(ids.at(-1)));
    const seen = there.stdout.trim().split('\n').map((line) => JSON.parse(line)).filter((line) => line.what === 'event');
    assert.deepEqual(seen.map((line) => line.event), ids);
});

/* ---- doctor ---- */

/** Certificates of an authority made for this test: `make({ name, days })` gives { key, cert }. */
function authority(t) {
    const dir = folder(t);
    const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test Authority', '-days', '30');
    let number = 0;
    return {
        file: join(dir, 'ca.pem'),
        make({ name = 'localhost', days = 90 } = {}) {
            const base = `c${number++}`;
            writeFileSync(join(dir, `${base}.ext`), `subjectAltName=DNS:${name}\n`);
            openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${name}`);
            openssl('x509', '-req', '-in', `${base}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${base}.pem`,
                '-extfile', `${base}.ext`, '-days', String(days));
            return { key: readFileSync(join(dir, `${base}.key`)), cert: readFileSync(join(dir, `${base}.pem`)) };
        },
    };
}

async function secureReceiver(t, options) {
    const requests = [];
    const server = https.createServer(options, (request, response) => {
        requests.push(request.method);
        request.resume().on('end', () => response.end('{"status":"success"}'));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { requests, url: `https://localhost:${server.address().port}/hook` };
}

const doctor = async (...args) => {
    const { code, stdout, stderr } = await posthorn('doctor', '--dev', '--json', ...args);
    return { code, stderr, steps: stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
};
const step = (found, name, result) => found.steps.find((one) => one.step === name && one.result === result);

test('doctor: each step of a good receiver, and nothing is sent to it', async (t) => {
    const { url, requests } = await receiver(t);
    const found = await doctor(`${url}/hook`);
    assert.equal(found.code, 0, JSON.stringify(found));
    assert.deepEqual(found.steps.map((one) => [one.step, one.result]), [['url', 'ok'], ['connect', 'ok'], ['tls', 'note']]);
    assert.equal(requests.length, 0);
    const { stdout, code } = await posthorn('doctor', '--dev', `${url}/hook`);
    assert.match(stdout, /^ok +connect +127\.0\.0\.1 port \d+ in \d+ ms$/m);
    assert.match(stdout, /Nothing was sent/);
    assert.equal(code, 0);
});

test('doctor: TLS, its version, whom the certificate is for, from whom, and how long', async (t) => {
    const ca = authority(t);
    const there = await secureReceiver(t, ca.make());
    const found = await doctor('--ca-file', ca.file, there.url);
    assert.equal(found.code, 0, JSON.stringify(found));
    assert.match(step(found, 'resolve', 'ok').detail, /127\.0\.0\.1/);
    assert.equal(step(found, 'tls', 'ok').detail, 'TLSv1.3');
    assert.match(found.steps.at(-1).detail, /the certificate is for localhost, from .*Test Authority, good for 89 days/);
    assert.equal(there.requests.length, 0);
});

test('doctor: a certificate for another name, from nobody known, ended, or about to', async (t) => {
    const ca = authority(t);
    const other = await doctor('--ca-file', ca.file, (await secureReceiver(t, ca.make({ name: 'other.example' }))).url);
    assert.equal(other.code, 1);
    assert.match(step(other, 'tls', 'failed').detail, /is not for localhost but for other\.example/);
    assert.match(step(other, 'tls', 'failed').remedy, /Get a certificate/);
    assert.match(step(other, 'tls', 'note').detail, /for other\.example/, 'what is refused is shown, too');
    const unknown = await doctor((await secureReceiver(t, ca.make())).url);
    assert.match(step(unknown, 'tls', 'failed').detail, /issuer is not trusted and was not sent along/);
    const soon = await doctor('--ca-file', ca.file, (await secureReceiver(t, ca.make({ days: 3 }))).url);
    assert.equal(soon.code, 0);
    assert.match(step(soon, 'tls', 'note').remedy, /Renew it soon/);
    const client = await doctor('--ca-file', ca.file,
        (await secureReceiver(t, { ...ca.make(), requestCert: true, rejectUnauthorized: true, ca: readFileSync(ca.file) })).url);
    assert.match(step(client, 'tls', 'note').detail + client.steps.at(-1).detail, /it asks for a client certificate/);
});

test('doctor: says what stands in the way, and what to do', async (t) => {
    const gone = await receiver(t);
    await gone.close();
    const plain = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise((resolve) => plain.listen(0, '127.0.0.1', resolve));
    t.after(() => plain.close());
    const cases = [
        [['http://127.0.0.1:' + gone.port + '/'], 'connect', /refused the connection/, /Check that your server runs/],
        [[`https://127.0.0.1:${plain.address().port}/`], 'tls', /speaks HTTP without TLS: the URL must begin with http:/, /Check that the port speaks https/],
        [['http://10.1.2.3/'], 'url', /url_address/, /--allow-target/],
        [['http://127.0.0.1:25/'], 'url', /url_port/, null],
        [['http://us er@x/'], 'url', /./, /webhook_url looks like/],
    ];
    for (const [args, name, detail, remedy] of cases) {
        const found = await doctor(...args);
        const last = found.steps.find((one) => one.result === 'failed');
        assert.equal(found.code, 1, args.join());
        assert.equal(last.step, name, JSON.stringify(last));
        assert.match(last.detail, detail);
        if (remedy) assert.match(last.remedy, remedy);
    }
    const { code, stdout } = await posthorn('doctor', 'http://127.0.0.1:8080/');
    assert.equal(code, 1, 'without --dev it judges as a server without --dev');
    assert.match(stdout, /url_address/);
});

test('doctor: a host name is resolved as the server would, and each address judged', async (t) => {
    const found = await doctor('--dns-servers', '127.0.0.1:1', 'https://hooks.example.com/');
    assert.equal(found.code, 1);
    assert.equal(step(found, 'resolve', 'failed').step, 'resolve');
});

test('doctor --ping: one whole event that any handler lives through', async (t) => {
    const there = await receiver(t);
    const found = await doctor('--ping', '--api-key', 'your_api_key', `${there.url}/hook?x=1`);
    assert.equal(found.code, 0, JSON.stringify(found));
    assert.match(step(found, 'ping', 'ok').detail, /event \d+: your server said 200, in \d+ ms/);
    assert.equal(there.requests.length, 1);
    const [push] = there.requests;
    assert.equal(`${push.method} ${push.path}`, 'POST /hook?x=1');
    assert.equal(push.header('WEBHOOK-AUTH'), '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683');
    const { data, included } = push.json;
    assert.equal(data.attributes.event_type, 'ping');
    assert.match(data.attributes.sent_at, /^\d{4}-.*\.\d{3}Z$/);
    assert.deepEqual(data.relationships.resource.data, { type: included[0].type, id: included[0].id });
});

test('doctor: the public example handler lives through a look and through a ping', async (t) => {
    const handler = await exampleHandler(t);
    assert.equal((await doctor(handler.url)).code, 0);
    assert.equal(handler.requests.length, 0);
    assert.equal((await doctor('--ping', handler.url)).code, 0);
    assert.equal(handler.dead, null);
    assert.equal(handler.requests.length, 1);
});

test('doctor --ping: a handler that does not answer 200, over TLS too', async (t) => {
    const wrong = await receiver(t, () => answer(500));
    const found = await doctor('--ping', wrong.url);
    assert.equal(found.code, 1);
    assert.match(step(found, 'ping', 'failed').detail, /your server said 500; we need 200/);
    assert.match(step(found, 'ping', 'failed').remedy, /exactly 200/);
    const ca = authority(t);
    const secure = await secureReceiver(t, ca.make());
    assert.equal((await doctor('--ping', '--ca-file', ca.file, secure.url)).code, 0);
    assert.deepEqual(secure.requests, ['POST']);
});

/* ---- completions ---- */

/** What bash would offer for this command line. */
async function completed(script, line) {
    const words = line.split(' ');
    const program = `source ${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_posthorn; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { code, stdout, stderr } = await run('bash', ['--norc', '-c', program]);
    assert.equal(code, 0, stderr);
    return stdout.trim().split('\n');
}

test('completions for bash: sourced, they know every command, option and type', async (t) => {
    const script = join(folder(t), 'posthorn.bash');
    writeFileSync(script, (await posthorn('completions', 'bash')).stdout);
    const commands = [...(await posthorn('--help')).stdout.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);
    assert.ok(commands.length > 10);
    assert.deepEqual(await completed(script, 'posthorn '), [...commands, 'help']);
    assert.deepEqual(await completed(script, 'posthorn wh'), ['why']);
    for (const command of commands) {
        const help = (await posthorn(command, '--help')).stdout;
        const options = [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name);
        if (options.length) assert.deepEqual(await completed(script, `posthorn ${command} --`), options, command);
    }
    assert.deepEqual(await completed(script, 'posthorn trigger user_en'), ['user_enabled']);
    assert.deepEqual(await completed(script, 'posthorn events sh'), ['show']);
    assert.deepEqual(await completed(script, `posthorn serve --ca-file ${script.slice(0, -3)}`), [script], 'a file');
});

for (const [shell, flag] of [['zsh', '-n'], ['fish', '--no-execute']])
    test(`completions for ${shell} are ${shell}`, async (t) => {
        const { code, stdout } = await posthorn('completions', shell);
        assert.equal(code, 0);
        for (const word of ['doctor', 'allow-target', 'user_enabled']) assert.ok(stdout.includes(word), word);
        const script = join(folder(t), `posthorn.${shell}`);
        writeFileSync(script, stdout);
        const checked = await run(shell, [flag, script]);
        if (checked.code === 'ENOENT') return t.skip(`there is no ${shell} here`);
        assert.equal(checked.code, 0, checked.stderr);
    });

test('completions: another shell is wrong usage', async () => {
    const { code, stderr } = await posthorn('completions', 'tcsh');
    assert.equal(code, 2);
    assert.match(stderr, /bash, zsh or fish/);
});
