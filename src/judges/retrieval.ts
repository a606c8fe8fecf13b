import type { Judge, JudgeArgs, JudgeOptions } from '../judge.ts'
import type { Field } from './block.ts'
import { documentsText, type Retrieval, retrievalsOf } from './documents.ts'
import { inputsField, outputsField, traceOf, truthField } from './fields.ts'
import { readyJudge } from './judging.ts'

/**
 * Gives `yes` when the answer is supported by what was retrieved, else `no`. Reads `inputs`, `outputs` and the trace's outermost spans of
 * type RETRIEVER: their documents are judged together, since an answer may rest on several searches. Column `retrieval_groundedness`.
 */
export function RetrievalGroundedness(options?: JudgeOptions): Judge {
  return readyJudge('RetrievalGroundedness', options, {
    name: 'retrieval_groundedness',
    task: GROUNDED,
    fields: (args) => [inputsField(args), outputsField(args), documentsField(retrievals(args))],
    about: (args) => aboutSpans(retrievals(args)),
  })
}

/**
 * Gives `yes` when what was retrieved suffices for the expected answer, else `no`. Reads `inputs`, one of the expectations `expected_response`
 * and `expected_facts`, and the trace's outermost spans of type RETRIEVER. Column `retrieval_sufficiency`.
 */
export function RetrievalSufficiency(options?: JudgeOptions): Judge {
  return readyJudge('RetrievalSufficiency', options, {
    name: 'retrieval_sufficiency',
    task: SUFFICIENT,
    fields: (args) => [inputsField(args), truthField(args), documentsField(retrievals(args))],
    about: (args) => aboutSpans(retrievals(args)),
  })
}

function retrievals(args: JudgeArgs): readonly Retrieval[] {
  return retrievalsOf(traceOf(args))
}

function documentsField(found: readonly Retrieval[]): Field {
  return { name: 'retrieved_documents', value: documentsText(found) }
}

/** A verdict about one retrieval belongs to its span; one about several to the row. */
export function aboutSpans(found: readonly Retrieval[]) {
  const documents = found.reduce((count, one) => count + one.documents.length, 0)
  const [only] = found
  return {
    ...(found.length === 1 && only && { spanId: only.span.id }),
    metadata: { retrievals: found.length, documents },
  }
}

export const GROUNDED = `Decide whether an answer is grounded in documents.

"inputs" is what an application was asked, "outputs" what it answered, "retrieved_documents" what it had found to answer from. Take the
statements of the answer one by one, and look for each in the documents.

- "yes": every statement of fact in the answer is in the documents, or follows from them.
- "no": at least one is not, or contradicts them. Quote it.

Your own knowledge does not count, however sure you are. Greetings, what the user said, and saying that the documents do not tell are no
statements of fact. An answer that states no facts is grounded.`

export const SUFFICIENT = `Decide whether documents suffice to give the expected answer.

"inputs" is what an application was asked, "retrieved_documents" what it found. What a right answer says is in "expected_response" or in
"expected_facts".

- "yes": everything in the expected answer is in the documents, or follows from them and the question.
- "no": something of it is not there. Name it.

Your own knowledge does not count. Documents beyond what is needed do not matter.`
