// rows: 49, 50
// Mutual TLS against real TLS servers that demand a certificate (openssl s_server, Node), posthorn's own
// listener with client certificates, and the page that says how, run as it is printed.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { api, delivery, eventually, folder, initialize, makeUser, post, POSTHORN, posthorn, run, serve, setUrl }
    from '../e2e/harness.mjs';
import { authority, certificates, nodeReceiver } from '../e2e/tls_receiver.mjs';

/** OpenSSL's. It answers nothing by itself: what it is told on its input, once a request has come. */
async function opensslReceiver(t, files, extra = []) {
    const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-cert', 'server.pem', '-key', 'server.key',
        '-CAfile', 'ca.pem', '-Verify', '3', '-verify_return_error', ...extra], { cwd: files.dir });
    const there = { output: '', requests: 0 };
    const ended = new Promise((resolve) => child.on('close', resolve));
    t.after(() => {
        child.kill('SIGKILL');
        return ended;
    });
    child.stdin.on('error', () => {});
    child.stderr.on('data', (data) => (there.output += data));
    child.stdout.on('data', (data) => {
        there.output += data;
        const requests = there.output.split('POST /hook').length - 1;
        for (; there.requests < requests; there.requests++) {
            child.stdin.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
        }
    });
    const [, port] = await eventually('s_server listens', () => there.output.match(/ACCEPT 127\.0\.0\.1:(\d+)/));
    return Object.assign(there, { url: `https://127.0.0.1:${port}/hook` });
}

// ---- what is set ----

const put = (server, attributes, { id = 'me', ...options } = {}) =>
    api(server, 'PUT', `/api/users/${id}/tls`, { data: { type: 'tls_identities', attributes } }, options);

const identity = (files, name, more = {}) => ({
    certificate: files.read(`${name}.pem`), private_key: files.read(`${name}.key`), ca: files.read('ca.pem'), ...more });

async function use(server, attributes, options) {
    const { status, text } = await put(server, attributes, options);
    assert.ok(status === 200 || status === 201, text);
}

/** Sends an event, and says how its first attempt ended. */
async function outcome(server) {
    const id = await post(server);
    return eventually(`an attempt for ${id}`, async () => {
        const { attributes } = await delivery(server, id);
        return attributes.state === 'delivered' ? 'delivered' : attributes.last_reason;
    });
}

/** A certificate that is good for a few seconds more: the API takes it, and the receiver will not. */
async function expiring(files, name) {
    const stamp = (ms) => new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2);
    const end = Math.ceil(Date.now() / 1000) * 1000 + 3000;
    writeFileSync(files.path('ca.cnf'), '[ca]\ndefault_ca=us\n[us]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n' +
        'default_md=sha256\npolicy=any\ncopy_extensions=copyall\n[any]\ncommonName=supplied\n');
    writeFileSync(files.path('index'), '');
    execFileSync('openssl', ['ca', '-batch', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in',
        'right.csr', '-out', `${name}.pem`, '-notext', '-startdate', stamp(Date.now() - 86_400_000), '-enddate', stamp(end)],
    { cwd: files.dir, stdio: 'pipe' });
    writeFileSync(files.path(`${name}.key`), files.read('right.key'));
    return end;
}

// ---- row 49 ----

for (const version of ['1.2', '1.3']) {
    test(`row 49: a receiver of OpenSSL that demands a certificate, TLS ${version}: absent, right, wrong, expired`,
        async (t) => {
            const files = certificates(t);
            const there = await opensslReceiver(t, files, [version === '1.2' ? '-tls1_2' : '-tls1_3']);
            const server = await serve(t);
            await setUrl(server, there.url);
            await use(server, { ca: files.read('ca.pem') });
            assert.equal(await outcome(server), 'tls_client_cert', 'absent: the failure says so');
            const end = await expiring(files, 'expiring');
            await use(server, identity(files, 'expiring'));
            await use(server, identity(files, 'wrong'));
            assert.equal(await outcome(server), 'tls_client_refused', 'wrong');
            assert.equal(there.requests, 0, 'nothing of an event was shown to it');
            await use(server, identity(files, 'right'));
            assert.equal(await outcome(server), 'delivered', 'right');
            assert.match(there.output, /depth=0 CN = right/);

            const late = await post(server); // those of before are due again: all of them arrive
            await eventually('all arrived', async () => (await delivery(server, late)).attributes.state === 'delivered');
            await eventually('it is over', () => Date.now() > end + 1000);
            assert.equal((await put(server, identity(files, 'expiring'))).json.errors[0].code, 'certificate_expired');
        });

    test(`row 49: a receiver of Node that demands a certificate, TLS ${version}: absent, right, wrong`, async (t) => {
        const files = certificates(t);
        const options = { minVersion: `TLSv${version}`, maxVersion: `TLSv${version}` };
        const there = await nodeReceiver(t, files, { options });
        const server = await serve(t);
        await setUrl(server, there.url);
        assert.equal(await outcome(server), 'tls_untrusted', 'its authority is a private one');
        await use(server, { ca: files.read('ca.pem') });
        assert.equal(await outcome(server), 'tls_client_cert', 'absent');
        await use(server, identity(files, 'wrong'));
        assert.match(await outcome(server), /^(closed_early|reset)$/, 'wrong: it hangs up without a word');
        assert.deepEqual(there.subjects, []);
        await use(server, identity(files, 'right'));
        assert.equal(await outcome(server), 'delivered');
        assert.deepEqual([...new Set(there.subjects)], ['right']);
    });
}

test('row 49: a certificate that expires after it was set is refused by the receiver, and its name says so', async (t) => {
    const files = certificates(t);
    const there = await opensslReceiver(t, files);
    const server = await serve(t);
    await setUrl(server, there.url);
    const end = await expiring(files, 'expiring');
    const { json } = await put(server, identity(files, 'expiring'));
    assert.equal(json.meta.warnings[0].code, 'certificate_expires_soon');
    await eventually('it is over', () => Date.now() > end + 1000);
    assert.equal(await outcome(server), 'tls_client_refused');
    assert.match(there.output, /certificate has expired/);
    assert.equal(there.requests, 0);
});

test('row 49: whom a receiver is taken for: private authority, its own certificate, pinned name', async (t) => {
    const files = certificates(t);
    const server = await serve(t);
    const there = await nodeReceiver(t, files);
    await setUrl(server, there.url);
    const cases = [
        [{ server_name: 'hooks.internal' }, 'delivered'],
        [{ server_name: '127.0.0.1' }, 'delivered'],
        [{ server_name: 'other.internal' }, 'tls_name'],
        [{ server_name: '192.0.2.1' }, 'tls_name'],
        [{ ca: files.read('server.pem') }, 'delivered'], // pinned itself
        [{ ca: files.read('strange.pem') }, 'tls_untrusted'],
        [{ ca: files.read('strange.pem') + files.read('ca.pem') }, 'delivered'],
        [{ ca: null }, 'tls_untrusted'],
    ];
    for (const [more, expected] of cases) {
        await use(server, identity(files, 'right', more));
        assert.equal(await outcome(server), expected, JSON.stringify(more).slice(0, 60));
    }
});

test('row 49: connections are never shared between identities, nor between users', async (t) => {
    const files = certificates(t);
    const server = await serve(t, { args: ['--rate-limit', '1000', '--rate-burst', '1000'] });
    const there = await nodeReceiver(t, files);
    const user = await makeUser(server);
    await setUrl(server, there.url);
    await setUrl(server, there.url, { id: user.user_id, key: user.api_key });
    await use(server, identity(files, 'right'));
    await use(server, identity(files, 'another'), { id: user.user_id }); // its Master may
    const theirs = { ...server, ...user, api_key: `${server.api_key}; user=${user.user_id}` };
    for (let i = 0; i < 2; i++) {
        assert.equal(await outcome(server), 'delivered');
        assert.equal(await outcome(theirs), 'delivered');
    }
    assert.deepEqual(there.subjects, ['right', 'another', 'right', 'another']);
    assert.equal(there.sockets.size, 2, 'each on its own connection, used twice');
    await use(server, identity(files, 'another')); // the same certificate as the user's, another endpoint
    assert.equal(await outcome(server), 'delivered');
    assert.deepEqual(there.subjects.slice(4), ['another'], 'the idle connection of the former identity is left alone');
    assert.equal(there.sockets.size, 3);
    assert.equal((await api(server, 'DELETE', '/api/users/me/tls')).status, 204);
    assert.equal(await outcome(server), 'tls_untrusted', 'and without one, as anybody');
});

test('row 49: the private key is sealed at rest, and nobody reads it again', async (t) => {
    const files = certificates(t);
    const server = await serve(t, { args: ['--log-level', 'debug'] });
    const there = await nodeReceiver(t, files);
    await setUrl(server, there.url);
    const secret = files.read('right.key').split('\n')[1];
    const der = Buffer.from(files.read('right.key').replace(/-----.*-----|\n/g, ''), 'base64').subarray(-100, -70);
    const answers = [
        await put(server, identity(files, 'right')),
        await api(server, 'GET', '/api/users/me/tls'),
        await api(server, 'GET', '/api/users/me'),
        await put(server, identity(files, 'right', { certificate: files.read('wrong.pem') })),
        await put(server, identity(files, 'right', { private_key: `x${files.read('right.key')}` })),
        await put(server, identity(files, 'right', { certificate: files.read('right.pem') + files.read('right.key') })),
        await api(server, 'PUT', '/api/users/me/tls',
            `{"data":{"type":"tls_identities","attributes":{"private_key":"${files.read('right.key')}"}}}`), // raw line breaks
    ];
    assert.deepEqual(answers.map(({ status }) => status), [201, 200, 200, 422, 422, 422, 400]);
    assert.equal(await outcome(server), 'delivered');
    const shown = answers.map(({ text }) => text).join('') + server.output +
        (await run(POSTHORN, ['mtls', 'show', '--json', '--server', server.url, '--key', server.api_key])).stdout;
    await server.end();
    const stored = ['posthorn.db', 'posthorn.db-wal'].filter((name) => existsSync(join(server.data, name)))
        .map((name) => readFileSync(join(server.data, name)));
    assert.ok(!shown.includes(secret) && !/PRIVATE KEY-----\S/.test(shown));
    for (const bytes of [...stored, Buffer.from(shown)]) {
        assert.ok(!bytes.includes(secret) && !bytes.includes(der) && !bytes.includes('PRIVATE KEY'));
    }
    assert.equal(statSync(join(server.data, 'posthorn.key')).mode & 0o777, 0o600);

    // With another key file nothing is sent as somebody else, and nothing is lost: the server does not start.
    const other = await run(POSTHORN, ['serve', '--data', server.data, '--dev', '--listen', '127.0.0.1:0',
        '--key-file', join(files.dir, 'other.key')]);
    assert.notEqual(other.code, 0);
    assert.match(other.stderr, /the key file .*other\.key is missing/);
    assert.equal(there.subjects.length, 1);
    const again = await serve(t, { install: server });
    assert.equal(await outcome(again), 'delivered');
    assert.deepEqual(there.subjects, ['right', 'right']);
});

test('row 49: posthorn\'s own listener with TLS and client certificates: absent, right, wrong, expired', async (t) => {
    const files = certificates(t);
    const server = await serve(t, { args: ['--tls-cert', files.path('server.pem'), '--tls-key', files.path('server.key'),
        '--tls-client-ca', files.path('ca.pem')] });
    assert.match(server.url, /^https:/);
    const call = (name) => new Promise((resolve, reject) => {
        const shown = name ? { cert: files.read(`${name}.pem`), key: files.read(`${name}.key`) } : {};
        https.get(`${server.url}/api/users/me`,
            { ca: files.read('ca.pem'), agent: false, headers: { Authorization: server.api_key }, ...shown },
            (response) => {
                let text = '';
                response.on('data', (data) => (text += data));
                response.on('end', () => resolve({ status: response.statusCode, ...JSON.parse(text) }));
            }).on('error', reject);
    });
    assert.equal((await call('right')).data.id, server.user_id);
    for (const name of [undefined, 'wrong', 'expired', 'server']) { // the last one is for servers
        const { status, errors } = await call(name);
        assert.equal(status, 403, name);
        assert.equal(errors[0].status, '403');
        assert.equal(errors[0].code, 'client_certificate');
    }
    const list = (...more) => posthorn('events', 'list', '--server', server.url, '--key', server.api_key,
        '--server-ca', files.path('ca.pem'), ...more);
    const shown = ['--client-cert', files.path('right.pem'), '--client-key', files.path('right.key')];
    assert.equal((await list(...shown)).code, 0);
    assert.match((await list()).stderr, /403: A client certificate is required/);
});

test('row 49: a server does not start with TLS files that do not fit, and says which', async (t) => {
    const files = certificates(t);
    const { data } = await initialize(t);
    const start = (...args) => run(POSTHORN, ['serve', '--data', data, '--listen', '127.0.0.1:0', ...args]);
    const own = (cert, key) => ['--tls-cert', files.path(cert), '--tls-key', files.path(key)];
    execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:x', '-in', 'server.key', '-out', 'locked.key'],
        { cwd: files.dir, stdio: 'pipe' });
    const cases = [
        [own('server.pem', 'right.key'), /tls-key .*right\.key: the private key is not that of the first certificate/],
        [own('server.pem', 'locked.key'), /tls-key .*locked\.key: the private key is encrypted/],
        [own('missing.pem', 'server.key'), /tls-cert .*missing\.pem: No such file/],
        [own('server.pem', 'missing.key'), /tls-key .*missing\.key: No such file/],
        [own('server.key', 'server.key'), /tls-cert .*server\.key: there is a private key/],
        [own('server.pem', 'server.pem'), /tls-key .*server\.pem: this must be a private key in PEM/],
        [[...own('server.pem', 'server.key'), '--tls-client-ca', files.path('ca.key')], /tls-client-ca .*ca\.key: holds no/],
        [['--tls-cert', files.path('server.pem')], /tls-key is missing/],
        [['--tls-client-ca', files.path('ca.pem')], /tls-client-ca needs tls-cert/],
    ];
    for (const [args, pattern] of cases) {
        const { code, stderr } = await start(...args);
        assert.ok(code === 1 || code === 2, `${code}: ${stderr}`);
        assert.match(stderr, pattern);
    }
    const server = await serve(t, { install: await initialize(t), args: own('expired.pem', 'expired.key') });
    assert.match(server.stderr, /warn listener: tls-cert .*expired\.pem: the certificate has expired/);
});

// ---- row 50 ----

test('row 50: posthorn mtls set, show and remove, for oneself and by a Master for a user', async (t) => {
    const files = certificates(t);
    const server = await serve(t);
    const user = await makeUser(server);
    const mtls = (...args) => posthorn('mtls', ...args, '--server', server.url, '--key', server.api_key);
    const pair = ['--cert', files.path('right.pem'), '--private-key', files.path('right.key')];
    const set = await mtls('set', ...pair, '--ca', files.path('ca.pem'), '--server-name', 'Hooks.Internal');
    assert.equal(set.code, 0, set.stderr);
    assert.match(set.stdout, /^subject +CN=right\nissuer +CN=authority ca\nfingerprint +(\w\w:){31}\w\w\n/);
    assert.match(set.stdout, /server name +hooks\.internal\nauthorities +1 of its own\n$/);
    assert.equal((await mtls('show')).stdout, set.stdout);
    const { data } = JSON.parse((await mtls('show', '--json')).stdout);
    assert.equal(data.attributes.certificate, files.read('right.pem'));
    assert.equal(data.attributes.private_key, undefined);
    assert.match((await mtls('show', '--user', user.user_id)).stderr, /404: Not found\. There is no such TLS identity/);
    assert.equal((await mtls('set', '--user', user.user_id, '--ca', files.path('ca.pem'))).code, 0);
    assert.match((await mtls('show', '--user', user.user_id)).stdout, /^subject +-\n/);
    assert.equal((await mtls('remove')).code, 0);
    assert.equal((await mtls('show')).code, 1);

    const mismatch = await mtls('set', '--cert', files.path('right.pem'), '--private-key', files.path('wrong.key'));
    assert.equal(mismatch.code, 1);
    assert.match(mismatch.stderr, /422: .*the private key is not that of the first certificate/);
    for (const args of [['set'], ['set', '--cert', 'x'], ['show', '--ca', 'x'], ['frobnicate'], []])
        assert.equal((await mtls(...args)).code, 2, args.join(' '));
    assert.match((await mtls('set', '--ca', '/nonexistent/x')).stderr, /cannot be read: No such file/);
});

/** In a network namespace of its own, where there is one to be had: the page's ports are free there. */
function isolated() {
    const tries = [['unshare', '--net', '--map-root-user'], ['unshare', '--net']];
    return tries.find(([file, ...args]) => spawnSync(file, [...args, 'ip', 'link', 'set', 'lo', 'up']).status === 0) ?? [];
}

test('row 50: the commands of docs/mtls.md, as they are printed', { timeout: 120_000 }, async (t) => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/mtls.md', import.meta.url)), 'utf8');
    const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text);
    assert.ok(blocks.length >= 8);
    const dir = folder(t);
    // -e: a command that fails ends it. What was started in the background goes with the shell.
    const prelude = 'set -e\ntrap \'kill $(jobs -p) 2>/dev/null; wait\' EXIT\nip link set lo up 2>/dev/null || true\n';
    const epilogue = `
        for i in $(seq 100); do
            shown=$(posthorn deliveries list "$EVENT" --server http://127.0.0.1:8080 --key "$FIRST_KEY")
            case $shown in *tls_client_cert*) break ;; esac
            sleep 0.1
        done
        printf '%s\\n' "$shown" > shown`;
    const script = prelude + blocks.join('\n').replace('posthorn serve', 'export FIRST_KEY=$POSTHORN_KEY\nposthorn serve') +
        epilogue;
    writeFileSync(join(dir, 'page.sh'), script);
    const [file, ...args] = [...isolated(), 'bash', 'page.sh'];
    const { code, stdout, stderr } = await run(file, args, { cwd: dir, limitMs: 110_000,
        env: { PATH: `${dirname(POSTHORN)}:${process.env.PATH}`, POSTHORN_SERVER: '', POSTHORN_KEY: '' } });
    const files = (name) => readFileSync(join(dir, name), 'utf8');
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(files('receiver.log'), /^(POST from posthorn\n)+$/);
    assert.match(files('shown'), /pending +1 .*tls_client_cert/);
    assert.equal(stdout.match(/"status":"ok"/g).length, 2, 'two servers are up');
    assert.match(stdout, /"code":"client_certificate"[^\n]*\n?$/);
    assert.match(stdout, /"server_name":"hooks\.internal","subject":"CN=posthorn"/);
});
