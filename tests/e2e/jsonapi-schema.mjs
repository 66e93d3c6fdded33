// JSON:API 1.1 (https://jsonapi.org/format/1.1/) as a schema of our own: the specification's demands on an answer,
// and, marked "ours", what posthorn promises on top. The harness puts it in front of fetch, so that every answer of the
// API in every test is checked.

const MEDIA = 'application/vnd.api+json';
const LINES = 'application/x-ndjson';

class Invalid extends Error {}

function demand(holds, where, what) {
    if (!holds) throw new Invalid(`JSON:API: ${where || '/'}: ${what}`);
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === 'string';

/** Section 5.8: names of members. @-members may be anywhere and are ignored. */
const NAME = /^[a-zA-Z0-9\u0080-\uffff](?:[-a-zA-Z0-9_ \u0080-\uffff]*[a-zA-Z0-9\u0080-\uffff])?$/;

function members(object, where, allowed) {
    demand(isObject(object), where, 'must be an object');
    for (const name of Object.keys(object))
        demand(name.startsWith('@') || allowed.includes(name), where, `has the unknown member "${name}"`);
}

function checkName(name, where) {
    demand(NAME.test(name.startsWith('@') ? name.slice(1) : name), where, `"${name}" is no member name`);
}

function checkLinks(links, where, allowed) {
    members(links, where, allowed);
    for (const [name, link] of Object.entries(links)) {
        if (link === null || isText(link)) continue;
        members(link, `${where}/${name}`, ['href', 'rel', 'describedby', 'title', 'type', 'hreflang', 'meta']);
        demand(isText(link.href), `${where}/${name}`, 'has no href');
    }
}

const checkMeta = (meta, where) => demand(isObject(meta), where, 'must be an object');

function checkIdentifier(identifier, where) {
    members(identifier, where, ['type', 'id', 'lid', 'meta']);
    demand(isText(identifier.type), where, 'has no type');
    demand(isText(identifier.id) || isText(identifier.lid), where, 'has no id');
    checkName(identifier.type, `${where}/type`);
    if ('meta' in identifier) checkMeta(identifier.meta, `${where}/meta`);
}

function checkRelationship(relationship, where) {
    members(relationship, where, ['links', 'data', 'meta']);
    demand(['links', 'data', 'meta'].some((name) => name in relationship), where, 'has neither links, data nor meta');
    if ('links' in relationship)
        checkLinks(relationship.links, `${where}/links`, ['self', 'related', 'first', 'last', 'prev', 'next']);
    if ('meta' in relationship) checkMeta(relationship.meta, `${where}/meta`);
    if (!('data' in relationship) || relationship.data === null) return;
    if (Array.isArray(relationship.data))
        relationship.data.forEach((identifier, i) => checkIdentifier(identifier, `${where}/data/${i}`));
    else checkIdentifier(relationship.data, `${where}/data`);
}

function checkResource(resource, where) {
    members(resource, where, ['type', 'id', 'lid', 'attributes', 'relationships', 'links', 'meta']);
    demand(isText(resource.type), where, 'has no type');
    demand(isText(resource.id), where, 'has no id that is a text');
    checkName(resource.type, `${where}/type`);
    const { attributes = {}, relationships = {} } = resource;
    demand(isObject(attributes), `${where}/attributes`, 'must be an object');
    demand(isObject(relationships), `${where}/relationships`, 'must be an object');
    for (const name of Object.keys(attributes)) {
        checkName(name, `${where}/attributes`);
        demand(name !== 'type' && name !== 'id', `${where}/attributes`, `"${name}" cannot be an attribute`);
        demand(!(name in relationships), where, `"${name}" is an attribute and a relationship`);
    }
    for (const [name, relationship] of Object.entries(relationships)) {
        checkName(name, `${where}/relationships`);
        demand(name !== 'type' && name !== 'id', `${where}/relationships`, `"${name}" cannot be a relationship`);
        checkRelationship(relationship, `${where}/relationships/${name}`);
    }
    if ('links' in resource) checkLinks(resource.links, `${where}/links`, ['self', 'related', 'describedby']);
    if ('meta' in resource) checkMeta(resource.meta, `${where}/meta`);
}

function checkError(error, where) {
    members(error, where, ['id', 'links', 'status', 'code', 'title', 'detail', 'source', 'meta']);
    for (const name of ['id', 'status', 'code', 'title', 'detail']) // ours: all of them
        demand(isText(error[name]) && error[name] !== '', where, `has no ${name}`);
    demand(/^[45]\d\d$/.test(error.status), `${where}/status`, 'is not the status of an error');
    if ('links' in error) checkLinks(error.links, `${where}/links`, ['about', 'type']);
    if ('meta' in error) checkMeta(error.meta, `${where}/meta`);
    if (!('source' in error)) return;
    members(error.source, `${where}/source`, ['pointer', 'parameter', 'header']);
    for (const value of Object.values(error.source)) demand(isText(value), `${where}/source`, 'is not a text');
    demand(!('pointer' in error.source) || /^(\/.*)?$/s.test(error.source.pointer), `${where}/source/pointer`,
        'is no JSON pointer');
}

const nameOf = ({ type, id }) => JSON.stringify([type, id]);

/** Section 7.4: each resource once, and none that nothing leads to. */
function checkCompound(document, sparse) {
    const primary = Array.isArray(document.data) ? document.data : document.data ? [document.data] : [];
    const all = new Map();
    for (const [i, resource] of [...primary, ...(document.included ?? [])].entries()) {
        demand(!all.has(nameOf(resource)), `resource ${i}`, `${nameOf(resource)} is there twice`);
        all.set(nameOf(resource), resource);
    }
    if (sparse) return; // linkage may be among the fields that were left out
    const reached = new Set(primary.map(nameOf));
    for (const name of reached) {
        for (const { data } of Object.values(all.get(name)?.relationships ?? {}))
            for (const identifier of Array.isArray(data) ? data : data ? [data] : []) reached.add(nameOf(identifier));
    }
    for (const resource of document.included ?? [])
        demand(reached.has(nameOf(resource)), '/included', `nothing leads to ${nameOf(resource)}`);
}

/** A whole document; `sparse`: fields[...] was asked for. Throws what is wrong. */
export function checkDocument(document, { sparse = false } = {}) {
    members(document, '', ['data', 'errors', 'meta', 'jsonapi', 'links', 'included']);
    demand(['data', 'errors', 'meta'].some((name) => name in document), '', 'has neither data, errors nor meta');
    demand(!('data' in document && 'errors' in document), '', 'has data and errors');
    demand(!('included' in document) || 'data' in document, '/included', 'is there without data');
    if ('jsonapi' in document) {
        members(document.jsonapi, '/jsonapi', ['version', 'ext', 'profile', 'meta']);
        demand(document.jsonapi.version === '1.1', '/jsonapi/version', 'is not 1.1');
    }
    if ('meta' in document) checkMeta(document.meta, '/meta');
    if ('links' in document)
        checkLinks(document.links, '/links', ['self', 'related', 'describedby', 'first', 'last', 'prev', 'next']);
    if ('errors' in document) {
        demand(Array.isArray(document.errors) && document.errors.length > 0, '/errors', 'is no list of errors');
        document.errors.forEach((error, i) => checkError(error, `/errors/${i}`));
    }
    if (Array.isArray(document.data))
        document.data.forEach((resource, i) => checkResource(resource, `/data/${i}`));
    else if ('data' in document && document.data !== null) checkResource(document.data, '/data');
    demand(Array.isArray(document.included ?? []), '/included', 'is no list');
    (document.included ?? []).forEach((resource, i) => checkResource(resource, `/included/${i}`));
    checkCompound(document, sparse);
}

/** Ours: what a document of the API has beyond that. */
function checkOwn(document, status) {
    demand(document.jsonapi?.version === '1.1', '/jsonapi', 'is missing');
    const degraded = status === 503 && document.meta?.status === 'degraded'; // what /health says
    demand('errors' in document === (status >= 400 && !degraded), '', `does not go with status ${status}`);
    for (const error of document.errors ?? [])
        demand(Number(error.status) === status, '/errors', `say ${error.status}, the status is ${status}`);
    if (!('data' in document)) return;
    if (document.data?.type === 'filter_tests') return; // a verdict that is kept nowhere
    demand(isText(document.links?.self) && document.links.self.startsWith('/'), '/links/self', 'is missing');
    if (!Array.isArray(document.data)) return;
    const pages = ['first', 'prev', 'next'].filter((name) => name in document.links);
    demand(pages.length === 0 || pages.length === 3, '/links', `has ${pages} alone of first, prev and next`);
}

function checkAnswer({ status, headers, text, url }) {
    const type = headers.get('content-type');
    if (!text) return;
    if (type === LINES) {
        for (const line of text.trimEnd().split('\n')) {
            const document = JSON.parse(line);
            checkDocument(document);
            demand(document.jsonapi?.version === '1.1', '/jsonapi', 'is missing');
        }
        return;
    }
    const document = JSON.parse(text);
    checkDocument(document, { sparse: decodeURIComponent(url.search).includes('fields[') });
    checkOwn(document, status);
    const self = document.data?.links?.self;
    if (status === 201 && self) // section 9.1.1
        demand(headers.get('location') === self, 'Location', `is ${headers.get('location')}, not ${self}`);
}

const isOurs = (type, url) =>
    type === MEDIA || (type === 'application/json' && /^\/(api|health)\b/.test(url.pathname)) ||
    (type === LINES && url.pathname.startsWith('/api/'));

/** fetch that throws when an answer of the API is not what the schema says. */
export function checkingFetch(fetch) {
    return async (resource, options) => {
        const response = await fetch(resource, options);
        const url = new URL(response.url || String(resource.url ?? resource));
        const type = response.headers.get('content-type') ?? '';
        demand(!type.startsWith(MEDIA) || type === MEDIA, 'Content-Type', `${type}: without parameters`); // section 5.3
        if (!isOurs(type, url)) return response;
        const text = await response.clone().text();
        try {
            checkAnswer({ status: response.status, headers: response.headers, text, url });
        } catch (error) {
            error.message += ` (${options?.method ?? 'GET'} ${url.pathname}${url.search} ${response.status}: ${text})`;
            throw error;
        }
        return response;
    };
}
