// An owner's view of its endpoints and deliveries: docs/endpoints.md, "Shown by".
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, eventBody, eventually, makeUser, post, receiver, POSTHORN, run as runProgram, serve, setUrl } from './harness.mjs';

const make = async (server, attributes, more = {}) => {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes, ...more } });
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
    const { json } = await judge(server, id, { document: payment({}), channels });
    assert.deepEqual([json.links, json.data.links], [undefined, undefined]); // nothing is kept that a GET could read
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

test('test_filter: a notice goes to those who ask for it by name, and never to the endpoint that it is about', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const notice = (about) => ({ data: { type: 'events', attributes: { event_type: 'endpoint_failing' },
        relationships: { resource: { data: { type: 'endpoints', id: about } } } }, included: [] });
    const silent = await make(server, { url: null }), all = await make(server, { url: null, event_types: ['*'] });
    const asks = await make(server, { url: null, event_types: ['endpoint_*'] });
    const no = [false, 'notice', '/event_types'];
    for (const about of [silent, user.user_id]) {
        assert.deepEqual(await verdict(server, silent, { document: notice(about) }), no);
        assert.deepEqual(await verdict(server, all, { document: notice(about) }), no);
        assert.deepEqual(await verdict(server, asks, { document: notice(about) }), [true, null, null]);
    }
    assert.deepEqual(await verdict(server, asks, { document: notice(asks) }), no);
    const own = await make(server, { url: null, event_types: ['endpoint_*'] }, { relationships: { user: { data: { type: 'users', id: user.user_id } } } });
    const asks_too = await make(server, { url: null, event_types: ['endpoint_*'] }, { relationships: { user: { data: { type: 'users', id: user.user_id } } } });
    assert.deepEqual(await verdict(server, own, { document: notice(user.user_id) }, { key: user.api_key }), [true, null, null]);
    assert.deepEqual(await verdict(server, own, { document: notice(asks_too) }, { key: user.api_key }), no, 'that one asks: its owner is not told');
    assert.deepEqual(await verdict(server, asks, { document: notice(asks_too) }), [true, null, null], 'and its Master is');
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
        [['update', '5'], 2, /give the change/],
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

// Two users, one of which fails; three events. The deliveries by event, and the users.
const threeDeliveries = async (t) => {
    const server = await serve(t);
    const hook = await receiver(t), broken = await receiver(t, () => answer(500));
    const [one, two] = [await makeUser(server), await makeUser(server)];
    await setUrl(server, hook.url, { id: one.user_id, key: one.api_key });
    await setUrl(server, broken.url, { id: two.user_id, key: two.api_key });
    const events = [];
    for (const [user, type] of [[one, 'user_enabled'], [two, 'user_enabled'], [one, 'rare']])
        events.push((await api(server, 'POST', '/api/events', eventBody({ user: user.user_id, type }))).json.data.id);
    const ids = [];
    for (const event of events) {
        const one = await eventually('it was tried', async () => {
            const { data } = (await api(server, 'GET', `/api/events/${event}/deliveries`)).json;
            return data[0].attributes.attempt_count > 0 && data[0];
        });
        ids.push(one.id);
    }
    return { server, one, two, events, ids };
};

test('deliveries: of all events, newest first, by filters, to whom they concern', async (t) => {
    const { server, one, two, ids } = await threeDeliveries(t);
    const stranger = await makeUser(server);
    const list = async (query, options) => {
        const answer = await api(server, 'GET', `/api/deliveries?${query}`, undefined, options);
        assert.equal(answer.status, 200, answer.text);
        return answer.json.data.map((row) => ids.indexOf(row.id));
    };
    assert.deepEqual(await list(''), [2, 1, 0]);
    assert.deepEqual(await list('sort=id'), [0, 1, 2]);
    assert.deepEqual(await list('', { key: one.api_key }), [2, 0]);
    assert.deepEqual(await list('', { key: stranger.api_key }), []);
    assert.deepEqual(await list(`filter[endpoint]=${two.user_id}`, { key: stranger.api_key }), []);
    assert.deepEqual(await list('filter[state]=pending'), [1]);
    assert.deepEqual(await list('filter[state]=pending,delivered'), [2, 1, 0]);
    assert.deepEqual(await list('filter[state]=given_up'), []);
    assert.deepEqual(await list(`filter[endpoint]=${one.user_id}`), [2, 0]);
    assert.deepEqual(await list(`filter[user]=${two.user_id}`), [1]);
    assert.deepEqual(await list(`filter[user]=${server.user_id}`), []);
    assert.deepEqual(await list('filter[event_type]=rare'), [2]);
    assert.deepEqual(await list('filter[reason]=unexpected_status'), [1]);
    assert.deepEqual(await list('filter[reason]=timeout'), []);
    const { data } = (await api(server, 'GET', `/api/deliveries?filter[user]=${two.user_id}`)).json;
    assert.deepEqual(data[0].relationships.endpoint.data, { type: 'endpoints', id: two.user_id });
    assert.deepEqual(await list(`filter[since]=${data[0].attributes.created_at}`), [2, 1]);
    assert.deepEqual(await list('filter[since]=9999-01-01T00:00:00Z'), []);

    const seen = [];
    let next = `/api/deliveries?page[size]=1&filter[user]=${one.user_id}`, page;
    for (; next; next = page.links.next) {
        page = (await api(server, 'GET', next)).json;
        seen.push(...page.data.map((row) => ids.indexOf(row.id)));
    }
    assert.deepEqual(seen, [2, 0]);
    page = (await api(server, 'GET', page.links.prev)).json;
    assert.deepEqual(page.data.map((row) => ids.indexOf(row.id)), [2]);
});

test('deliveries: a wrong filter is told by its name', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    for (const [query, status, parameter] of [
        ['filter[state]=sent', 400, 'filter[state]'], ['filter[state]=', 400, 'filter[state]'],
        ['filter[state]=pending,', 400, 'filter[state]'], ['filter[endpoint]=x', 400, 'filter[endpoint]'],
        ['filter[endpoint]=0', 400, 'filter[endpoint]'], ['filter[user]=x', 400, 'filter[user]'],
        ['filter[event_type]=', 400, 'filter[event_type]'], ['filter[event_type]=a b', 400, 'filter[event_type]'],
        ['filter[reason]=none', 400, 'filter[reason]'], ['filter[reason]=slow', 400, 'filter[reason]'],
        ['filter[since]=yesterday', 400, 'filter[since]'], ['filter[resource_id]=7', 400, 'filter[resource_id]'],
        ['sort=created_at', 400, 'sort'], ['page[after]=x', 400, 'page[after]'], ['include=event', 400, 'include'],
    ]) {
        const answer = await api(server, 'GET', `/api/deliveries?${query}`);
        assert.equal(answer.status, status, `${query}: ${answer.text}`);
        assert.equal(answer.json.errors[0].source.parameter, parameter, answer.text);
    }
    assert.equal((await api(server, 'GET', `/api/deliveries?filter[user]=${server.user_id}`, undefined, { key: user.api_key })).status, 403);
    assert.equal((await api(server, 'GET', '/api/deliveries?filter[user]=4242')).status, 404);
});

test('posthorn deliveries list: the same filters, in 80 columns', async (t) => {
    const { server, one, two, events, ids } = await threeDeliveries(t);
    const run = (...args) => runProgram(POSTHORN, ['deliveries', ...args, '--server', server.url, '--key', server.api_key]);
    const listed = async (...args) => JSON.parse((await run('list', ...args, '--json')).stdout).data.map((row) => ids.indexOf(row.id));
    assert.deepEqual(await listed(), [2, 1, 0]);
    assert.deepEqual(await listed('--limit', '1'), [2]);
    assert.deepEqual(await listed('--state', 'pending,given_up', '--endpoint', two.user_id), [1]);
    assert.deepEqual(await listed('--user', one.user_id, '--type', 'rare', '--since', '12h'), [2]);
    assert.deepEqual(await listed('--reason', 'unexpected_status', '--since', '2000-01-01T00:00:00Z'), [1]);
    assert.deepEqual(await listed(events[1]), [1]);
    const table = await run('list');
    assert.match(table.stdout, new RegExp(`${ids[1]} +pending +1 +500 +${two.user_id} +unexpected_status`));
    assert.ok(table.stdout.split('\n').every((line) => line.length <= 80), table.stdout);
    assert.match((await run('list', '--since', 'monday')).stderr, /filter\[since\] must be a time/);
    const both = await run('list', events[0], '--state', 'pending');
    assert.equal(both.code, 2);
    assert.match(both.stderr, /an event or filters, not both/);
});

test('meta.not_sent and meta.unmatched name every endpoint, also of a hundred', async (t) => {
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const ids = await Promise.all(Array.from({ length: 99 }, () => make(server, { url: 'https://example.com/', event_types: ['payment_*'] })));
    const event = `/api/events/${await post(server)}`;
    const named = (list) => list.map(({ endpoint }) => endpoint).filter((id) => id !== server.user_id).sort();
    assert.deepEqual(named((await api(server, 'GET', event)).json.meta.unmatched), ids.sort());
    assert.deepEqual(named((await api(server, 'GET', `${event}/deliveries`)).json.meta.not_sent), ids.sort());
});

test('why: every endpoint of the owner is named: delivered, or not sent, and by what', async (t) => {
    const server = await serve(t);
    const user = await makeUser(server);
    const own = (attributes) => make(server, attributes, { relationships: { user: { data: { type: 'users', id: user.user_id } } } });
    const hook = await receiver(t);
    await setUrl(server, hook.url, { id: user.user_id, key: user.api_key });
    const url = hook.url;
    const [typed, channelled, filtered, without] = [await own({ url, event_types: ['payment_*'] }), await own({ url, channels: ['eu'] }),
        await own({ url, filter: { data: { attributes: { event_type: ['other'] } } } }), await own({ url: null })];
    const body = eventBody({ user: user.user_id });
    body.data.attributes.channels = ['us'];
    const event = (await api(server, 'POST', '/api/events', body)).json.data.id;
    const later = await own({ url });
    const expected = [[typed, 'type'], [channelled, 'channel'], [filtered, 'filter'], [without, 'no_url'], [later, 'created_later']];
    const list = async (query = '', options) => (await api(server, 'GET', `/api/events/${event}/deliveries${query}`, undefined, options)).json;
    await eventually('it is delivered', async () => (await list()).data[0].attributes.state === 'delivered');
    for (const key of [user.api_key, server.api_key])
        assert.deepEqual((await list('', { key })).meta.not_sent.map((one) => [one.endpoint, one.reason]), expected);
    await api(server, 'PATCH', `/api/endpoints/${without}`, { data: { type: 'endpoints', id: without, attributes: { url } } });
    assert.equal((await list()).meta.not_sent[3].reason, 'no_url', 'it had none then');

    const run = (...args) => runProgram(POSTHORN, [...args, '--server', server.url, '--key', user.api_key]);
    const { stdout } = await run('why', event);
    assert.match(stdout, new RegExp(`^To endpoint ${user.user_id} of user ${user.user_id}: Delivered at the first try`, 'm'));
    for (const [endpoint, words] of [
        [typed, 'its event_types do not name user_enabled'], [channelled, 'its channels and those of the event have none in common'],
        [filtered, 'its filter does not match'], [without, 'it had no url when the event came'], [later, 'it was created later'],
    ])
        assert.match(stdout, new RegExp(`^Not sent to endpoint ${endpoint}: ${words}\\.$`, 'm'));
    assert.deepEqual(JSON.parse((await run('why', event, '--json')).stdout).not_sent.map((one) => one.endpoint), expected.map(([id]) => id));
});

test('why: what waits for an endpoint says since when it is paused, or disabled and why', async (t) => {
    const server = await serve(t);
    const gone = await receiver(t, () => answer(410));
    const run = (...args) => runProgram(POSTHORN, [...args, '--server', server.url, '--key', server.api_key]);
    const paused = await make(server, { url: gone.url, status: 'paused', event_types: ['one'] });
    const disabled = await make(server, { url: gone.url, disable_on_410: true, event_types: ['two'] });
    const at = async (id) => (await api(server, 'GET', `/api/endpoints/${id}`)).json.data.attributes.paused_at;
    const [one, two] = await Promise.all(['one', 'two'].map(async (type) =>
        (await api(server, 'POST', '/api/events', eventBody({ type }))).json.data.id));
    await eventually('it is disabled', () => at(disabled));
    assert.match((await run('why', one)).stdout,
                 new RegExp(`Held: endpoint ${paused} is paused since ${await at(paused)}\\. \`posthorn endpoints resume ${paused}\` sends it\\.`));
    assert.match((await run('why', two)).stdout, new RegExp(`Tried once\\..* Held: endpoint ${disabled} is disabled since ${await at(disabled)}, `
        + `as it answered 410 \\(gone\\)\\. \`posthorn endpoints enable ${disabled}\` sends it\\.`));
    const before = await at(paused);
    await run('endpoints', 'pause', paused);
    assert.equal(await at(paused), before, 'it was paused already');
    await run('endpoints', 'resume', paused);
    assert.equal(await at(paused), null);
});

test('why: a ping says that it goes to one endpoint alone', async (t) => {
    const server = await serve(t);
    const hook = await receiver(t);
    await setUrl(server, hook.url);
    const id = await make(server, { url: hook.url });
    const event = (await api(server, 'POST', `/api/endpoints/${id}/ping`)).json.data.id;
    const { meta } = (await api(server, 'GET', `/api/events/${event}/deliveries`)).json;
    assert.deepEqual(meta.not_sent, [{ endpoint: server.user_id, reason: 'ping' }]);
});
