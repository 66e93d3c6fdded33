// Issue 8.27: a stranger's text reaches no terminal unescaped, whichever command prints it, as text or as JSON; and in JSON
// its meaning stays.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { answer, delivery, eventually, folder, launch, makeUser, post, posthorn, ready, receiver, run, POSTHORN, serve, setUrl } from './harness.mjs';

// Cc (without the line ends and tabs of a layout), Cf, Zl, Zp.
const TREACHEROUS = /[\p{Cf}\p{Zl}\p{Zp}\u0000-\u0008\u000b-\u001f\u007f-\u009f]/u;
const NASTY = 'a\u202eb\u2066c\u200bd\u00ade\u009b31m\u001b[2Jf\ufeffg\u061ch\u{e0041}i\u2028j\u007fk\ufff9';

const clean = (text, what) => assert.ok(!TREACHEROUS.test(text), `${what}: ${JSON.stringify(text.match(TREACHEROUS)?.[0])}`);

test('8.27: events show and list, why, deliveries and tail escape what an event or an answer holds', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(500, NASTY));
    const user = await makeUser(server, 'Ana\u202e\ufeff');
    await setUrl(server, url, { id: user.user_id, key: user.api_key });
    const at = ['--server', server.url, '--key', server.api_key];
    const tails = [[], ['--json']].map((more) => launch(t, ['tail', '--every', '1', '--server', server.url, '--key', user.api_key, ...more]));
    for (const tail of tails) await eventually('it follows', () => /printing new events/.test(tail.stderr));
    const event = await post(server, { user: user.user_id, resource: { type: 'users', id: '7\u202e' }, attributes: { name: NASTY } });
    await eventually('an attempt', async () => (await delivery(server, event)).attributes.attempt_count > 0);
    const { id } = await delivery(server, event);
    for (const args of [['events', 'show', event], ['events', 'show', event, '--json'], ['events', 'list'], ['events', 'list', '--json'], ['why', event],
        ['why', event, '--json'], ['deliveries', 'list', event], ['deliveries', 'show', id], ['deliveries', 'show', id, '--json']]) {
        const { code, stdout, stderr } = await posthorn(...args, ...at);
        assert.equal(code, 0, stderr);
        clean(stdout + stderr, args.join(' '));
    }
    const shown = JSON.parse((await posthorn('events', 'show', event, ...at)).stdout);
    assert.equal(shown.included[0].attributes.name, NASTY, 'JSON says what it said');
    const why = JSON.parse((await posthorn('why', event, '--json', ...at)).stdout);
    assert.equal(why.deliveries[0].attributes.attempts[0].response, NASTY);
    for (const tail of tails) {
        await eventually('both lines', () => tail.stdout.trim().split('\n').length >= 2);
        clean(tail.output, 'tail');
    }
    assert.equal(JSON.parse(tails[1].stdout.split('\n')[0]).resource.id, '7\u202e');
});

test("8.27: receive's lines and verify's findings escape what a push holds", async (t) => {
    const dir = folder(t);
    for (const more of [[], ['--json']]) {
        const there = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', join(dir, more.length ? 'j' : 'p'), ...more]);
        const url = await ready(there, more.length ? /"listening":"(http[^"]+)"/ : /receiving on (http\S+)/);
        const pushed = await posthorn('trigger', 'user_enabled', '--to', url, '--set', `included.id=${NASTY.replaceAll('\n', '')}`,
            '--set', `relationships.resource.id=${NASTY}`);
        assert.ok([0, 1, 2].includes(pushed.code));
        await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ data: { id: NASTY, type: 'events',
            attributes: { event_type: NASTY }, relationships: { resource: { data: { type: NASTY, id: NASTY } } } } }) });
        await eventually('its line', () => there.stdout.trim().split('\n').length >= 2);
        clean(there.output, `receive ${more.join()}`);
    }
    assert.ok(readdirSync(dir).length >= 1);
    const file = join(dir, 'push');
    writeFileSync(file, `POST / HTTP/1.1\r\nWEBHOOK-AUTH: ${NASTY}\r\nwebhook-id: ${NASTY}\r\nContent-Length: 4\r\n\r\n{"a"${NASTY}`);
    for (const more of [[], ['--json']]) {
        const { stdout, stderr } = await run(POSTHORN, ['verify', file, '--api-key', 'k', '--secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', ...more]);
        assert.ok(stdout.length + stderr.length > 0);
        clean(stdout + stderr, `verify ${more.join()}`);
    }
    assert.ok(readFileSync(file).length > 0);
});
