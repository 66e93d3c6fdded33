#!/usr/bin/env node
// node bench/readme.mjs build-bench/bench.json: puts the figures of a run into README's table, several to a line.
// A line without figures in that run is left out.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { aim, met, number } from './table.mjs';

const waits = (key) => ['p50', 'p99', 'p99.9'].map((q) => `${key}.${q}`);
const lines = [
    ['CPU an event, system calls included', 'throughput.cpu'],
    ['accepted, delivered and recorded', 'throughput.rate'],
    ['— of what the generator alone can post to the receiver', 'throughput.of_ceiling'],
    ['— of what the null relay does: it answers 201 at once and forwards the bytes', 'throughput.of_relay'],
    ['at 300/s, from the POST to its 201: p50, p99, p99.9', ...waits('paced300.ack')],
    ['— to the arrival', ...waits('paced300.arrival')],
    ['at 1,000/s, to the 201', ...waits('paced1000.ack')],
    ['— to the arrival', ...waits('paced1000.arrival')],
    ['at 70 % of saturation, to the 201', ...waits('paced70.ack')],
    ['— to the arrival', ...waits('paced70.arrival')],
    ['CPU an event at 300/s, 1,000/s', 'paced300.cpu', 'paced1000.cpu'],
    ['log an event at 300/s, 1,000/s', 'paced300.log', 'paced1000.log'],
    ['syncs an event at 300/s, 1,000/s', 'paced300.syncs', 'paced1000.syncs'],
    ['50, 256, 1,024 producers: CPU an event', 'producers50.cpu', 'producers256.cpu', 'producers1024.cpu'],
    ['1, 1,000, 10,000, 100,000 endpoints at random: CPU an event', ...[1, 1000, 10000, 100000].map((n) => `endpoints${n}.cpu`)],
    ['— new connections an event', ...[1, 1000, 10000, 100000].map((n) => `endpoints${n}.connections`)],
    ['cost of an event behind 1,000,000 deliveries waiting for a dead endpoint', 'backlog.ratio'],
    ['beside 4, 500 endpoints that answer after 10 s, 30 events/s each: p99 of a healthy one, more than alone', 'slow4.p99_more', 'slow500.p99_more'],
    ['beside 4 that begin to hang with 300 events each, 2,000 that hang', 'begin4.p99_more', 'hanging2000.p99_more'],
    ['1,000, 10,000 endpoints that refuse connections, 100 events waiting each: attempts', 'refusing1000.attempts', 'refusing10000.attempts'],
    ['— log', 'refusing1000.log', 'refusing10000.log'],
    ['— CPU an event of a healthy one beside them, of alone', 'refusing1000.healthy_ratio', 'refusing10000.healthy_ratio'],
    ['a new endpoint that answers after 1 s: p99 from the 201 to the attempt at 50/s, 100/s, 400/s after 5 s', 'newcomer50.p99', 'newcomer100.p99', 'newcomer400.p99'],
    ['a receiver that takes 20/s and says 429 beyond: refusals of all requests, 400 events done after', 'pushback20.refusals', 'pushback20.seconds'],
    ['— 500/s: taken of what it could, refusals', 'pushback500.share', 'pushback500.refusals'],
    ['back after an outage, 50,000 waiting: at once in the first second', 'recovery.early'],
    ['— from its place in the order of acceptance', 'recovery.displaced'],
    ['a random Idempotency-Key, 400,000 kept: more store CPU, more log an event', 'keys.store_more', 'keys.log_more'],
    ['bodies of 4, 32, 256 KiB, 1 MiB: CPU each', ...[4, 32, 256, 1024].map((n) => `body${n}.cpu`)],
    ['— memory', ...[4, 32, 256, 1024].map((n) => `body${n}.rss`)],
    ['512 of 1 MiB for a receiver that takes 1 s each: memory, 4 s after the last', 'body_slow.rss', 'body_slow.rss_after'],
    ['a user with 1, 10, 100 endpoints: CPU a delivery', 'routing1.cpu', 'routing10.cpu', 'routing100.cpu'],
    ['— CPU for each further endpoint that wants other types, whose filter refuses', 'routing_types.cpu', 'routing_filters.cpu'],
    ['100,000 idle endpoints: memory of each, start to the first answer', 'idle_endpoints.rss', 'idle_endpoints.start'],
    ['— 1 % of them get events: CPU an event, of the same without the idle ones', 'due_endpoints.ratio'],
    ['each event to a user and to its Master: CPU an event', 'masters.cpu'],
    ['purge, 1,000 owners', 'purge.rate', 'purge.cpu'],
    ['— beside 1 % that waits', 'purge_waiting.rate', 'purge_waiting.cpu'],
    ['1,000,000 events, beside writes: first page, page of a walk, page of a filter that matches nothing', 'lists.first.p50', 'lists.walk.p50', 'lists.nothing.p50'],
    ['100,000 users: PATCH, POST of one, /metrics', 'users.patch.p50', 'users.post.p50', 'users.metrics.p50'],
    ['backup at 3,000 events/s: it takes; p99 to the 201, more than without', 'backup.seconds', 'backup.ack_more'],
    ['accepted in batches of 100, against one a request', 'batches.ratio', 'batches.batch.rate'],
    ['CPU a new TLS connection, resumed', 'tls.full.cpu', 'tls.resumed.cpu'],
    ['TLS kept alive: CPU an event', 'tls.kept.cpu'],
    ['memory: idle, busy, behind that million', 'throughput.rss.idle', 'throughput.rss.peak', 'backlog.rss'],
    ['restart with that million to the first answer, after kill -9', 'backlog.restart', 'backlog.restart_kill'],
];

/** "1, 2, 3 ms", or "1 us, 2 ms": a unit that the next figure shares is said once. */
function together(rows, show) {
    return rows.map((row, i) => {
        const unit = rows[i + 1]?.unit === row.unit ? '' : row.unit;
        return `${show(row)}${unit === '' ? '' : ` ${unit}`}`;
    }).join(', ');
}

function line([text, ...keys], rows) {
    const found = keys.map((key) => rows.get(key)).filter((row) => row && !row.skipped);
    if (found.length < keys.length) return [];
    const aims = found.some((row) => row.aim !== undefined) ? found.map((row) => (row.aim === undefined ? '-' : aim(row).replace('<= ', '').replace('>= ', 'at least '))).join(', ') : '';
    const missed = found.filter((row) => !met(row)).length;
    return [`| ${text} | ${together(found, (row) => number(row.value, row.digits))} | ${aims}${missed ? `${found.length > 1 ? `; ${missed} of ${found.length}` : ':'} not met` : ''} |`];
}

const file = process.argv[2];
if (!file) {
    console.error('usage: node bench/readme.mjs bench.json');
    process.exit(2);
}
const all = Object.values(JSON.parse(readFileSync(file, 'utf8')).parts).flatMap((part) => part.rows);
const rows = new Map(all.map((row) => [row.key, row]));
const table = ['| | measured | aim |', '|---|---|---|', ...lines.flatMap((each) => line(each, rows))].join('\n');
const readme = fileURLToPath(new URL('../README.md', import.meta.url));
const text = readFileSync(readme, 'utf8');
const [begin, end] = ['<!-- bench: node bench/readme.mjs build-bench/bench.json -->\n', '\n<!-- bench: end -->'];
const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
if (from < begin.length || to < from) throw new Error('README.md has lost the marks of its table');
writeFileSync(readme, text.slice(0, from) + table + text.slice(to));
