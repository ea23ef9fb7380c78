import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const folder = join(__dirname, '../../../src/postgres')

/**
 * What may stand inside `${…}` of a statement: constants of the code, each looked at. Nothing here comes from outside;
 * whatever does is a parameter ($1, $2, …). No other folder may use the driver: the
 * architecture check sees to that.
 */
const constants: Readonly<Record<string, readonly string[]>> = {
  'analyst-role.ts': ['analystRole'],
  'append-due.ts': ['maxMoves'],
  'append-moves.ts': ['movesPerAcceptance'],
  'candidate-routes.ts': ["lookAlike('b', 'r')"],
  'claim.ts': ["lookAlike('br', 'r')"],
  'final-outcomes.ts': ['moveOutcomeColumns', 'rejectionColumns', 'pageSize'],
  'lease-rows.ts': ['newExpiry'],
  'load-job.ts': ['routeColumns'],
  'look-alike.ts': ['a', 'b'],
  'migrate.ts': ['table'],
  'outbox.ts': ['outcomeBytes', 'moveOutcomeColumns', 'rejectionColumns', 'maxRows'],
  'other-moves.ts': ['name', 'value'],
  'read-evidence.ts': ['column'],
  'read-outcomes.ts': ['routeColumns'],
  'rejected-before.ts': ['indexed'],
  'route-hold.ts': ['returning'],
  'route-rows.ts': ['routeColumns'],
}

const files = readdirSync(folder).filter(name => name.endsWith('.ts'))
const sourceOf = (name: string): ts.SourceFile =>
  ts.createSourceFile(name, readFileSync(join(folder, name), 'utf8'), ts.ScriptTarget.Latest, true)

const every = (node: ts.Node): ts.Node[] => [node, ...node.getChildren().flatMap(every)]

/** A text that begins like a statement, or stands where a part of one is made. */
const isSql = (text: string): boolean =>
  /^\s*`?\s*(select|insert|update|delete|with|create|grant|set|returning|listen|truncate|alter|begin|drop)\b/i.test(
    text,
  ) || /\$\{\w+\}\.\w+\s*=/.test(text)

const insertions = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isTemplateExpression)
    .filter(template => isSql(template.getText().slice(1)))
    .flatMap(template => template.templateSpans.map(span => span.expression.getText()))

/** First arguments of `….query(…)` that are no constant text. */
const computedQueries = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isCallExpression)
    .filter(({ expression }) => ts.isPropertyAccessExpression(expression) && expression.name.text === 'query')
    .map(call => call.arguments[0])
    .filter(text => text !== undefined)
    .filter(text => !ts.isStringLiteralLike(text) && !ts.isTemplateExpression(text) && !ts.isIdentifier(text))
    .map(text => text.getText())

describe('SQL', () => {
  it.each(files)('%s puts only constants into a statement', name => {
    expect(insertions(name).filter(text => !(constants[name] ?? []).includes(text))).toEqual([])
  })

  it.each(files)('%s asks only what is written as one text', name => {
    expect(computedQueries(name)).toEqual([])
  })

  it('allows nothing that is no longer used', () => {
    const stale = Object.entries(constants).flatMap(([name, allowed]) => {
      const used = files.includes(name) ? insertions(name) : []
      return allowed.filter(text => !used.includes(text)).map(text => `${name}: ${text}`)
    })
    expect(stale).toEqual([])
  })
})
