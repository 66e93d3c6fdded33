// The keys that open the API, and those that do not. tests/mission/push, row 33, shows that no secret is shown.
import assert from 'node:assert/strict';
import test from 'node:test';
import { api, serve, sha256 } from './harness.mjs';

test("the digest of a key is no key, nor is another install's", async (t) => {
    const [one, other] = [await serve(t), await serve(t)];
    for (const key of [sha256(one.api_key), other.api_key, 'guess', '', null]) {
        assert.equal((await api(one, 'GET', '/api/users/me', undefined, { key })).status, 401);
    }
    assert.equal((await api(one, 'GET', `/api/users/me?api_key=${one.api_key}`, undefined, { key: null })).status, 401);
    assert.equal((await api(one, 'GET', '/api/users/me')).status, 200);
});
