import { createTokenCheck } from '../../../src/http/mutations'

const token = 'k7Q-right-token_0123456789'

describe('the Authorization header', () => {
  const check = createTokenCheck(token)

  it.each([`Bearer ${token}`, `bearer ${token}`, `Bearer  ${token} `])('%j has the right token', header => {
    expect(check(header)).toBe('right')
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Bearer ${token} ${token}`,
    'Bearer null',
    'Bearer undefined',
  ])('%j does not have the right token', header => {
    expect(check(header)).toBe('wrong')
  })

  it.each([undefined, '', 'Bearer null', 'Bearer ', `Bearer ${token}`])(
    '%j changes nothing where no token is configured',
    header => {
      expect(createTokenCheck(null)(header)).toBe('off')
    },
  )
})
