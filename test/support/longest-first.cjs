const { default: Sequencer } = require('@jest/test-sequencer')

/**
 * Starts the suites that take longest first, so that none of them is left over at the end with the other workers idle.
 * Jest knows how long a suite took only where an earlier run left its cache, which a clean checkout has not.
 */
const longest = [
  'acceptance/bad-result-files',
  'acceptance/broker-outages',
  'acceptance/service',
  'integration/publish-exactly-once',
  'acceptance/replicas',
  'acceptance/move-resumed',
  'acceptance/restore',
  'acceptance/secrets',
  'acceptance/move-troubles',
  'acceptance/',
  'integration/',
  'contract/',
]

/** The place in the list, or behind it. */
const placeOf = ({ path }) => {
  const place = longest.findIndex(name => path.includes(`/test/${name}`))
  return place === -1 ? longest.length : place
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((one, other) => placeOf(one) - placeOf(other))
  }
}
