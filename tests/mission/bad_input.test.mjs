// Bad input and its answers: every line of the promise is a test here, over sockets, against the real program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { api, delivery, eventBody, eventually, makeUser, post, receiver, serve, setUrl, sha256 }
    from '../e2e/harness.mjs';
import { connect, exchange, refused, request, unharmed } from './bad_input.mjs';

const FREE = ['--rate-limit', '0'];
const JSON_TYPE = ['Content-Type', 'application/json'];
const EVENT = '{"data":{"type":"events","attributes":{"event_type":"x"}}}';

/** Requests of one server's caller: as(server).post('/api/events', body). */
function as(server, key = server.api_key) {
    const auth = ['Authorization', key];
    return {
        get: (target, headers = []) => request('GET', target, [auth, ...headers]),
        post: (body, headers = []) => request('POST', '/api/events', [auth, JSON_TYPE, ...headers], body),
        patch: (body, headers = []) => request('PATCH', '/api/users/me', [auth, JSON_TYPE, ...headers], body),
        raw: (head, body = '') =>
            Buffer.from(`${head.replace('AUTH', `Authorization: ${key}`).replaceAll('\n', '\r\n')}\r\n\r\n${body}`, 'latin1'),
        to: (method, target, body, headers = []) =>
            request(method, target, [auth, ...(body === undefined ? [] : [JSON_TYPE]), ...headers], body),
    };
}

/** Accepted, and on the list of what must be there at the end. */
async function taken(server, accepted, name, bytes) {
    const answer = await exchange(server.url, bytes);
    assert.equal(answer.status, 201, `${name}: ${answer.text}`);
    accepted.push(answer.json.data.id);
    return answer.json;
}

// ---- framing ----

const times = (count, text) => text.repeat(count);
const fields = (count, value) => Array.from({ length: count }, (_, i) => [`X-${i}`, value]);

test('bad input: framing: refused with its code, and the connection is closed', async (t) => {
    const server = await serve(t, { args: FREE });
    const { raw, get, post: send } = as(server);
    const to = (head, body) => raw(`POST /api/events HTTP/1.1\nHost: h\nAUTH\nContent-Type: application/json\n${head}`, body);
    const odd = (coding) => to(`Transfer-Encoding: ${coding}`, '0\r\n\r\n');
    const wrong = 'request_invalid';
    await refused(server, [
        ['two unequal lengths', to('Content-Length: 58\nContent-Length: 59', EVENT), 400, wrong],
        ['two unequal lengths, the shorter last', to('Content-Length: 59\nContent-Length: 58', EVENT), 400, wrong],
        ['length, then coding', to(`Content-Length: 3\nTransfer-Encoding: chunked`, '0\r\n\r\n'), 400, wrong],
        ['coding, then length', to(`Transfer-Encoding: chunked\nContent-Length: 3`, '0\r\n\r\n'), 400, wrong],
        ['a request behind length and coding',
            to('Content-Length: 5\nTransfer-Encoding: chunked', '0\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n'), 400, wrong],
        ['coding gzip', odd('gzip'), 501, 'not_implemented'],
        ['coding gzip, chunked', odd('gzip, chunked'), 501, 'not_implemented'],
        ['coding identity', odd('identity'), 501, 'not_implemented'],
        ['coding xchunked', odd('xchunked'), 501, 'not_implemented'],
        ['coding chunked twice', odd('chunked\nTransfer-Encoding: chunked'), 501, 'not_implemented'],
        ...['+5', '-1', '0x5', '5,5', '5 5', '', 'five'].map((length) =>
            [`length "${length}"`, to(`Content-Length: ${length}`, 'hello'), 400, 'request_invalid']),
        ['no Host', raw('GET /health HTTP/1.1'), 400, wrong],
        ['two Hosts', raw('GET /health HTTP/1.1\nHost: a\nHost: b'), 400, wrong],
        ['two equal Hosts', raw('GET /health HTTP/1.1\nHost: a\nHost: a'), 400, wrong],
        ['a line of more than 8 KiB', get(`/api/${times(8300, 'a')}`), 414, 'target_too_long'],
        ['101 headers', get('/api/users/me', fields(101, 'x')), 431, 'headers_too_large'],
        ['33 KiB of headers', get('/api/users/me', fields(33, times(1024, 'x'))), 431, 'headers_too_large'],
        ['one header of 40 KiB', get('/api/users/me', fields(1, times(40 << 10, 'x'))), 431, 'headers_too_large'],
        ['a body over the limit, none of it sent', to(`Content-Length: ${(1 << 20) + 1}`), 413, 'body_too_large'],
        ['a length of 30 digits', to(`Content-Length: ${times(30, '9')}`), 413, 'body_too_large'],
        ['chunks over the limit, the last never sent',
            to('Transfer-Encoding: chunked', times(17, `10000\r\n${times(65536, ' ')}\r\n`)), 413, 'body_too_large'],
        ['a chunk of no size', to('Transfer-Encoding: chunked', 'xyz\r\nabc\r\n0\r\n\r\n'), 400, 'request_invalid'],
        ['TRACE', raw('TRACE /api/events HTTP/1.1\nHost: h\nAUTH'), 405, 'method_not_allowed'],
        ['CONNECT', raw('CONNECT example.com:443 HTTP/1.1\nHost: h\nAUTH'), 405, 'method_not_allowed'],
        ['BREW', raw('BREW /api/events HTTP/1.1\nHost: h\nAUTH'), 405, 'method_not_allowed'],
        ['a method of this API, but not here', raw('DELETE /api/events HTTP/1.1\nHost: h\nAUTH'), 405, 'method_not_allowed'],
        ['PUT on oneself', raw('PUT /api/users/me HTTP/1.1\nHost: h\nAUTH'), 405, 'method_not_allowed'],
        ...['/api/events/%00', '/api/%zz', '/api/%', '/api/%4', '/api/%c'].map((path) => [path, get(path), 400, wrong]),
        ['a NUL in the path', raw('GET /api/\0 HTTP/1.1\nHost: h\nAUTH'), 400, wrong],
        ['a folded header', raw('GET /api/users/me HTTP/1.1\nHost: h\nAUTH\nX: a\n b'), 400, wrong],
        ['bare line feeds', Buffer.from('GET /health HTTP/1.1\nHost: h\n\n'), 400, wrong],
        ['/../', get('/api/../api/users/me'), 404, 'not_found'],
        ['/./', get('/api/./users/me'), 404, 'not_found'],
        ['%2e%2e', get('/api/events/%2e%2e/users/me'), 404, 'not_found'],
        ['%2E%2e at the end', get('/api/events/%2E%2e'), 404, 'not_found'],
        ['no such path', get('/api/nope/1/2/3'), 404, 'not_found'],
        ['a path that is not UTF-8', get('/api/events/%ff'), 400, 'path_invalid'],
    ], { closes: true });
    await refused(server, [['%2f is no slash', get('/api/users%2fme'), 404, 'not_found']]);
    const accepted = [];
    await taken(server, accepted, 'a body of exactly 1 MiB', send(EVENT.padEnd(1 << 20)));
    await taken(server, accepted, 'two equal lengths are one', to('Content-Length: 58\nContent-Length: 58', EVENT));
    await taken(server, accepted, 'chunks', to('Transfer-Encoding: chunked', `3a\r\n${EVENT}\r\n0\r\n\r\n`));
    assert.equal((await exchange(server.url, get('/api/users/me', fields(90, 'x')))).status, 200);
    await unharmed(server, accepted, { failures: 5 });
});

test('bad input: framing: a header that is unfinished or drips gets 408 at an absolute deadline', async (t) => {
    const server = await serve(t, { args: FREE });
    const accepted = [await post(server)];
    const stuck = connect(server.url), drip = connect(server.url), line = connect(server.url);
    stuck.send('GET /api/users/me HTTP/1.1\r\nHost: h\r\nX');
    drip.send('GET /api/users/me HTTP/1.1\r\nHost: h\r\nX');
    line.send('GET /api/us');
    const dripping = setInterval(() => drip.send(': x\r\nX'), 500);
    t.after(() => clearInterval(dripping));
    for (const slow of [stuck, drip]) {
        const answer = await slow.answer();
        assert.equal(answer?.status, 408, answer?.text);
        assert.equal(JSON.parse(answer.body).errors[0].code, 'request_timeout');
        await slow.ended;
    }
    line.socket.destroy(); // its deadline is later: it may have been an idle connection until now
    accepted.push(await post(server));
    await unharmed(server, accepted);
});

test('bad input: framing: ten thousand idle connections; the oldest one goes, new ones are served', async (t) => {
    // Each takes a descriptor here and one there: fewer only where the system gives no more.
    const files = Number(/Max open files +\d+ +(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity);
    const MANY = Math.min(10_000, files - 500), BEYOND = 20;
    // Slots for deliveries need descriptors, too: with few of them the connections are not cut down.
    const server = await serve(t, { args: [...FREE, '--connections-max', `${MANY}`, '--slots', '64', '--idle-seconds', '600'] });
    const accepted = [await post(server)];
    const idle = [];
    t.after(() => idle.forEach(({ socket }) => socket.destroy()));
    const open = async () => {
        const connection = connect(server.url);
        idle.push(connection);
        await new Promise((resolve, reject) => connection.socket.once('connect', resolve).once('error', reject));
        return connection;
    };
    while (idle.length < MANY) {
        // Fifty at a time, each served once, so that the server has taken them in this order.
        const some = await Promise.all(Array.from({ length: Math.min(50, MANY - idle.length) }, open));
        some.at(-1).send(request('GET', '/health'));
        assert.equal((await some.at(-1).answer()).status, 200);
    }
    for (let i = 0; i < BEYOND; i++) {
        const newest = await open();
        newest.send(request('GET', '/health'));
        assert.equal((await newest.answer()).status, 200, 'a new one is served');
    }
    await eventually('old ones gone', () => idle.filter(({ socket }) => socket.closed).length >= BEYOND);
    const gone = idle.map(({ socket }, i) => (socket.closed ? i : -1)).filter((i) => i >= 0);
    assert.ok(gone.length < 2 * BEYOND && gone.every((i) => i < 200), `the oldest went: ${gone}`);
    idle.at(MANY / 2).send(request('GET', '/health'));
    assert.equal((await idle.at(MANY / 2).answer()).status, 200, 'one in the middle is still there');
    accepted.push(await post(server));
    await unharmed(server, accepted);
});

// ---- negotiation ----

test('bad input: negotiation', async (t) => {
    const server = await serve(t, { args: FREE });
    const auth = ['Authorization', server.api_key];
    const typed = (type, ...headers) =>
        request('POST', '/api/events', [auth, ...(type === null ? [] : [['Content-Type', type]]), ...headers], EVENT);
    const accept = (value) => request('GET', '/api/users/me', [auth, ['Accept', value]]);
    const unread = (type) => [`Content-Type: ${type}`, typed(type), 415, 'media_type', 'header Content-Type'];
    const encoded = (coding) => [`Content-Encoding: ${coding}`, typed('application/json', ['Content-Encoding', coding]),
        415, 'media_type', 'header Content-Encoding'];
    const useless = (value) => [`Accept: ${value}`, accept(value), 406, 'not_acceptable', 'header Accept'];
    await refused(server, [
        ['a body without Content-Type', typed(null), 415, 'media_type', 'header Content-Type'],
        ...['', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json',
            'application/xml', 'application/vnd.api+json; charset=utf-8', 'application/vnd.api+json; version=1',
            'application/json; charset=utf-16', 'application/json; charset=utf-16le',
            'application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"', 'application/vnd.api+json; ext=x'].map(unread),
        ...['text/html', 'text/*', 'image/png', 'application/xml', 'application/vnd.api+json; charset=utf-8',
            'application/json;q=0', '*/*;q=0', 'application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"'].map(useless),
        ...['gzip', 'identity', 'br', 'deflate', 'x'].map(encoded),
    ]);
    const accepted = [];
    for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"',
        'Application/JSON', 'application/vnd.api+json', 'application/vnd.api+json; profile="https://x.example/p"']) {
        await taken(server, accepted, type, typed(type));
    }
    for (const value of ['*/*', 'application/*', 'text/html, application/json;q=0.1', 'application/vnd.api+json']) {
        assert.equal((await exchange(server.url, accept(value))).status, 200, value);
    }
    await unharmed(server, accepted);
});

// ---- JSON ----

test('bad input: JSON', async (t) => {
    const server = await serve(t, { args: [...FREE, '--any-member-names'] });
    const { post: send } = as(server);
    const bad = (name, body, code, status = 400) => [name, send(body), status, code];
    const value = (text) => `{"data":{"type":"events","attributes":{"event_type":"x"},"meta":{"x":${text}}}}`;
    const nested = (depth) => value(`${times(depth - 3, '[')}${times(depth - 3, ']')}`);
    await refused(server, [
        bad('empty', '', 'json_empty'), bad('white space', ' \r\n\t', 'json_empty'),
        ...[1, 10, EVENT.length - 1].map((len) => bad(`cut after ${len}`, EVENT.slice(0, len), 'json_syntax')),
        bad('two documents', `${EVENT}${EVENT}`, 'json_trailing'), bad('two documents', `${EVENT}\n{}`, 'json_trailing'),
        bad('trailing bytes', `${EVENT}x`, 'json_trailing'), bad('a NUL behind', `${EVENT}\0`, 'json_trailing'),
        bad('BOM', `\ufeff${EVENT}`, 'json_encoding'),
        bad('UTF-16', Buffer.from(EVENT, 'utf16le'), 'json_encoding'),
        bad('UTF-16 with BOM', Buffer.from(`\ufeff${EVENT}`, 'utf16le'), 'json_encoding'),
        bad('UTF-16, big end first', Buffer.from(`\ufeff${EVENT}`, 'utf16le').swap16(), 'json_encoding'),
        ...[[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]].map((bytes) =>
            bad(`bad UTF-8: ${bytes}`, Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]),
                'json_encoding')),
        ...['\\ud800', '\\udc00', '\\ud800\\ud800', '\\udc00\\ud800', '\\ud800x'].map((text) =>
            bad(`lone surrogate ${text}`, value(`"${text}"`), 'json_encoding')),
        bad('duplicate data', '{"data":1,"data":2}', 'json_duplicate'),
        bad('a duplicate deep inside', value('[{"a":1,"b":{"c":1,"c":1}}]'), 'json_duplicate'),
        bad('a duplicate in other letters', value('{"a":1,"\\u0061":2}'), 'json_duplicate'),
        bad('depth 65', nested(65), 'json_depth'), bad('a million [', times(1e6, '['), 'json_depth'),
        bad('a hundred thousand objects', times(1e5, '{"a":'), 'json_depth'),
        bad('10,001 members', value(`[${times(10_001, '1,')}1]`), 'json_members'),
        ...['NaN', 'Infinity', '-Infinity', '01', '-01', '+1', '.5', '5.', '0x10', '1e', '-', 'True', 'nil', 'undefined']
            .map((text) => bad(text, value(text), 'json_syntax')),
        bad('single quotes', "{'data':1}", 'json_syntax'), bad('a name without quotes', '{data:1}', 'json_syntax'),
        bad('a raw newline in a string', value('"a\nb"'), 'json_syntax'), bad('\\x', value('"\\x41"'), 'json_syntax'),
        bad('two commas', value('[1,,2]'), 'json_syntax'), bad('only a comma', value('[,]'), 'json_syntax'),
        bad('a semicolon', value('1;'), 'json_syntax'), bad('a comment without end', `${EVENT}/*`, 'json_syntax'),
        bad('# is no comment', `# x\n${EVENT}`, 'json_syntax'),
        ...['18446744073709551616', '-9223372036854775809', times(400, '9')].map((text) =>
            bad(`integer ${text.slice(0, 30)}`, value(text), 'json_range', 422)),
        ...['[]', '1', '"x"', 'true'].map((text) => bad(text, text, 'document_invalid')),
        bad('null', 'null', 'json_syntax'),
    ]);
    const accepted = [];
    const there = await receiver(t);
    await setUrl(server, `${there.url}/`);
    await taken(server, accepted, 'depth 64', send(nested(64)));
    await taken(server, accepted, 'the ends of 64 bits', send(value('[18446744073709551615,-9223372036854775808]')));
    const lenient = await taken(server, accepted, 'comments and trailing commas',
        send(`// mine\n${value('[1,2,] /* two */')}`));
    assert.ok(lenient.meta.warnings.length >= 2, 'and says so');
    await taken(server, accepted, 'ordinary names, and decimals', send(JSON.stringify({
        data: { type: 'events', attributes: { event_type: 'x' }, relationships: { resource: { data: { type: 'a', id: '1' } } } },
        included: [{ type: 'a', id: '1', attributes: 'HERE' }],
    }).replace('"HERE"', '{"__proto__":{"x":1},"constructor":2,"amount":1.10,"tiny":1E-7,"large":0.30000000000000000004}')));
    const pushed = (await eventually('the push', () => there.of(accepted.at(-1))[0])).body.toString();
    for (const text of ['"__proto__":{"x":1}', '"constructor":2', '"amount":1.10', '"tiny":1E-7',
        '"large":0.30000000000000000004']) {
        assert.ok(pushed.replaceAll(': ', ':').includes(text), `${text} in ${pushed}`);
    }
    await unharmed(server, accepted);
});

test('bad input: JSON: strict on request', async (t) => {
    const server = await serve(t, { args: [...FREE, '--strict-json'] });
    const { post: send } = as(server);
    await refused(server, [['a comment', send(`// mine\n${EVENT}`), 400, 'json_syntax'],
        ['a trailing comma', send(EVENT.replace('"x"', '"x",')), 400, 'json_syntax']]);
    await unharmed(server, []);
});

// ---- JSON:API ----

test('bad input: JSON:API', async (t) => {
    const server = await serve(t, { args: FREE });
    const { get, post: send, patch, to } = as(server);
    const other = await makeUser(server, 'Other');
    const theirs = as(server, other.api_key);
    const accepted = [];
    const user = (rest) => JSON.stringify({ data: { type: 'users', ...rest } });
    const related = (relationships) =>
        JSON.stringify({ data: { type: 'events', attributes: { event_type: 'x' }, relationships } });
    const at = (name, body, status, code, pointer) => [name, patch(body), status, code, `pointer ${pointer}`];
    const asked = (query, code = 'parameter_invalid', source = undefined) =>
        [query, get(`/api/events?${query}`), 400, code, source && `parameter ${source}`];
    await refused(server, [
        at('no data', '{}', 400, 'document_invalid', ''),
        at('data null', '{"data":null}', 400, 'document_invalid', '/data'),
        at('data of many', '{"data":[]}', 400, 'document_invalid', '/data'),
        at('wrong type', '{"data":{"type":"user"}}', 409, 'type_conflict', '/data/type'),
        ['wrong type of an event', send('{"data":{"type":"users"}}'), 409, 'type_conflict', 'pointer /data/type'],
        at('id of another', user({ id: other.user_id }), 409, 'id_conflict', '/data/id'),
        at('id of nobody', user({ id: '4711' }), 409, 'id_conflict', '/data/id'),
        at('data with errors', '{"data":{"type":"users"},"errors":[]}', 400, 'document_invalid', '/errors'),
        ['a relationship without type', send(related({ resource: { data: { id: '1' } } })), 422, 'relationship_invalid',
            'pointer /data/relationships/resource/data'],
        ['a further relationship without type', send(related({ failures: { data: [{ type: 'a', id: '1' }, { id: '2' }] } })),
            422, 'relationship_invalid'],
        at('unknown attribute', user({ attributes: { nope: 1 } }), 422, 'attribute_unknown', '/data/attributes/nope'),
        at('__proto__ is one, too', '{"data":{"type":"users","attributes":{"__proto__":1}}}', 422, 'attribute_unknown',
            '/data/attributes/__proto__'),
        at('constructor', user({ attributes: { constructor: {} } }), 422, 'attribute_unknown', '/data/attributes/constructor'),
        ...Object.entries({ role: 'master', created_at: '2000-01-01T00:00:00Z' }).map(([name, value]) =>
            at(`read-only ${name}`, user({ attributes: { [name]: value } }), 403, 'attribute_read_only',
                `/data/attributes/${name}`)),
        asked('include=nope', 'parameter_invalid', 'include'), asked('sort=nope', 'parameter_invalid', 'sort'),
        asked('filter[nope]=1', 'parameter_unknown', 'filter[nope]'), asked('nope=1', 'parameter_unknown', 'nope'),
        ...['0', '-1', '1e9', '1000000000', 'abc', '', '10x', '%2b5', '1.5', '99999999999999999999'].map((size) =>
            asked(`page[size]=${size}`, 'parameter_invalid', 'page[size]')),
        ['a query with %zz', get('/api/events?sort=%zz'), 400, 'query_invalid'],
        ['a query with %00', get('/api/events?filter[resource_id]=%00'), 400, 'query_invalid'],
    ]);

    // Filters are literal.
    const stored = async (resource, type = 'x') => {
        accepted.push(await post(server, { type, resource: { type: 'payments', id: resource } }));
        return accepted.at(-1);
    };
    const odd = ["' OR 1=1--", '%', '_', '"', ';', 'a*', '\\', '1'];
    const ids = new Map();
    for (const text of odd) ids.set(text, await stored(text));
    for (const text of odd) {
        const { json } = await api(server, 'GET', `/api/events?filter[resource_id]=${encodeURIComponent(text)}`);
        assert.deepEqual(json.data.map((event) => event.id), [ids.get(text)], text);
    }
    for (const text of ['a%', '_%', "x' OR 'x'='x", 'X']) {
        const { json } = await api(server, 'GET', `/api/events?filter[event_type]=${encodeURIComponent(text)}`);
        assert.deepEqual(json.data, [], text);
    }

    // Cursors: cut, changed, another user's, another filter's.
    const { json: page } = await api(server, 'GET', '/api/events?page[size]=1');
    const cursor = page.meta.cursor;
    const middle = cursor.length >> 1;
    const changed = `${cursor.slice(0, middle)}${cursor[middle] === 'x' ? 'y' : 'x'}${cursor.slice(middle + 1)}`;
    const none = (name, query, who = get, path = '/api/events') =>
        [name, who(`${path}?page[after]=${query}`), 400, 'cursor_invalid', 'parameter page[after]'];
    await refused(server, [
        none('a cut cursor', cursor.slice(0, -1)), none('cut in half', cursor.slice(0, middle)), none('an empty cursor', ''),
        none('a changed cursor', changed), none('a longer cursor', `${cursor}A`), none('no cursor at all', "' OR 1=1--"
            .replaceAll(' ', '%20').replaceAll("'", '%27')), none('an id', page.data[0].id),
        none("another user's cursor", cursor, theirs.get), none("another filter's cursor", `${cursor}&filter[event_type]=x`),
        none("another order's cursor", `${cursor}&sort=-id`), none("another list's cursor", cursor, get, '/api/api_keys'),
    ]);
    assert.equal((await exchange(server.url, get(`/api/events?page[after]=${cursor}`))).status, 200);

    // What is another user's is not there.
    const someone = await makeUser(server, 'Someone');
    const sent = await delivery(server, accepted[0]);
    const hidden = (name, bytes) => [name, bytes, 404, 'not_found'];
    await refused(server, [
        hidden("another user's event", theirs.get(`/api/events/${accepted[0]}`)),
        hidden('its deliveries', theirs.get(`/api/events/${accepted[0]}/deliveries`)),
        ...(sent ? [hidden('its delivery', theirs.get(`/api/deliveries/${sent.id}`)),
            hidden('sending it again', theirs.to('POST', `/api/deliveries/${sent.id}/resend`))] : []),
        hidden('another user', theirs.get(`/api/users/${someone.user_id}`)),
        hidden('changing another user', theirs.to('PATCH', `/api/users/${someone.user_id}`, user({}))),
        hidden("another user's TLS", theirs.get(`/api/users/${someone.user_id}/tls`)),
        hidden('the Master', theirs.get(`/api/users/${server.user_id}`)),
        hidden("the Master's key", theirs.get('/api/api_keys/1')),
        hidden("removing the Master's key", theirs.to('DELETE', '/api/api_keys/1')),
        hidden('what nobody has', to('GET', '/api/events/1')),
    ]);
    await unharmed(server, accepted, { secrets: [other.api_key, someone.api_key] });
});

// ---- events ----

test('bad input: events', async (t) => {
    const server = await serve(t, { args: FREE });
    const { post: send } = as(server);
    const accepted = [];
    const typed = (type) => send(JSON.stringify({ data: { type: 'events', attributes: { event_type: type } } }));
    const dated = (date) => send(JSON.stringify({ data: { type: 'events', attributes: { event_type: 'x', created_at: date } } }));
    const keyed = (key, body = EVENT) => send(body, [['Idempotency-Key', key]]);
    await refused(server, [
        ...['', times(129, 'a'), 'a/b', '../x', '..', '.', 'a\r\nX: y', 'a\nb', 'a\0b', 'a b', 'é', '\u202e', 'a:b', 'a%2fb', 5, null]
            .map((type) => [`event_type ${JSON.stringify(type)}`, typed(type), 422, 'attribute_invalid',
                'pointer /data/attributes/event_type']),
        ['no event_type', send('{"data":{"type":"events","attributes":{}}}'), 422, 'attribute_missing'],
        ...['2000-02-30T00:00:00Z', '2001-02-29T00:00:00Z', '2000-01-01T00:00:00', '2000-01-01', '2000-13-01T00:00:00Z',
            '2000-01-01T25:00:00Z', 'yesterday', '', 946684800, null].map((date) =>
            [`created_at ${date}`, dated(date), 422, 'attribute_invalid', 'pointer /data/attributes/created_at']),
        ['an empty key', keyed(''), 400, 'header_invalid', 'header Idempotency-Key'],
        ['a key of 257', keyed(times(257, 'k')), 400, 'header_invalid', 'header Idempotency-Key'],
        ['two keys', send(EVENT, [['Idempotency-Key', 'a'], ['Idempotency-Key', 'b']]), 400, 'header_invalid'],
    ]);
    for (const type of ['a', times(128, 'a'), 'A.b-c_9']) await taken(server, accepted, type, typed(type));
    await taken(server, accepted, '29 February', dated('2000-02-29T23:59:59.999+01:00'));
    await taken(server, accepted, 'a key of 256', keyed(times(256, 'k')));
    await refused(server, [['same key, other body', keyed(times(256, 'k'), EVENT.replace('"x"', '"y"')), 422,
        'idempotency_conflict', 'header Idempotency-Key']]);

    const until = async () => { // as a client that heeds the 409
        const answer = await exchange(server.url, keyed('at once'));
        return answer.status === 409 && answer.json.errors[0].code === 'idempotency_in_flight' ? until() : answer;
    };
    const once = await Promise.all(Array.from({ length: 100 }, until));
    assert.deepEqual(new Set(once.map(({ status, body }) => `${status} ${body}`)).size, 1, 'a hundred equal answers');
    assert.equal(once[0].status, 201, once[0].text);
    accepted.push(once[0].json.data.id);
    await unharmed(server, accepted);
});

test('bad input: events: a full disk is 507 with Retry-After; with room again they are taken', async (t) => {
    const server = await serve(t, { args: [...FREE, '--disk-reserve', '1048576GiB'] });
    const full = await exchange(server.url, as(server).post(EVENT));
    assert.equal(full.status, 507, full.text);
    assert.match(full.header('Retry-After'), /^\d+$/);
    await refused(server, [['no room', as(server).post(EVENT), 507, 'store_full']]);
    await server.end();
    const again = await serve(t, { install: server, args: FREE });
    await unharmed(again, [await post(again)]);
});

test('bad input: events: a store that is down is 503 with Retry-After; it heals, and nothing is lost', async (t) => {
    const server = await serve(t, { args: FREE });
    const accepted = [await post(server)];
    // Somebody's shell holds the lock: the one way to keep SQLite from writing without harming it.
    const shell = spawn('sqlite3', [`${server.data}/posthorn.db`], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => shell.kill('SIGKILL'));
    let told = '';
    shell.stdout.on('data', (data) => (told += data));
    shell.stdin.write(".timeout 30000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n");
    await eventually('the lock', () => told.includes('locked'));
    const down = await exchange(server.url, as(server).post(EVENT, [['Idempotency-Key', 'again']]));
    assert.equal(down.status, 503, down.text);
    assert.equal(down.json.errors[0].code, 'store_down');
    assert.match(down.header('Retry-After'), /^\d+$/);
    const ended = new Promise((resolve) => shell.once('close', resolve));
    shell.stdin.end('ROLLBACK;\n');
    await ended;
    await taken(server, accepted, 'the same again', as(server).post(EVENT, [['Idempotency-Key', 'again']]));
    const failures = Number(/class="5xx"\} (\d+)/.exec((await api(server, 'GET', '/metrics')).text)[1]);
    await unharmed(server, accepted, { failures });
});

// ---- authentication ----

test('bad input: authentication', async (t) => {
    const server = await serve(t, { args: FREE });
    const { json } = await api(server, 'POST', '/api/api_keys', { data: { type: 'api_keys', attributes: { label: 'old' } } });
    const revoked = json.data.attributes.token;
    assert.equal((await api(server, 'GET', '/api/users/me', undefined, { key: revoked })).status, 200);
    assert.equal((await api(server, 'DELETE', `/api/api_keys/${json.data.id}`)).status, 204);
    const regular = await makeUser(server);
    const me = (...headers) => request('GET', '/api/users/me', headers.map((key) => ['Authorization', key]));
    const unknown = (name, ...headers) => [name, me(...headers), 401, 'auth_invalid', 'header Authorization'];
    const theirs = as(server, regular.api_key);
    const secrets = [revoked, regular.api_key, sha256(server.api_key), 'guess-of-mine'];
    const users = '{"data":{"type":"users","attributes":{"name":"x"}}}';
    await refused(server, [
        ['none', me(), 401, 'auth_missing', 'header Authorization'],
        ['an empty one', me(''), 401, 'auth_missing', 'header Authorization'],
        ['in the query', request('GET', `/api/users/me?api_key=${server.api_key}`), 401, 'auth_missing'],
        ['in the query, as Authorization', request('GET', `/api/users/me?Authorization=${server.api_key}`), 401, 'auth_missing'],
        unknown('wrong', 'guess-of-mine'), unknown('a letter less', server.api_key.slice(0, -1)),
        unknown('a letter more', `${server.api_key}x`), unknown('its own SHA-256', sha256(server.api_key)),
        unknown('Basic', `Basic ${server.api_key}`), unknown('revoked', revoked),
        unknown('upper case', server.api_key.toUpperCase()),
        ['two headers', me(server.api_key, server.api_key), 400, 'header_invalid', 'header Authorization'],
        ['two headers, one wrong', me(server.api_key, 'guess-of-mine'), 400, 'header_invalid', 'header Authorization'],
        ['a Regular lists users', theirs.get('/api/users'), 403, 'forbidden', 'header Authorization'],
        ['a Regular makes users', theirs.to('POST', '/api/users', users), 403, 'forbidden', 'header Authorization'],
        ['a Regular acts as another', me(`${regular.api_key}; user=${server.user_id}`), 403, 'forbidden', 'header Authorization'],
        ["a Regular asks for another's events", theirs.get(`/api/events?filter[user]=${server.user_id}`), 403, 'forbidden'],
    ], { secrets });
    await unharmed(server, [], { secrets });
});

test('bad input: authentication: a thousand guesses are slowed, valid users are not', async (t) => {
    const server = await serve(t, { args: FREE });
    const accepted = [];
    const guess = (i) => exchange(server.url, request('GET', '/api/users/me', [['Authorization', `guess-${i}`]]));
    const guesses = [];
    for (let i = 0; i < 1000; i += 50) {
        guesses.push(...Array.from({ length: 50 }, (_, k) => guess(i + k)));
        // From the same address, in the midst of them, and neither refused nor told to wait.
        accepted.push(await post(server));
    }
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    assert.ok(statuses.every((status) => status === 401 || status === 429), [...new Set(statuses)].join());
    assert.ok(statuses.filter((status) => status === 429).length > 500, 'most are not even looked at');
    const refusal = await eventually('a refusal', async () => {
        const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => guess(i)));
        return answers.find(({ status }) => status === 429);
    });
    assert.equal(refusal.json.errors[0].code, 'too_many_guesses');
    assert.match(refusal.header('Retry-After'), /^\d+$/);
    await unharmed(server, accepted, { secrets: ['guess-'] });
});
