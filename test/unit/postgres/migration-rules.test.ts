import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { problemsOf, type Rule } from '../../support/migration-rules'
import { partsOf, statementsOf } from '../../support/sql-statements'

const folder = join(__dirname, '../../../migrations')
/** Those before were made before there was a release that had to go on working. */
const firstChecked = '0012'

const checked = readdirSync(folder).filter(file => file.endsWith('.sql') && file >= firstChecked)

describe('a migration', () => {
  it.each(checked)('%s leaves the release before able to work, and holds no lock for long', file => {
    const problems = problemsOf(file, readFileSync(join(folder, file), 'utf8'))
    expect(problems.map(({ rule, statement, advice }) => `${rule}: ${statement}\n${advice}`)).toEqual([])
  })

  const rulesOf = (sql: string): Rule[] => problemsOf('9000_test', sql).map(({ rule }) => rule)

  it.each<[Rule, string]>([
    ['drop', 'drop table look_up'],
    ['drop', 'drop view device_move.routes'],
    ['drop', 'drop index job_family'],
    ['drop', 'alter table job drop column found_by'],
    ['drop', 'alter table job add column a text, drop if exists found_by'],
    ['drop', 'alter table job alter releases drop default'],
    ['rename', 'alter table job rename column found_by to finder'],
    ['rename', 'ALTER TABLE device_move_journal."job" RENAME found_by TO finder'],
    ['rename', 'alter view device_move.jobs rename column found_by to finder'],
    ['type', 'alter table move alter column attempt type integer'],
    ['type', 'alter table only move alter attempt set data type integer'],
    ['not-null', 'alter table job add column a text not null'],
    ['not-null', 'alter table job add a text not null'],
    ['not-null', 'alter table job alter column found_by set not null'],
    ['rewrite', 'alter table move add column id uuid not null default gen_random_uuid()'],
    ['rewrite', 'alter table move add column id bigint generated always as identity'],
    ['rewrite', 'alter table move add column id bigserial'],
    ['constraint', 'alter table job add constraint few check (moves < 10)'],
    ['constraint', 'alter table job add check (moves < 10) not valid'],
    ['constraint', 'alter table job add constraint f foreign key (family) references job'],
    ['unique', 'alter table job add constraint u unique (family)'],
    ['unique', 'alter table job add column a text unique'],
    ['unique', '-- Outside a transaction\ncreate unique index concurrently if not exists u on job (family)'],
    ['index', 'create index on move (request_id)'],
    ['index', 'create index outcome_code on device_move_journal.outcome (code)'],
    ['rows', 'update outcome set code = null'],
    ['rows', 'delete from only device_move_journal.move where seq < 5'],
    ['rows', 'truncate requeue'],
    ['lock', 'lock table move'],
    ['lock', 'alter table move set unlogged'],
    ['do', `do $$ begin execute 'drop table move'; end $$`],
    ['form', 'create index concurrently if not exists a on move (request_id)'],
    ['form', '-- Outside a transaction\ncreate index concurrently a on move (request_id)'],
    [
      'form',
      '-- Outside a transaction\ncreate index concurrently if not exists a on move (request_id); select 1',
    ],
    ['form', 'begin; create table a (b integer); commit'],
  ])('is refused for "%s": %s', (rule, sql) => {
    const problems = problemsOf('9000_test', sql)
    expect(problems.map(problem => problem.rule)).toContain(rule)
    expect(problems[0]?.advice).toMatch(/^[A-Z].*\.$/s)
  })

  it.each([
    'alter table job add column a text, add b integer not null default 0, add c timestamptz default now()',
    `alter table job add column kind text check (kind in ('a', 'b'))`,
    `create table a (b integer not null unique); create index on a (b); alter table a add constraint c check (b > 0);
     update a set b = 1`,
    'create or replace view device_move.jobs as select 1 as one',
    'alter table route drop constraint route_check',
    'create index on route (held_at)',
    'update route set held_reason = null',
    '-- Outside a transaction\ncreate index concurrently if not exists a on move (request_id);',
    '-- In steps\nupdate outcome set code = null where seq in (select seq from outcome limit 10) returning null as position',
    `comment on column device_move.jobs.kind is 'drop table job; update move set seq = 1'; -- drop table job`,
    `create function f() returns void language sql as $body$ delete from move; $body$`,
    '-- Requires: 0012_lost_commits\nalter table job drop column found_by',
    '-- Accepted constraint: it is the old one, with one value more\nalter table job add constraint few check (moves < 10)',
  ])('may be: %s', sql => {
    expect(rulesOf(sql)).toEqual([])
  })

  it('needs a reason to be accepted', () => {
    expect(rulesOf('-- Accepted drop: \ndrop table look_up')).toEqual(['drop'])
    expect(rulesOf('-- Accepted rows: few\ndrop table look_up')).toEqual(['drop'])
  })
})

describe('a script', () => {
  it('is cut into statements outside of strings, bodies, names and comments', () => {
    expect(
      statementsOf(`SELECT 'a;b', e'it\\'s;', "x;y" -- no; more
        ; /* a;b */ do $x$ ; $$ ; $x$;;`),
    ).toEqual([`select '', '', x_y`, 'do $$'])
  })

  it('has lists whose parts may hold lists', () => {
    expect(partsOf('a (b, c), d')).toEqual(['a (b, c)', 'd'])
  })
})
