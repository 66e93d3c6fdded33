// schemathesis makes requests from the openapi.json of a running server, right and wrong ones, and judges each answer by all
// its checks: with a Master's key, a Regular's and none, once from a fixed seed and once from a new one, which is printed.
// INTEROP_SEED repeats it; INTEROP_SECONDS (60) is the longest that each may take. `beyond` and `isNoise` name the judgements that
// are wrong, with the reason.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { api, makeUser, post, receiver, serve, setUrl } from '../e2e/harness.mjs';
import { checked, pip, room } from './tools.mjs';

// What the document cannot say: these answers to requests that fit its schemas are right.
const beyond = [
    { code: 'parameter_invalid', detail: /^Give page\[after\] or page\[before\], not both\.$/, why: 'OpenAPI has no parameters that exclude one another' },
    { code: 'cursor_invalid', why: 'only texts that the server gave are cursors' },
    { code: 'query_invalid', why: 'no query may hold a NUL; said once in the server, not in a pattern of each parameter' },
    { code: 'idempotency_conflict', why: 'no schema knows which keys have been used' },
    { code: 'version_conflict', why: 'only the present ETag of a resource matches' },
    { code: /^url_/, why: 'which webhook URLs are allowed depends on settings, and no pattern can say it' },
    { code: /^(identity|certificate|private_key|ca|server_name)_/, why: 'no schema says that a certificate is one, or that its key fits it' },
    { code: 'retry_limit', why: 'no schema adds up a schedule, or compares the members of a backoff with each other and with settings' },
    { code: 'filter_invalid', why: 'a filter has rules of its own, which are told with a pointer into it' },
    { code: 'attribute_invalid', detail: /^A (filter|name in metadata|value in metadata) has/, why: 'a schema counts characters, not bytes, and bounds no names' },
    { code: 'attribute_invalid', detail: /^(posthorn or HTTP itself sets|This header is there|An endpoint has auth or a header|All names and values)/,
        why: 'no schema ignores case in names, or adds up lengths' },
    { code: 'attribute_invalid', detail: /^A network must be/, why: 'no schema says that a network is one' },
    { code: 'attribute_invalid', detail: /^until must be later than since/, why: 'no schema compares two members' },
    { code: 'included_invalid', detail: /^A resource needs an id: a text of 1 to 128 bytes/, why: 'a schema counts characters, not bytes' },
    { code: 'member_invalid', detail: /cannot be the name of a member/, why: 'which names are accepted depends on the setting any-member-names' },
    { code: 'included_invalid', detail: /^(Nothing leads to|A resource of this type and id)/, why: 'no schema compares the resources of a document' },
    { code: 'json_range', why: 'no schema bounds the numbers below members that the caller names' },
    { code: 'json_encoding', why: 'no schema bounds the characters in the names of such members' },
];
function isNoise(check, operation, status, own, { code, detail, uri }) {
    // Whatever schemathesis puts in place of a text is lines, too; each has its own answer.
    if (check === 'negative_data_rejection' && operation === 'POST /api/events/batch' && status === 207) return true;
    // JSON:API section 7.1: an empty include asks for nothing; an enum with an empty name breaks generators.
    if (check === 'negative_data_rejection' && /[?&]include=(&|$)/.test(uri)) return true;
    // A `{type}` that is drawn as one of the server's own types is another operation, with parameters of its own.
    if (/\{type\}/.test(operation) && own.has(new URL(uri).pathname.split('/')[2])) return true;
    return check === 'positive_data_acceptance' &&
        beyond.some((known) => (known.code === code || known.code.test?.(code)) && (known.detail ?? /^/).test(detail));
}

const here = fileURLToPath(new URL('requests', import.meta.url));
const text = (bytes) => Buffer.from(bytes?.$base64 ?? '', 'base64').toString();
const seeds = { fixed: 1, new: process.env.INTEROP_SEED ?? Math.floor(Math.random() * 2 ** 31) };

/** What a report blames, a line each: check, operation, code of the error, answer, request. `own`: the server's own types. */
function findings(report, own) {
    const found = [];
    for (const line of readFileSync(report, 'utf8').split('\n').filter(Boolean)) {
        const { ScenarioFinished: scenario, NonFatalError: error, FatalError: fatal } = JSON.parse(line);
        if (error ?? fatal) found.push(JSON.stringify(error ?? fatal).slice(0, 2000));
        for (const [id, checks] of Object.entries(scenario?.recorder.checks ?? {})) {
            for (const { name, status, failure_info: info } of checks) {
                if (status !== 'failure') continue;
                const { request, response } = scenario.recorder.interactions[id];
                const answer = text(response?.content);
                const [, code, detail] = answer.match(/"code":"(\w+)".*?"detail":"((?:[^"\\]|\\.)*)"/) ?? [];
                if (isNoise(name, info.failure.operation, response?.status_code, own, { code, detail, uri: request.uri })) continue;
                found.push(`${name}: ${info.failure.operation}: ${info.failure.title}: ${info.failure.message}\n` +
                    `    ${request.method} ${request.uri} ${JSON.stringify(request.headers)} ${text(request.body).slice(0, 500)}\n` +
                    `    ${response?.status_code} ${answer.slice(0, 500)}`);
            }
        }
    }
    return found;
}

async function judge(t, who, seed) {
    // Made up webhook URLs go nowhere: no name is found, and what is sent from this address cannot leave the machine.
    const server = await serve(t, { args: ['--rate-limit', '0', '--public-rate', '0', '--source-address', '127.0.0.1',
        '--dns-servers', '127.0.0.1:9'] });
    const hook = await receiver(t);
    const regular = await makeUser(server);
    await setUrl(server, hook.url);
    await setUrl(server, hook.url, { id: regular.user_id, key: regular.api_key });
    await post(server);
    await post(server, { user: regular.user_id });
    const key = { Master: server.api_key, Regular: regular.api_key }[who];
    const kept = await Promise.all([server, regular].map(({ api_key }) => api(server, 'GET', '/api/api_keys', undefined, { key: api_key })));

    const folder = join(room, 'requests', `${who}-${seed}`);
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(here, 'hooks.py'), join(folder, 'hooks.py'));
    const python = await pip('requests/requirements.txt');
    const report = join(folder, 'report.ndjson');
    await checked(join(dirname(python), 'schemathesis'), ['run', `${server.url}/openapi.json`, '--checks', 'all', '--seed', seed,
        '--max-examples', '10', '--max-time', process.env.INTEROP_SECONDS ?? '60', '--continue-on-failure', '--no-shrink', '--report', 'ndjson',
        '--report-ndjson-path', report, ...(key ? ['--header', `Authorization: ${key}`] : [])], {
        cwd: folder,
        codes: [0, 1], // 1: findings, which are judged below
        env: { SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: folder, KEPT: kept.flatMap(({ json }) => json.data.map(({ id }) => id)).join(' ') },
    });
    const { paths } = await (await fetch(`${server.url}/openapi.json`)).json();
    const own = new Set(Object.keys(paths).map((path) => path.split('/')[2]));
    const found = findings(report, own);
    assert.equal(found.length, 0, `${found.length} findings, seed ${seed}:\n${found.slice(0, 30).join('\n')}`);
}

for (const [kind, seed] of Object.entries(seeds)) {
    test(`generated requests: all checks, ${kind} seed ${seed}`, { concurrency: true }, async (t) => {
        await pip('requests/requirements.txt');
        await Promise.all(['Master', 'Regular', 'nobody'].map((who) => t.test(`key of ${who}`, (t) => judge(t, who, String(seed)))));
    });
}
