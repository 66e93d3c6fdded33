// The address guard as users and operators meet it: every written example of a webhook_url over the API with its code,
// the ports, and how loudly exceptions are said.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, delivery, eventually, post, receiver, serve, setUrl } from '../e2e/harness.mjs';

const FREE = ['--rate-limit', '0'];

const patch = (server, url) => api(server, 'PATCH', '/api/users/me',
    { data: { type: 'users', attributes: { webhook_url: url } } });

/** 422 with the code, pointing at the URL, which is not repeated in the answer; and what was set before stands. */
async function refused(server, code, urls) {
    for (const url of urls) {
        const { status, json, text } = await patch(server, url);
        assert.equal(status, 422, `${url}: ${text}`);
        const [error] = json.errors;
        assert.equal(error.code, code, `${url}: ${text}`);
        assert.deepEqual(error.source, { pointer: '/data/attributes/webhook_url' }, url);
        assert.ok(!text.includes('hunter2'), `${url}: ${text}`);
    }
    const { json } = await api(server, 'GET', '/api/users/me');
    assert.equal(json.data.attributes.webhook_url, 'https://example.com/kept');
}

async function production(t, args = []) {
    const server = await serve(t, { dev: false, args: [...FREE, ...args] });
    assert.equal((await patch(server, 'https://example.com/kept')).status, 200);
    return server;
}

test('guard: a webhook_url that is allowed is kept as it was written', async (t) => {
    const server = await production(t);
    for (const url of ['https://example.com/', 'https://example.com:443/h?x=1', 'https://hooks.example.co.uk:8443/a/b%20c',
        'HTTPS://EXAMPLE.COM/', 'https://1.1.1.1/', 'https://[2606:4700:4700::1111]/', 'https://172.15.255.255/',
        'https://100.63.255.255/', 'https://169.253.255.255/', 'https://127.0.0.1.example.com/',
        'https://example.com/@127.0.0.1', 'https://xn--bcher-kva.example.com/', 'https://example.com']) {
        const { status, json, text } = await patch(server, url);
        assert.equal(status, 200, `${url}: ${text}`);
        assert.equal(json.data.attributes.webhook_url, url);
    }
});

test('guard: a webhook_url that is not is 422 with its code', async (t) => {
    const server = await production(t);
    const on = (ports) => ports.map((port) => `https://example.com:${port}/`);
    await refused(server, 'url_address', ['http://127.0.0.1/', 'http://0.0.0.0/', 'http://10.0.0.1/',
        'http://169.254.169.254/latest/meta-data/', 'http://100.64.0.1/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/',
        'http://[64:ff9b::7f00:1]/', 'http://[fe80::1]/', 'http://[fd00:ec2::254]/', 'https://168.63.129.16/',
        'https://192.168.0.1/', 'https://172.16.0.1/', 'https://224.0.0.1/', 'https://255.255.255.255/',
        'https://[2002:7f00:1::]/', 'https://[2001:db8::1]/', 'https://[::]/']);
    await refused(server, 'url_host', ['http://0x7f000001/', 'http://2130706433/', 'http://127.1/', 'http://0177.0.0.1/',
        'http://localhost/', 'http://foo.localhost/', 'http://metadata.google.internal/', 'http://127.0.0.1./',
        'http://127%2e0%2e0%2e1/', 'http://[::1%25lo]/', 'http://１２７.０.０.１/', 'http://127。0。0。1/',
        'http://127．0．0．1/', 'https://bücher.example.com/', 'https://example.com./', 'https://router/', 'https://-a.com/',
        'https://a..com/', 'https://[::1/', 'https:///path',
        ...['localhost', 'local', 'localdomain', 'internal', 'intranet', 'lan', 'home', 'corp', 'svc', 'onion', 'arpa', 'alt',
            'test', 'invalid', 'example'].map((label) => `https://a.${label}/`)]);
    await refused(server, 'url_userinfo', ['http://user:hunter2@example.com/', 'http://example.com@127.0.0.1/',
        'https://user@example.com/', 'https://:hunter2@example.com/', 'https://@example.com/']);
    await refused(server, 'url_syntax', ['https://example.com/\n', 'https://example.com/\r\nHost: x', 'https://example.com/\t',
        'https://example.com/\u0000', 'https://example.com/\u007f', 'https://example.com/a b', ' https://example.com/',
        'https://example.com/ ', 'https://example.com\\@127.0.0.1/', 'https://example.com/\\', 'https://example.com/#f',
        'https://example.com#@127.0.0.1/', 'https://example.com/é', `https://example.com/${'a'.repeat(2048)}`,
        'https:example.com', 'https://example.com?x', '']);
    await refused(server, 'url_port', on([0, 22, 25, 65536, -1, '08443', '443x', 5432, 6379, '', '+443', 99999]));
    await refused(server, 'url_scheme', ['file:///etc/passwd', 'ftp://example.com/', 'gopher://example.com/',
        'dict://example.com:11211/', 'ws://example.com/', 'wss://example.com/', 'data:,x', '//example.com/', '//host',
        'example.com', 'javascript:alert(1)', 'http://example.com/']);
});

test('guard: ports: 80, 443 and from 1024 up, but for those of well-known services', async (t) => {
    const server = await production(t);
    const low = [1, 7, 19, 21, 22, 23, 25, 53, 69, 79, 81, 88, 110, 111, 135, 139, 143, 389, 442, 444, 445, 514, 587, 631,
        636, 873, 902, 993, 995, 1023];
    const services = {
        databases: [1433, 1521, 1527, 3050, 3306, 5432, 5433, 5439, 5984, 6432, 7474, 7687, 8086, 8091, 8529, 9042, 9160,
            11210, 26257, 27017, 27018, 28015, 33060, 50000],
        caches: [6379, 6380, 11211, 16379, 26379],
        'search engines': [8983, 9200, 9300, 5601],
        queues: [1883, 4222, 5671, 5672, 6650, 9092, 15672, 61613, 61616],
        'container engines and clusters': [2375, 2376, 2377, 2379, 2380, 4001, 4646, 4647, 4648, 6443, 7946, 8500, 8200,
            10250, 10255],
        'remote consoles': [3389, 5900, 5985, 5986, 6000, 16509, 16514],
        others: [1080, 2049, 2181, 3128, 8009, 9418],
    };
    await refused(server, 'url_port', [...low, ...Object.values(services).flat()].map((port) => `https://example.com:${port}/`));
    for (const port of [80, 443, 1024, 3000, 4000, 5000, 8000, 8080, 8443, 8888, 9000, 10000, 49152, 65535]) {
        assert.equal((await patch(server, `https://example.com:${port}/`)).status, 200, port);
    }
});

test('guard: exceptions are a list of networks and ports, and never "off"', async (t) => {
    for (const target of ['0.0.0.0/0', '::/0', 'off', 'any', '*', '10.0.0.0/33', '10.0.0.1/8', '::ffff:0:0/96',
        '127.0.0.0/8:0', '127.0.0.0/8:65536', 'localhost']) {
        await assert.rejects(serve(t, { dev: false, args: ['--allow-target', target] }), /ended before it was ready/,
            `--allow-target ${target}`);
    }
    const there = await receiver(t);
    const server = await production(t, ['--allow-http', '--allow-target', `127.0.0.1/32:${there.port}`]);
    assert.match(server.stderr, new RegExp(`allow-target: .*127\\.0\\.0\\.1/32:${there.port}`));
    assert.match(server.stderr, /allow-http: .*unencrypted/);
    const { status, json } = await patch(server, `http://127.0.0.1:${there.port + 1}/`);
    assert.deepEqual([status, json.errors?.[0].code], [422, 'url_address']);
    await setUrl(server, `${there.url}/`);
    const id = await post(server);
    await eventually('the push', () => there.of(id).length === 1);
});

test('guard: an exception that is gone stops deliveries when they are dialled, and they heal when it is back', async (t) => {
    const there = await receiver(t);
    const first = await serve(t, { args: FREE });
    await setUrl(first, `${there.url}/`);
    await first.end();
    const second = await serve(t, { install: first, dev: false, args: FREE });
    const id = await post(second);
    await eventually('blocked', async () => (await delivery(second, id)).attributes.last_reason?.startsWith('blocked_'));
    assert.equal(there.requests.length, 0, 'not a byte');
    await second.end();
    const third = await serve(t, { install: first, args: [...FREE, '--time-scale', '1000'] });
    await eventually('healed', () => there.of(id).length === 1);
    await third.end();
});

test('guard: --dev says so on every start, and only --dev; never with mode production', async (t) => {
    const first = await serve(t);
    const loud = (program) => program.stderr.split('\n').filter((line) => line.includes('--dev:'));
    assert.ok(loud(first).length >= 3, first.stderr);
    assert.match(first.stderr, /plain http/);
    assert.match(first.stderr, /127\.0\.0\.0\/8/);
    assert.match(first.stderr, /programs on this machine/);
    assert.match(first.stdout, /dev/, 'on the ready line, too');
    await first.end();
    const again = await serve(t, { install: first });
    assert.deepEqual(loud(again), loud(first));
    await again.end();
    const quiet = await serve(t, { install: first, dev: false, args: ['--mode', 'production'] });
    assert.deepEqual(loud(quiet), []);
    await quiet.end();
    await assert.rejects(serve(t, { install: first, args: ['--mode', 'production'] }), /not with mode production/);
});
