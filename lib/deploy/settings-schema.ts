// Owns the shape of serverless.yml as far as it is this provider's. Refuses what a schema cannot say: settings.ts checks that.

/** As the API lists them, Node.js only. Source: SDK 3.1.211, CreateFunctionRequestBody; Node.js20.15: user guide, "Supported Programming Languages"; read 2026-11-24. */
const runtimes = ['Node.js14.18', 'Node.js16.17', 'Node.js18.15', 'Node.js20.15'] as const;

const variableName = '^[A-Za-z][A-Za-z0-9_]*$';
const text = { type: 'string', minLength: 1 };
/** Numbers and booleans are what YAML makes of 1 and true; a variable is text. */
const variables = {
  type: 'object',
  propertyNames: { pattern: variableName },
  additionalProperties: {
    anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }],
  },
};

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
};

/** What a provider may set for all of its functions, and each of them for itself. */
const shared = {
  runtime: { enum: runtimes },
  /** MB; which, settings.ts says. */
  memorySize: { type: 'integer' },
  /** Seconds. */
  timeout: { type: 'integer', minimum: 3, maximum: 900 },
  agencyName: text,
  appXrole: text,
  environment: variables,
  /** Names of variables of whoever deploys. */
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
};

export const providerSchema = {
  properties: {
    region: { type: 'string', pattern: '^[a-z]{2}-[a-z]+-[0-9]+$' },
    projectId: { type: 'string', pattern: '^[0-9a-zA-Z]{1,64}$' },
    /** Empty as from a variable that is set to nothing: the default. */
    endpoint: { type: 'string', pattern: '^(https?://.*)?$' },
    iamEndpoint: { type: 'string', pattern: '^(https?://.*)?$' },
    ...shared,
  },
};

export const functionSchema = {
  properties: {
    handler: { type: 'string', pattern: '^[\\w-]+\\.[\\w-]+$' },
    description: { type: 'string', maxLength: 512 },
    /** FunctionGraph's group of functions. */
    app: { type: 'string', pattern: '^[A-Za-z][\\w-]{0,59}$' },
    ...shared,
  },
  required: ['handler'],
};

/** Any: Serverless only says that an event is none it knows. settings.ts says what is wrong with it. */
export const eventSchema = { type: 'object' };
