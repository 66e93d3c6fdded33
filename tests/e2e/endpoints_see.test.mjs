// What an owner sees of its endpoints and deliveries: docs/endpoints.md, "Shown by".
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, eventBody, makeUser, serve } from './harness.mjs';

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
