import { span, trace } from 'vitest-evaluate'
import { sectionsOf } from './sections.ts'

/** A small app that answers questions from this project's documentation. It asks no model: it searches, and it quotes. */

const pages = ['../../README.md', '../../reporters/README.md', '../../src/exporters/README.md'].map(
  (path) => new URL(path, import.meta.url),
)
const sections = pages.flatMap(sectionsOf)

const STOP = new Set(
  'a an and are as at be by can do does for from has have how i in is it its many me my of on or that the there this to what when where which who why will with you'.split(
    ' ',
  ),
)

function words(text: string): string[] {
  return (text.toLowerCase().match(/[a-z0-9_.]*[a-z0-9]/g) ?? [])
    .filter((word) => !STOP.has(word))
    .map((word) => word.replace(/(ies|es|s|ed|ing)$/, ''))
}

/** What the search knows of a section: its words, the title's twice. */
const index = sections.map((section) => {
  const { title, sentences } = section
  return { section, has: words(`${title} ${title} ${sentences.join(' ')}`) }
})
const meanLength = index.reduce((sum, { has }) => sum + has.length, 0) / index.length

/** How rare a word is among the sections (the IDF of BM25). */
function rarity(word: string): number {
  const holding = index.filter(({ has }) => has.includes(word)).length
  return Math.log(1 + (index.length - holding + 0.5) / (holding + 0.5))
}

/** Ranks sections by BM25, and gives the three best. */
export const search = trace(
  (question: string) => {
    const asked = [...new Set(words(question))]
    return index
      .map(({ section, has }) => {
        const score = asked.reduce((sum, word) => {
          const count = has.filter((one) => one === word).length
          return sum + (rarity(word) * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * has.length) / meanLength))
        }, 0)
        return { section, score }
      })
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, 3)
      .map(({ section, score }) => ({
        page_content: section.sentences.join(' '),
        metadata: { title: section.title, score: Number(score.toFixed(2)) },
      }))
  },
  { name: 'search', type: 'RETRIEVER' },
)

export interface Answer {
  readonly text: string
  /** The section that was quoted. */
  readonly source: string
}

/** Quotes the sentences that fit the question best, from the first `breadth` sections found. */
function quote(question: string, titles: readonly string[], breadth: number): Answer {
  const asked = new Set(words(question))
  const found = sections.filter(({ title }) => titles.slice(0, breadth).includes(title))
  const ranked = found
    .flatMap(({ title, sentences }) => sentences.map((sentence) => ({ title, sentence })))
    .map((one) => ({
      ...one,
      score: [...new Set(words(one.sentence))]
        .filter((word) => asked.has(word))
        .reduce((sum, word) => sum + rarity(word), 0),
    }))
    .sort((a, b) => b.score - a.score)
  const best = ranked.slice(0, breadth === 1 ? 1 : 3)
  return { text: best.map(({ sentence }) => sentence).join(' '), source: best[0]?.title ?? '' }
}

function answerFrom(question: string, breadth: number): Answer {
  const titles = search(question).map(({ metadata }) => metadata.title)
  if (titles.length === 0) return { text: 'The documentation does not say.', source: '' }
  return span('quote', { inputs: { titles, breadth } }, () => quote(question, titles, breadth))
}

/** Answers with one sentence of the best section. */
export function answer({ question }: { question: string }): Answer {
  return answerFrom(question, 1)
}

/** The next version: three sentences, from the three best sections. */
export function answerWider({ question }: { question: string }): Answer {
  return answerFrom(question, 3)
}
