// rows: 37
// Playing the server, and asking it to play: every way of `posthorn trigger`, straight to a URL and through the API.
import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, eventually, folder, posthorn, POSTHORN, receiver, run, serve, setUrl } from '../e2e/harness.mjs';

const KEY = 'your_api_key';
const DIGEST = '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683';
const HMAC_KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const SECRET = `whsec_${HMAC_KEY.toString('base64')}`;

const types = (there) => there.requests.map(({ json }) => json.data.attributes.event_type);
const catalog = async () => JSON.parse((await posthorn('catalog', '--json')).stdout);

async function good(...args) {
    const { code, stdout, stderr } = await posthorn('trigger', ...args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
}

/** A server, its receiver, and the arguments to reach it. */
async function both(t, options) {
    const server = await serve(t, options);
    const there = await receiver(t);
    await setUrl(server, `${there.url}/hook`);
    return { server, there, at: ['--server', server.url, '--key', server.api_key] };
}

test('row 37: --all sends the documented types and --every all of them, in order, each with its own id', async (t) => {
    for (const [option, wanted] of [['--all', ({ status }) => status === 'documented'], ['--every', () => true]]) {
        const there = await receiver(t);
        await good(option, '--to', there.url, '--api-key', KEY);
        assert.deepEqual(types(there), (await catalog()).filter(wanted).map(({ name }) => name), option);
        assert.equal(new Set(there.requests.map(({ id }) => id)).size, there.requests.length);
        assert.ok(there.requests.every((request) => request.header('WEBHOOK-AUTH') === DIGEST));
    }
});

test('row 37: --scenario tells the story in order, through the API as straight to a URL', async (t) => {
    const { there, at } = await both(t);
    const straight = await receiver(t);
    const steps = JSON.parse((await posthorn('catalog', 'scenarios', '--json')).stdout)
        .find(({ name }) => name === 'settled').steps.map((step) => step.event_type ?? step);
    await good('--scenario', 'settled', '--to', straight.url);
    assert.deepEqual(types(straight), steps);
    await good('--scenario', 'settled', ...at);
    await there.arrived(steps.length);
    const sent = [...there.requests].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
    assert.deepEqual(sent.map(({ json }) => json.data.attributes.event_type), steps);
    assert.deepEqual(sent.map(({ json }) => json.included), straight.requests.map(({ json }) => json.included));
});

test('row 37: --set changes any place, as JSON or as text, and the text of numbers comes through', async (t) => {
    const { there, at } = await both(t);
    const sets = [
        'included.state=settled', 'included.amount=10.50000000000001', 'included.note="77"', 'included.plain=seventy 7',
        'included.budget=null', 'included.deep.er=[1,{"a":true}]', 'resource.id=77', 'relationships.failures=[]',
        'relationships.owner=users/600', 'created_at=2001-02-03T04:05:06+00:00', '/included/0/meta={"x":1}',
        'event_type=concierge_request_output_renamed',
    ].flatMap((one) => ['--set', one]);
    const straight = await receiver(t);
    await good('concierge_request_output_working', ...sets, '--set', 'id=4711', '--to', straight.url);
    await good('concierge_request_output_working', ...sets, ...at);
    await there.arrived(1);
    for (const [pushed] of [straight.requests, there.requests]) {
        const { data, included } = pushed.json;
        assert.equal(data.attributes.event_type, 'concierge_request_output_renamed');
        assert.equal(data.attributes.created_at, '2001-02-03T04:05:06.000Z');
        assert.deepEqual(data.relationships.resource.data, { type: 'concierge_request_outputs', id: '77' });
        assert.deepEqual(data.relationships.failures, { data: [] });
        assert.equal(included[0].id, '77');
        const { state, note, plain, budget, deep } = included[0].attributes;
        assert.deepEqual({ state, note, plain, budget, deep },
            { state: 'settled', note: '77', plain: 'seventy 7', budget: null, deep: { er: [1, { a: true }] } });
        assert.match(pushed.body.toString(), /"amount":10\.50000000000001[,}]/);
        assert.deepEqual(included[0].meta, { x: 1 });
    }
    assert.equal(straight.requests[0].id, '4711');
    assert.deepEqual(there.requests[0].json.data.relationships.owner, { data: { type: 'users', id: '600' } });
});

test('row 37: what --set cannot do is wrong usage that says so, and nothing is sent', async (t) => {
    const there = await receiver(t);
    for (const [set, why] of [
        ['included', /PATH=VALUE/], ['=x', /PATH=VALUE/], ['includd.state=x', /no field 'includd\.state'/],
        ['resource.name=x', /no field/], ['created_at=yesterday', /created_at must be a date/],
        ['event_type=a b', /event_type must be/], ['id=x', /data\.id must be/], ['/data/attributes/x=1', /data\.attributes\.x/],
        ['/data/type=users', /data\.type/], ['/included/0/id=5', /every element of included/], ['included..x=1', /no field/],
        ['/included=7', /included must be a list/], ['relationships.resource=[]', /relationships\.resource/],
    ]) {
        const { code, stderr } = await posthorn('trigger', 'user_enabled', '--set', set, '--to', there.url);
        assert.equal(code, 2, set);
        assert.match(stderr, why, set);
    }
    assert.equal(there.requests.length, 0);
});

test('row 37: --times N repeats with new ids, sums up, and shows a bar on a terminal only', async (t) => {
    const there = await receiver(t, (request, number) => answer(number % 10 === 0 ? 503 : 200));
    const { code, stdout, stderr } = await posthorn('trigger', 'user_enabled', 'user_disabled', '--times', '60',
        '--to', there.url);
    assert.equal(code, 1, 'one failure fails the whole');
    assert.equal(there.requests.length, 120);
    assert.equal(new Set(there.requests.map(({ id }) => id)).size, 120);
    assert.deepEqual(types(there).slice(0, 4), ['user_enabled', 'user_disabled', 'user_enabled', 'user_disabled']);
    assert.match(stdout, /^120 sent in \d+\.\d s: 108 delivered, 12 unexpected_status$/m);
    assert.equal(stdout.split('\n').filter((line) => /unexpected_status .*only 200/.test(line)).length, 5, 'the first few');
    assert.equal(stderr, '');
    const quoted = [POSTHORN, 'trigger', 'user_enabled', '--times', '60', '--to', there.url].map((word) => `'${word}'`);
    const terminal = await run('script', ['-qec', quoted.join(' '), '/dev/null']);
    assert.match(terminal.stdout, /\r\[#* *\] +\d+ % +\d+ of 60/);
    const lines = await good('user_enabled', '--times', '3', '--json', '--to', (await receiver(t)).url);
    assert.equal(lines.trim().split('\n').map((line) => JSON.parse(line)).length, 3);
});

test('row 37: --duplicate sends the same bytes twice under one id, through the API too', async (t) => {
    const { server, there, at } = await both(t);
    const straight = await receiver(t);
    await good('user_enabled', 'user_disabled', '--duplicate', '--to', straight.url, '--api-key', KEY);
    assert.deepEqual(types(straight), ['user_enabled', 'user_enabled', 'user_disabled', 'user_disabled']);
    const stdout = await good('user_enabled', '--duplicate', ...at);
    assert.match(stdout, /201 accepted .*\n.*resent/);
    await there.arrived(2);
    for (const [one, two] of [straight.requests, there.requests]) {
        assert.equal(one.id, two.id);
        assert.deepEqual(one.body, two.body);
    }
    await api(server, 'PATCH', '/api/users/me',
        { data: { type: 'users', id: server.user_id, attributes: { webhook_url: null } } });
    const nobody = await posthorn('trigger', 'user_enabled', '--duplicate', ...at);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /webhook_url/);
});

test('row 37: --out-of-order sends the last one first; ids or dates still say what the order was', async (t) => {
    const { server, at } = await both(t);
    const straight = await receiver(t);
    await good('--scenario', 'settled', '--out-of-order', '--to', straight.url);
    const ids = straight.requests.map(({ id }) => BigInt(id));
    assert.ok(ids.length > 5 && ids.every((id, i) => i === 0 || id < ids[i - 1]));
    const told = await receiver(t);
    await good('--scenario', 'settled', '--to', told.url);
    assert.deepEqual(types(straight), types(told).reverse());
    await good('--scenario', 'settled', '--out-of-order', ...at);
    const { json } = await api(server, 'GET', '/api/events?page[size]=50');
    const byId = [...json.data].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)).map(({ attributes }) => attributes);
    assert.deepEqual(byId.map(({ event_type: type }) => type), types(straight));
    const dates = byId.map(({ created_at: date }) => date);
    assert.ok(dates.every((date, i) => i === 0 || date < dates[i - 1]), dates.join());
    assert.equal((await posthorn('trigger', 'user_enabled', '--out-of-order', '--to', straight.url)).code, 2);
});

test('row 37: --edit gives the JSON to $EDITOR, and checks what comes back', async (t) => {
    const there = await receiver(t);
    const dir = folder(t);
    const edit = async (script, ...args) => {
        const editor = join(dir, 'editor');
        writeFileSync(editor, `#!/bin/sh\n${script}\n`);
        chmodSync(editor, 0o755);
        return run(POSTHORN, ['trigger', 'user_enabled', '--edit', '--to', there.url, ...args],
            { env: { EDITOR: `${editor} --wait`, VISUAL: '', TMPDIR: dir } });
    };
    const changed = await edit(`cp "$2" ${dir}/seen.json; sed -i 's/"person@/"eve@/; s/^{/{ \\/\\/ a comment/' "$2"`);
    assert.equal(changed.code, 0, changed.stderr);
    assert.equal(there.requests[0].json.included[0].attributes.email, 'eve@example.com');
    const seen = JSON.parse(readFileSync(join(dir, 'seen.json'), 'utf8'));
    assert.equal(seen.data.attributes.event_type, 'user_enabled');
    assert.equal(seen.data.id, undefined, 'id and dates come with the sending');

    for (const [script, why] of [
        [`printf '{\\n "data" {' > "$2"`, /line 2, column \d+/], [`echo '{}' > "$2"`, /data must be an object/],
        [`sed -i 's/user_enabled/a b/' "$2"`, /event_type must be/]]) {
        const wrong = await edit(script);
        assert.equal(wrong.code, 1);
        assert.match(wrong.stderr, why);
        const [, kept] = wrong.stderr.match(/kept in (\S+\.json)/);
        readFileSync(kept);
    }
    assert.equal((await edit('exit 3')).code, 1);
    assert.equal(there.requests.length, 1);
    assert.equal((await posthorn('trigger', 'user_enabled', 'user_disabled', '--edit', '--to', there.url)).code, 2);
});

test('row 37: --dry-run sends nothing, and its curl, run by a shell, sends the same', async (t) => {
    const { server, there, at } = await both(t);
    const quote = ['--set', `included.name=O'Hara $HOME \`x\` "q"`];
    const line = async (...args) => {
        const { code, stdout, stderr } = await run(POSTHORN, ['trigger', 'user_enabled', '--dry-run', ...quote, ...args]);
        assert.equal(code, 0, stderr);
        for (const hidden of [KEY, DIGEST, SECRET, server.api_key]) assert.ok(!stdout.includes(hidden), 'a key is never shown');
        return stdout;
    };
    const shell = (script, key) => run('/bin/sh', ['-c', script], { env: { POSTHORN_KEY: key } });
    const straight = await line('--to', `${there.url}/hook?a=1&b='2'`, '--api-key', KEY, '--secret', SECRET);
    const posted = await line(...at);
    assert.equal(there.requests.length, 0);
    assert.match(posted, /Authorization: \$POSTHORN_KEY"/);

    assert.equal((await shell(straight, KEY)).stdout, '{"status":"success"}');
    const [request] = there.requests;
    assert.equal(request.path, `/hook?a=1&b='2'`);
    assert.equal(request.header('WEBHOOK-AUTH'), DIGEST);
    assert.equal(request.header('Content-Type'), 'application/json');
    assert.equal(request.json.included[0].attributes.name, `O'Hara $HOME \`x\` "q"`);
    const stamp = request.header('webhook-timestamp');
    assert.equal(request.header('webhook-signature'), `v1,${createHmac('sha256', HMAC_KEY)
        .update(`${request.id}.${stamp}.${request.body}`).digest('base64')}`);

    assert.equal(JSON.parse((await shell(posted, server.api_key)).stdout).data.attributes.event_type, 'user_enabled');
    await there.arrived(2);
    assert.equal(there.requests[1].json.included[0].attributes.name, `O'Hara $HOME \`x\` "q"`);
    assert.equal(JSON.parse(await line('--json', ...at)).curl.split('\n')[0].startsWith('curl '), true);
});

test('row 37: --secret signs as the server does: webhook-id, -timestamp, -signature, v1 and v1a', async (t) => {
    const there = await receiver(t);
    const seed = createHash('sha256').update('seed').digest();
    const key = createPrivateKey({ format: 'der', type: 'pkcs8',
        key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]) });
    const publicRaw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
    const ed25519 = `whsk_${Buffer.concat([seed, publicRaw]).toString('base64')}`;
    await good('user_enabled', '--to', there.url, '--api-key', KEY, '--secret', SECRET, '--secret', ed25519);
    await good('user_enabled', '--to', there.url, '--api-key', KEY);
    const [request, unsigned] = there.requests;
    const names = request.headers.map(([name]) => name);
    assert.deepEqual(names.slice(names.indexOf('Content-Type'), names.indexOf('Content-Type') + 5),
        ['Content-Type', 'WEBHOOK-AUTH', 'webhook-id', 'webhook-timestamp', 'webhook-signature']);
    assert.equal(request.header('webhook-id'), request.id);
    const signed = `${request.id}.${request.header('webhook-timestamp')}.${request.body}`;
    const [v1, v1a, ...none] = request.header('webhook-signature').split(' ');
    assert.deepEqual(none, []);
    assert.equal(v1, `v1,${createHmac('sha256', HMAC_KEY).update(signed).digest('base64')}`);
    assert.ok(verify(null, Buffer.from(signed), createPublicKey(key), Buffer.from(v1a.slice(4), 'base64')));
    assert.ok(!unsigned.headers.some(([name]) => name.startsWith('webhook-')), 'they come together or not at all');
    for (const wrong of ['whsec_xx', 'whpk_AAAA', 'nonsense']) {
        const { code, stderr } = await posthorn('trigger', 'user_enabled', '--to', there.url, '--secret', wrong);
        assert.equal(code, 2);
        assert.ok(!stderr.includes(wrong));
    }
});

test('row 37: mistyped types and scenarios are guessed', async () => {
    for (const [args, guess] of [
        [['user_enabld'], /did you mean user_enabled\?/], [['concierge_request_output_setled'], /did you mean \w+_settled\?/],
        [['--scenario', 'setled'], /did you mean settled\?/], [['zzzzzzzzzz'], /posthorn catalog/]]) {
        const { code, stderr } = await posthorn('trigger', ...args, '--key', 'k');
        assert.equal(code, 2);
        assert.match(stderr, guess);
    }
});

test('row 37: a receiver that checks everything cannot tell trigger from the server', async (t) => {
    const { server, there, at } = await both(t);
    const mimic = await receiver(t);
    await good('--every', ...at);
    const { length } = await catalog();
    await there.arrived(length);
    await good('--every', '--to', `${mimic.url}/hook`, '--api-key', server.api_key, '--secret', SECRET);
    const neutral = (request) => ({
        head: request.head.replace(/^Host: .*$/m, '').replace(/^(webhook-\w+): .*$/gm, '$1'),
        body: request.body.toString().replace(/"id":"\d{10,}"/, '').replace(/("(?:created|sent)_at":")[^"]{24}"/g, '$1"'),
    });
    for (const theirs of there.requests) {
        const type = theirs.json.data.attributes.event_type;
        const ours = mimic.requests.find(({ json }) => json.data.attributes.event_type === type);
        assert.deepEqual(neutral(ours), neutral(theirs), type);
    }
    await eventually('the server agrees', () => there.requests.length === length);
});
