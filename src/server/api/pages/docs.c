#include "docs.h"
#include "catalogue.h"
#include "json_tree.h"
#include "resource_schemas.h"

#define EXAMPLE_ID "8"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c1e21;--faint:#5c6370;--line:#d9dce1;--paper:#fff;--box:#f5f6f8;"
    "--link:#0a5bb5}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e6ea;--faint:#9aa3b0;--line:#363b44;--paper:#16181c;"
    "--box:#1f2329;--link:#7fb4f5}}"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem "
    "4rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.55 system-ui,sans-serif}"
    "h1{font-size:1.9rem;margin:0}h2{margin:3rem 0 .5rem;border-bottom:1px solid var(--line)}"
    "h3{margin:2rem 0 .25rem;font:600 1.05rem ui-monospace,monospace;overflow-wrap:anywhere}"
    "a{color:var(--link)}p{margin:.35rem 0}.faint,dt{color:var(--faint)}"
    "pre{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.75rem;overflow:auto;"
    "font:13px/1.45 ui-monospace,monospace}code{font:.9em ui-monospace,monospace}"
    "nav ul{columns:18rem;padding-left:1.1rem;margin:.25rem 0}summary{cursor:pointer;margin:.35rem 0}"
    "table{border-collapse:collapse;width:100%;display:block;overflow:auto}"
    "th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid "
    "var(--line);vertical-align:top}"
    ".tag{border:1px solid var(--line);border-radius:4px;padding:0 "
    ".35rem;font-size:.8rem;color:var(--faint)}";

/* ---- HTML ---------------------------------------------------------------------------------------------- */

static void put_escaped(struct text *out, struct bytes piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.data[i];
        if (c == '&')
            text_puts(out, "&amp;");
        else if (c == '<')
            text_puts(out, "&lt;");
        else if (c == '>')
            text_puts(out, "&gt;");
        else if (c == '"')
            text_puts(out, "&quot;");
        else
            text_putc(out, c);
    }
}

/* <tag>content</tag>; `tag` may have attributes. content NULL: writes nothing. */
static void put_element(struct text *out, const char *tag, const char *content)
{
    if (!content)
        return;
    text_printf(out, "<%s>", tag);
    put_escaped(out, bytes_of(content));
    text_printf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}

/* ---- examples ------------------------------------------------------------------------------------------ */

/* A word for a shell, between single quotes, as HTML. Each run of the command gives the event a new id. */
static void put_quoted(struct text *out, struct bytes piece)
{
    static const char id[] = "\"id\": \"" EXAMPLE_ID;
    const char *id_at = memmem(piece.data, piece.len, id, sizeof id - 1);
    size_t id_from = id_at ? (size_t)(id_at - piece.data) + sizeof id - sizeof EXAMPLE_ID : piece.len;

    text_putc(out, '\'');
    for (size_t i = 0; i < piece.len; i++) {
        if (i == id_from) {
            text_puts(out, "'$(date +%s%N)'");
            i += sizeof EXAMPLE_ID - 2;
        } else if (piece.data[i] == '\'')
            text_puts(out, "'\\''");
        else
            put_escaped(out, bytes_make(piece.data + i, 1));
    }
    text_putc(out, '\'');
}

static void put_example(struct text *out, const struct catalogue *catalogue,
                        const struct catalogue_type *type)
{
    struct arena arena, example;
    struct text json;

    arena_init(&arena, 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&json, &arena, CATALOGUE_EXAMPLES_LEN_MAX);
    arena_init(&example, CATALOGUE_EXAMPLE_MEMORY_MAX);
    json_tree_put_pretty(&json, catalogue_example(&example, catalogue, type));
    text_puts(out, "<details><summary>The pushed document</summary><pre>");
    put_escaped(out, text_bytes(&json));
    text_printf(
        out,
        "</pre></details><details><summary>Trigger it yourself</summary>"
        "<p>With <code>URL</code> and <code>KEY</code> set to your handler's address and your API key:</p>"
        "<pre>posthorn trigger %s --to &quot;$URL&quot; --api-key &quot;$KEY&quot;</pre>"
        "<p>or, without posthorn:</p><pre class=\"curl\">curl --request POST &quot;$URL&quot; \\\n"
        "--header 'Content-Type: application/json' \\\n"
        "--header &quot;WEBHOOK-AUTH: $(printf %%s &quot;$KEY&quot; | sha256sum | cut -c 1-64)&quot; \\\n"
        "--data-raw ",
        type->name);
    put_quoted(out, text_bytes(&json));
    text_puts(out, "</pre></details>");
    arena_fini(&arena);
    arena_fini(&example);
}

/* ---- event types --------------------------------------------------------------------------------------- */

static void put_type(struct text *out, const struct catalogue *catalogue, const struct catalogue_type *type)
{
    text_printf(out, "<article id=\"%s\" class=\"event-type\"><h3>%s</h3><p>", type->name, type->name);
    put_escaped(out, bytes_of(type->en));
    text_puts(out, "</p>");
    if (type->es != type->en)
        put_element(out, "p lang=\"es\" class=\"faint\"", type->es);
    put_element(out, "p", type->note);
    text_printf(out,
                "<p class=\"faint\"><span class=\"tag\">%s</span> resource <a href=\"#resource-%s\">%s</a>",
                catalogue_status_names[type->status], type->resource, type->resource);
    if (type->state)
        text_printf(out, ", now <code>%s</code>%s", type->state, type->final ? " (final)" : "");
    text_puts(out, "</p>");
    put_example(out, catalogue, type);
    text_puts(out, "</article>\n");
}

static void put_sections(struct text *out, const struct catalogue *catalogue, bool contents)
{
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const char *section = catalogue_at(catalogue, i)->section;
        if (!catalogue_opens_section(catalogue, i))
            continue;
        if (contents)
            text_printf(out, "<p><a href=\"#section-%s\">%s</a></p><ul>", section, section);
        else
            text_printf(out, "<section id=\"section-%s\"><h2>%s</h2>\n", section, section);
        for (int k = i; k < catalogue_count(catalogue); k++) {
            const struct catalogue_type *type = catalogue_at(catalogue, k);
            if (strcmp(type->section, section) != 0)
                continue;
            if (contents)
                text_printf(out, "<li><a href=\"#%s\">%s</a></li>", type->name, type->name);
            else
                put_type(out, catalogue, type);
        }
        text_puts(out, contents ? "</ul>" : "</section>\n");
    }
}

/* ---- resources, states, scenarios ---------------------------------------------------------------------- */

static void put_names(struct text *out, const struct json_value *names)
{
    for (const struct json_value *name = json_first(names); name; name = name->next) {
        text_puts(out, name == names->first ? "" : ", ");
        put_element(out, "code", name->text.data);
    }
}

static void put_moves(struct text *out, const struct json_value *machine)
{
    const struct json_value *moves = json_member(machine, "moves");

    if (!moves)
        return;
    text_puts(out, "<table><tr><th>from</th><th>to</th><th>event</th></tr>");
    for (const struct json_value *move = moves->first; move; move = move->next) {
        const char *type = json_member_string(move, "event_type");
        text_puts(out, "<tr><td>");
        put_names(out, json_member(move, "from"));
        text_printf(out, "</td><td><code>%s</code></td><td><a href=\"#%s\">%s</a></td></tr>",
                    json_member_string(move, "to"), type, type);
    }
    text_puts(out, "</table>");
}

static void put_json(struct text *out, const struct json_value *value)
{
    struct arena arena;
    struct text json;

    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
    text_init(&json, &arena, CATALOGUE_EXAMPLES_LEN_MAX);
    json_tree_put(&json, value);
    put_element(out, "code", json.data);
    arena_fini(&arena);
}

static void put_attributes(struct text *out, const struct json_value *resource)
{
    const struct json_value *attributes = json_member(resource, "attributes");
    const struct json_value *values = json_member(resource, "values");

    if (!attributes || attributes->count == 0)
        return;
    text_puts(out, "<details><summary>Attributes</summary><table><tr><th>name</th><th>for example</th>"
                   "<th>one of</th></tr>");
    for (const struct json_value *value = attributes->first; value; value = value->next) {
        text_puts(out, "<tr><td>");
        put_element(out, "code", value->name.data);
        text_puts(out, "</td><td>");
        put_json(out, value);
        text_puts(out, "</td><td>");
        put_names(out, json_member(values, value->name.data));
        text_puts(out, "</td></tr>");
    }
    text_puts(out, "</table></details>");
}

static void put_resource(struct text *out, const struct catalogue *catalogue, const char *name,
                         const struct json_value *resource)
{
    text_printf(out, "<article id=\"resource-%s\"><h3>%s</h3>", name, name);
    put_element(out, "p class=\"faint\"", json_member_string(resource, "path"));
    put_moves(out, json_member(catalogue_state_machines_json(catalogue), name));
    put_attributes(out, resource);
    text_puts(out, "</article>\n");
}

/* The resources of the catalogue, and those that only an event type names. */
static void put_resources(struct text *out, const struct catalogue *catalogue)
{
    const struct json_value *resources = catalogue_resources_json(catalogue);

    text_puts(out, "<section id=\"resources\"><h2>Resources and their states</h2>\n");
    for (const struct json_value *resource = json_first(resources); resource; resource = resource->next)
        put_resource(out, catalogue, resource->name.data, resource);
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const char *named = catalogue_at(catalogue, i)->resource;
        bool shown = json_member(resources, named) != NULL;
        for (int k = 0; k < i && !shown; k++)
            shown = strcmp(catalogue_at(catalogue, k)->resource, named) == 0;
        if (!shown)
            put_resource(out, catalogue, named, NULL);
    }
    text_puts(out, "</section>\n");
}

static void put_scenarios(struct text *out, const struct catalogue *catalogue)
{
    const struct json_value *scenarios = catalogue_scenarios_json(catalogue);

    text_puts(out,
              "<section id=\"scenarios\"><h2>Scenarios</h2><p>Whole stories, event by event; <code>posthorn "
              "trigger --scenario NAME</code> plays them.</p>\n");
    for (const struct json_value *scenario = json_first(scenarios); scenario; scenario = scenario->next) {
        const struct json_value *step = json_first(json_member(scenario, "steps"));
        put_element(out, "h3", json_member_string(scenario, "name"));
        put_element(out, "p", json_member_string(scenario, "en"));
        put_element(out, "p lang=\"es\" class=\"faint\"", json_member_string(scenario, "es"));
        text_puts(out, "<ol>");
        for (; step; step = step->next) {
            const char *type = catalogue_step_name(step);
            text_printf(out, "<li><a href=\"#%s\">%s</a></li>", type, type);
        }
        text_puts(out, "</ol>");
    }
    text_puts(out, "</section>\n");
}

/* ---- the API ------------------------------------------------------------------------------------------- */

static void put_api(struct text *out, const struct catalogue *catalogue)
{
    const struct json_value *api = catalogue_api_json(catalogue);

    text_puts(out, "<section id=\"api\"><h2>The API</h2><p>");
    put_escaped(out, bytes_of(json_member_string(json_member(api, "info"), "description")));
    text_puts(out, "</p><p>In full: <a href=\"/openapi.json\">/openapi.json</a>, OpenAPI 3.1.</p><table>");
    for (const struct json_value *operation = json_first(json_member(api, "operations")); operation;
         operation = operation->next) {
        text_printf(out, "<tr><td><code>%s</code></td><td><code>%s</code></td>",
                    json_member_string(operation, "method"), json_member_string(operation, "path"));
        put_element(out, "td", json_member_string(operation, "summary"));
        text_puts(out, "</tr>");
    }
    text_puts(out, "</table></section>\n");
}

static const char *when_written(const struct field *field)
{
    unsigned when = field->flags & FIELD_ALWAYS;
    return field->flags & FIELD_IGNORED ? "read-only"
           : when == FIELD_ALWAYS       ? "always"
           : when == FIELD_ON_CREATE    ? "when it is made"
           : when == FIELD_ON_UPDATE    ? "when it is changed"
                                        : "read-only";
}

static void put_shape(struct text *out, const struct shape *shape, const struct json_value *words)
{
    text_printf(out,
                "<details id=\"fields-%s\"><summary>%s</summary><table><tr><th>field</th><th>type</th>"
                "<th>may be given</th><th></th></tr>",
                shape->type, shape->type);
    for (int i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        const char *about = json_member_string(words, field->name);
        text_printf(out, "<tr><td><code>%s</code></td><td>", field->name);
        resource_field_put_type(out, field);
        text_printf(out, "</td><td>%s</td>", when_written(field));
        put_element(out, "td", about ? about : "");
        text_puts(out, "</tr>");
    }
    text_puts(out, "</table></details>");
}

static void put_shapes(struct text *out, const struct catalogue *catalogue)
{
    const struct json_value *words = json_member(catalogue_api_json(catalogue), "fields");
    const struct shape *shape;

    text_puts(out, "<section id=\"fields\"><h2>Fields of the resources</h2>");
    for (int i = 0; (shape = shape_at(i)); i++)
        put_shape(out, shape, json_member(words, shape->type));
    text_puts(out, "</section>\n");
}

static const char introduction[] =
    "<section id=\"push\"><h2>The push</h2>"
    "<p>A <code>POST</code> to your <code>webhook_url</code> with <code>Content-Type: "
    "application/json</code> and a "
    "JSON:API document: the event, and a snapshot of its resource in <code>included</code>.</p><ul>"
    "<li>Answer <code>200 OK</code>. Anything else, 201 and 204 included, means that you did not get it: it "
    "is sent "
    "again, with an exponential backoff, for a few days.</li>"
    "<li>Keep <code>data.id</code>, so that you never handle the same event twice.</li>"
    "<li>Dispatch by <code>event_type</code>, and answer 200 to those you do not care about: there will be "
    "new ones."
    "</li>"
    "<li>Check <code>WEBHOOK-AUTH</code>: the SHA-256 of your API key in lower-case hex.</li></ul>"
    "<p>Set your URL:</p><pre>curl --location --request PATCH &quot;$SERVER/api/users/me&quot; \\\n"
    "--header 'Content-Type: application/json' \\\n--header &quot;Authorization: $KEY&quot; \\\n"
    "--data-raw '{\n    &quot;data&quot;: {\n        &quot;type&quot;: &quot;users&quot;,\n"
    "        &quot;attributes&quot;: {\n            &quot;webhook_url&quot;: "
    "&quot;https://example.com&quot;\n"
    "        }\n    }\n}'</pre></section>\n";

void docs_put(struct text *out, const struct catalogue *catalogue, const char *version, const char *mode)
{
    text_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                   "content=\"width=device-width,initial-scale=1\"><title>Webhooks</title><style>");
    text_puts(out, style);
    text_printf(
        out,
        "</style></head><body>\n<header><h1>Webhooks</h1><p class=\"faint\">posthorn %s, %s, %d event types"
        "</p></header>\n<nav>",
        version, mode, catalogue_count(catalogue));
    put_sections(out, catalogue, true);
    text_puts(
        out,
        "<p><a href=\"#resources\">Resources and their states</a> · <a href=\"#scenarios\">Scenarios</a> · "
        "<a href=\"#api\">The API</a> · <a href=\"#fields\">Its resources</a></p></nav>\n");
    text_puts(out, introduction);
    put_sections(out, catalogue, false);
    put_resources(out, catalogue);
    put_scenarios(out, catalogue);
    put_api(out, catalogue);
    put_shapes(out, catalogue);
    text_puts(out, "</body></html>\n");
}
