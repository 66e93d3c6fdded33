// What an owner sees of its endpoints and deliveries: docs/endpoints.md, "Shown by".
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, eventBody, eventually, makeUser, receiver, POSTHORN, run as runProgram, serve } from './harness.mjs';

const make = async (server, attributes) => {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.data.id;
};
const judge = (server, id, attributes, options) =>
    api(server, 'POST', `/api/endpoints/${id}/test_filter`, { data: { type: 'filter_tests', attributes } }, options);
const verdict = async (...args) => {
    const answer = await judge(...args);
    assert.equal(answer.status, 200, answer.text);
    const { matches, decided_by, pointer } = answer.json.data.attributes;
    return [matches, decided_by, pointer];
};
const pushed = (event_type, included = []) => ({ data: { type: 'events', attributes: { event_type } }, included });

test('test_filter: match or no match for a document, and the key that decided', async (t) => {
    const server = await serve(t);
    const id = await make(server, { url: null, event_types: ['payment_*'], channels: ['eu'],
        filter: { included: { attributes: { amount: [{ numeric: ['>=', 1000] }], 'a/b': [{ exists: false }] } } } });
    const payment = (attributes) => pushed('payment_settled', [{ type: 'payments', id: '1', attributes }]);
    const channels = ['eu'];
    assert.deepEqual(await verdict(server, id, { document: payment({ amount: 1000 }), channels }), [true, null, null]);
    assert.deepEqual(await verdict(server, id, { document: pushed('user_enabled'), channels }), [false, 'type', '/event_types']);
    assert.deepEqual(await verdict(server, id, { document: payment({ amount: 1000 }), channels: ['us'] }), [false, 'channel', '/channels']);
    assert.deepEqual(await verdict(server, id, { document: payment({ amount: 1000 }) }), [false, 'channel', '/channels']);
    assert.deepEqual(await verdict(server, id, { document: payment({ amount: 999 }), channels }),
                     [false, 'filter', '/filter/included/attributes/amount']);
    assert.deepEqual(await verdict(server, id, { document: payment({ amount: 1000, 'a/b': 1 }), channels }),
                     [false, 'filter', '/filter/included/attributes/a~1b']);
    assert.deepEqual(await verdict(server, server.user_id, { document: pushed('user_enabled') }), [true, null, null]);
});

test('test_filter: the same of an event by its id, which must be one that the caller sees', async (t) => {
    const server = await serve(t);
    const [one, other] = [await makeUser(server), await makeUser(server)];
    const body = eventBody({ user: one.user_id });
    body.data.attributes.channels = ['us'];
    const event = (await api(server, 'POST', '/api/events', body)).json.data.id;
    const id = await make(server, { url: null, channels: ['eu'] });
    assert.deepEqual(await verdict(server, id, { event }), [false, 'channel', '/channels']);
    assert.deepEqual(await verdict(server, one.user_id, { event }, { key: one.api_key }), [true, null, null]);
    assert.equal((await judge(server, one.user_id, { event }, { key: other.api_key })).status, 404);
    assert.equal((await judge(server, other.user_id, { event }, { key: other.api_key })).status, 404);
    assert.equal((await judge(server, id, { event: '1' })).status, 404);
});

test('test_filter: bad input', async (t) => {
    const server = await serve(t);
    for (const [attributes, code, pointer] of [
        [{}, 'attribute_missing', '/data/attributes'],
        [{ event: '7', document: pushed('x') }, 'attribute_missing', '/data/attributes'],
        [{ event: 'x' }, 'attribute_invalid', '/data/attributes/event'],
        [{ event: null }, 'attribute_invalid', '/data/attributes/event'],
        [{ event: '7', channels: ['eu'] }, 'attribute_invalid', '/data/attributes/channels'],
        [{ document: [] }, 'attribute_invalid', '/data/attributes/document'],
        [{ document: pushed('a b') }, 'attribute_invalid', '/data/attributes/document'],
        [{ document: pushed('x'), channels: ['a b'] }, 'attribute_invalid', '/data/attributes/channels/0'],
        [{ document: pushed('x'), filter: {} }, 'attribute_unknown', '/data/attributes/filter'],
    ]) {
        const answer = await judge(server, server.user_id, attributes);
        assert.equal(answer.status, 422, answer.text);
        assert.equal(answer.json.errors[0].code, code, answer.text);
        assert.equal(answer.json.errors[0].source.pointer, pointer, answer.text);
    }
});

test('posthorn endpoints: list, show, create, update, pause, resume, delete', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const run = (args, options = {}) => runProgram(POSTHORN, ['endpoints', ...args, '--server', server.url, '--key', server.api_key], options);
    const json = async (args, options) => {
        const done = await run([...args, '--json'], options);
        assert.equal(done.code, 0, done.stderr);
        return JSON.parse(done.stdout);
    };
    const made = await json(['create', '--url', 'https://example.com/a', '--user', user.user_id, '--settings', '-'],
                            { input: '{"event_types": ["payment_*"], "status": "paused",}' });
    const { id } = made.data;
    assert.equal(made.data.attributes.url, 'https://example.com/a');
    assert.equal(made.data.relationships.user.data.id, user.user_id);
    assert.match(made.meta.signing_secret, /^whsec_/);
    assert.deepEqual((await json(['list', '--user', user.user_id])).data.map((row) => row.id), [user.user_id, id]);
    assert.equal((await json(['resume', id])).data.attributes.status, 'active');
    assert.equal((await json(['pause', id])).data.attributes.status, 'paused');
    assert.equal((await json(['enable', id])).data.attributes.status, 'active');
    assert.equal((await json(['update', id, '--url', 'https://example.com/b'])).data.attributes.url, 'https://example.com/b');
    assert.deepEqual((await json(['show', id])).data.attributes.event_types, ['payment_*']);

    const shown = await run(['show', id]);
    assert.match(shown.stdout, new RegExp(`${id} +active +https://example.com/b`));
    const told = await run(['create', '--url', 'https://example.com/c']);
    assert.match(told.stderr, /signing secret, shown once: whsec_/);
    assert.ok((await run(['list'])).stdout.split('\n').every((line) => line.length <= 80));

    const hook = await receiver(t);
    await json(['update', id, '--url', hook.url]);
    const event = (await json(['ping', id])).data.id;
    await eventually('the ping is there', () => hook.requests.length);
    assert.equal(JSON.parse(hook.requests[0].body).data.id, event);
    assert.match((await run(['ping', id])).stdout, /event [0-9]+ will be sent now; see `posthorn why [0-9]+`/);

    assert.equal((await run(['delete', id])).code, 0);
    assert.equal((await run(['show', id])).code, 1);
    const refused = await run(['delete', server.user_id]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /default endpoint/);
});

test('posthorn endpoints: what is wrong is told, and what to do', async (t) => {
    const server = await serve(t);
    const run = (args, options = {}) => runProgram(POSTHORN, ['endpoints', ...args, '--server', server.url, '--key', server.api_key], options);
    for (const [args, code, words, input] of [
        [['create'], 2, /give --url URL, or --settings FILE/],
        [['update', '5'], 2, /give what to change/],
        [['create', '--settings', '/nowhere'], 1, /nowhere/],
        [['create', '--settings', '-'], 1, /line 1/, '{"url"'],
        [['create', '--settings', '-'], 1, /must be a JSON object/, '[]'],
        [['create', '--url', 'nothing'], 1, /url/i],
        [['update', '5', '--settings', '-'], 1, /filter/, '{"filter": {"a": 7}}'],
    ]) {
        const done = await run(args, { input });
        assert.equal(done.code, code, `${args}: ${done.stderr}`);
        assert.match(done.stderr, words);
    }
});
