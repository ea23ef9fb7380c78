/**
 * What a migration must not do: break the release before, which goes on working beside the new schema, or hold a lock for
 * long. A rule that a migration breaks for good reason is named in the file, in a line of its own:
 *
 *   -- Accepted RULE: why nothing of the release before breaks, or why the lock is short
 */
import { type Migration, readMigration } from '../../src/postgres/session/migration-files'
import { partsOf, statementsOf } from './sql-statements'

export type Rule =
  | 'drop'
  | 'rename'
  | 'type'
  | 'not-null'
  | 'constraint'
  | 'unique'
  | 'index'
  | 'rows'
  | 'rewrite'
  | 'lock'
  | 'do'
  | 'form'

export interface Problem {
  readonly rule: Rule
  readonly statement: string
  readonly advice: string
}

const advices: Readonly<Record<Rule, string>> = {
  drop: 'The release before still uses it. Leave it, and stop using it. A later release drops it, in a migration with the line "-- Requires: NAME", where NAME is the last migration of the release that stopped.',
  rename:
    'The release before knows it by the old name. Add a new column, or a new view beside the old one, and write both.',
  type: 'It rewrites the table under an exclusive lock, and the release before writes the old type. Add a new column, and fill it in steps.',
  'not-null':
    'The release before writes no value. Give the new column a default; for one that is there, add "check (x is not null) not valid" in a later release, and validate it in a migration of its own.',
  constraint:
    'Rows that the release before writes may break it, and the table is read under an exclusive lock. Add it as "not valid", validate it in a migration of its own, and accept this rule with the reason why old writes keep to it.',
  unique:
    'Rows that the release before writes may break it. Accept this rule with the reason why they do not.',
  index:
    'Writes wait until it is built. Put it into a file of its own that begins with "-- Outside a transaction": create index concurrently if not exists NAME on TABLE (…).',
  rows: 'It touches the rows of a large table in one transaction. Put it into a file of its own that begins with "-- In steps" (src/postgres/session/migration-files.ts says how).',
  rewrite:
    'It rewrites the table under an exclusive lock. Add the column without a computed default, and fill it in steps.',
  lock: 'It holds an exclusive lock for as long as the table is large. Do without it.',
  do: 'What it does cannot be checked. Write statements, or accept this rule with what it does.',
  form: 'Files outside a transaction and in steps hold one statement; an index that is built concurrently is the one statement of a file outside a transaction, and says "if not exists"; no file begins or ends a transaction.',
}

/** Tables that may have millions of rows. */
const large = new Set(['move', 'outcome', 'job', 'requeue', 'rejection', 'left_out', 'result_file'])

const name = String.raw`(?:only )?(?:device_move_journal\.|device_move\.)?(\w+)`
const matchOf = (pattern: string, statement: string): RegExpExecArray | null =>
  new RegExp(`^${pattern}`).exec(statement)

/** One of the comma-separated actions of `alter table`. */
const ofAction = (action: string): Rule[] => {
  const rules: Rule[] = []
  const isNew = /^add (column |(?!constraint |check|unique|primary|foreign|exclude))/.test(action)
  const isComputed = /\bdefault [a-z_]+\(|\bgenerated\b|\b(small|big)?serial\b/.test(
    action.replace(/default (now|statement_timestamp)\(\)/, ''),
  )
  if (/^drop (?!constraint|not null)/.test(action) || /^alter (column )?\w+ drop default/.test(action))
    rules.push('drop')
  if (/^rename/.test(action)) rules.push('rename')
  if (/^alter (column )?\w+ (set data )?type/.test(action)) rules.push('type')
  if (/^alter (column )?\w+ set not null/.test(action)) rules.push('not-null')
  if (isNew && /\bnot null\b/.test(action) && !/\bdefault\b|\bgenerated\b/.test(action))
    rules.push('not-null')
  if (isNew && isComputed) rules.push('rewrite')
  if (/^add (constraint \w+ )?(check|foreign key)/.test(action)) rules.push('constraint')
  if (
    /^add (constraint \w+ )?(unique|primary key|exclude)/.test(action) ||
    (isNew && /\bunique\b/.test(action))
  )
    rules.push('unique')
  if (/^set (un)?logged|^set tablespace|^set access method/.test(action)) rules.push('lock')
  if (/^(attach|detach) partition (?!.*concurrently)/.test(action)) rules.push('lock')
  return rules
}

const indexPattern = `create (unique )?index (concurrently )?(?:.*? )?on ${name}`

const ofIndex = (isUnique: boolean, isConcurrent: boolean, table: string): Rule[] => [
  ...(!isConcurrent && large.has(table) ? (['index'] as const) : []),
  ...(isUnique ? (['unique'] as const) : []),
]

const ofStatement = (
  statement: string,
  isNewTable: (table: string) => boolean,
  form: Migration['form'],
): Rule[] => {
  const [, altered = '', actions = ''] = matchOf(`alter table (?:if exists )?${name} (.*)$`, statement) ?? []
  if (altered !== '') return isNewTable(altered) ? [] : partsOf(actions).flatMap(ofAction)
  const [, unique, concurrently, indexed = ''] = matchOf(indexPattern, statement) ?? []
  if (indexed !== '' && !isNewTable(indexed))
    return ofIndex(unique !== undefined, concurrently !== undefined, indexed)
  const [, changed = ''] = matchOf(`(?:update|delete from|truncate(?: table)?) ${name}`, statement) ?? []
  if (large.has(changed) && form !== 'steps') return ['rows']
  if (/^drop (?!trigger)/.test(statement)) return ['drop']
  if (/^alter (view|index|schema|sequence|type|function) .* rename /.test(statement)) return ['rename']
  if (/^(lock|cluster|vacuum|reindex (?!.*concurrently))\b/.test(statement)) return ['lock']
  return /^do\b/.test(statement) ? ['do'] : []
}

const formProblems = (statements: readonly string[], form: Migration['form']): readonly string[] => {
  const broken = statements.filter(
    statement =>
      /^(begin|commit|rollback|start transaction)\b/.test(statement) ||
      (/^create (unique )?index concurrently/.test(statement) &&
        (form !== 'outside' || !statement.includes('index concurrently if not exists'))),
  )
  return form !== 'transaction' && statements.length !== 1 ? [...broken, statements.join('; ')] : broken
}

/** What is wrong with a migration, by what its statements say. */
export const problemsOf = (fileName: string, sql: string): Problem[] => {
  const { form, requires } = readMigration(fileName, sql)
  const statements = statementsOf(sql)
  const created = new Set(
    statements.flatMap(statement => matchOf(`create table (?:if not exists )?${name}`, statement)?.[1] ?? []),
  )
  const accepted = new Set([...sql.matchAll(/^-- Accepted ([\w-]+): \S.*$/gm)].map(([, rule]) => rule))
  // A release that knows what is required does not use what is dropped or renamed.
  if (requires !== null) for (const rule of ['drop', 'rename']) accepted.add(rule)
  const found = [
    ...statements.flatMap(statement =>
      ofStatement(statement, table => created.has(table), form).map(rule => ({ rule, statement })),
    ),
    ...formProblems(statements, form).map(statement => ({ rule: 'form' as const, statement })),
  ]
  return found
    .filter(({ rule }) => !accepted.has(rule))
    .map(({ rule, statement }) => ({ rule, statement, advice: advices[rule] }))
}
