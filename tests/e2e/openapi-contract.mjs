// openapi.json as a contract: each request that a test makes and each answer that it gets is held against it. An answer
// may have no status, header or member that is not declared. A request that the schema refuses must be refused by the
// server, and one that it allows must not be refused for what a schema can say.
//
// The published schemas of answers are open, so that a client of today understands a server of tomorrow; here they are
// closed. Three courtesies of the server are in words only (info.description): an id may be a number, comments and
// trailing commas are forgiven, and @-members are ignored.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const installed = (name) => {
    try {
        return require(name).default;
    } catch (error) {
        throw new Error(`${name} is not installed: run tools/install-packages, or npm ci in tests/`, { cause: error });
    }
};
const Ajv = installed('ajv/dist/2020');
const addFormats = installed('ajv-formats');

const LINES = 'application/x-ndjson';
const JSON_API = 'application/vnd.api+json';
const OF_HTTP = new Set(['date', 'content-length', 'content-type', 'content-encoding', 'connection', 'keep-alive', 'transfer-encoding']);

// What a schema can say. (A value of the right form can still be refused: a date that does not exist, a network with
// bits behind its prefix, a certificate without its key, a pattern that is too large as a whole.)
const SCHEMA_CODES = new Set(['attribute_unknown', 'attribute_missing', 'attribute_invalid', 'parameter_unknown', 'parameter_invalid',
    'relationship_unknown', 'relationship_invalid']);
const FORMS = /\/(created_at|since|until|allow_from|certificate|private_key|ca|server_name|webhook_url|url|email|filter|metadata|headers|auth)(\/|$)|page\[|^endpoint$/;

class Broken extends Error {}

/** openapi.json of this program, read once and kept for the other test files. */
export async function documentOf(program) {
    const { mtimeMs, size } = statSync(program);
    const name = createHash('sha256').update(`${program} ${mtimeMs} ${size}`).digest('hex').slice(0, 16);
    const kept = join(tmpdir(), `posthorn-openapi-${name}.json`);
    if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8'));
    const dir = mkdtempSync(join(tmpdir(), 'posthorn-openapi-'));
    const data = join(dir, 'data');
    await promisify(execFile)(program, ['init', '--data', data]);
    const server = spawn(program, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev'], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
        const url = await new Promise((resolve, reject) => {
            let output = '';
            const look = (piece) => {
                output += piece;
                const ready = output.match(/ready: (http\S+)/);
                if (ready) resolve(ready[1]);
            };
            server.stdout.on('data', look);
            server.stderr.on('data', look);
            server.on('close', () => reject(new Error(`the server for openapi.json ended: ${output}`)));
        });
        const text = await (await plainFetch(`${url}/openapi.json`)).text();
        writeFileSync(join(dir, 'openapi.json'), text);
        renameSync(join(dir, 'openapi.json'), kept);
        return JSON.parse(text);
    } finally {
        const ended = new Promise((resolve) => server.on('close', resolve));
        server.kill('SIGKILL');
        await ended;
        rmSync(dir, { recursive: true, force: true });
    }
}

/** The same with every object of known members closed. */
function close(schema) {
    if (Array.isArray(schema)) return schema.map(close);
    if (typeof schema !== 'object' || schema === null) return schema;
    const closed = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, close(value)]));
    if (closed.type === 'object' && closed.properties && !('additionalProperties' in closed)) closed.additionalProperties = false;
    return closed;
}

/** Schemas by their place in the document: `check(pointer, value)` says what is wrong, '' if nothing is. */
export function schemasOf(document, closed) {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    ajv.addSchema(closed ? close(document) : document, 'doc');
    return (pointer, value) => {
        const place = `doc#${pointer}`;
        const validate = ajv.getSchema(place) ?? ajv.compile({ $ref: place });
        return validate(value) ? '' : ajv.errorsText(validate.errors, { dataVar: 'value' });
    };
}

const escape = (part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

function patterns(document) {
    const rank = (path) => path.split('/').map((part) => (part.startsWith('{') ? '~' : part)).join('/');
    return Object.keys(document.paths).sort((a, b) => (rank(a) < rank(b) ? -1 : 1)).map((path) =>
        [path, new RegExp(`^${path.replace(/\{.*?\}/g, '[^/]+')}/?$`)]);
}

/** What of a request's query is not as declared; '' if nothing is. */
function wrongQuery(contract, operation, url) {
    for (const [name, value] of url.searchParams) {
        if (/^fields\[[^\]]+\]$/.test(name) && operation.parameters.some(({ name: known }) => known.startsWith('page[') || known.startsWith('fields[') || operation.tags[0] === 'Resources')) continue;
        const index = operation.parameters.findIndex(({ in: place, name: known }) => place === 'query' && known === name);
        if (index < 0) return `the query parameter ${name} is not declared`;
        const { schema } = operation.parameters[index];
        const typed = schema.type === 'integer' && /^-?\d+$/.test(value) ? Number(value)
            : schema.type === 'boolean' && /^(true|false)$/.test(value) ? value === 'true'
            : schema.type === 'array' ? value.split(',').filter((one, _, all) => one || all.length > 1) : value;
        const wrong = contract.open(`${operation.pointer}/parameters/${index}/schema`, typed);
        if (wrong) return `${name}: ${wrong}`;
    }
    return '';
}

/** Without @-members, and with ids as text. */
function plain(value) {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith('@')).map(([name, member]) =>
        [name, name === 'id' && Number.isInteger(member) ? String(member) : plain(member)]));
}

/** '' : as declared; undefined: it cannot be told (no JSON, another type). */
function wrongBody(contract, operation, { body, type }) {
    const content = operation.requestBody?.content['application/json'];
    if (!content || !/^application\/(vnd\.api\+)?json\b/i.test(type ?? '')) return undefined;
    let json;
    try {
        json = plain(JSON.parse(body));
    } catch {
        return undefined;
    }
    return contract.open(`${operation.pointer}/requestBody/content/application~1json/schema`, json);
}

function checkRequest(contract, operation, url, request, { status, json }) {
    const wrong = [wrongQuery(contract, operation, url), wrongBody(contract, operation, request)];
    const known = wrong.every((one) => one !== undefined) || (wrong[0] === '' && !operation.requestBody);
    const first = wrong.find((one) => one);
    if (first && status < 400) throw new Broken(`the schema refuses the request, and the server accepts it: ${first}`);
    const error = json?.errors?.[0];
    if (first || !known || !error || !SCHEMA_CODES.has(error.code)) return;
    const place = error.source?.pointer ?? error.source?.parameter ?? '';
    if (FORMS.test(place) || /[^\x20-\x7e]/.test(request.body ?? '')) return; // of bytes, where a schema counts characters
    throw new Broken(`the schema allows the request, and the server refuses it: ${error.code} ${place}`);
}

function checkAnswer(contract, response, pointer, answer) {
    for (const [name] of answer.headers) {
        const declared = Object.keys(response.headers ?? {}).some((one) => one.toLowerCase() === name);
        if (!OF_HTTP.has(name) && !declared) throw new Broken(`the header ${name} is not declared`);
    }
    const type = (answer.headers.get('content-type') ?? '').split(';')[0];
    if (!answer.text) return;
    const declared = type === 'application/json' && response.content?.[JSON_API] ? JSON_API : type;
    if (!response.content?.[declared]) throw new Broken(`the content type ${type} is not declared`);
    if (!answer.json || declared === LINES) return;
    const wrong = contract.closed(`${pointer}/content/${escape(declared)}/schema`, answer.json);
    if (wrong) throw new Broken(wrong);
}

function operationOf(contract, method, path, type) {
    const lines = path === '/api/events' && method === 'POST' && (type ?? '').toLowerCase().startsWith(LINES);
    const found = contract.patterns.find(([, pattern]) => pattern.test(lines ? '/api/events/batch' : path));
    if (!found) return {};
    const name = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    const operation = contract.document.paths[found[0]][name];
    return operation ? { ...operation, pointer: `/paths/${escape(found[0])}/${name}` } : {};
}

function check(contract, method, url, request, answer) {
    const { responses } = contract.document.components;
    if (method === 'OPTIONS') return;
    const operation = operationOf(contract, method, url.pathname, request.type);
    if (!operation.pointer) { // no such path, or not with this method
        if (answer.status < 400) throw new Broken('the operation is not declared');
        checkAnswer(contract, responses.default, '/components/responses/default', answer);
        return;
    }
    const response = operation.responses[answer.status];
    if (!response) throw new Broken(`the status ${answer.status} is not declared`);
    const pointer = response.$ref ? response.$ref.slice(1) : `${operation.pointer}/responses/${answer.status}`;
    checkRequest(contract, operation, url, request, answer);
    checkAnswer(contract, response.$ref ? responses[answer.status] : response, pointer, answer);
}

const plainFetch = globalThis.fetch;
let contract;

async function load(program) {
    const document = await documentOf(program);
    return { document, patterns: patterns(document), open: schemasOf(document, false), closed: schemasOf(document, true) };
}

/** fetch that throws when a request or an answer of a server of ours is not as `program` says in its openapi.json. */
export function contractFetch(fetch, program) {
    return async (resource, options = {}) => {
        const response = await fetch(resource, options);
        if (!response.headers.get('posthorn-mode')) return response;
        contract ??= load(program);
        const url = new URL(response.url || String(resource.url ?? resource));
        const text = await response.clone().text();
        const answer = { status: response.status, headers: response.headers, text };
        try {
            answer.json = JSON.parse(text);
        } catch { /* a page, or nothing */ }
        const body = typeof options.body === 'string' ? options.body : options.body instanceof Uint8Array ? Buffer.from(options.body).toString() : undefined;
        const type = new Headers(options.headers ?? {}).get('content-type');
        const method = (options.method ?? 'GET').toUpperCase();
        try {
            check(await contract, method, url, { body, type }, answer);
        } catch (error) {
            error.message = `openapi.json: ${error.message} (${method} ${url.pathname}${url.search} ${answer.status}: ${body ?? ''} -> ${text.slice(0, 2000)})`;
            throw error;
        }
        return response;
    };
}
