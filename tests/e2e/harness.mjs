// The common base of the end-to-end tests: the real program on a free port with a folder of its own, and
// receivers that record what came over the wire, byte for byte.
//
// Nothing here waits a fixed time to see something happen: `eventually` polls until it has, and only a generous
// limit makes it fail. Whatever a test starts is ended with it, by process id.
import { spawn, execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkingFetch } from './jsonapi-schema.mjs';
import { contractFetch } from './openapi-contract.mjs';

export const POSTHORN =
    process.env.POSTHORN ?? fileURLToPath(new URL('../../build-test/src/posthorn', import.meta.url));
export const WAIT_MS = 30_000;

// Every answer of the API that a test sees is checked against JSON:API 1.1, and with its request against openapi.json.
globalThis.fetch = contractFetch(checkingFetch(globalThis.fetch), POSTHORN);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Polls until `probe` gives something truthy, and returns that. */
export async function eventually(what, probe, limitMs = WAIT_MS) {
    const end = Date.now() + limitMs;
    for (;;) {
        const value = await probe();
        if (value) return value;
        if (Date.now() > end) throw new Error(`still not so after ${limitMs} ms: ${what}`);
        await sleep(20);
    }
}

/** A folder that goes with the test. */
export function folder(t) {
    const path = mkdtempSync(join(tmpdir(), 'posthorn-e2e-'));
    t.after(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

/** Runs a program to its end: { code, stdout, stderr }. */
export function run(file, args, { env = {}, limitMs = WAIT_MS, input, cwd } = {}) {
    return new Promise((resolve) => {
        const child = execFile(file, args,
            { cwd, env: { ...process.env, ...env }, timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 64 << 20 },
            (error, stdout, stderr) => resolve({ code: error ? error.code ?? error.signal : 0, stdout, stderr }));
        child.stdin.end(input);
    });
}

export const posthorn = (...args) => run(POSTHORN, args);

/** A long-running command of ours; `lines` fills up, `ended` resolves to { code, signal }. */
export function launch(t, args, { env = {} } = {}) {
    const child = spawn(POSTHORN, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const program = {
        pid: child.pid,
        stdout: '',
        stderr: '',
        get output() {
            return this.stdout + this.stderr;
        },
        running: true,
        signal: (name) => child.kill(name),
    };
    child.stdout.on('data', (data) => (program.stdout += data));
    child.stderr.on('data', (data) => (program.stderr += data));
    program.ended = new Promise((resolve) => {
        child.on('close', (code, signal) => {
            program.running = false;
            resolve({ code, signal });
        });
    });
    program.end = async (name = 'SIGTERM') => {
        if (program.running) child.kill(name);
        return program.ended;
    };
    t.after(() => program.end('SIGKILL'));
    return program;
}

export async function ready(program, pattern) {
    const match = await eventually(`a ready line (${pattern}) in: ${program.output}`, () => {
        const found = program.output.match(pattern);
        if (!found && !program.running) throw new Error(`ended before it was ready: ${program.output}`);
        return found;
    });
    return match[1];
}

/** `posthorn init` on a new folder: { data, user_id, api_key }. */
export async function initialize(t, data = join(folder(t), 'data')) {
    const { code, stdout, stderr } = await posthorn('init', '--data', data, '--json');
    if (code !== 0) throw new Error(`init: ${code} ${stderr}`);
    return { data, ...JSON.parse(stdout) };
}

/**
 * `posthorn serve --dev` on a free port. Give `install` (of initialize, or a server that ended) to go on with
 * its data.
 */
export async function serve(t, { install, args = [], env = {}, dev = true } = {}) {
    const { data, user_id, api_key } = install ?? (await initialize(t));
    const program = launch(t,
        ['serve', '--data', data, '--listen', '127.0.0.1:0', ...(dev ? ['--dev'] : []), ...args], { env });
    const url = await ready(program, /ready: (http\S+)/);
    return Object.assign(program, { url, data, user_id, api_key });
}

/** A request to the API as a plain client makes it: { status, headers, text, json }. */
export async function api(server, method, path, body, { key = server.api_key, headers = {} } = {}) {
    const response = await fetch(server.url + path, {
        method,
        redirect: 'manual',
        headers: {
            ...(key ? { Authorization: key } : {}),
            ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...headers,
        },
        body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let json;
    try {
        json = JSON.parse(text);
    } catch {
        json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
}

async function expect(status, answer, what) {
    const { status: got, text } = await answer;
    if (got !== status) throw new Error(`${what}: ${got} instead of ${status}: ${text}`);
    return answer;
}

export async function setUrl(server, url, { id = server.user_id, key = server.api_key } = {}) {
    const body = { data: { type: 'users', id, attributes: { webhook_url: url } } };
    return expect(200, api(server, 'PATCH', '/api/users/me', body, { key }), 'PATCH webhook_url');
}

/** Makes a Regular user: { user_id, api_key }. */
export async function makeUser(server, name = 'Somebody') {
    const { json } = await expect(201,
        api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name } } }), 'POST user');
    return { user_id: json.data.id, api_key: json.meta.api_key };
}

/** The body of POST /api/events. */
export function eventBody({ type = 'user_enabled', created_at, user, resource = { type: 'users', id: '7' },
                            attributes = { name: 'Ana' } } = {}) {
    return {
        data: {
            type: 'events',
            attributes: { event_type: type, ...(created_at ? { created_at } : {}) },
            relationships: {
                resource: { data: resource },
                ...(user ? { user: { data: { type: 'users', id: user } } } : {}),
            },
        },
        included: [{ ...resource, attributes }],
    };
}

/** Posts an event and returns its id; it is durable then. */
export async function post(server, options = {}) {
    const made = await expect(201, api(server, 'POST', '/api/events', eventBody(options), options), 'POST event');
    return made.json.data.id;
}

/** The one delivery of an event, as the API shows it. */
export async function delivery(server, eventId) {
    const answer = await expect(200, api(server, 'GET', `/api/events/${eventId}/deliveries`), 'GET deliveries');
    return answer.json.data[0];
}

export const answer = (status, body = '{"status":"success"}', headers = '') =>
    `HTTP/1.1 ${status} Some Words\r\nContent-Type: application/json\r\n${headers}` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function parseRequest(buffer) {
    const end = buffer.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const head = buffer.subarray(0, end).toString('latin1');
    const [line, ...fields] = head.split('\r\n');
    const headers = fields.map((field) => {
        const colon = field.indexOf(':');
        return [field.slice(0, colon), field.slice(colon + 1).trim()];
    });
    const length = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0);
    if (buffer.length < end + 4 + length) return null;
    const [method, path, version] = line.split(' ');
    const body = buffer.subarray(end + 4, end + 4 + length);
    return {
        method, path, version, headers, head, body, size: end + 4 + length,
        header: (name) => headers.find(([given]) => given === name)?.[1],
        get json() {
            return JSON.parse(body.toString('utf8'));
        },
        get id() {
            return this.json.data.id;
        },
    };
}

/**
 * A receiver that keeps every request as it came. `behave(request, number)` gives (a promise of) the raw answer; null
 * closes the connection without one.
 */
export async function receiver(t, behave = () => answer(200), { port = 0, host = '127.0.0.1' } = {}) {
    const requests = [];
    const sockets = new Set();
    const server = net.createServer((socket) => {
        let pending = Buffer.alloc(0);
        let turn = Promise.resolve();
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => {});
        socket.on('data', (data) => {
            pending = Buffer.concat([pending, data]);
            for (let request; (request = parseRequest(pending)); ) {
                pending = pending.subarray(request.size);
                const number = requests.push(request);
                turn = turn.then(async () => {
                    const bytes = await behave(request, number);
                    if (socket.destroyed) return;
                    if (bytes === null) socket.destroy();
                    else socket.write(bytes);
                });
            }
        });
    });
    await new Promise((resolve) => server.listen(port, host, resolve));
    const close = () => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => server.close(resolve));
    };
    t.after(close);
    const { port: bound } = server.address();
    return {
        requests, close, port: bound,
        url: `http://${host}:${bound}`,
        of: (eventId) => requests.filter((request) => request.id === eventId),
        arrived: (count, limitMs) => eventually(`${count} requests at the receiver, there are ${requests.length}`,
            () => requests.length >= count && requests, limitMs),
    };
}

