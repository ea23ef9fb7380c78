/** Which of several listed jobs is ours: once they have ended, their result files name the devices. */
import { concatMap, from, map, type Observable, take, toArray } from 'rxjs'
import type { ResultsAnswer } from '../domain/ask-again'
import type { Job } from '../domain/job'
import { type CandidateFile, decideByFiles, type Reconciliation } from '../domain/reconcile'
import type { DriveJournal, ListedJob } from '../ports'
import { createAskResults } from './ask-results'
import type { ProviderCalls } from './provider-calls'

export interface TellApartDeps {
  readonly journal: Pick<DriveJournal, 'spent'>
  readonly calls: Pick<ProviderCalls, 'detail' | 'fetchResults'>
}

const tells: Readonly<Record<ResultsAnswer, CandidateFile['tells']>> = {
  rows: 'ours',
  strangers: 'strangers',
  unavailable: 'not-yet',
  none: 'untold',
  empty: 'untold',
  refused: 'untold',
  unreadable: 'untold',
}

/** `candidates` have ended. Emits once; null: ask again. */
export const createTellApart =
  ({ journal, calls }: TellApartDeps) =>
  (job: Job, candidates: readonly ListedJob[]): Observable<Reconciliation | null> =>
    from(candidates).pipe(
      concatMap(({ providerJobId }) =>
        createAskResults(calls, journal, job, providerJobId).pipe(
          take(1),
          map(({ answer }): CandidateFile => ({ providerJobId, tells: tells[answer] })),
        ),
      ),
      toArray(),
      map(decideByFiles),
    )
