// The house as its pages draw it: ARCHITECTURE.md's walls are those that the build enforces, and every file that a page names is there.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const house = resolve(import.meta.dirname, '../..')
const build = resolve(dirname(process.env.POSTHORN), '..')

const files = ['src', 'lib', 'include', 'tests', 'fuzz', 'docs', 'catalogue'].flatMap((top) => below(top))
function below(folder) {
  return readdirSync(join(house, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? (entry.name === 'node_modules' ? [] : below(path)) : [path]
  })
}

// folder -> the folders that ARCHITECTURE.md lets it see, and all that those may see
const walls = (page) => {
  const direct = new Map()
  for (const line of page.split('\n')) {
    const [, folders, seen] = line.match(/^\| (`(?:src|lib)[^|]*) \| ([^|]*) \|/) ?? []
    if (!folders) continue
    const names = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
    direct.set(names(folders)[0], names(seen))
  }
  const reach = (folder) => direct.get(folder).flatMap((other) => [other, ...reach(other)])
  return new Map([...direct.keys()].map((folder) => [folder, [...new Set(reach(folder))].sort()]))
}

// folder -> the folders on the include path of its sources
const paths = () => {
  const seen = new Map()
  for (const { file, command } of JSON.parse(readFileSync(join(build, 'compile_commands.json')))) {
    const folder = dirname(resolve(build, file)).slice(house.length + 1)
    if (!/^(src\/.|lib)/.test(folder)) continue
    const places = [...command.matchAll(/ -I(\S+)/g)].map(([, place]) => resolve(build, place).slice(house.length + 1))
    const own = places.map((place) => (place === 'include' ? 'lib' : place)).filter((place) => place !== folder)
    seen.set(folder, [...new Set(own.filter((place) => existsSync(join(house, place, 'meson.build')) && /^(src\/|lib)/.test(place)))].sort())
  }
  return seen
}

test('the walls in ARCHITECTURE.md are those of the build', () => {
  const drawn = walls(readFileSync(join(house, 'ARCHITECTURE.md'), 'utf8'))
  const built = paths()
  assert.ok(built.size > 20, 'the build has folders')
  assert.deepEqual([...drawn.keys()].sort(), [...built.keys()].sort())
  for (const [folder, seen] of built) assert.deepEqual(drawn.get(folder), seen, `${folder} sees`)
})

test('ARCHITECTURE.md is at most 140 columns wide', () => {
  assert.deepEqual(textOf('ARCHITECTURE.md').split('\n').filter((line) => line.length > 140), [])
})

test('a struct is defined once, so its name has one meaning', () => {
  const names = files.filter((path) => /^(src|lib)\/.*\.[ch]$/.test(path)).flatMap((path) => [...textOf(path).matchAll(/^struct (\w+) \{/gm)].map(([, name]) => name))
  assert.ok(names.length > 300)
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), [])
})

test('only libposthorn and the commands know json-c', () => {
  const users = files.filter((path) => /^(src|lib)\/.*\.[ch]$/.test(path) && /#include (<json-c\/|"json_c\.h")/.test(textOf(path)))
  assert.ok(users.includes('lib/event.c'))
  assert.deepEqual(users.filter((path) => !/^(lib|src\/cli)\//.test(path)), [])
})

test("a header's name is there once", () => {
  const names = files.filter((path) => /^(src|lib|include)\/.*\.h$/.test(path)).map((path) => path.split('/').at(-1))
  assert.ok(names.length > 100)
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), [])
})

for (const page of ['README.md', 'ARCHITECTURE.md', 'HACKING.md', 'SECURITY.md', 'docs/faults.md', 'docs/mission.md'])
  test(`every file that ${page} names is there`, () => {
    const text = readFileSync(join(house, page), 'utf8')
    const named = [...text.matchAll(/`((?:src|tests|lib|include|docs|tools|bench|fuzz|catalogue|examples)\/[\w./*-]+)`/g)].map(([, path]) => path)
    const there = (path) =>
      path.includes('*') ? files.some((file) => new RegExp(`^${path.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`).test(file)) : existsSync(join(house, path))
    const missing = named.filter((path) => !there(path))
    assert.deepEqual([...new Set(missing)], [])
  })

const sources = files.filter((path) => /^(src|lib)\/.*\.[ch]$/.test(path))
const textOf = (path) => readFileSync(join(house, path), 'utf8')

test('a source has a header of its own or says at its head what it is', () => {
  const own = (path) => textOf(path).includes(`#include "${path.split('/').at(-1).replace(/c$/, 'h')}"`)
  assert.deepEqual(sources.filter((path) => path.endsWith('.c') && !textOf(path).startsWith('/*') && !own(path)), [])
})

test('a file is a chapter, a function a screen', () => {
  assert.deepEqual(sources.filter((path) => textOf(path).split('\n').length - 1 > 700), [])
  const functions = sources.flatMap((path) =>
    [...textOf(path).matchAll(/^(\w[^;{}#]*\))\n\{\n[^]*?^\}/gm)].map(([whole, head]) => [path, head, whole.split('\n').length])
  )
  assert.ok(functions.length > 2000)
  assert.deepEqual(functions.filter(([, , lines]) => lines > 70), [])
})

// Files that call each other in a loop. Which stay, and why:
const circles = [
  'admission call', // what is refused is told as any failure of a call, and what is told says what is left
  // OpenAPI and the page describe the tables of routes and of resources, whose handlers show them
  'docs event_types openapi reference resource_schemas route snapshots'
]

test('no files call each other in a circle that is not known', () => {
  const objects = ['src', 'lib'].flatMap((top) =>
    readdirSync(join(build, top), { recursive: true }).filter((path) => path.endsWith('.c.o')).map((path) => `${top}/${path}`)
  )
  const room = (object) => object.replace(/[^/]*\/([^/]*)\.c\.o$/, '$1')
  const defined = new Map()
  const wanted = new Map()
  for (const line of execFileSync('nm', ['-A', '-P', ...objects], { cwd: build, encoding: 'utf8', maxBuffer: 1 << 27 }).split('\n')) {
    const [, object, name, kind] = line.match(/^(.*?): (\S+) (\w)/) ?? []
    if (kind === 'U') wanted.set(room(object), (wanted.get(room(object)) ?? new Set()).add(name))
    else if (/^[TDBRVW]$/.test(kind)) defined.set(name, room(object))
  }
  const called = (from) => [...wanted.get(from) ?? []].map((name) => defined.get(name)).filter((to) => to && to !== from)
  const reached = (from, seen = new Set()) => {
    for (const to of called(from)) if (!seen.has(to)) reached(to, seen.add(to))
    return seen
  }
  const reach = new Map([...wanted.keys()].map((from) => [from, reached(from)]))
  assert.ok(reach.size > 150)
  const found = [...reach].filter(([from, to]) => to.has(from)).map(([from, to]) => [...to].filter((other) => reach.get(other)?.has(from)))
  const names = new Set(found.map((circle) => circle.map((path) => path.split('/').at(-1)).sort().join(' ')))
  assert.deepEqual([...names].filter((circle) => !circles.includes(circle)), [])
})
