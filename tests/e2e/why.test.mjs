// `posthorn why` and `posthorn deliveries show`: the receiver's answer, its address, and the owner.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { answer, delivery, eventually, makeUser, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

const ask = async (server, key, ...args) => {
    const { code, stdout, stderr } = await posthorn(...args, '--server', server.url, '--key', key ?? server.api_key);
    assert.equal(code, 0, stderr);
    return stdout;
};
const tried = (server, event, times) => eventually(`${times} attempts on record`, async () =>
    (await delivery(server, event)).attributes.attempt_count >= times);

test("8.15: what the receiver said is in why and in deliveries show, escaped, with URL, time and the last tries", async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100'] });
    const { url } = await receiver(t, () => answer(401, '{"error":"invalid signature \u202e\x1b[2J"}\n'));
    await setUrl(server, `${url}/hook?a='b`);
    const event = await post(server);
    await tried(server, event, 3);
    const said = await ask(server, null, 'why', event);
    assert.match(said, /your server said 401; we need 200\..*Usual cause: the signature or the key/);
    assert.match(said, /^ {2}it said +"\{"error":"invalid signature \\xe2\\x80\\xae\\x1b\[2J"\}\\x0a"$/m);
    assert.match(said, /^ {2}url +http:\/\/127\.0\.0\.1:\d+\/hook\?a='b$/m);
    assert.match(said, /^ {2}last try +\d{4}-\d\d-\d\dT[\d:.]+Z, .* ago, to 127\.0\.0\.1:\d+$/m);
    assert.match(said, /^ {2}try 1 +\d{4}-.*Z, \d+ ms: your server said 401; we need 200$/m);
    assert.match(said, /^ {2}try 3 +/m);
    assert.match(said, /^ {2}receiver +user 5, you; the advice is for you/m);
    assert.match(said, /^ {2}look +posthorn doctor --ping 'http:\/\/127\.0\.0\.1:\d+\/hook\?a='\\''b'$/m);
    assert.doesNotMatch(said, /[\u202e\x1b]/);

    const { id } = await delivery(server, event);
    const shown = await ask(server, null, 'deliveries', 'show', id);
    assert.match(shown, /Answers, by attempt:\n {2}1 +"\{"error":"invalid signature \\xe2/);
    assert.doesNotMatch(shown, /[\u202e\x1b]/);

    const { attributes } = JSON.parse(await ask(server, null, 'why', event, '--json')).deliveries[0];
    assert.match(attributes.last_answer, /invalid signature/);
    assert.deepEqual([attributes.you_are, attributes.advice_for], ['receiver', 'receiver']);
    assert.ok(attributes.webhook_url.startsWith(url) && attributes.last_attempt_at);
});

test('8.15: of an answer that is no HTTP, too; and an answer of any length is cut at 1 KiB', async (t) => {
    const server = await serve(t);
    const ssh = net.createServer((socket) => socket.on('error', () => {}).on('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')));
    await new Promise((resolve) => ssh.listen(0, '127.0.0.1', resolve));
    t.after(() => ssh.close());
    await setUrl(server, `http://127.0.0.1:${ssh.address().port}/`);
    const event = await post(server);
    await tried(server, event, 1);
    const said = await ask(server, null, 'why', event);
    assert.match(said, /Last: an SSH server answers at this port; it begins with "SSH-2\.0-OpenSSH_9\.2/);
    assert.match(said, /^ {2}it said +"SSH-2\.0-OpenSSH_9\.2\\x0d\\x0a"$/m);

    const long = await receiver(t, () => answer(500, 'x'.repeat(5000)));
    await setUrl(server, long.url);
    const second = await post(server);
    await tried(server, second, 1);
    assert.match(await ask(server, null, 'why', second), /^ {2}it said +"x{1024}"\.\.\.$/m);
});

test('8.15: an operator who looks at a receiver\'s delivery is told so, and a receiver that it is its own', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(413));
    const user = await makeUser(server, 'Ana\u202e');
    await setUrl(server, url, { id: user.user_id, key: user.api_key });
    const event = await post(server, { user: user.user_id });
    await tried(server, event, 1);
    const operator = await ask(server, null, 'why', event);
    assert.match(operator, /accepts only smaller bodies than this event/);
    assert.match(operator, new RegExp(`^ {2}receiver +user ${user.user_id} \\(Ana\\\\xe2\\\\x80\\\\xae\\), and you are the operator: .*the advice is for the receiver$`, 'm'));
    const own = await ask(server, user.api_key, 'why', event);
    assert.match(own, new RegExp(`^ {2}receiver +user ${user.user_id}, you; the advice is for you`, 'm'));
    const { attributes } = JSON.parse(await ask(server, null, 'why', event, '--json')).deliveries[0];
    assert.equal(attributes.you_are, 'operator');
});

test('8.15: a backslash that came is told from one that stands for a byte, wherever it is shown', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(500, '\\x1b\x1b"'));
    const user = await makeUser(server, 'A\\x1b');
    await setUrl(server, url, { id: user.user_id, key: user.api_key });
    const event = await post(server, { user: user.user_id, resource: { type: 'users', id: '7\\x1b' } });
    await tried(server, event, 1);
    const { id } = await delivery(server, event);
    const said = await ask(server, null, 'why', event);
    assert.ok(said.includes('it said   "\\\\x1b\\x1b""\n'), said);
    assert.ok(said.includes('(A\\\\x1b)'), said);
    assert.ok((await ask(server, null, 'deliveries', 'show', id)).includes('"\\\\x1b\\x1b""\n'));
    assert.ok((await ask(server, user.api_key, 'events', 'list')).includes('users/7\\\\x1b'));
    const json = JSON.parse(await ask(server, null, 'why', event, '--json'));
    assert.equal(json.deliveries[0].attributes.last_answer, '\\\\x1b\\x1b"');
    assert.equal(json.deliveries[0].attributes.attempts[0].response, '\\x1b\x1b"');
    const refused = await posthorn('events', 'show', 'x\\x1b', '--server', server.url, '--key', server.api_key);
    assert.equal(refused.code, 1);
});

test('8.31: a redirect is told with the address that it leads to, and a sentence of the server is escaped once', async (t) => {
    const server = await serve(t);
    const { url } = await receiver(t, () => answer(308, '', 'Location: https://new.example/hook?a=\\x1b"\r\n'));
    await setUrl(server, url);
    const event = await post(server);
    await tried(server, event, 1);
    const { id } = await delivery(server, event);
    const sentence = 'redirect, and redirects are never followed; it leads to "https://new.example/hook?a=\\x5cx1b\\x22"';
    const said = await ask(server, null, 'why', event);
    assert.ok(said.includes(`a ${sentence} (308).`), said);
    assert.match(said, /Set webhook_url to the address that the redirect leads to\./);
    assert.ok((await ask(server, null, 'deliveries', 'show', id)).includes(sentence));
    const ping = await posthorn('doctor', url, '--ping', '--dev');
    assert.ok(ping.stdout.includes(sentence), ping.stdout);
});
