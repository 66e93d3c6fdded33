// Bad input over raw sockets: requests that no client library sends, and the answer byte for byte.
//
// A table is a list of rows [name, request, status, code, source]. `refused` sends each on a connection of its own and
// checks the answer, its source, what becomes of the connection, and that none of the secrets comes back.
import assert from 'node:assert/strict';
import net from 'node:net';
import { api, WAIT_MS } from '../e2e/harness.mjs';

/** The bytes of a request. Headers are pairs, sent as they stand; a body brings its length unless one is given. */
export function request(method, target, headers = [], body) {
    const given = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    const framed = /^(content-length|transfer-encoding):/im.test(given);
    const length = body === undefined || framed ? '' : `Content-Length: ${bytes.length}\r\n`;
    const host = /^host:/im.test(given) ? '' : 'Host: posthorn\r\n';
    return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${host}${given}${length}\r\n`, 'latin1'), bytes]);
}

/** A socket whose bytes are kept: `answer()` takes the next answer off them, `end` is there when the other side closed. */
export function connect(url) {
    const { hostname, port } = new URL(url);
    const socket = net.connect(port, hostname);
    let pending = Buffer.alloc(0), wake = () => {};
    let over;
    const ended = new Promise((resolve) => (over = resolve));
    socket.on('data', (data) => {
        pending = Buffer.concat([pending, data]);
        wake();
    });
    socket.on('error', () => {}); // a reset after the answer is an end like another
    socket.on('close', () => {
        over();
        wake();
    });
    const take = () => {
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return null;
        const head = pending.subarray(0, end).toString('latin1');
        const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
        if (pending.length < end + 4 + length) return null;
        const body = pending.subarray(end + 4, end + 4 + length).toString();
        pending = pending.subarray(end + 4 + length);
        return { status: Number(head.split(' ')[1]), head, body, text: `${head}\r\n\r\n${body}`,
                 header: (name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1] };
    };
    const answer = async () => {
        const limit = setTimeout(() => socket.destroy(), WAIT_MS);
        try {
            for (;;) {
                const taken = take();
                if (taken || socket.closed) return taken;
                await new Promise((resolve) => (wake = resolve));
            }
        } finally {
            clearTimeout(limit);
        }
    };
    return { socket, ended, answer, send: (bytes) => socket.write(bytes), get left() { return pending; } };
}

/** One request on a connection of its own; `closed` says what became of the connection after the answer. */
export async function exchange(url, bytes) {
    const connection = connect(url);
    connection.send(bytes);
    const answer = await connection.answer();
    if (!answer) return { status: 0, text: '', closed: true };
    const closed = /^connection: *close/im.test(answer.head);
    let second = null;
    if (!closed) {
        connection.send(request('GET', '/health', [['Connection', 'close']]));
        second = await connection.answer();
    }
    await connection.ended; // and it really ends: nothing else may follow
    let json;
    try {
        json = JSON.parse(answer.body);
    } catch {
        json = undefined;
    }
    return { ...answer, json, closed, serves: second?.status === 200, left: connection.left.toString('latin1') };
}

/** Does the request have what a source names? What is missing can only be pointed at by its name. */
function sourceExists(source, bytes) {
    const text = bytes.toString('latin1');
    const head = text.slice(0, text.indexOf('\r\n\r\n'));
    if (source.header) return new RegExp(`^${source.header}:`, 'im').test(head);
    if (source.parameter) return decodeURIComponent(head.split(' ')[1].replace(/%(?![0-9a-f]{2})/gi, '%25'))
        .includes(source.parameter);
    if (source.pointer === '') return true;
    let value = JSON.parse(bytes.subarray(text.indexOf('\r\n\r\n') + 4).toString());
    for (const part of source.pointer.split('/').slice(1)) {
        const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
        if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return false;
        value = value[name];
    }
    return true;
}

/** An errors document of JSON:API with all that is promised of one. */
function checkErrors(row, answer, bytes) {
    const [name, , status, code, source] = row;
    const error = answer.json?.errors?.[0];
    assert.ok(error, `${name}: ${answer.text}`);
    assert.equal(error.status, String(status), name);
    for (const member of ['code', 'title', 'detail']) assert.ok(error[member]?.length, `${name}: ${member}`);
    assert.equal(error.code, code, `${name}: ${answer.body}`);
    const named = error.source && Object.entries(error.source).map(([kind, value]) => `${kind} ${value}`).join();
    if (source !== undefined) assert.equal(named, source, `${name}: ${answer.body}`);
    const absent = /missing|_type$/.test(code) && error.source?.header; // the header that is not there
    if (error.source && !absent) assert.ok(sourceExists(error.source, bytes), `${name}: ${answer.body}`);
}

/** Every row is refused as it says; `closes` says what becomes of the connections. */
export async function refused(server, rows, { closes = false, secrets = [] } = {}) {
    for (const row of rows) {
        const [name, bytes, status] = row;
        const answer = await exchange(server.url, bytes);
        assert.equal(answer.status, status, `${name}: ${answer.text}`);
        checkErrors(row, answer, bytes);
        assert.equal(answer.closed, closes, `${name}: the connection is ${closes ? 'closed' : 'kept'}: ${answer.head}`);
        assert.ok(answer.closed || answer.serves, `${name}: the connection serves on`);
        assert.equal(answer.left, '', `${name}: one answer, and nothing behind it`);
        if (status === 401) assert.match(answer.header('WWW-Authenticate') ?? '', /Bearer/, name);
        if (status === 405) assert.ok(answer.header('Allow'), `${name}: ${answer.head}`);
        for (const secret of [server.api_key, ...secrets]) {
            assert.ok(!answer.text.includes(secret), `${name}: a secret came back: ${answer.text}`);
        }
    }
}

/**
 * After the tables: the server serves, all that was accepted is there and nothing else, no answer was 5xx but `failures`
 * expected ones, and the log has no secret.
 */
export async function unharmed(server, accepted, { secrets = [], failures = 0 } = {}) {
    assert.ok(server.running, server.output);
    const health = await api(server, 'GET', '/health', undefined, { key: null });
    assert.equal(health.status, 200, health.text);
    const stored = [];
    for (let next = '/api/events?page[size]=100'; next; ) {
        const { status, json, text } = await api(server, 'GET', next);
        assert.equal(status, 200, text);
        stored.push(...json.data.map((event) => event.id));
        next = json.links?.next;
    }
    assert.deepEqual(stored.sort(), [...accepted].sort());
    const { text } = await api(server, 'GET', '/metrics', undefined, { key: null });
    assert.equal(Number(/answers_total\{class="5xx"\} (\d+)/.exec(text)[1]), failures);
    for (const secret of [server.api_key, ...secrets]) assert.ok(!server.output.includes(secret), server.output);
}
