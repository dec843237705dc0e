// Responsible for the JSON Schema of serverless.yml. Not responsible for the rules that a schema cannot express: see settings.ts.

import type { TimerEvent } from './timer-events.ts';

/** Those that the bundles run on. */
const runtimes = ['Node.js18.15', 'Node.js20.15'] as const;

const variableName = '^[A-Za-z][A-Za-z0-9_]*$';
const text = { type: 'string', minLength: 1 } as const;
/** YAML reads 1 and true as a number and a boolean; both become text. */
const variables = {
  type: 'object',
  propertyNames: { pattern: variableName },
  additionalProperties: { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
} as const;

const onFailure = {
  type: 'object',
  properties: {
    destination: { enum: ['SMN', 'OBS', 'FunctionGraph'] },
    topicUrn: text,
    bucket: text,
    prefix: text,
    /** Days. */
    expires: { type: 'integer', minimum: 0, maximum: 365 },
    funcUrn: text,
  },
  required: ['destination'],
  additionalProperties: false,
} as const;

/** For the provider (all functions) and for each function. */
const shared = {
  runtime: { enum: runtimes },
  /** MB. settings.ts checks the sizes: Serverless would not list them. */
  memorySize: { type: 'integer' },
  /** Seconds. */
  timeout: { type: 'integer', minimum: 3, maximum: 900 },
  agencyName: text,
  appXrole: text,
  environment: variables,
  secrets: { type: 'array', items: { type: 'string', pattern: variableName }, uniqueItems: true },
  vpcId: text,
  subnetId: text,
  ltsGroupId: text,
  ltsGroupName: text,
  ltsStreamId: text,
  ltsStreamName: text,
  enterpriseProjectId: text,
  maxInstances: { type: 'integer', minimum: 1, maximum: 1000 },
  asyncRetries: { type: 'integer', minimum: 0, maximum: 8 },
  onFailure,
} as const;

/** May be empty, as from a variable with an empty value: this means the default. */
const endpoint = { type: 'string', pattern: '^(https?://.*)?$' } as const;

export const providerSchema = {
  properties: {
    region: { type: 'string', pattern: '^[a-z]{2}-[a-z]+-[0-9]+$' },
    projectId: { type: 'string', pattern: '^[0-9a-zA-Z]{1,64}$' },
    endpoint,
    iamEndpoint: endpoint,
    ...shared,
  },
} as const;

export const functionSchema = {
  properties: {
    /** Each zip has the bundle as index.js at its root; the bundle exports `handler`. */
    handler: { enum: ['index.handler'] },
    description: { type: 'string', maxLength: 512 },
    /** The FunctionGraph application, a group of functions. */
    app: { type: 'string', pattern: '^[A-Za-z][\\w-]{0,59}$' },
    ...shared,
  },
  required: ['handler'],
} as const;

/** Accepts any event: timer-events.ts reports faults more precisely than Serverless does. */
export const eventSchema = { type: 'object' };

/** The type of the values that a schema accepts; every key of an object is optional. */
type Accepted<Schema> = Schema extends { enum: readonly (infer Value)[] }
  ? Value
  : Schema extends { properties: infer Properties }
    ? { [Key in keyof Properties]?: Accepted<Properties[Key]> | undefined }
    : Schema extends { type: 'object' }
      ? Record<string, string | number | boolean>
      : Schema extends { type: 'array' }
        ? string[]
        : Schema extends { type: 'integer' }
          ? number
          : string;

export type SharedSection = Accepted<{ properties: typeof shared }>;
export type ProviderSection = Accepted<typeof providerSchema>;
export type FunctionSection = Accepted<typeof functionSchema> & {
  name?: string | undefined;
  events?: readonly TimerEvent[];
};
