import { readFileSync } from 'node:fs'

/** One headed piece of the documentation. */
export interface Section {
  /** The heading, which is also how an answer cites it. */
  readonly title: string
  readonly sentences: readonly string[]
}

/** Cuts a Markdown page into its sections; code and tables stay out, and so does whatever a script writes into the page. */
export function sectionsOf(page: URL): Section[] {
  const text = readFileSync(page, 'utf8')
    .replace(/<!-- table:begin[\s\S]*?table:end -->/g, '')
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/^\|.*$/gm, '')
  return text
    .split(/^#+ /m)
    .slice(1)
    .map((part) => {
      const [title = '', ...lines] = part.split('\n')
      return { title: title.trim(), sentences: sentencesOf(lines) }
    })
    .filter(({ sentences }) => sentences.length > 0)
}

function sentencesOf(lines: readonly string[]): string[] {
  return lines
    .join('\n')
    .split(/\n\s*\n|\n(?=- |\d\. )/)
    .flatMap((block) => block.replace(/\s+/g, ' ').split(/(?<=[.;:]) (?=[A-Z`*])/))
    .map((sentence) =>
      sentence
        .replace(/^(- |\d\. )/, '')
        .replaceAll('**', '')
        .trim(),
    )
    .filter((sentence) => sentence.length > 0)
}
