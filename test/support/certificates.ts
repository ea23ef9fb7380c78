import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  /** Key and certificate in one file, as Kafka reads them. */
  readonly both: string
}

/** Files of a certificate authority of one's own, in a directory that `remove` takes away. */
export interface Authority {
  readonly directory: string
  /** Path of the authority's certificate. */
  readonly ca: string
  /** A new certificate for a server or a client, valid for so many days; -1: expired. */
  issue(name: string, altName: string, days?: number): Promise<CertificateFiles>
  remove(): Promise<void>
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']

/** Made with the openssl of this machine. */
export const createAuthority = async (): Promise<Authority> => {
  const directory = await mkdtemp(join(tmpdir(), 'device-move-certificates-'))
  const openssl = (...args: readonly string[]) => run('openssl', [...args], { cwd: directory })
  await openssl(
    ...['req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2'],
    ...['-subj', '/CN=Authority of this test'],
  )
  return {
    directory,
    ca: join(directory, 'ca.pem'),
    issue: async (name, altName, days = 2) => {
      const [key, csr, cert, both] = ['key', 'csr', 'pem', 'both'].map(end =>
        join(directory, `${name}.${end}`),
      )
      const files = { cert: cert ?? '', key: key ?? '', both: both ?? '' }
      await openssl(
        ...['req', ...newKey, '-keyout', files.key, '-out', csr ?? ''],
        ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=${altName}`],
      )
      await openssl(
        ...['x509', '-req', '-in', csr ?? '', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-days', `${days}`, '-copy_extensions', 'copy', '-out', files.cert],
      )
      await writeFile(files.both, `${await readFile(files.key, 'utf8')}${await readFile(files.cert, 'utf8')}`)
      return files
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
