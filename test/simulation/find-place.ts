/**
 * Finds a place in the source by its syntax. A pattern is an expression of TypeScript in which `$x` stands for any one
 * part and `$$$x` for any number of parts of a list (arguments, elements, members). White space, comments, line breaks
 * and the file it stands in do not count, so code that is moved, reformatted or whose variables are renamed is found
 * as before.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ts from 'typescript'

/** What a pattern and its replacement say; `inside` names the declaration that the place is in, wherever that is. */
export interface Edit {
  readonly inside?: string
  readonly find: string
  readonly replace: string
}

/** A piece of one file and what it becomes. */
export interface Place {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly text: string
}

type Bound = ReadonlyMap<string, readonly ts.Node[]>

const root = join(__dirname, '..', '..')
/** Our own code, and the model that stands for the journal's SQL. */
const searched = ['src', 'test/support/fake-journal']

const isName = (text: string): boolean => /^\$[a-z]\w*$/i.test(text)
const isListName = (text: string): boolean => /^\$\$\$[a-z]\w*$/i.test(text)

const parse = (text: string, file = 'pattern.ts'): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)

const expressionOf = (pattern: string): ts.Expression => {
  const { diagnostics = [] } = ts.transpileModule(`(${pattern})`, { reportDiagnostics: true })
  if (diagnostics.length > 0) throw new Error(`not an expression: ${pattern}`)
  const [statement] = parse(`(${pattern})`).statements
  if (statement === undefined || !ts.isExpressionStatement(statement))
    throw new Error(`not an expression: ${pattern}`)
  if (!ts.isParenthesizedExpression(statement.expression)) throw new Error(`not one expression: ${pattern}`)
  return statement.expression.expression
}

const partsOf = (node: ts.Node): ts.Node[] =>
  node
    .getChildren()
    .filter(child => !ts.isJSDoc(child))
    .filter(child => node.kind !== ts.SyntaxKind.SyntaxList || child.kind !== ts.SyntaxKind.CommaToken)

const matchLists = (patterns: readonly ts.Node[], nodes: readonly ts.Node[], bound: Bound): Bound | null => {
  const [first, ...rest] = patterns
  if (first === undefined) return nodes.length === 0 ? bound : null
  if (isListName(first.getText())) {
    for (let count = 0; count <= nodes.length; count += 1) {
      const taken = new Map(bound).set(first.getText(), nodes.slice(0, count))
      const found = matchLists(rest, nodes.slice(count), taken)
      if (found !== null) return found
    }
    return null
  }
  const [node, ...others] = nodes
  const found = node === undefined ? null : matchNode(first, node, bound)
  return found === null ? null : matchLists(rest, others, found)
}

const matchNode = (pattern: ts.Node, node: ts.Node, bound: Bound): Bound | null => {
  if (ts.isIdentifier(pattern) && isName(pattern.text)) {
    const [before] = bound.get(pattern.text) ?? []
    if (before === undefined) return new Map(bound).set(pattern.text, [node])
    return before.getText() === node.getText() ? bound : null
  }
  if (pattern.kind !== node.kind) return null
  const [patterns, nodes] = [partsOf(pattern), partsOf(node)]
  if (patterns.length === 0) return pattern.getText() === node.getText() ? bound : null
  return matchLists(patterns, nodes, bound)
}

const matchesIn = (node: ts.Node, pattern: ts.Expression): { node: ts.Node; bound: Bound }[] => {
  const found: { node: ts.Node; bound: Bound }[] = []
  const visit = (each: ts.Node): void => {
    const bound = matchNode(pattern, each, new Map())
    if (bound !== null) found.push({ node: each, bound })
    ts.forEachChild(each, visit)
  }
  visit(node)
  return found
}

/** Every declaration of that name: a function, a constant, a method. */
const declarationsOf = (source: ts.SourceFile, name: string): ts.Node[] => {
  const found: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    const isIt =
      (ts.isFunctionDeclaration(node) ||
        ts.isVariableDeclaration(node) ||
        ts.isMethodDeclaration(node) ||
        ts.isPropertyAssignment(node)) &&
      node.name?.getText() === name
    if (isIt) found.push(node)
    else ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The bound part as it is written, with the comments between the parts of a list. */
const textOf = (nodes: readonly ts.Node[]): string => {
  const [first, last] = [nodes[0], nodes.at(-1)]
  if (first === undefined || last === undefined) return ''
  return first.getSourceFile().text.slice(first.getStart(), last.getEnd())
}

const filled = (replacement: string, bound: Bound): string =>
  replacement.replace(
    /(\$\$\$[a-z]\w*)(\s*,)?|(\$[a-z]\w*)/gi,
    (_, list?: string, comma?: string, one?: string) => {
      const name = list ?? one ?? ''
      const nodes = bound.get(name)
      if (nodes === undefined) throw new Error(`the pattern has no ${name}`)
      return nodes.length === 0 ? '' : `${textOf(nodes)}${comma ?? ''}`
    },
  )

const wordsOf = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/[a-z_$][\w$]*/gi)].map(([word]) => word))

const isKnownTo = (node: ts.Identifier, words: ReadonlySet<string>): boolean => {
  const { parent, text } = node
  if (ts.isParameter(parent)) return true
  if (ts.isPropertyAccessExpression(parent) && parent.name === node)
    return text in Array.prototype || [...sources().values()].some(source => source.includes(text))
  return words.has(text) || text in globalThis
}

/**
 * Each name that a replacement uses is one of the file, of JavaScript, or its own. Otherwise the defect would fail at
 * once with a ReferenceError, and count as found for the wrong reason.
 */
const checkNames = (replacement: string, source: string): void => {
  const words = wordsOf(source)
  const expression = expressionOf(replacement)
  const own = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isParameter(node)) own.add(node.name.getText())
    if (ts.isIdentifier(node) && !node.text.startsWith('$') && !own.has(node.text) && !isKnownTo(node, words))
      throw new Error(`the replacement names ${node.text}, which its file does not have: ${replacement}`)
    ts.forEachChild(node, visit)
  }
  visit(expression)
}

const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))

let texts: ReadonlyMap<string, string> | null = null
const sources = (): ReadonlyMap<string, string> => {
  texts ??= new Map(searched.flatMap(filesOf).map(file => [file, readFileSync(file, 'utf8')]))
  return texts
}

/** The one place that fits. Throws when there is none, or more than one. */
export const findPlace = (edit: Edit): Place => {
  const pattern = expressionOf(edit.find)
  // Only files with these words can have it; to parse all files would take seconds.
  const words = [...wordsOf(edit.find.replace(/'[^']*'/g, ''))].filter(word => !word.startsWith('$'))
  const needed = edit.inside === undefined ? words : [edit.inside, ...words]
  const places: Place[] = []
  for (const [file, text] of sources()) {
    if (!needed.every(word => text.includes(word))) continue
    const source = parse(text, file)
    const scopes = edit.inside === undefined ? [source] : declarationsOf(source, edit.inside)
    for (const { node, bound } of scopes.flatMap(scope => matchesIn(scope, pattern))) {
      checkNames(edit.replace, text)
      places.push({ file, start: node.getStart(), end: node.getEnd(), text: filled(edit.replace, bound) })
    }
  }
  const [place, ...others] = places
  const where = edit.inside === undefined ? '' : ` inside ${edit.inside}`
  if (place === undefined || others.length > 0)
    throw new Error(`${places.length} places fit, not one${where}: ${edit.find}`)
  return place
}
