import { lookAt } from '../../chaos/progress'

describe('a look at a deployment from the side', () => {
  const counts = { accepted: 2, moved: 2 }

  it('tells counts and what is unpublished', async () => {
    const look = { conservation: async () => counts, unpublished: async () => 1 }
    expect(await lookAt(look)).toEqual({ counts, unpublished: 1 })
  })

  it('tells nothing when the database goes between the two', async () => {
    const away = async () => Promise.reject(new Error('the connection was closed'))
    expect(await lookAt({ conservation: async () => counts, unpublished: away })).toBeNull()
  })
})
