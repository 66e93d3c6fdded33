// rows: 38, 39
//
// The Postman collection and environment, run by newman as their users run them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { api, eventually, folder, launch, posthorn, POSTHORN, ready, receiver, run, serve, sha256 } from '../e2e/harness.mjs';

const newman = createRequire(import.meta.url)('newman');
const KEY = 'your_api_key';
const PUSHES = 'Example pushes';

async function postman(...args) {
    const { code, stdout, stderr } = await posthorn('postman', ...args);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
}

/** Runs (a folder of) the collection: the summary, after seeing that nothing failed. */
async function runs(collection, only, variables, environment) {
    const summary = await new Promise((resolve, reject) => newman.run({
        collection, folder: only, environment,
        envVar: Object.entries(variables).map(([key, value]) => ({ key, value })),
        timeoutRequest: 30_000,
    }, (error, done) => (error ? reject(error) : resolve(done))));
    assert.deepEqual(summary.run.failures.map(({ source, error }) => `${source?.name}: ${error.message}`), []);
    return summary;
}

const requestsOf = ({ item, request, name }) => (item ? item.flatMap(requestsOf) : [{ name, request }]);
const folderOf = (collection, wanted) => collection.item.find(({ name }) => name === wanted);

async function receive(t, ...args) {
    const dir = join(folder(t), 'received');
    const handler = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, ...args]);
    return Object.assign(handler, { dir, url: await ready(handler, /(http:\/\/[0-9.:]+)/) });
}

test('row 38: a v2.1 collection and an environment with webhook_url, your_api_key and domain', async () => {
    const collection = await postman();
    assert.equal(collection.info.schema, 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json');
    assert.deepEqual(collection.variable.map(({ key }) => key), ['webhook_url', 'your_api_key', 'domain']);
    const environment = await postman('--environment', '--webhook-url', 'https://example.com/hook');
    assert.equal(environment._postman_variable_scope, 'environment');
    assert.deepEqual(environment.values.map(({ key, value }) => [key, value]),
        [['webhook_url', 'https://example.com/hook'], ['your_api_key', KEY], ['domain', 'http://127.0.0.1:8080']]);
    assert.equal(environment.values[1].type, 'secret');
    for (const { name, request } of requestsOf(folderOf(collection, PUSHES))) {
        assert.equal(request.method, 'POST');
        assert.equal(request.url.raw, '{{webhook_url}}');
        assert.equal(request.body.mode, 'raw');
        assert.equal(JSON.parse(request.body.raw).data.attributes.event_type, name);
    }
    for (const { request } of requestsOf(folderOf(collection, 'API'))) {
        assert.ok(request.url.raw.startsWith('{{domain}}/'));
    }
});

test('row 38: with only webhook_url given, newman passes every push: posthorn receive has a file of each', async (t) => {
    const there = await receive(t, '--api-key', KEY);
    const collection = await postman();
    const { run: ran } = await runs(collection, PUSHES, { webhook_url: there.url });
    const types = requestsOf(folderOf(collection, PUSHES)).map(({ name }) => name);
    assert.equal(types.length, 35);
    assert.equal(ran.stats.requests.total, types.length);
    assert.equal(ran.stats.assertions.total, types.length);
    const stored = readdirSync(there.dir).filter((name) => name.endsWith('.json'));
    assert.deepEqual(stored.map((name) => name.replace(/^\d+_(.*)\.json$/, '$1')).sort(), types.sort());
    assert.doesNotMatch(there.stdout, /duplicate|conflict/, 'each push is a new event');
});

test('row 38: another key than the handler\'s is refused, and newman says so', async (t) => {
    const there = await receive(t, '--api-key', 'another');
    await assert.rejects(runs(await postman(), PUSHES, { webhook_url: there.url }), /status code 200 but got 401/);
    await runs(await postman(), PUSHES, { webhook_url: there.url, your_api_key: 'another' });
});

test('row 39: the digest is computed in the collection: change body and key, it is still right', async (t) => {
    const there = await receiver(t);
    const collection = await postman();
    const [first] = requestsOf(folderOf(collection, PUSHES));
    const body = JSON.parse(first.request.body.raw);
    body.data.id = '4711';
    body.included[0].attributes.state = 'mine – ñ';
    first.request.body.raw = JSON.stringify(body);
    await runs(collection, first.name, { webhook_url: `${there.url}/a?b=c` });
    await runs(collection, first.name, { webhook_url: there.url, your_api_key: 'schlüssel' });
    const [changed, keyed] = there.requests;
    assert.equal(changed.path, '/a?b=c');
    assert.equal(changed.header('WEBHOOK-AUTH'), '059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683');
    assert.equal(changed.header('Content-Type'), 'application/json');
    assert.deepEqual(changed.json, body);
    assert.equal(keyed.header('WEBHOOK-AUTH'), sha256('schlüssel'));
    assert.ok(!collection.item.some((item) => JSON.stringify(item).includes(sha256(KEY))), 'no digest is written down');
});

test('row 38: the API folder runs against a server, each request with the status it documents', async (t) => {
    const there = await receive(t);
    const server = await serve(t);
    const environment = await postman('--environment', '--webhook-url', there.url, '--domain', server.url);
    const collection = await postman();
    const { run: ran } = await runs(collection, 'API', { your_api_key: server.api_key }, environment);
    const requests = requestsOf(folderOf(collection, 'API'));
    assert.equal(ran.stats.requests.total, requests.length);
    await eventually('its event was pushed to the webhook_url it had set', () => / stored /.test(there.stdout));
    const { paths } = (await api(server, 'GET', '/openapi.json')).json;
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{.*?\}/g, '*')}`));
    const asked = ran.executions.map(({ request }) => `${request.method} /${request.url.path.join('/')}`);
    const fits = (operation, call) => {
        const [pattern, path] = [operation, call].map((text) => text.split('/'));
        return pattern.length === path.length && pattern.every((part, i) => part === '*' || part === path[i]);
    };
    for (const operation of documented) assert.ok(asked.some((call) => fits(operation, call)), `${operation} is in the folder`);
    assert.equal(asked.length, documented.length);
});

test('row 38: the commands of docs/postman.md, as they are printed', async (t) => {
    const there = await receive(t);
    const server = await serve(t);
    const page = readFileSync(new URL('../../docs/postman.md', import.meta.url), 'utf8');
    const commands = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command]) => command);
    assert.equal(commands.length, 3);
    const bin = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
    const env = { PATH: `${dirname(POSTHORN)}:${bin}:${process.env.PATH}`, URL: there.url, SERVER: server.url,
        KEY: server.api_key };
    const { code, stdout, stderr } = await run('sh', ['-ec', `cd "$1"\n${commands.join('')}`, 'sh', folder(t)],
        { env, limitMs: 120_000 });
    assert.equal(code, 0, stdout + stderr);
    assert.equal(readdirSync(there.dir).filter((name) => /^\d+_user_enabled\.json$/.test(name)).length, 2,
        'one that was pushed, and one that went through the API');
});

test('row 38: the whole collection in one run, from the environment alone', async (t) => {
    const server = await serve(t);
    const there = await receive(t, '--api-key', server.api_key);
    const environment = await postman('--environment', '--webhook-url', there.url, '--domain', server.url);
    environment.values.find(({ key }) => key === 'your_api_key').value = server.api_key;
    const { run: ran } = await runs(await postman(), undefined, {}, environment);
    assert.ok(ran.stats.requests.total > 50);
});
