import { InvalidArgumentError } from 'commander'

/** How texts of the command line become values. */

export function collected(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text]
}

export function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('must be an integer from 0')
  return value
}

export function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be an integer from 1')
  return value
}

export function amount(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('must be a number from 0')
  return value
}

export function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('must be a number from 0 to 1')
  return value
}
