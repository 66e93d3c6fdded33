// A receiver's package that knows nothing of posthorn verifies a push as it came over the wire, and refuses each push
// that somebody changed. The programs are in verify/; each prints one line for each push and package.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { api, eventually, makeUser, post, receiver, serve, setUrl } from '../e2e/harness.mjs';
import { checked, copied, fetched, pip, room } from './tools.mjs';

const pushes = join(room, 'pushes');

const parts = (secret, request) => ({
    secret,
    body: request.body,
    ...Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, request.header(name)])),
});

/** One real push with one signature, a second one while two secrets are valid, and four that are refused. */
async function capture(t) {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const secret = async (attributes) => {
        const made = await api(server, 'POST', '/api/signing_secrets', { data: { type: 'signing_secrets', attributes } });
        assert.equal(made.status, 201, made.text);
        return made.json.data.attributes.secret;
    };
    const pushed = async (count) => {
        await post(server, { attributes: { name: 'Zoë 🐎', balance: 12345678901234567890.5 } });
        await eventually(`${count} pushes`, () => hook.requests.length >= count);
        return hook.requests[count - 1];
    };
    const old = await secret({ overlap_s: 0 });
    const push = parts(old, await pushed(1));
    const now = await secret({ overlap_s: 600 });
    const both = await pushed(2);
    const stranger = await makeUser(server);
    const other = await api(server, 'POST', '/api/signing_secrets',
        { data: { type: 'signing_secrets', attributes: {} } }, { key: stranger.api_key });
    const { 'webhook-signature': _, ...unsigned } = push;
    return {
        accepted: push,
        accepted_by_the_old_secret: parts(old, both),
        accepted_by_the_new_secret: parts(now, both),
        refused_body_changed: { ...push, body: push.body.toString().replace('Zoë', 'Eve') },
        refused_timestamp_old: { ...push, 'webhook-timestamp': String(push['webhook-timestamp'] - 3600) },
        refused_wrong_secret: { ...push, secret: other.json.data.attributes.secret },
        refused_no_signature: unsigned,
    };
}

test('receivers: their packages verify a captured push and refuse four bad ones', async (t) => {
    const cases = await capture(t);
    rmSync(pushes, { recursive: true, force: true });
    for (const [name, files] of Object.entries(cases)) {
        mkdirSync(join(pushes, name), { recursive: true });
        for (const [file, content] of Object.entries(files)) writeFileSync(join(pushes, name, file), content);
    }
    const judge = (packages, printed) => {
        const said = printed.split('\n').filter(Boolean).map((line) => line.split(' '));
        for (const each of packages) {
            for (const name of Object.keys(cases)) {
                const verdicts = said.filter(([by, push]) => by === each && push === name).map((line) => line[2].replace(':', ''));
                assert.deepEqual(verdicts, [name.split('_')[0]], `${each}, ${name}:\n${printed}`);
            }
        }
    };
    const at = (language) => copied(`verify/${language}`);
    const inPushes = { cwd: pushes };

    await t.test('Python: standardwebhooks and svix', async () => {
        judge(['standardwebhooks', 'svix'], await checked(await pip('verify/python/requirements.txt'),
            [join(at('python'), 'verify.py')], inPushes));
    });
    await t.test('JavaScript: standardwebhooks and svix', async () => {
        const node = at('node');
        await fetched(() => checked('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: node }));
        judge(['standardwebhooks', 'svix'], await checked('node', [join(node, 'verify.mjs')], inPushes));
    });
    await t.test('Go: standardwebhooks', async () => {
        await fetched(() => checked('go', ['build', '-o', 'verify', '.'], { cwd: at('go') }));
        judge(['standardwebhooks'], await checked(join(at('go'), 'verify'), [], inPushes));
    });
    await t.test('Rust: standardwebhooks', async () => {
        await fetched(() => checked('cargo', ['build', '--quiet', '--locked'], { cwd: at('rust') }));
        judge(['standardwebhooks'], await checked(join(room, 'cargo/target/debug/verify'), [], inPushes));
    });
    await t.test('Java: standardwebhooks', async () => {
        const java = at('java');
        await fetched(() => checked('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], { cwd: java }));
        judge(['standardwebhooks'], await checked('java', ['-cp', join(java, 'jars/*'), join(java, 'Verify.java')], inPushes));
    });
});
