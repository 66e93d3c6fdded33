// rows: 31, 32, 33
// posthorn verify: which part of a push is wrong, in plain words. The pushes are a real server's, with the
// faults that people meet.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { folder, POSTHORN, posthorn, receiver, run, sha256 } from '../e2e/harness.mjs';

const KEY = 'your_api_key';
const HMAC_KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const SECRET = `whsec_${HMAC_KEY.toString('base64')}`;
const OTHER = `whsec_${Buffer.from('another user has another key....').toString('base64')}`;

/** A push as it came over the wire: { head, body }. */
async function keep(t, ...args) {
    const there = await receiver(t);
    const { code, stderr } = await posthorn('trigger', 'user_enabled', '--to', there.url, '--api-key', KEY,
        '--secret', SECRET, '--set', 'included.name=Añá/Ü 𝄞 "q" \\', ...args);
    assert.equal(code, 0, stderr);
    const [{ head, body, headers }] = there.requests;
    return { head, headers, body: body.toString() };
}

/** `posthorn verify` on it after `change`: { code, reasons: { part: reason }, text }. */
async function verify(t, { head, body }, args = ['--api-key', KEY, '--secret', SECRET]) {
    const file = join(folder(t), 'push');
    writeFileSync(file, `${head.replace(/^Content-Length: .*\r\n/m, '').replace(/\r\nContent-Length: \d+$/, '')}\r\n\r\n${body}`);
    const { code, stdout, stderr } = await posthorn('verify', file, '--json', ...args);
    const plain = await posthorn('verify', file, ...args);
    assert.equal(plain.code, code);
    for (const hidden of [KEY, SECRET, OTHER, HMAC_KEY.toString('base64')]) {
        assert.ok(!(stdout + stderr + plain.stdout + plain.stderr).includes(hidden), 'nothing secret is echoed');
    }
    const { right, parts } = JSON.parse(stdout);
    assert.equal(right, code === 0);
    return { code, reasons: Object.fromEntries(parts.map(({ part, reason }) => [part, reason])), text: plain.stdout };
}

const setHeader = (push, name, value) => ({
    ...push, head: push.head.replace(new RegExp(`^${name}: .*$`, 'mi'), value === null ? 'X-Gone: 1' : `${name}: ${value}`) });
const header = (push, name) => push.head.match(new RegExp(`^${name}: (.*?)\r?$`, 'mi'))[1];

test('row 33: verify: a push as it came is right, from a file, from stdin, and from options', async (t) => {
    const push = await keep(t);
    const { code, reasons, text } = await verify(t, push);
    assert.equal(code, 0, text);
    assert.deepEqual(reasons, { 'WEBHOOK-AUTH': 'ok', 'webhook-signature': 'ok', body: 'ok' });
    const whole = await run(POSTHORN, ['verify', '-', '--api-key', KEY, '--secret', SECRET],
        { input: `${push.head}\r\n\r\n${push.body}` });
    assert.equal(whole.code, 0, whole.stdout);
    const lines = push.headers.flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
    const parts = await run(POSTHORN, ['verify', ...lines, '--secret', OTHER, '--secret', SECRET], { input: push.body });
    assert.equal(parts.code, 0, parts.stdout);
    const unix = await run(POSTHORN, ['verify', '-', '--api-key', KEY],
        { input: `${push.head.replaceAll('\r\n', '\n')}\n\n${push.body}` });
    assert.equal(unix.code, 0, unix.stdout);
});

test('row 33: verify: wrong usage is 2, what cannot be read is 1', async (t) => {
    const file = join(folder(t), 'push');
    writeFileSync(file, 'no headers here\n');
    for (const [args, code] of [
        [['verify', file], 2], [['verify', file, '--secret', 'whsec_xx'], 2], [['verify', file, '--api-key', 'k', '--body', 'x'], 2],
        [['verify', file, '--api-key', 'k', '--at', 'noon'], 2], [['verify', file, '--api-key', 'k'], 1],
        [['verify', '/no/such/file', '--api-key', 'k'], 1], [['verify', '--help'], 0]]) {
        assert.equal((await posthorn(...args)).code, code, args.join(' '));
    }
});

test('row 32: verify: what is wrong with WEBHOOK-AUTH', async (t) => {
    const push = await keep(t);
    const digest = header(push, 'WEBHOOK-AUTH');
    const cases = {
        key_newline: [setHeader(push, 'WEBHOOK-AUTH', sha256(`${KEY}\n`)), /and a line feed: `echo` adds one/],
        upper_case: [setHeader(push, 'WEBHOOK-AUTH', digest.toUpperCase()), /upper case/],
        other_key: [setHeader(push, 'WEBHOOK-AUTH', sha256('another')), /another user's/],
        key_itself: [setHeader(push, 'WEBHOOK-AUTH', KEY), /the API key itself/],
        missing: [setHeader(push, 'WEBHOOK-AUTH', null), /there is no WEBHOOK-AUTH/],
        doubled: [{ ...push, head: `${push.head}\r\nwebhook-auth: ${digest}` }, /there are 2/],
        wrong_name: [{ ...push, head: push.head.replace('WEBHOOK-AUTH', 'Webhook_Auth') }, /called 'Webhook_Auth'/],
        decorated: [setHeader(push, 'WEBHOOK-AUTH', `sha256="${digest}"`), /more than its 64 digits/],
        base64: [setHeader(push, 'WEBHOOK-AUTH', Buffer.from(digest, 'hex').toString('base64')), /base64/],
        digested_twice: [setHeader(push, 'WEBHOOK-AUTH', sha256(digest)), /digest of the digest/],
        not_a_digest: [setHeader(push, 'WEBHOOK-AUTH', digest.slice(1)), /this value has 63/],
    };
    for (const [reason, [changed, words]] of Object.entries(cases)) {
        const { code, reasons, text } = await verify(t, changed);
        assert.equal(code, 1, reason);
        assert.deepEqual(reasons, { 'WEBHOOK-AUTH': reason, 'webhook-signature': 'ok', body: 'ok' });
        assert.match(text, words);
    }
    const elsewhere = await verify(t, { ...push, head: push.head.replace('WEBHOOK-AUTH', 'X-Signature') });
    assert.equal(elsewhere.reasons['WEBHOOK-AUTH'], 'wrong_name');
    const given = await verify(t, push, ['--api-key', `${KEY}\n`]);
    assert.equal(given.reasons['WEBHOOK-AUTH'], 'key_newline');
    assert.match(given.text, /the key you gave here ends in a line feed/);
});

test('row 33: verify: a body that was changed on its way, and how', async (t) => {
    const push = await keep(t);
    const data = JSON.parse(push.body);
    const ascii = (text) => text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
    assert.equal(JSON.stringify(data), push.body, 'the push itself is compact JSON');
    const changes = {
        body_newline: [`${push.body}\n`, `${push.body}\r\n`, `${push.body} `],
        body_bom: [`\ufeff${push.body}`],
        body_reserialised: [
            JSON.stringify(data, null, 2), JSON.stringify(data, null, 4), JSON.stringify(data, null, '\t'),
            `${JSON.stringify(data, null, 2)}\n`, ascii(push.body), ascii(JSON.stringify(data, null, 2)),
            push.body.replaceAll('/', '\\/'), ascii(push.body.replaceAll('/', '\\/')),
            push.body.replaceAll('":', '" :'),
        ],
    };
    for (const [reason, bodies] of Object.entries(changes)) {
        for (const body of bodies) {
            const { code, reasons, text } = await verify(t, { ...push, body });
            assert.equal(code, 1);
            assert.equal(reasons['webhook-signature'], reason, body.slice(0, 60));
            assert.equal(reasons['WEBHOOK-AUTH'], 'ok');
            if (reason === 'body_reserialised') assert.match(text, /compact JSON.*before anything parses them/);
        }
    }
    const changed = await verify(t, { ...push, body: push.body.replace('person@', 'eve@') });
    assert.equal(changed.reasons['webhook-signature'], 'signature_wrong');
});

test('row 33: verify: and the other way round, whatever the sender signed', async (t) => {
    const push = await keep(t);
    const data = JSON.parse(push.body);
    const [id, at] = [header(push, 'webhook-id'), header(push, 'webhook-timestamp')];
    const signed = (body) => setHeader(push, 'webhook-signature',
        `v1,${createHmac('sha256', HMAC_KEY).update(`${id}.${at}.${body}`).digest('base64')}`);
    const python = (value) => (value === null || typeof value !== 'object' ? JSON.stringify(value)
        : Array.isArray(value) ? `[${value.map(python).join(', ')}]`
            : `{${Object.entries(value).map(([name, one]) => `"${name}": ${python(one)}`).join(', ')}}`);
    for (const body of [JSON.stringify(data, null, 2), JSON.stringify(data, null, 4), `${JSON.stringify(data, null, '\t')}\n`,
        python(data), `${push.body}\n`]) {
        assert.deepEqual(JSON.parse(body), data);
        const { reasons } = await verify(t, signed(body));
        assert.match(reasons['webhook-signature'], /^body_(reserialised|newline)$/, body.slice(0, 60));
    }
});

test('row 33: verify: the clock, the id, the names, the version, the kind of secret', async (t) => {
    const push = await keep(t);
    const [id, at] = [header(push, 'webhook-id'), Number(header(push, 'webhook-timestamp'))];
    const sign = (stamp, key = HMAC_KEY, named = id) => createHmac('sha256', key).update(`${named}.${stamp}.${push.body}`).digest('base64');
    const restamped = (stamp) => setHeader(setHeader(push, 'webhook-timestamp', stamp), 'webhook-signature', `v1,${sign(stamp)}`);
    const reason = async (changed, args) => {
        const { code, reasons, text } = await verify(t, changed, args);
        assert.equal(code, 1);
        return [reasons['webhook-signature'], text];
    };
    const [late, words] = await reason(restamped(at - 403));
    assert.equal(late, 'clock');
    assert.match(words, /6 min 4\d s behind the clock \(5 min are allowed\)/);
    assert.equal((await reason(restamped(at + 90000)))[0], 'clock');
    assert.equal((await verify(t, restamped(at - 403), ['--secret', SECRET, '--at', `${at - 400}`])).code, 0);
    const long = ['--secret', SECRET, '--tolerance', '1000'];
    assert.equal((await verify(t, restamped(at - 403), long)).code, 0);
    const old = restamped(946684800);
    assert.equal((await verify(t, old, ['--secret', SECRET, '--at', '2000-01-01T00:01:00.000Z'])).code, 0);
    assert.equal((await reason(restamped(at * 1000)))[0], 'timestamp');
    assert.equal((await reason(restamped('now')))[0], 'timestamp');
    const signature = header(push, 'webhook-signature');
    for (const [expected, changed] of [
        ['wrong_id', setHeader(push, 'webhook-id', '9')],
        ['other_push', setHeader(setHeader(push, 'webhook-id', '9'), 'webhook-signature', `v1,${sign(at, HMAC_KEY, '7')}`)],
        ['no_version', setHeader(push, 'webhook-signature', signature.slice(3))],
        ['no_version', setHeader(push, 'webhook-signature', signature.replace(',', '='))],
        ['missing', setHeader(push, 'webhook-timestamp', null)],
        ['doubled', { ...push, head: `${push.head}\r\nWebhook-Id: ${id}` }],
        ['wrong_name', { ...push, head: push.head.replace('webhook-signature', 'svix-signature') }],
        ['secret_undecoded', setHeader(push, 'webhook-signature', `v1,${sign(at, SECRET)}`)],
        ['secret_undecoded', setHeader(push, 'webhook-signature', `v1,${sign(at, SECRET.slice(6))}`)],
        ['other_kind', setHeader(push, 'webhook-signature', `v1a,${signature.slice(3)}`)],
        ['signature_wrong', setHeader(push, 'webhook-signature', `v1,${sign(at, 'other')}`)],
    ]) {
        assert.equal((await reason(changed))[0], expected, `${expected}: ${changed.head}`);
    }
    assert.equal((await reason(push, ['--secret', OTHER]))[0], 'signature_wrong');
    assert.match((await reason(push, ['--secret', OTHER]))[1], /another user's/);
});

test('row 33: verify: hostile pushes are judged, and nothing raw reaches the terminal', async (t) => {
    const push = await keep(t);
    for (const body of ['', '{', '[]', '\u0000', '\u001b]0;x\u0007', `${'['.repeat(5000)}`, push.body.repeat(2)]) {
        const { code, reasons } = await verify(t, { ...push, body });
        assert.equal(code, 1);
        assert.notEqual(reasons.body, 'ok');
    }
    const { text } = await verify(t, { ...push, head: push.head.replace('WEBHOOK-AUTH', '\u001b[31mwebhook_auth\u0007') });
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\u0000-\u001f\u007f]/);
});
