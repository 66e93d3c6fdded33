// The formats of a push: the guide's document, a CloudEvent, or thin. The public SDK of CloudEvents reads the push.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { answer, api, post, receiver, serve } from './harness.mjs';

const make = async (server, attributes) => {
    const answer = await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes } });
    assert.equal(answer.status, 201, answer.text);
    return { id: answer.json.data.id, secret: answer.json.meta.signing_secret };
};
const headersOf = (request) => Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
/* One endpoint of each format, and one event to all. */
const sent = async (t, options, behave, server) => {
    server ??= await serve(t, { args: ['--time-scale', '100'] });
    const hooks = {};
    for (const format of ['guide', 'cloudevents', 'cloudevents-binary', 'thin']) {
        const hook = await receiver(t, behave);
        hooks[format] = Object.assign(hook, await make(server, { url: hook.url, format }));
    }
    return { server, hooks, event: await post(server, options) };
};

test('format: the SDK of CloudEvents reads both modes, thin has no included, and signatures sign what is sent', async (t) => {
    const { server, hooks, event } = await sent(t, { type: 'payment_created', resource: { type: 'payments', id: 'a "%/ü' } });
    for (const hook of Object.values(hooks)) {
        const [{ body, ...request }] = await hook.arrived(1);
        new Webhook(hook.secret).verify(body.toString(), headersOf(request));
    }
    const guide = hooks.guide.requests[0];
    const shown = await api(server, 'GET', `/api/events/${event}`);
    assert.equal(guide.header('Content-Type'), 'application/json');
    for (const format of ['cloudevents', 'cloudevents-binary']) {
        const [request] = hooks[format].requests;
        const headers = headersOf(request);
        // SDK 8 leaves the percent-encoding of the HTTP binding to its caller
        if (headers['ce-subject']) headers['ce-subject'] = decodeURIComponent(headers['ce-subject']);
        const read = HTTP.toEvent({ headers, body: request.body.toString() });
        assert.ok(read.validate());
        const { id, source, type, subject, time, datacontenttype, data } = read;
        assert.deepEqual({ id, source, type, subject, time, datacontenttype },
            { id: event, source: '/api/events', type: 'payment_created', subject: 'payments/a "%/ü',
              time: shown.json.data.attributes.created_at, datacontenttype: 'application/vnd.api+json' });
        assert.deepEqual(typeof data === 'string' ? JSON.parse(data) : data, guide.json, format);
    }
    assert.deepEqual(hooks['cloudevents-binary'].requests[0].body, guide.body);
    assert.equal(hooks['cloudevents-binary'].requests[0].header('ce-subject'), 'payments/a%20%22%25/%C3%BC');
    const { included, ...rest } = guide.json;
    assert.equal(included.length, 1);
    assert.deepEqual(hooks.thin.requests[0].json, rest);
});

test('format: the bytes are the same on every attempt and after a restart', async (t) => {
    let failing = true;
    const first = await sent(t, {}, () => answer(failing ? 500 : 200));
    const hooks = Object.values(first.hooks);
    for (const hook of hooks) await hook.arrived(3);
    await first.server.end();
    const counts = hooks.map((hook) => hook.requests.length);
    const again = await serve(t, { install: first.server, args: ['--time-scale', '100'] });
    failing = false;
    for (const [i, hook] of hooks.entries()) {
        await hook.arrived(counts[i] + 1);
        const ce = (request) => request.headers.filter(([name]) => /^(ce-|content-)/i.test(name));
        for (const request of hook.requests) {
            assert.deepEqual(request.body, hook.requests[0].body);
            assert.deepEqual(ce(request), ce(hook.requests[0]));
        }
    }
    assert.equal((await again.end()).code, 0);
});

test('format: an event of nearly 1 MiB', async (t) => {
    const server = await serve(t, { args: ['--time-scale', '100', '--memory-max', '16MiB'] });
    const { hooks } = await sent(t, { attributes: { text: 'x'.repeat(1_000_000) } }, undefined, server);
    for (const hook of Object.values(hooks)) await hook.arrived(1);
    const structured = hooks.cloudevents.requests[0];
    assert.equal(structured.json.data.included[0].attributes.text.length, 1_000_000);
    assert.equal(hooks.guide.requests[0].json.included[0].attributes.text.length, 1_000_000);
});
