import { createQuotaWindow } from '../../../src/tools/simulator/quota-window'

const caps = { create: 2, query: 10, list: 5, detail: 5, delete: 2, provisioning: 50 }

describe('the simulator’s quota window', () => {
  it('lets as many calls through in any sliding second as its cap says', () => {
    const window = createQuotaWindow(caps, 0)
    expect(window.arrive('create', 0)).toBeNull()
    expect(window.arrive('create', 600)).toBeNull()
    expect(window.arrive('create', 999)).toEqual({ operation: 'create', at: 999, cap: 'operation' })
    expect(window.arrive('create', 1000)).toBeNull()
    expect(window.arrive('create', 1599)).toEqual({ operation: 'create', at: 1599, cap: 'operation' })
    expect(window.arrive('create', 1600)).toBeNull()
  })

  it('takes nothing from the quota for a refused call', () => {
    const window = createQuotaWindow(caps, 0)
    window.arrive('create', 0)
    window.arrive('create', 0)
    for (let at = 100; at < 1000; at += 100) expect(window.arrive('create', at)).not.toBeNull()
    window.seen('create', 999)
    expect(window.arrive('create', 1000)).toBeNull()
  })

  it('takes a refused call from the quota too, if asked to', () => {
    const window = createQuotaWindow(caps, 0, { refusedCount: true })
    for (const at of [0, 600, 999]) window.arrive('create', at)
    expect(window.arrive('create', 1000)).toEqual({ operation: 'create', at: 1000, cap: 'operation' })
    expect(window.arrive('create', 2000)).toBeNull()
  })

  it('counts operations apart, and together only under a shared cap', () => {
    const apart = createQuotaWindow(caps, 0)
    const together = createQuotaWindow(caps, 2)
    for (const window of [apart, together]) {
      window.arrive('create', 0)
      window.arrive('list', 0)
    }
    expect(apart.arrive('query', 10)).toBeNull()
    expect(together.arrive('query', 10)).toEqual({ operation: 'query', at: 10, cap: 'shared' })
  })

  it('takes a cap of 0 for none', () => {
    const window = createQuotaWindow({ ...caps, create: 0 }, 0)
    for (let i = 0; i < 100; i++) expect(window.arrive('create', 0)).toBeNull()
  })

  it('remembers the busiest second, refused calls included', () => {
    const window = createQuotaWindow(caps, 0)
    for (const at of [0, 10, 20]) window.arrive('create', at)
    window.arrive('list', 900)
    window.arrive('create', 2000)
    expect(window.peaks()).toEqual({ create: 3, list: 1, shared: 4 })
  })
})
