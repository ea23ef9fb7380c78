import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { exampleEnvironment } from '../../src/app/config'
import { variables } from '../../src/app/config-table'

const root = join(__dirname, '../..')
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

interface ComposeService {
  readonly image?: string
  readonly build?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly pids_limit?: number
  readonly privileged?: boolean
  readonly user?: string
}
interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}

describe('docker-compose.yml', () => {
  const compose = parse(read('docker-compose.yml'), { strict: true, uniqueKeys: true }) as Compose
  const services = Object.entries(compose.services)

  it('has Kafka 4, PostgreSQL and the service, and the simulator as a profile', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['device-move', 'kafka', 'postgres', 'simulator'])
    expect(compose.services.kafka?.image).toMatch(/^apache\/kafka:4\./)
    expect(compose.services.simulator?.profiles).toEqual(['simulator'])
  })

  it.each(services)('says of %s when it is healthy, and whether it is built or pulled', (_name, service) => {
    expect(service.healthcheck?.test[0]).toMatch(/^CMD/)
    expect(Number(service.image !== undefined) + Number(service.build !== undefined)).toBe(1)
  })

  it.each(services)('publishes %s on the loopback address only', (_name, service) => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  it.each(services.filter(([, { build }]) => build !== undefined))(
    '%s, of our own image, writes nowhere and may do nothing special',
    (_name, service) => {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        pids_limit: expect.any(Number),
      })
      expect(service).not.toHaveProperty('volumes')
      expect(service).not.toHaveProperty('privileged')
      // A user in this file would overrule the one of the image.
      expect(service).not.toHaveProperty('user')
    },
  )

  it('waits for what exists, and mounts what is declared', () => {
    for (const [, service] of services) {
      for (const name of Object.keys(service.depends_on ?? {})) expect(compose.services).toHaveProperty(name)
      for (const volume of service.volumes ?? [])
        expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '')
    }
  })

  it('sets only variables that the service knows', () => {
    const known = Object.values(variables).map(({ name }) => name)
    for (const name of Object.keys(compose.services['device-move']?.environment ?? {}))
      expect(known).toContain(name)
  })
})

describe('Dockerfile', () => {
  it('has two stages and does not run as root', () => {
    const stages = read('Dockerfile').match(/^FROM /gm)
    expect(stages).toHaveLength(2)
    // The last USER is a number, by which an orchestrator can tell that it is not root.
    expect(read('Dockerfile').match(/^USER .*$/gm)).toEqual(['USER 1000:1000'])
  })

  it('takes no secret into the image', () => {
    expect(read('Dockerfile')).not.toMatch(/^(ARG|ENV) .*(KEY|TOKEN|PASSWORD|SECRET|DATABASE_URL)/m)
    expect(read('.dockerignore').split('\n')[0]).toBe('*')
    expect(read('.dockerignore')).not.toMatch(/^!\.(env|git)/m)
  })
})

describe('.env.example', () => {
  it('lists every variable with the default of the configuration table', () => {
    expect(read('.env.example')).toBe(exampleEnvironment())
  })
})
