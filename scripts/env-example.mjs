// Writes .env.example from the table of variables: node scripts/env-example.mjs (after npm run build).
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { exampleEnvironment } = createRequire(import.meta.url)('../dist/app/config.js')
writeFileSync(new URL('../.env.example', import.meta.url), exampleEnvironment())
