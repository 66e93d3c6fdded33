// An operator's settings, and the server's answer to them: names of a private network, ports, addresses.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { nameServer } from '../faults/names.mjs';
import { POSTHORN, api, delivery, eventually, folder, initialize, launch, post, posthorn, ready, receiver, serve, setUrl } from './harness.mjs';

const put = (server, webhook_url) =>
    api(server, 'PATCH', '/api/users/me', { data: { type: 'users', id: server.user_id, attributes: { webhook_url } } });

test('8.18: a name of Docker or Kubernetes that the operator lists is delivered to; its address is judged as always', async (t) => {
    const names = await nameServer(t, { 'n8n': ['127.0.0.1'], 'hook.default.svc.cluster.local': ['127.0.0.1'], 'db.default.svc.cluster.local': ['10.0.0.7'] },
        { port: 0 });
    const { url, port, arrived } = await receiver(t);
    const server = await serve(t, { dev: false, args: ['--dns-servers', names.address, '--allow-http', '--allow-target', '127.0.0.1/32',
        '--allow-host', 'n8n', '--allow-host', '.cluster.local'] });
    assert.match(server.stderr, /allow-host: .*n8n/);
    assert.match(server.stderr, /allow-host: .*\*\.cluster\.local/);
    assert.ok(url);
    await setUrl(server, `http://n8n:${port}/webhook`);
    await post(server);
    await arrived(1);
    await setUrl(server, `http://hook.default.svc.cluster.local:${port}/webhook`);
    await post(server);
    const [, second] = await arrived(2);
    assert.equal(second.header('Host'), `hook.default.svc.cluster.local:${port}`);

    await setUrl(server, 'http://db.default.svc.cluster.local:8080/');
    const event = await post(server);
    await eventually('the address is refused', async () => (await delivery(server, event)).attributes.last_reason === 'blocked_address');

    const refused = await put(server, 'http://nas.local/');
    assert.equal(refused.status, 422);
    assert.equal(refused.json.errors[0].code, 'url_host');
    assert.match(refused.json.errors[0].detail, /'nas\.local' is local by convention.*allow-host/);
});

test('8.18: Home Assistant\'s port is open; a refused port names its service, and allow-port opens it', async (t) => {
    const server = await serve(t, { dev: false, args: ['--allow-port', '9200'] });
    assert.equal((await put(server, 'https://home.example.com:8123/api/webhook/x')).status, 200);
    assert.equal((await put(server, 'https://home.example.com:9200/')).status, 200);
    const { status, json } = await put(server, 'https://home.example.com:5432/');
    assert.equal(status, 422);
    assert.match(json.errors[0].detail, /port 5432 belongs to PostgreSQL.*allow-port = 5432/);
    const { code, stdout } = await posthorn('doctor', 'https://192.0.2.1:6379/', '--allow-target', '192.0.2.0/24');
    assert.equal(code, 1);
    assert.match(stdout, /url_port: port 6379 belongs to Redis/);
});

test('8.20: a secret that cannot be one is called what it is, and never shown', async (t) => {
    const key = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const rows = [
        [`v1,whsec_${key}`, /begins with `v1,`.*give the part after the comma/],
        [`v1,${key}`, /this is a signature/],
        [` whsec_${key}`, /white space or quotes around it/],
        [`whsk_${key}`, /is a private key/],
        ['0'.repeat(64), /looks like an API key, which is for --api-key/],
        ['whsec_x', /is it complete/],
        [key, /has no prefix/],
    ];
    for (const command of [['verify', '/dev/null'], ['receive', '--listen', '127.0.0.1:0', '--dir', folder(t)]])
        for (const [secret, said] of rows) {
            const { code, stderr } = await posthorn(...command, '--secret', secret);
            assert.equal(code, 2, stderr);
            assert.match(stderr, said);
            assert.ok(!stderr.includes(secret));
        }
    const signing = await posthorn('trigger', 'user_enabled', '--to', 'http://127.0.0.1:1/', '--secret', 'whpk_x');
    assert.match(signing.stderr, /public key, which cannot sign/);
});

test('8.20: the mode is on /docs, and why, trigger and tail say it', async (t) => {
    const server = await serve(t, { dev: false, args: ['--mode', 'production', '--allow-http', '--allow-target', '127.0.0.1/32'] });
    const at = ['--server', server.url, '--key', server.api_key];
    assert.match((await api(server, 'GET', '/docs')).text, /posthorn [\d.]+, production, \d+ event types/);
    const { url, arrived } = await receiver(t);
    await setUrl(server, url);
    const triggered = (await posthorn('trigger', 'user_enabled', ...at)).stdout;
    assert.match(triggered, new RegExp(`^production, ${server.url}\\n.*201 accepted`, 's'));
    await arrived(1);
    const event = triggered.match(/user_enabled (\d+)/)[1];
    assert.match((await posthorn('why', event, ...at)).stdout, /^production, http/m);
    const { id } = await delivery(server, event);
    assert.match((await posthorn('why', id, ...at)).stdout, /^production, http/m);
    const tail = launch(t, ['tail', ...at]);
    await eventually('the banner', () => /^posthorn tail: production, http/m.test(tail.stderr));
});

test('8.19: what is listened on is said, the address that is printed can be called, and so can the curl', async (t) => {
    const ipv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');
    const places = [[':0', /ready: http:\/\/127\.0\.0\.1:(\d+) .*, on every interface, IPv4 and /], ['0.0.0.0:0', /ready: http:\/\/127\.0\.0\.1:(\d+) .*, on every interface, IPv4 and no IPv6\)/],
        ['127.0.0.1:0', /ready: http:\/\/127\.0\.0\.1:(\d+) \((?!.* on )/],
        ...(ipv6 ? [['[::]:0', /ready: http:\/\/\[::1\]:(\d+) .*, on every interface, IPv6 and no IPv4\)/], ['[::1]:0', /ready: http:\/\/\[::1\]:(\d+) \((?!.* on )/]] : [])];
    for (const [place, said] of places) {
        const program = launch(t, ['serve', '--data', join(folder(t), 'data'), '--listen', place]);
        await ready(program, said);
        const url = program.stdout.match(/ready: (http\S+)/)[1];
        assert.ok(program.stdout.includes(`curl --location --request PATCH '${url}/api/users/me'`), program.stdout);
        assert.equal((await fetch(`${url}/health`)).status, 200);
        const there = launch(t, ['receive', '--listen', place, '--dir', folder(t)]);
        const line = await ready(there, /receiving on http:\/\/(\S+ into .*)/);
        assert.equal(/every interface/.test(line), /every interface/.test(program.stdout), line);
    }
    const { stdout } = await posthorn('init', '--data', join(folder(t), 'data'), '--listen', ':8080');
    assert.match(stdout, /'http:\/\/127\.0\.0\.1:8080\/api\/users\/me'/);
});

test('8.19: init with --listen :0 shows no port 0, for there will be another', async (t) => {
    const { stdout, code } = await posthorn('init', '--data', join(folder(t), 'data'), '--listen', ':0');
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /:0\b/);
    assert.match(stdout, /http:\/\/127\.0\.0\.1:PORT\/api.*\(PORT: `posthorn serve` takes a free port/s);
});

test('a start at the defaults warns of nothing when there are 20,000 descriptors', async (t) => {
    const { data } = await initialize(t);
    const child = spawn('prlimit', ['--nofile=20000:20000', POSTHORN, 'serve', '--data', data, '--listen', '127.0.0.1:0']);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    t.after(() => child.kill('SIGKILL'));
    await eventually('the ready line', () => /ready: http/.test(output));
    assert.doesNotMatch(output, / (warn|error) /);
    assert.match(output, /info serve: connections-max 10000 and slots/);
});

test('8.25: a start with few descriptors warns of them', async (t) => {
    const { data } = await initialize(t);
    const child = spawn('prlimit', ['--nofile=1500:1500', POSTHORN, 'serve', '--data', data, '--listen', '127.0.0.1:0']);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    t.after(() => child.kill('SIGKILL'));
    await eventually('the ready line', () => /ready: http/.test(output));
    assert.match(output, /warn serve: connections-max 10000 and slots/);
});
