// What an operator sets, and what the server then says: names of a private network, ports, addresses.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nameServer } from '../faults/names.mjs';
import { api, delivery, eventually, post, posthorn, receiver, serve, setUrl } from './harness.mjs';

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
    assert.match(json.errors[0].detail, /port 5432 is that of PostgreSQL.*allow-port = 5432/);
    const { code, stdout } = await posthorn('doctor', 'https://192.0.2.1:6379/', '--allow-target', '192.0.2.0/24');
    assert.equal(code, 1);
    assert.match(stdout, /url_port: port 6379 is that of Redis/);
});
