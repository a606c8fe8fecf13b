import { expect, test } from 'vitest'
import { modelAt, PROVIDER_NAMES, parseAddress } from '../../../src/models/address.ts'
import { endpoint } from '../../data/endpoint.ts'

const messages = [{ role: 'user', content: 'Is it?' }] as const

test.each<[string, Record<string, string>, string]>([
  ['openai:/gpt-4.1-mini', { OPENAI_API_KEY: 'k' }, 'https://api.openai.com/v1'],
  ['openai:/m', { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://host/v1/' }, 'http://host/v1'],
  ['openai:/m', { OPENAI_API_KEY: 'k', OPENAI_API_BASE: 'http://old/v1' }, 'http://old/v1'],
  [
    'databricks:/e',
    { DATABRICKS_HOST: 'https://x.cloud.databricks.com/', DATABRICKS_TOKEN: 't' },
    'https://x.cloud.databricks.com/serving-endpoints',
  ],
  [
    'databricks:/e',
    { DATABRICKS_HOST: 'x.cloud.databricks.com', DATABRICKS_TOKEN: 't' },
    'https://x.cloud.databricks.com/serving-endpoints',
  ],
  ['endpoints:/e', { DATABRICKS_HOST: 'https://x', DATABRICKS_TOKEN: 't' }, 'https://x/serving-endpoints'],
  [
    'azure:/d',
    { AZURE_OPENAI_ENDPOINT: 'https://me.openai.azure.com/', AZURE_OPENAI_API_KEY: 'k' },
    'https://me.openai.azure.com/openai/v1',
  ],
  [
    'azure:/my deployment',
    {
      AZURE_OPENAI_ENDPOINT: 'https://me.openai.azure.com',
      AZURE_OPENAI_API_KEY: 'k',
      OPENAI_API_VERSION: '2024-10-21',
    },
    'https://me.openai.azure.com/openai/deployments/my%20deployment',
  ],
  ['ollama:/qwen3:8b', {}, 'http://127.0.0.1:11434/v1'],
  ['ollama:/qwen3:8b', { OLLAMA_HOST: '0.0.0.0' }, 'http://127.0.0.1:11434/v1'],
  ['ollama:/qwen3:8b', { OLLAMA_HOST: 'box:8080' }, 'http://box:8080/v1'],
  ['ollama:/qwen3:8b', { OLLAMA_HOST: 'https://ollama.example.com' }, 'https://ollama.example.com/v1'],
  ['vllm:/Qwen/Qwen3-8B', { VLLM_BASE_URL: 'http://gpu:8000/v1' }, 'http://gpu:8000/v1'],
  ['vllm:/Qwen/Qwen3-8B', {}, 'http://127.0.0.1:8000/v1'],
  ['gateway:/chat', { MLFLOW_TRACKING_URI: 'http://localhost:5000' }, 'http://localhost:5000/gateway/mlflow/v1'],
  ['litellm:/gpt-4o', { LITELLM_PROXY_API_BASE: 'http://localhost:4000' }, 'http://localhost:4000/v1'],
  ['anthropic:/claude-sonnet-4-5', { ANTHROPIC_API_KEY: 'k' }, 'https://api.anthropic.com/v1'],
])('modelAt() finds %s with %o', (address, env, baseURL) => {
  const model = modelAt(address, env)
  expect(model.identity).toMatchObject({ baseURL, model: address.replace(/^\w+:\//, '') })
  expect(() => model.requireReady()).not.toThrow()
})

test.each<[string, Record<string, string>, string]>([
  ['openai:/m', {}, 'OPENAI_API_KEY is not set'],
  ['databricks:/m', { DATABRICKS_TOKEN: 't' }, 'DATABRICKS_HOST is not set'],
  ['databricks:/m', { DATABRICKS_HOST: 'https://x' }, 'DATABRICKS_TOKEN is not set'],
  ['azure:/m', { AZURE_OPENAI_API_KEY: 'k' }, 'AZURE_OPENAI_ENDPOINT is not set'],
  ['gateway:/m', {}, 'MLFLOW_GATEWAY_URI is not set'],
  ['mistral:/m', {}, 'MISTRAL_API_KEY is not set'],
])('modelAt() says what %s lacks with %o', (address, env, problem) => {
  const model = modelAt(address, env)
  expect(() => model.requireReady()).toThrow(`Cannot ask ${address}: ${problem}`)
})

test('modelAt() sends the key of Azure as Azure wants it, and the version', async () => {
  await using server = await endpoint()
  const AZURE_OPENAI_ENDPOINT = server.url.replace('/v1', '')
  const env = { AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY: 'secret', OPENAI_API_VERSION: '2024-10-21' }
  await modelAt('azure:/judge', env).generate({ messages })
  const { headers, path } = server.journal[0] as (typeof server.journal)[number]
  expect(path).toBe('/openai/deployments/judge/chat/completions?api-version=2024-10-21')
  expect(headers['api-key']).toBe('secret')
  expect(headers.authorization).toBeUndefined()
})

test('modelAt() sends the token of Databricks, and asks the endpoint by its name', async () => {
  await using server = await endpoint()
  const env = { DATABRICKS_HOST: server.url.replace('/v1', ''), DATABRICKS_TOKEN: 'dapi-secret' }
  await modelAt('databricks:/databricks-gpt-oss-20b', env).generate({ messages, parameters: { maxTokens: 5 } })
  const { headers, path, body } = server.journal[0] as (typeof server.journal)[number]
  expect(path).toBe('/serving-endpoints/chat/completions')
  expect(headers.authorization).toBe('Bearer dapi-secret')
  expect(body).toMatchObject({ model: 'databricks-gpt-oss-20b', max_tokens: 5 })
})

test('modelAt() sends nobody the key of somebody else', async () => {
  await using server = await endpoint()
  const env = { OLLAMA_HOST: server.url, OPENAI_API_KEY: 'sk-openai', OPENAI_ORG_ID: 'org' }
  await modelAt('ollama:/qwen3', env).generate({ messages })
  expect(JSON.stringify(server.journal[0]?.headers)).not.toMatch(/sk-openai|org/)
})

test('modelAt() gives one model for one address in one environment', () => {
  const env = { OPENAI_API_KEY: 'k' }
  expect(modelAt('openai:/m', env)).toBe(modelAt('openai:/m', { ...env }))
  expect(modelAt('openai:/m', { OPENAI_API_KEY: 'other' })).not.toBe(modelAt('openai:/m', env))
})

test.each<[string, string]>([
  ['opnai:/gpt-4.1', 'unknown provider "opnai" (did you mean "openai"?)'],
  ['constructor:/x', 'unknown provider "constructor"'],
  ['gpt-4.1-mini', 'it is no address\nHint: an address looks like openai:/gpt-4.1-mini'],
  ['openai/gpt-4.1', 'it is no address (did you mean "openai:/gpt-4.1"?)'],
  ['openai:gpt-4.1', 'it is no address (did you mean "openai:/gpt-4.1"?)'],
  ['openai:/', 'it is no address'],
  ['databricks', 'managed judges are not open to other clients'],
  ['', 'it is no address'],
])('modelAt() refuses %s', (address, problem) => {
  expect(() => modelAt(address, {})).toThrow(TypeError)
  expect(() => modelAt(address, {})).toThrow(problem)
})

test('parseAddress() reads a provider in any case, and keeps every character of the model', () => {
  expect(parseAddress('OpenAI:/ft:gpt/4:x')).toEqual({ provider: 'openai', model: 'ft:gpt/4:x' })
  expect(parseAddress('openai://gpt')).toEqual({ provider: 'openai', model: 'gpt' })
  expect(parseAddress('replay://tmp/a.jsonl')).toEqual({ provider: 'replay', model: '/tmp/a.jsonl' })
})

test('modelAt() names every provider in its hint', () => {
  for (const name of PROVIDER_NAMES) expect(() => modelAt('nobody:/x', {})).toThrow(name)
})
