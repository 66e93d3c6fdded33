// rows: 1, 2, 12, 13, 21, 22, 25
//
// The catalogue: one set of event types, shown in many places, added to by a platform, and never a fence.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { api, delivery, eventually, folder, initialize, launch, post, posthorn, POSTHORN, ready, receiver,
    run, serve, setUrl } from '../e2e/harness.mjs';
import { schemasOf } from '../e2e/openapi-contract.mjs';

const KEY = 'your_api_key';
const file = (name) => JSON.parse(readFileSync(new URL(`../../catalogue/${name}.json`, import.meta.url), 'utf8'));
const machines = file('state_machines');
const resources = file('resources');

const OWN = `{
    // the shop's own
    "resources": {"orders": {"state_attribute": "state", "attributes": {"state": "new", "total": 9.90}}},
    "event_types": [
        {"name": "order_paid", "section": "shop", "resource": "orders", "state": "paid",
         "en": "The order was paid.", "es": "El pedido fue pagado.", "example": {"attributes": {"state": "paid"}}},
        {"name": "cart_left", "section": "shop", "resource": "carts", "en": "A cart was left behind."},
    ],
    "scenarios": [{"name": "bought", "en": "A cart is left, then bought.", "steps": ["cart_left", "order_paid"]}],
}
`;

async function out(...args) {
    const { code, stdout, stderr } = await posthorn(...args);
    assert.equal(code, 0, stderr);
    return stdout;
}

const catalog = async (...args) => JSON.parse(await out('catalog', '--json', ...args));

async function trigger(server, ...args) {
    const text = await out('trigger', ...args, '--json', '--server', server.url, '--key', server.api_key);
    return text.trim().split('\n').map((line) => JSON.parse(line));
}

/** Every event of a server, oldest first, with what it includes. */
async function events(server) {
    const { json } = await api(server, 'GET', '/api/events?page[size]=100');
    return Promise.all(json.data.map(async ({ id }) =>
        (await api(server, 'GET', `/api/events/${id}?include=resource`)).json));
}

/** Walks the machines with what the events show; returns the states each resource went through. */
function walk(documents) {
    const walked = {};
    for (const { data, included: [resource] } of documents) {
        const machine = machines[resource.type];
        if (!machine) continue;
        const now = resource.attributes[resources[resource.type].state_attribute];
        const states = (walked[`${resource.type}/${resource.id}`] ??= [machine.initial]);
        if (now === states.at(-1)) continue;
        const move = machine.moves.find(({ from, to }) => to === now && from.includes(states.at(-1)));
        assert.ok(move, `${resource.type} from ${states.at(-1)} to ${now}`);
        assert.equal(data.attributes.event_type, move.event_type, 'the event of that change');
        states.push(now);
    }
    return walked;
}

test('row 1: a scenario walks a request from draft to finished, one event per change, in order per resource', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const made = await trigger(server, '--scenario', 'settled');
    assert.deepEqual(made.map(({ id }) => id), made.map(({ id }) => id).sort((a, b) => Number(BigInt(a) - BigInt(b))));
    await there.arrived(made.length);
    const documents = await events(server);
    assert.deepEqual(documents.map(({ data }) => data.id), made.map(({ id }) => id));
    assert.deepEqual(walk(documents), {
        'concierge_requests/1': ['draft', 'quote_requested', 'quoted', 'quote_accepted', 'working', 'finished'],
        'concierge_request_outputs/2': ['accepting', 'accepted', 'working', 'settling', 'settled'],
    });
    const pushed = there.requests.map(({ json }) => json).sort((a, b) => Number(BigInt(a.data.id) - BigInt(b.data.id)));
    assert.deepEqual(walk(pushed), walk(documents), 'and the receiver can put it together the same');
    assert.equal(there.requests.length, made.length);
});

test('row 1: every scenario is such a walk, and has an end', async (t) => {
    const ends = { settled: 'finished', failed_then_settled: 'finished', returned: 'finished', rejected: 'finished',
        quote_not_accepted: 'cancelled' };
    const scenarios = file('scenarios');
    assert.ok(scenarios.length >= 5);
    for (const { name, steps } of scenarios) {
        const there = await receiver(t);
        await out('trigger', '--scenario', name, '--to', there.url);
        assert.equal(there.requests.length, steps.length);
        const walked = walk(there.requests.map(({ json }) => json));
        if (ends[name]) assert.equal(walked['concierge_requests/1'].at(-1), ends[name], name);
        for (const [resource, states] of Object.entries(walked)) {
            const { final } = machines[resource.split('/')[0]];
            if (final.length && !resource.startsWith('users/')) assert.ok(final.includes(states.at(-1)), `${name}: ${resource}`);
        }
    }
});

test('row 2: a payment event includes the payment first; from pending to settled', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    await trigger(server, '--scenario', 'payment_settled');
    await there.arrived(2);
    const documents = await events(server);
    assert.deepEqual(documents.map(({ included }) => included[0].type), ['payments', 'payments']);
    assert.deepEqual(walk(documents), { 'payments/4': ['pending', 'settled'] });
    for (const { json } of there.requests) {
        assert.equal(json.included[0].type, 'payments');
        assert.deepEqual(json.data.relationships.resource.data, { type: 'payments', id: json.included[0].id });
    }
});

test('row 12: a human sentence for each type, in English and Spanish', async () => {
    const types = await catalog();
    for (const { name, en, es } of types) {
        assert.match(en, /^[A-Z].*\.$/s, name);
        assert.match(es, /^\p{Lu}.*\.$/su, name);
        assert.notEqual(en, es);
    }
    for (const { name, en, es } of types.slice(0, 3)) {
        const shown = await out('catalog', 'show', name);
        assert.ok(shown.includes(en) && shown.includes(es), shown);
    }
    assert.equal(new Set(types.flatMap(({ en, es }) => [en, es])).size, 2 * types.length, 'no sentence twice');
});

test('row 13: the resource depends on the event: the guide\'s own pair is accepted, and so are unknown types', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    assert.equal((await catalog()).find(({ name }) => name === 'user_enabled').resource, 'users');
    const pair = { type: 'concierge_requests', id: '1' };
    const known = await post(server, { type: 'user_enabled', resource: pair });
    const unknown = await post(server, { type: 'never.heard-of', resource: { type: 'things', id: 'x' } });
    await there.arrived(2);
    assert.deepEqual(there.of(known)[0].json.data.relationships.resource.data, pair);
    assert.equal(there.of(unknown)[0].json.data.attributes.event_type, 'never.heard-of');
});

/* Each place's types, as name -> example document. */

const fromApi = async (server) => Object.fromEntries((await api(server, 'GET', '/api/event_types', undefined, { key: null }))
    .json.data.map(({ id, attributes }) => [id, attributes.example]));

const fromOpenApi = async (server) =>
    Object.fromEntries(Object.entries((await api(server, 'GET', '/openapi.json', undefined, { key: null })).json.webhooks)
        .map(([name, { post: { requestBody } }]) => [name, requestBody.content['application/json'].example]));

const unescapeHtml = (text) =>
    text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

async function fromDocs(server) {
    const { text } = await api(server, 'GET', '/docs', undefined, { key: null });
    const articles = text.match(/<article id="[^"]+" class="event-type">.*?<\/article>/gs);
    return Object.fromEntries(articles.map((article) => [
        article.match(/id="([^"]+)"/)[1], JSON.parse(unescapeHtml(article.match(/<pre>(.*?)<\/pre>/s)[1]))]));
}

const requestsOf = ({ item, request }) => (item ? item.flatMap(requestsOf) : [request]);

async function fromPostman(...args) {
    const collection = JSON.parse(await out('postman', ...args));
    const pushes = collection.item.find(({ name }) => name === 'Example pushes');
    return Object.fromEntries(requestsOf(pushes).map(({ body }) => {
        const document = JSON.parse(body.raw);
        document.data.id = '8';
        return [document.data.attributes.event_type, document];
    }));
}

async function fromTrigger(t, names, ...args) {
    const there = await receiver(t);
    await out('trigger', ...names, '--to', there.url, ...args);
    return Object.fromEntries(there.requests.map(({ json }) => {
        Object.assign(json.data, { id: '8' });
        Object.assign(json.data.attributes, { created_at: '2000-01-01T00:00:00.000Z', sent_at: '2000-01-01T00:00:00.000Z' });
        return [json.data.attributes.event_type, json];
    }));
}

async function sameEverywhere(t, server, args = []) {
    const entries = await catalog(...args);
    const reference = Object.fromEntries(entries.map(({ name, example }) => [name, example]));
    const places = {
        '/api/event_types': await fromApi(server),
        '/openapi.json': await fromOpenApi(server),
        '/docs': await fromDocs(server),
        'posthorn postman': await fromPostman(...args),
        'posthorn trigger': await fromTrigger(t, Object.keys(reference), ...args),
    };
    for (const [place, types] of Object.entries(places)) {
        assert.deepEqual(Object.keys(types).sort(), Object.keys(reference).sort(), `${place}: its set`);
        for (const [name, example] of Object.entries(types)) assert.deepEqual(example, reference[name], `${place}: ${name}`);
    }
    return entries;
}

test('row 21: one set from one file: CLI, API, OpenAPI, docs page, Postman and triggers agree', async (t) => {
    const server = await serve(t);
    const entries = await sameEverywhere(t, server);
    assert.deepEqual(entries.map(({ name }) => name), file('event_types').map(({ name }) => name));
    const count = (wanted) => entries.filter(({ status }) => status === wanted).length;
    assert.deepEqual([count('documented'), count('stated')], [14, 5]);
});

test('row 21: a platform\'s own types, from a file in the data folder, are in all of them, too', async (t) => {
    const install = await initialize(t);
    const own = join(install.data, 'catalogue.json');
    writeFileSync(own, OWN);
    const server = await serve(t, { install });
    const entries = await sameEverywhere(t, server, ['--catalogue', own]);
    assert.deepEqual(entries.slice(-2).map(({ name }) => name), ['order_paid', 'cart_left']);
    const { json } = await api(server, 'GET', '/api/event_types/order_paid');
    assert.equal(json.data.attributes.es, 'El pedido fue pagado.');
    assert.match((await api(server, 'GET', '/api/event_types/order_paid')).text, /"total":9\.90\b/, 'decimals keep their text');
    const there = await receiver(t);
    await out('trigger', '--scenario', 'bought', '--to', there.url, '--catalogue', own);
    assert.deepEqual(there.requests.map(({ json: pushed }) => pushed.data.attributes.event_type), ['cart_left', 'order_paid']);
});

test('row 21: what is wrong in that file is named with line and column, and the server does not start', async (t) => {
    const install = await initialize(t);
    const own = join(install.data, 'catalogue.json');
    for (const [text, line, column, words] of [
        [OWN.replace('"section": "shop", ', ''), 5, 9, /"section" is missing/],
        [OWN.replace('["cart_left",', '["cart_lost",'), 9, 86, /no type "cart_lost"/],
        [OWN.replace('"es":', '"ес":'), 6, 47, /unknown member/],
        ['{"event_types": [}', 1, 18, /./],
    ]) {
        writeFileSync(own, text);
        const { code, stdout, stderr } = await run(POSTHORN,
            ['serve', '--data', install.data, '--listen', '127.0.0.1:0', '--dev']);
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assert.equal(stderr.match(/catalogue\.json:(\d+:\d+): /)?.[1], `${line}:${column}`, stderr);
        assert.ok(stderr.includes(own), stderr);
        assert.match(stderr, words);
        const checked = await posthorn('catalog', '--catalogue', own);
        assert.equal(checked.code, 2);
        assert.ok(checked.stderr.includes(`${own}:${line}:${column}: `), 'the command says the same beforehand');
    }
});

// Of answers, every test sees that they are as the document says (openapi-contract.mjs).
test('row 21: the OpenAPI document is true of pushes', async (t) => {
    const server = await serve(t);
    const there = await receiver(t);
    await setUrl(server, there.url);
    const document = (await api(server, 'GET', '/openapi.json')).json;
    assert.equal(document.openapi, '3.1.0');
    const check = schemasOf(document, false);
    for (const [name, { post: { requestBody } }] of Object.entries(document.webhooks)) {
        const { example } = requestBody.content['application/json'];
        const schema = `/webhooks/${name}/post/requestBody/content/application~1json/schema`;
        assert.equal(check(schema, example), '', name);
        const other = structuredClone(example);
        other.data.attributes.event_type = 'another';
        assert.notEqual(check(schema, other), '', 'the type is part of the schema');
    }
    await post(server);
    await there.arrived(1);
    assert.equal(check('/components/schemas/Push', there.requests[0].json), '');
});

test('row 21: the curl on the docs page works as it stands there', async (t) => {
    const dir = join(folder(t), 'received');
    mkdirSync(dir);
    const handler = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir, '--api-key', KEY]);
    const url = await ready(handler, /(http:\/\/[0-9.:]+)/);
    const server = await serve(t);
    const { text } = await api(server, 'GET', '/docs', undefined, { key: null });
    for (const name of ['user_enabled', 'concierge_request_output_working']) {
        const article = text.match(new RegExp(`<article id="${name}".*?</article>`, 's'))[0];
        const command = unescapeHtml(article.match(/<pre class="curl">(.*?)<\/pre>/s)[1]);
        const { code, stdout, stderr } = await run('sh', ['-c', command], { env: { URL: url, KEY } });
        assert.equal(code, 0, stderr);
        assert.equal(stdout, '{"status":"success"}');
        const [stored] = readdirSync(dir).filter((found) => found.endsWith(`_${name}.json`));
        const { data } = JSON.parse(readFileSync(join(dir, stored), 'utf8'));
        assert.equal(data.attributes.event_type, name);
        assert.match(data.id, /^\d{19}$/, 'a new id each time');
    }
});

test('row 21: the file and the command of docs/catalogue.md, as they are printed', async (t) => {
    const page = readFileSync(new URL('../../docs/catalogue.md', import.meta.url), 'utf8');
    const [, own] = page.match(/^```json\n(.*?)^```$/ms);
    const [, command] = page.match(/^```sh\n(.*?)^```$/ms);
    const at = folder(t);
    mkdirSync(join(at, 'data'));
    writeFileSync(join(at, 'data/catalogue.json'), own);
    const env = { PATH: `${dirname(POSTHORN)}:${process.env.PATH}` };
    const { code, stdout, stderr } = await run('sh', ['-ec', `cd "$1"\n${command}`, 'sh', at], { env });
    assert.equal(code, 0, stderr);
    for (const { name } of JSON.parse(own).event_types) assert.match(stdout, new RegExp(`^${name} `, 'm'));
});

test('row 22: each section lists its own types', async (t) => {
    const server = await serve(t);
    const all = (await api(server, 'GET', '/api/event_types')).json.data;
    const sections = new Set(all.map(({ attributes }) => attributes.section));
    assert.deepEqual([...sections].sort(), ['cross_border', 'funding', 'payments', 'posthorn', 'users']);
    let sum = 0;
    for (const section of sections) {
        const { status, json } = await api(server, 'GET', `/api/event_types?filter[section]=${section}`);
        assert.equal(status, 200);
        assert.ok(json.data.every(({ attributes }) => attributes.section === section));
        assert.equal(json.links.self, `/api/event_types?filter%5Bsection%5D=${section}`);
        const listed = JSON.parse(await out('catalog', '--section', section, '--json'));
        assert.deepEqual(listed.map(({ name }) => name), json.data.map(({ id }) => id));
        sum += json.data.length;
    }
    assert.equal(sum, all.length, 'no type without a section');
});

test('row 25: every type is sent, and one that is added at run time arrives', async (t) => {
    const dir = join(folder(t), 'received');
    const handler = launch(t, ['receive', '--listen', '127.0.0.1:0', '--dir', dir]);
    const server = await serve(t);
    await setUrl(server, await ready(handler, /(http:\/\/[0-9.:]+)/));
    const types = [...(await catalog()).map(({ name }) => name), 'added_at_run_time', 'Odd.Name-7'];
    const ids = [];
    for (const type of types) ids.push(await post(server, { type }));
    for (const [i, id] of ids.entries()) {
        await eventually(`${types[i]} is on disk`, () => handler.stdout.includes(`${id}_${types[i]}.json`));
        await eventually('acknowledged', async () => (await delivery(server, id)).attributes.state === 'delivered');
    }
    const unlisted = await api(server, 'GET', '/api/event_types/added_at_run_time');
    assert.equal(unlisted.status, 404, 'the catalogue describes, it does not restrict');
});
