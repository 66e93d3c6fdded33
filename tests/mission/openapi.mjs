// The parts of JSON Schema that our OpenAPI document uses, checked without a library: what it says of an answer
// is held against the answer.

const kinds = {
    null: (value) => value === null,
    object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    array: Array.isArray,
    string: (value) => typeof value === 'string',
    boolean: (value) => typeof value === 'boolean',
    integer: Number.isInteger,
    number: (value) => typeof value === 'number',
};
const known = new Set(['$ref', 'type', 'const', 'enum', 'pattern', 'required', 'properties', 'additionalProperties', 'items',
    'oneOf', 'allOf', 'minLength', 'maxLength', 'minItems', 'minimum', 'maximum', 'maxItems', 'minProperties', 'maxProperties', 'default', 'description', 'examples', 'format']);

function resolve(document, ref) {
    return ref.slice(2).split('/').reduce((at, part) => at[part.replaceAll('~1', '/')], document);
}

/** What of `value` is not as `schema` says: a list of sentences, empty when all is well. */
export function violations(document, schema, value, at = '') {
    const unknown = Object.keys(schema).filter((word) => !known.has(word));
    if (unknown.length) throw new Error(`this checker knows nothing of ${unknown}`);
    const wrong = [];
    const say = (sentence) => wrong.push(`${at || '/'}: ${sentence}`);
    if (schema.$ref) wrong.push(...violations(document, resolve(document, schema.$ref), value, at));
    if (schema.type && ![schema.type].flat().some((type) => kinds[type](value))) say(`not ${schema.type}`);
    if ('const' in schema && value !== schema.const) say(`not ${schema.const}`);
    if (schema.enum && !schema.enum.includes(value)) say(`not one of ${schema.enum}`);
    if (typeof value === 'string') {
        if (schema.pattern && !new RegExp(schema.pattern).test(value)) say(`"${value}" does not match ${schema.pattern}`);
        if (value.length < (schema.minLength ?? 0)) say('too short');
    }
    if (kinds.object(value)) {
        for (const name of schema.required ?? []) if (!(name in value)) say(`no ${name}`);
        for (const [name, member] of Object.entries(value)) {
            const of = schema.properties?.[name] ?? schema.additionalProperties;
            if (of && of !== true) wrong.push(...violations(document, of, member, `${at}/${name}`));
        }
    }
    if (Array.isArray(value)) {
        if (value.length < (schema.minItems ?? 0)) say('too few');
        if (schema.items) value.forEach((item, i) => wrong.push(...violations(document, schema.items, item, `${at}/${i}`)));
    }
    for (const part of schema.allOf ?? []) wrong.push(...violations(document, part, value, at));
    if (schema.oneOf && schema.oneOf.filter((one) => violations(document, one, value).length === 0).length !== 1) {
        say('not exactly one of its forms');
    }
    return wrong;
}

/** The schema of an answer, as `paths` has it. */
export function answerSchema(document, method, path, status) {
    let response = document.paths[path][method.toLowerCase()].responses[status];
    if (response.$ref) response = resolve(document, response.$ref);
    return response.content['application/vnd.api+json'].schema;
}
