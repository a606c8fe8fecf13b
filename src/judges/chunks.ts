import type { RetrievedDocument } from '../documents.ts'
import type { Feedback, FeedbackInit } from '../feedback.ts'
import type { Judge, JudgeOptions } from '../judge.ts'
import { answerForm } from './answer.ts'
import { type Asker, allOf } from './ask.ts'
import type { Field } from './block.ts'
import { retrievalsOf } from './documents.ts'
import { inputsField, traceOf } from './fields.ts'
import { askAbout, makeKind } from './judging.ts'
import { aboutSpans } from './retrieval.ts'
import { YES_NO } from './values.ts'

/**
 * Judges every retrieved document by itself, one call each: is it of use for the question? Two columns come of it: `retrieval_relevance/precision`,
 * the share of documents that are (nothing found: missing), and `retrieval_relevance`, their verdicts as a list, in the order of the documents.
 * Reads `inputs` and the trace's outermost spans of type RETRIEVER.
 */
export function RetrievalRelevance(options?: JudgeOptions): Judge<readonly Feedback[]> {
  return makeKind<readonly FeedbackInit[]>('RetrievalRelevance', options, {
    name: 'retrieval_relevance',
    digest: TASK,
    columns: ['precision'],
    judge: async (args, asker, name) => {
      const inputs = inputsField(args)
      const retrievals = retrievalsOf(traceOf(args))
      const about = aboutSpans(retrievals)
      const documents = retrievals.flatMap((one) => one.documents)
      const verdicts = await allOf(documents.map((document) => verdictOn(inputs, document, asker)))
      const relevant = verdicts.filter(({ value }) => value === 'yes').length
      const rationale = verdicts.map(({ value, reason }, i) => `${i + 1}. ${value}: ${reason}`).join('\n')
      return [
        {
          ...about,
          name: `${name}/precision`,
          value: documents.length === 0 ? null : relevant / documents.length,
          rationale: `${relevant} of ${documents.length} documents are relevant`,
        },
        { ...about, value: verdicts.map(({ value }) => value), rationale },
      ]
    },
  })
}

const FORM = answerForm(YES_NO)

async function verdictOn(inputs: Field, document: RetrievedDocument, asker: Asker) {
  const fields = [inputs, { name: 'document', value: document.content }]
  const { value, rationale } = await askAbout(TASK, fields, FORM, asker)
  return { value: value as string, reason: rationale ?? '' }
}

const TASK = `Decide whether a document that a search found is relevant.

"inputs" is what an application was asked, perhaps a whole chat, of which the last request counts. "document" is one thing that it found.

- "yes": the document holds something that helps to answer, be it only a part of the request.
- "no": it holds nothing of the kind. Sharing a topic or some words with the request is not enough.

Whether the document is true or complete does not count.`
